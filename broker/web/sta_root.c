/* sta_root.c - the landing page of SensorThings: its sets, and which classes of the standard are
 * true here (18-088, 9.2.1). */
#include "web/pages.h"
#include "web/sta.h"
#include "json/write.h"

#include <stdio.h>

static const char STA_REQ[] = "http://www.opengis.net/spec/iot_sensing/1.1/req/";
static const char UPDATES[] = "receive-updates-via-mqtt/receive-updates";
static const char CREATION[] = "create-observations-via-mqtt/observations-creation";

/* Of STA_REQ: what is true, and no more. */
static const char *const classes[] = {
    "datamodel",
    "resource-path/resource-path-to-entities",
    "request-data",
    "create-update-delete",
    "batch-request/batch-request",
    "data-array/data-array",
    "multi-datastream",
    "multi-datastream/constraints",
    "multi-datastream/properties",
    "multi-datastream/relations",
};

static void endpoints(struct buf *b, const struct where *x, const char *class)
{
	char url[320];
	buf_addf(b, ",\"%s%s\":{\"endpoints\":[", STA_REQ, class);
	if (x->mqtt_port) {
		snprintf(url, sizeof(url), "mqtt%s://%s:%u", x->mqtt_tls ? "s" : "", x->host,
		         x->mqtt_port);
		json_write_string(b, span_str(url));
		buf_add_char(b, ',');
	}
	snprintf(url, sizeof(url), "%s/mqtt", x->ws);
	json_write_string(b, span_str(url));
	buf_add_str(b, "]}");
}

void sta_landing_page(struct req *r)
{
	struct buf *b = &r->out;
	struct where x = page_where(r->web);
	buf_add_str(b, "{\"value\":[");
	for (unsigned t = 0; t < STA_TYPES; t++) {
		const char *name = sta_set_name((enum sta_type)t);
		buf_addf(b, "%s{\"name\":\"%s\",\"url\":\"%s/sta/v1.1/%s\"}", t ? "," : "", name,
		         r->web->base_url, name);
	}
	buf_add_str(b, "],\"serverSettings\":{\"conformance\":[");
	for (unsigned i = 0; i < ARRAY_LEN(classes); i++)
		buf_addf(b, "%s\"%s%s\"", i ? "," : "", STA_REQ, classes[i]);
	if (r->web->teller)
		buf_addf(b, ",\"%s%s\",\"%s%s\"", STA_REQ, UPDATES, STA_REQ, CREATION);
	buf_add_char(b, ']');
	if (r->web->teller) {
		endpoints(b, &x, UPDATES);
		endpoints(b, &x, CREATION);
	}
	buf_addf(b, ",\"capabilities\":\"%s/v1/capabilities\"}}", r->web->base_url);
	respond(r, 200, "application/json");
}
