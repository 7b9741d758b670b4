/* pub.c - `oudp pub`: publishes as any MQTT client does, and says what became of it. */
#include "cli/http.h"
#include "cli/mqtt.h"
#include "cli/text.h"

#include "base/limits.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pub {
	struct cli *cli;
	const char *host, *feed, *topic, *thing, *message;
	uint64_t port, qos, timeout_s;
	bool retain, lines;
	char **files;
	int n_files;

	char *to; /* the topic, worked out */
	struct mqtt *mqtt;
	struct buf payload;
	bool label; /* say which message it was */
	uint64_t sent, stored, refused;
};

enum { OPT_TOPIC = CLI_OWN, OPT_THING, OPT_TIMEOUT };

static const struct option options[] = {{"topic", required_argument, NULL, OPT_TOPIC},
                                        {"thing", required_argument, NULL, OPT_THING},
                                        {"timeout", required_argument, NULL, OPT_TIMEOUT},
                                        {"message", required_argument, NULL, 'm'},
                                        {"host", required_argument, NULL, 'h'},
                                        {"port", required_argument, NULL, 'p'},
                                        {"qos", required_argument, NULL, 'q'},
                                        {"retain", no_argument, NULL, 'r'},
                                        {0}};

static void print_json_verdict(const struct pub *p, const struct mqtt_verdict *v, const char *word)
{
	json_t *o = json_pack("{s:s, s:i, s:s}", "verdict", word, "code", v->code, "topic", p->to);
	if (v->reason[0])
		json_object_set_new(o, "reason",
		                    json_stringn_nocheck(v->reason, strlen(v->reason)));
	if (p->lines)
		json_object_set_new(o, "line", json_integer((json_int_t)v->tag + 1));
	else if (p->label)
		json_object_set_new(o, "file", json_string(p->files[v->tag]));
	cli_print_json(o);
}

static void verdict(void *arg, const struct mqtt_verdict *v)
{
	struct pub *p = arg;
	bool duplicate = v->code < 0x80 && strncmp(v->reason, "duplicate", 9) == 0;
	const char *word = v->code >= 0x80 ? "refused"
	                   : p->qos == 0   ? "sent"
	                   : duplicate     ? "duplicate"
	                                   : "stored";
	*(v->code >= 0x80 ? &p->refused : &p->stored) += 1;
	if (p->cli->json) {
		print_json_verdict(p, v, word);
		return;
	}
	if (p->lines && v->code < 0x80)
		return; /* thousands of lines: the sum is told at the end */
	if (p->lines)
		printf("line %llu: ", (unsigned long long)v->tag + 1);
	else if (p->label)
		printf("%s: ", p->files[v->tag]);
	if (v->code >= 0x80)
		printf("refused 0x%02x %s%s\n", (unsigned)v->code,
		       v->reason[0] ? v->reason : mqtt_code_text(v->code),
		       /* libmosquitto drops the words of a PUBREC */
		       p->qos == 2 && !v->reason[0] ? "; why: oudp quarantine list" : "");
	else if (p->qos == 0)
		printf("sent; QoS 0 has no verdict\n");
	else
		printf("%s\n", duplicate ? v->reason : "stored");
}

static int read_options(struct pub *p, int argc, char **argv)
{
	struct cli *c = p->cli;
	for (int o; (o = cli_option(c, argc, argv, "m:h:p:q:rl", options)) != CLI_END;) {
		int err = 0;
		switch (o) {
		case OPT_TOPIC: p->topic = optarg; break;
		case OPT_THING: p->thing = optarg; break;
		case OPT_TIMEOUT:
			err = cli_number(c, "--timeout", optarg, 1, 86400, &p->timeout_s);
			break;
		case 'm': p->message = optarg; break;
		case 'h': p->host = optarg; break;
		case 'p': err = cli_number(c, "-p", optarg, 1, 65535, &p->port); break;
		case 'q': err = cli_number(c, "-q", optarg, 0, 2, &p->qos); break;
		case 'r': p->retain = true; break;
		case 'l': p->lines = true; break;
		default: return CLI_TROUBLE;
		}
		if (err)
			return err;
	}
	if (!p->topic && optind < argc)
		p->feed = argv[optind++];
	if (!p->topic && !p->feed)
		return cli_usage(c, "where to: a feed, or --topic");
	p->files = argv + optind;
	p->n_files = argc - optind;
	if (p->message && p->n_files > 0)
		return cli_usage(c, "-m or files, not both");
	p->label = p->n_files > 1;
	return 0;
}

