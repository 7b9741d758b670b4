/* bench.c - `oudp bench`: options and report. The work is in bench_load.c. */
#include "cli/bench.h"

#include "base/limits.h"
#include "base/mem.h"
#include "cli/text.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_WARM = CLI_OWN,
	OPT_SUBS,
	OPT_FILTER,
	OPT_SUB_QOS,
	OPT_TOPIC,
	OPT_THINGS,
	OPT_PAYLOAD,
	OPT_PID
};

static const struct option options[] = {{"warm", required_argument, NULL, OPT_WARM},
                                        {"subs", required_argument, NULL, OPT_SUBS},
                                        {"filter", required_argument, NULL, OPT_FILTER},
                                        {"sub-qos", required_argument, NULL, OPT_SUB_QOS},
                                        {"topic", required_argument, NULL, OPT_TOPIC},
                                        {"things", required_argument, NULL, OPT_THINGS},
                                        {"payload", required_argument, NULL, OPT_PAYLOAD},
                                        {"pid", required_argument, NULL, OPT_PID},
                                        {0}};

/* About 200 bytes, fits air-quality-observed/1; no two are alike. */
static const char default_payload[] =
    "{\"dateObserved\":\"{time}\",\"pm25\":{val},\"pm10\":{val},\"no2\":{val},\"temperature\":12.5,"
    "\"relativeHumidity\":0.61,\"name\":\"bench-{n}\",\"source\":\"oudp "
    "bench\",\"_seq\":{seq},\"_ns\":{ns}}";

static int payload_of(const struct cli *c, const char *arg, const char **ret)
{
	if (arg[0] != '@') {
		*ret = arg;
		return 0;
	}
	struct buf b;
	buf_init(&b, LIMIT_PACKET_BYTES);
	int err = cli_read_file(c, arg + 1, LIMIT_PACKET_BYTES - 1, &b);
	if (err)
		return err;
	if (b.len > 0 && b.p[b.len - 1] == '\n')
		b.len--;
	*ret = xstrndup(b.p ? b.p : "", b.len);
	buf_done(&b);
	return 0;
}

static int read_options(struct bench *b, int argc, char **argv)
{
	struct cli *c = b->cli;
	const char *topic = "city/air/bench-{n}", *payload = default_payload;
	for (int o; (o = cli_option(c, argc, argv, "h:p:c:w:q:d:r:V:", options)) != CLI_END;) {
		int err = 0;
		switch (o) {
		case 'h': b->host = optarg; break;
		case 'p': err = cli_number(c, "-p", optarg, 1, 65535, &b->port); break;
		case 'c':
			err =
			    cli_number(c, "-c", optarg, 1, BENCH_CONNECTIONS_MAX, &b->connections);
			break;
		case 'w': err = cli_number(c, "-w", optarg, 1, BENCH_WINDOW_MAX, &b->window); break;
		case 'q': err = cli_number(c, "-q", optarg, 0, 1, &b->qos); break;
		case 'd': err = cli_number(c, "-d", optarg, 1, 86400, &b->seconds); break;
		case 'r': err = cli_number(c, "-r", optarg, 0, 100000000, &b->rate); break;
		case 'V': err = cli_number(c, "-V", optarg, 4, 5, &b->version); break;
		case OPT_WARM: err = cli_number(c, "--warm", optarg, 0, 3600, &b->warm_s); break;
		case OPT_SUBS:
			err = cli_number(c, "--subs", optarg, 0, BENCH_CONNECTIONS_MAX, &b->subs);
			break;
		case OPT_SUB_QOS:
			err = cli_number(c, "--sub-qos", optarg, 0, 1, &b->sub_qos);
			break;
		case OPT_THINGS:
			err = cli_number(c, "--things", optarg, 1, 1u << 30, &b->things);
			break;
		case OPT_PID: err = cli_number(c, "--pid", optarg, 1, 1u << 30, &b->pid); break;
		case OPT_FILTER: b->filter = optarg; break;
		case OPT_TOPIC: topic = optarg; break;
		case OPT_PAYLOAD: err = payload_of(c, optarg, &payload); break;
		default: return CLI_TROUBLE;
		}
		if (err)
			return err;
	}
	if (optind < argc)
		return cli_usage(c, "there is nothing to name here");
	if (template_parse(&b->topic, topic) < 0 || template_parse(&b->payload, payload) < 0)
		return cli_trouble(c, "a template has more than %d parts", TEMPLATE_PARTS_MAX);
	return 0;
}

static uint64_t refusals(const struct bench *b)
{
	uint64_t n = 0;
	for (unsigned i = 0x80; i < 256; i++)
		n += b->refused[i];
	return n;
}

static double per_second(const struct bench *b, uint64_t n)
{
	double s = (double)(b->until_ns - MIN_OF(b->from_ns, b->until_ns)) / 1e9;
	return s > 0 ? (double)n / s : 0;
}

static double micros(double seconds, uint64_t messages)
{
	return messages ? seconds * 1e6 / (double)messages : 0;
}

