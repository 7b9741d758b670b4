/* page_ways.c - how to subscribe to a feed: which way to choose, and lines to copy that work. */
#include "web/pages.h"

#include <stdio.h>
#include <string.h>

enum { LINES_BYTES = 8 << 10 };

struct where page_where(const struct web *w)
{
	const struct config *c = hub_config(w->hub);
	struct where x = {.base = w->base_url};
	const char *rest = strstr(w->base_url, "://");
	rest = rest ? rest + 3 : w->base_url;
	snprintf(x.ws, sizeof(x.ws), "ws%s://%s", strncmp(w->base_url, "https", 5) == 0 ? "s" : "",
	         rest);
	size_t n = *rest == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":/");
	snprintf(x.host, sizeof(x.host), "%.*s", (int)MIN_OF(n, sizeof(x.host) - 1), rest);
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct config_listener *l = &c->listeners[i];
		/* the one that can be reached from furthest away */
		bool better = !x.mqtt_port || (!l->loopback && l->tls);
		if (l->protocol == CONFIG_MQTT && better) {
			x.mqtt_port = (unsigned)l->port;
			x.mqtt_tls = l->tls != NULL;
		}
	}
	return x;
}

/* "city/air/{thing}" as a topic filter: city/air/+. Appends. */
static void page_topic_filter(struct buf *b, const char *template)
{
	const char *hole = strstr(template, "{thing}");
	if (!hole) {
		buf_add_str(b, template);
		return;
	}
	buf_add(b, template, (size_t)(hole - template));
	buf_add_char(b, '+');
	buf_add_str(b, hole + strlen("{thing}"));
}

static void choice(struct page *p, const char *way, const char *dutch, const char *english)
{
	struct html *h = &p->h;
	html_element(h, "dt", NULL, way);
	html_element(h, "dd", NULL, say(p, dutch, english));
}

static void choices(struct page *p)
{
	html_class(&p->h, "dl", "facts");
	choice(
	    p, "WebSocket",
	    "Voor een toepassing die meteen wil weten wat er gebeurt. Na een onderbreking gaat u "
	    "verder waar u was, zonder gat.",
	    "For an application that wants to know at once. After a break you go on where you "
	    "were, without a hole.");
	choice(p, "HTTP",
	       "Voor een script dat nu en dan ophaalt wat er nieuw is, of eenmalig terugkijkt.",
	       "For a script that fetches what is new now and then, or looks back once.");
	choice(p, say(p, "Server-sent events", "Server-sent events"),
	       "Voor een webpagina, of achter een proxy die geen WebSocket doorlaat.",
	       "For a web page, or behind a proxy that lets no WebSocket through.");
	choice(p, "MQTT",
	       "Voor apparaten en voor wie al een MQTT-broker heeft. Zonder volgnummer, tenzij u "
	       "erom vraagt.",
	       "For devices and for who has an MQTT broker already. Without a sequence number, "
	       "unless you ask for it.");
	html_close(&p->h, "dl");
}

static void lines(struct page *p, const struct feed *f, const struct where *x)
{
	const char *name = f->conf->name;
	struct buf b;
	buf_init(&b, LINES_BYTES);
	buf_addf(&b, "curl '%s/v1/feeds/%s/events?limit=10'", x->base, name);
	page_code(p, say(p, "HTTP: de oudste tien berichten", "HTTP: the oldest ten messages"),
	          buf_str(&b));
	buf_clear(&b);
	buf_addf(&b, "curl -N -H 'Accept: text/event-stream' %s/v1/feeds/%s/events", x->base, name);
	page_code(p, say(p, "Server-sent events: vanaf nu", "Server-sent events: from now on"),
	          buf_str(&b));
	buf_clear(&b);
	buf_addf(&b, "websocat --protocol cloudevents.json %s/v1/feeds/%s/events", x->ws, name);
	page_code(p, "WebSocket: websocat", buf_str(&b));
	buf_clear(&b);
	if (x->mqtt_port) {
		buf_addf(&b, "mosquitto_sub -V 5 -h %s -p %u%s -t '", x->host, x->mqtt_port,
		         x->mqtt_tls ? " --tls-use-os-certs" : "");
		page_topic_filter(&b, f->conf->topics[0]);
		buf_add_str(&b, "' -v");
		page_code(p, "MQTT: mosquitto_sub", buf_str(&b));
		buf_clear(&b);
	}
	buf_addf(
	    &b,
	    "import asyncio, json, websockets\n\n"
	    "async def main():\n"
	    "    after = \"\"   # %s\n"
	    "    while True:\n"
	    "        try:\n"
	    "            url = \"%s/v1/feeds/%s/events\" + after\n"
	    "            async with websockets.connect(url, subprotocols=[\"cloudevents.json\"]) "
	    "as ws:\n"
	    "                async for text in ws:\n"
	    "                    event = json.loads(text)\n"
	    "                    after = \"?after=\" + event[\"id\"].split(\"-\")[0]\n"
	    "                    if \"sequence\" in event:\n"
	    "                        print(event[\"subject\"], event[\"data\"])\n"
	    "        except (OSError, websockets.ConnectionClosed):\n"
	    "            await asyncio.sleep(1)\n\n"
	    "asyncio.run(main())",
	    say(p, "na een onderbreking: verder waar we waren",
	        "after a break: go on where we were"),
	    x->ws, name);
	page_code(p, "WebSocket: Python", buf_str(&b));
	buf_clear(&b);
	buf_addf(&b,
	         "const ws = new WebSocket(\"%s/v1/feeds/%s/events\", \"cloudevents.json\");\n"
	         "ws.onmessage = (message) => {\n"
	         "  const event = JSON.parse(message.data);\n"
	         "  if (event.sequence) console.log(event.subject, event.data);\n"
	         "};",
	         x->ws, name);
	page_code(p, "WebSocket: JavaScript", buf_str(&b));
	buf_done(&b);
}

void page_ways(struct page *p, const struct feed *f)
{
	struct html *h = &p->h;
	struct where x = page_where(p->r->web);
	html_open(h, "section");
	html_attr(h, "id", "subscribe");
	html_element(h, "h2", NULL, say(p, "Zelf ontvangen", "Receive it yourself"));
	html_element(
	    h, "p", NULL,
	    say(p,
	        "Wie deze gegevens mag zien, mag zich erop abonneren. Kies de weg die bij u "
	        "past en neem de regel over.",
	        "Who may see this data may subscribe to it. Choose the way that suits you "
	        "and copy the line."));
	choices(p);
	html_class(h, "div", "lines");
	lines(p, f, &x);
	html_close(h, "div");
	if (f->conf->access != CONFIG_PUBLIC) {
		html_open(h, "p");
		html_text(
		    h, say(p,
		           "Deze gegevens zijn niet openbaar: u hebt een sleutel van de beheerder "
		           "nodig. Vraag hem aan bij ",
		           "This data is not public: you need a key from the administrator. Ask "
		           "for it at "));
		html_text(h, *f->conf->contact ? f->conf->contact
		                               : say(p, "de gemeente", "the municipality"));
		html_text(h, ".");
		html_close(h, "p");
	}
	html_open(h, "p");
	html_link(h, "/v1/openapi.json", "OpenAPI");
	html_text(h, " · ");
	html_link(h, "/v1/asyncapi.json", "AsyncAPI");
	html_text(h, " · ");
	html_link(h, "/v1/catalog", say(p, "Catalogus (DCAT-AP-NL)", "Catalogue (DCAT-AP-NL)"));
	html_close(h, "p");
	html_close(h, "section");
}