/* {thing} in the template takes the thing. */
static int fill_topic(struct pub *p, const char *template)
{
	static const char place[] = "{thing}";
	const char *at = strstr(template, place);
	if (at && !p->thing)
		return cli_trouble(p->cli, "the topic is %s: say which with --thing", template);
	if (!at && p->thing)
		return cli_trouble(p->cli, "the topic %s has no {thing}: leave --thing out",
		                   template);
	if (at && (strpbrk(p->thing, "/+#") || !*p->thing))
		return cli_trouble(p->cli, "--thing is one level of the topic, without / + #");
	if (strpbrk(template, "+#"))
		return cli_trouble(p->cli, "the topic is %s: name one under it with --topic",
		                   template);
	if (at) {
		if (asprintf(&p->to, "%.*s%s%s", (int)(at - template), template, p->thing,
		             at + sizeof(place) - 1) < 0)
			p->to = NULL;
	} else {
		p->to = xstrdup(template);
	}
	return 0;
}

static int find_topic(struct pub *p)
{
	if (p->topic)
		return fill_topic(p, p->topic);
	json_t *feed = NULL;
	auto_free char *path = http_feed_path(p->feed, "");
	int err = http_json(p->cli, HTTP_READ, "GET", path, NULL, &feed);
	if (err)
		return err;
	const char *first = json_string_value(json_array_get(json_object_get(feed, "topics"), 0));
	err = first ? fill_topic(p, first)
	            : cli_trouble(p->cli, "the feed %s names no topic; use --topic", p->feed);
	json_decref(feed);
	return err;
}

static int send_one(struct pub *p, struct span payload)
{
	int err = mqtt_send(p->mqtt, p->to, payload, (int)p->qos, p->retain, p->sent);
	p->sent += !err;
	return err ? err : mqtt_drain(p->mqtt, MQTT_WINDOW - 1, (unsigned)p->timeout_s);
}

static int send_lines(struct pub *p, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	if (!f)
		return cli_trouble(p->cli, "%s: %m", path);
	char *line = NULL;
	size_t cap = 0;
	int err = 0;
	for (ssize_t n; !err && (n = getline(&line, &cap, f)) >= 0;) {
		size_t len = (size_t)n;
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			len--;
		err = send_one(p, span_of(line, len));
	}
	free(line);
	if (!is_stdin)
		fclose(f);
	return err;
}

static int send_file(struct pub *p, const char *path)
{
	if (p->lines)
		return send_lines(p, path);
	buf_clear(&p->payload);
	int err = cli_read_file(p->cli, path, LIMIT_PACKET_BYTES_MAX, &p->payload);
	/* the line end that editors and echo put after it is not part of a message */
	if (!err && p->payload.len > 0 && p->payload.p[p->payload.len - 1] == '\n')
		p->payload.len--;
	return err ? err : send_one(p, span_of(p->payload.p, p->payload.len));
}

static int send_all(struct pub *p)
{
	int err = 0;
	if (p->message)
		err = send_one(p, span_str(p->message));
	else if (p->n_files == 0)
		err = send_file(p, "-");
	for (int i = 0; !err && i < p->n_files; i++)
		err = send_file(p, p->files[i]);
	return err ? err : mqtt_drain(p->mqtt, 0, (unsigned)p->timeout_s);
}

int cmd_pub(struct cli *c, int argc, char **argv)
{
	struct pub p = {.cli = c, .host = "127.0.0.1", .port = 1883, .qos = 1, .timeout_s = 30};
	int err = read_options(&p, argc, argv);
	if (!err)
		err = find_topic(&p);
	if (err)
		return err;
	buf_init(&p.payload, LIMIT_PACKET_BYTES_MAX);
	cli_stop_init();
	const struct mqtt_options o = {
	    .host = p.host, .port = (uint16_t)p.port, .arg = &p, .verdict = verdict};
	err = mqtt_open(c, &o, &p.mqtt);
	if (!err) {
		err = send_all(&p);
		if (p.lines && !c->json)
			printf("%s %llu, refused %llu\n", p.qos ? "stored" : "sent",
			       (unsigned long long)p.stored, (unsigned long long)p.refused);
		if (p.refused > 0 && c->terminal)
			fprintf(stderr, "what is refused for its content or topic is kept: oudp "
			                "quarantine list\n");
		mqtt_close(p.mqtt);
	}
	buf_done(&p.payload);
	free(p.to);
	return err ? err : p.refused > 0 ? CLI_NO : CLI_OK;
}