static void report_json(const struct bench *b, uint64_t messages)
{
	const struct {
		const char *name;
		double value;
	} numbers[] = {
	    {"connections", (double)b->connections},
	    {"window", (double)b->window},
	    {"qos", (double)b->qos},
	    {"subscribers", (double)b->subs},
	    {"seconds", (double)(b->until_ns - MIN_OF(b->from_ns, b->until_ns)) / 1e9},
	    {"sent", (double)b->sent},
	    {"acknowledged", (double)b->taken},
	    {"refused", (double)refusals(b)},
	    {"unanswered", b->qos ? (double)(b->sent - b->answered) : 0},
	    {"lostConnections", (double)b->lost},
	    {"received", (double)b->received},
	    {"rate", per_second(b, messages)},
	    {"deliveredRate", per_second(b, b->measured_received)},
	    {"ackP50Ms", hist_ms(&b->ack, 0.5)},
	    {"ackP99Ms", hist_ms(&b->ack, 0.99)},
	    {"ackMaxMs", (double)b->ack.max_ns / 1e6},
	    {"deliverP50Ms", hist_ms(&b->deliver, 0.5)},
	    {"deliverP99Ms", hist_ms(&b->deliver, 0.99)},
	    {"ownCpuUs", micros(b->cpu_s, messages)},
	    {"serverCpuUs", micros(b->server_cpu_s, messages)},
	};
	struct buf o;
	buf_init(&o, 16 << 10);
	buf_add_char(&o, '{');
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_write_name(&o, numbers[i].name);
		json_write_double(&o, numbers[i].value);
	}
	json_write_name(&o, "firstReason");
	json_write_string(&o, span_str(b->reason));
	buf_add_char(&o, '}');
	puts(buf_str(&o));
	buf_done(&o);
}

static void report(const struct bench *b, uint64_t messages)
{
	struct buf o;
	buf_init(&o, 16 << 10);
	buf_addf(&o, "%llu connections, ", (unsigned long long)b->connections);
	if (b->qos)
		buf_addf(&o, "window %llu, ", (unsigned long long)b->window);
	buf_addf(&o, "QoS %llu, MQTT %s\n", (unsigned long long)b->qos,
	         b->version == 5 ? "5" : "3.1.1");
	text_count(&o, (uint64_t)per_second(b, messages));
	buf_addf(&o, " %s a second\n", b->qos ? "acknowledged" : "sent");
	if (b->qos)
		buf_addf(&o, "acknowledgement   p50 %.2f ms   p99 %.2f ms   longest %.2f ms\n",
		         hist_ms(&b->ack, 0.5), hist_ms(&b->ack, 0.99),
		         (double)b->ack.max_ns / 1e6);
	if (b->subs) {
		text_count(&o, (uint64_t)per_second(b, b->measured_received));
		buf_addf(&o, " delivered a second to %llu subscribers\n",
		         (unsigned long long)b->subs);
		if (b->deliver.n)
			buf_addf(&o,
			         "publish to receive p50 %.2f ms   p99 %.2f ms   longest %.2f ms\n",
			         hist_ms(&b->deliver, 0.5), hist_ms(&b->deliver, 0.99),
			         (double)b->deliver.max_ns / 1e6);
	}
	buf_addf(&o, "own CPU %.2f us a message", micros(b->cpu_s, messages));
	if (b->pid)
		buf_addf(&o, ", the broker's %.2f us", micros(b->server_cpu_s, messages));
	buf_addf(&o, "\n");
	for (unsigned i = 0x80; i < 256; i++)
		if (b->refused[i])
			buf_addf(&o, "refused with 0x%02x: %llu\n", i,
			         (unsigned long long)b->refused[i]);
	if (b->reason[0]) {
		buf_add_str(&o, "the first: ");
		text_line(&o, span_str(b->reason), 0);
		buf_add_char(&o, '\n');
	}
	if (b->lost)
		buf_addf(&o, "connections lost: %llu\n", (unsigned long long)b->lost);
	if (b->qos && b->sent > b->answered)
		buf_addf(&o, "without an answer: %llu\n",
		         (unsigned long long)(b->sent - b->answered));
	fputs(buf_str(&o), stdout);
	buf_done(&o);
}

int cmd_bench(struct cli *c, int argc, char **argv)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	*b = (struct bench){.cli = c,
	                    .host = "127.0.0.1",
	                    .port = 1883,
	                    .filter = "city/#",
	                    .client_id = "oudp-bench",
	                    .connections = 50,
	                    .window = 100,
	                    .qos = 1,
	                    .seconds = 10,
	                    .warm_s = 1,
	                    .version = 5,
	                    .things = 1000};
	int status = read_options(b, argc, argv);
	cli_stop_init();
	if (!status)
		status = bench_run(b);
	if (!status) {
		uint64_t messages = b->qos ? b->measured_taken : b->measured_sent;
		(c->json ? report_json : report)(b, messages);
		status = refusals(b) || b->lost || messages == 0 ? CLI_NO : CLI_OK;
	}
	free(b);
	return status;
}
