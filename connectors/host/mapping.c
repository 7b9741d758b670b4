/* mapping.c - does not know where records come from or messages go; does run jq, within bounds. */
#include "host/mapping.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/config.h"
#include "host/tables.h"

#include <jq.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct mapping {
	jq_state *jq;
	jv envelope;
	char error[512];
	FILE *complaints; /* while compiling */
	const char *file;
	int n_errors;
};

/* The watchdog's state is the process's, as the signal is. */
static volatile sig_atomic_t mapping_now, mapping_seconds;

/* A second of CPU time has passed. jq knows no way to be stopped: the process ends, and its parent
 * knows the record. */
static void on_cpu_second(int sig)
{
	static const char text[] = "<3>a mapping took too long for one record; the process ends\n";
	(void)sig;
	if (!mapping_now || ++mapping_seconds < LIMIT_CONNECT_MAP_S)
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(MAPPING_TOO_LONG);
	_exit(MAPPING_TOO_LONG);
}

static void watchdog_start(void)
{
	struct sigaction sa = {.sa_handler = on_cpu_second, .sa_flags = SA_RESTART};
	struct itimerval each = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
	sigaction(SIGPROF, &sa, NULL);
	setitimer(ITIMER_PROF, &each, NULL);
}

static void on_message(void *ctx, jv msg)
{
	struct mapping *m = ctx;
	m->n_errors++;
	jv text = jq_format_error(msg);
	snprintf(m->error, sizeof(m->error), "%s",
	         jv_get_kind(text) == JV_KIND_STRING ? jv_string_value(text) : "error");
	if (m->complaints)
		fprintf(m->complaints, "%s: %s\n", m->file, m->error);
	jv_free(text);
}

static jv on_input(jq_state *jq, void *ctx)
{
	struct mapping *m = ctx;
	(void)jq;
	return jv_copy(m->envelope);
}

static void set_text_error(struct mapping *m, jv msg)
{
	if (jv_get_kind(msg) != JV_KIND_STRING)
		msg = jv_dump_string(msg, 0);
	snprintf(m->error, sizeof(m->error), "%s", jv_string_value(msg));
	jv_free(msg);
}

static jv settings_object(const struct connector_conf *k)
{
	jv o = jv_object();
	for (size_t i = 0; i < k->n_settings; i++) {
		const char *eq = strchr(k->settings[i], '=');
		o = jv_object_set(o, jv_string_sized(k->settings[i], (int)(eq - k->settings[i])),
		                  jv_string(eq + 1));
	}
	return o;
}

static char *read_program(const char *file)
{
	size_t n = 0;
	FILE *f = fopen(file, "re");
	char *text = f ? xcalloc(1, (1 << 20) + 1) : NULL;
	if (f) {
		n = fread(text, 1, 1 << 20, f);
		fclose(f);
		text[n] = '\0';
	}
	return text;
}

struct mapping *mapping_new(const struct connector_conf *k, const char *lib_dir, FILE *complaints)
{
	struct mapping *m = xcalloc(1, sizeof(*m));
	auto_free char *program = read_program(k->mapping);
	m->envelope = jv_object();
	m->complaints = complaints;
	m->file = k->mapping;
	m->jq = jq_init();
	if (!m->jq || !program) {
		fprintf(complaints, "%s: cannot be read\n", k->mapping);
		mapping_free(m);
		return NULL;
	}
	jq_set_error_cb(m->jq, on_message, m);
	jq_set_input_cb(m->jq, on_input, m);
	jq_set_attr(m->jq, jv_string("JQ_LIBRARY_PATH"), JV_ARRAY(jv_string(lib_dir)));
	jq_set_attr(m->jq, jv_string("JQ_ORIGIN"), jv_string(lib_dir));
	jq_set_attr(m->jq, jv_string("PROGRAM_ORIGIN"), jv_string(lib_dir));
	jv tables = tables_load(k, complaints);
	if (!jv_is_valid(tables)) {
		jv_free(tables);
		mapping_free(m);
		return NULL;
	}
	jv args = jv_object_set(jv_object(), jv_string("settings"), settings_object(k));
	args = jv_object_set(args, jv_string("tables"), tables);
	if (!jq_compile_args(m->jq, program, args)) {
		mapping_free(m);
		return NULL;
	}
	m->complaints = NULL;
	watchdog_start();
	return m;
}

void mapping_free(struct mapping *m)
{
	if (!m)
		return;
	if (m->jq)
		jq_teardown(&m->jq);
	jv_free(m->envelope);
	free(m);
}

void mapping_set_source(struct mapping *m, jv envelope)
{
	jv_free(m->envelope);
	m->envelope = envelope;
}

const char *mapping_error(const struct mapping *m)
{
	return m->error;
}

static int give_word(struct mapping *m, jv value, enum result_kind kind, mapping_cb cb, void *ctx)
{
	struct result r = {.kind = kind};
	jv why = jv_object_get(value, jv_string(kind == RESULT_IGNORED ? "ignored" : "refused"));
	int err = ERR_INVALID;
	if (jv_get_kind(why) == JV_KIND_STRING) {
		r.text = jv_string_value(why);
		r.text_len = jv_string_length_bytes(jv_copy(why));
		err = cb(ctx, &r);
	} else {
		snprintf(m->error, sizeof(m->error), "ignored and refused must say why in a text");
	}
	jv_free(why);
	return err;
}

/* A payload that is a text is published as it is, anything else as JSON. */
static int give_message(struct mapping *m, jv value, mapping_cb cb, void *ctx)
{
	struct result r = {.kind = RESULT_MESSAGE};
	jv topic = jv_object_get(jv_copy(value), jv_string("topic"));
	jv payload = jv_object_get(jv_copy(value), jv_string("payload"));
	jv retain = jv_object_get(value, jv_string("retain"));
	int err = ERR_INVALID;
	if (jv_get_kind(topic) != JV_KIND_STRING || !jv_is_valid(payload)) {
		snprintf(m->error, sizeof(m->error), "a message needs topic (a text) and payload");
	} else {
		if (jv_get_kind(payload) != JV_KIND_STRING)
			payload = jv_dump_string(payload, JV_PRINT_SORTED);
		r.topic = jv_string_value(topic);
		r.text = jv_string_value(payload);
		r.text_len = jv_string_length_bytes(jv_copy(payload));
		r.retain = jv_get_kind(retain) == JV_KIND_TRUE;
		err = cb(ctx, &r);
	}
	jv_free(topic);
	jv_free(payload);
	jv_free(retain);
	return err;
}

static int give(struct mapping *m, jv value, mapping_cb cb, void *ctx, int *n)
{
	int err = 0;
	if (++*n > LIMIT_CONNECT_OUTPUTS) {
		snprintf(m->error, sizeof(m->error), "more than %d messages of one record",
		         LIMIT_CONNECT_OUTPUTS);
		jv_free(value);
		return ERR_INVALID;
	}
	if (jv_get_kind(value) == JV_KIND_ARRAY) {
		jv_array_foreach(value, i, each)
		{
			if (err == 0)
				err = give(m, each, cb, ctx, n);
			else
				jv_free(each);
		}
		jv_free(value);
		return err;
	}
	if (jv_get_kind(value) == JV_KIND_NULL) {
		--*n;
		return 0;
	}
	if (jv_get_kind(value) != JV_KIND_OBJECT) {
		snprintf(m->error, sizeof(m->error), "a result is an object, not %s",
		         jv_kind_name(jv_get_kind(value)));
		jv_free(value);
		return ERR_INVALID;
	}
	if (jv_object_has(jv_copy(value), jv_string("ignored")))
		return give_word(m, value, RESULT_IGNORED, cb, ctx);
	if (jv_object_has(jv_copy(value), jv_string("refused")))
		return give_word(m, value, RESULT_REFUSED, cb, ctx);
	return give_message(m, value, cb, ctx);
}

int mapping_run(struct mapping *m, jv record, mapping_cb cb, void *ctx)
{
	int n = 0, err = 0;
	jv v;
	m->error[0] = '\0';
	m->n_errors = 0;
	jq_start(m->jq, record, 0);
	mapping_seconds = 0;
	for (;;) {
		mapping_now = 1;
		v = jq_next(m->jq);
		mapping_now = 0;
		if (!jv_is_valid(v))
			break;
		err = give(m, v, cb, ctx, &n);
		if (err < 0)
			return err; /* jq_start() lets go of what is left */
	}
	if (jv_invalid_has_msg(jv_copy(v))) {
		set_text_error(m, jv_invalid_get_msg(v));
		return ERR_INVALID;
	}
	jv_free(v);
	if (jq_halted(m->jq) || m->n_errors > 0)
		return ERR_INVALID;
	return n;
}

char *mapping_next_url(const char *expression, jv document, const char *url)
{
	char *out = NULL;
	jq_state *jq = jq_init();
	jv args = jv_object_set(jv_object(), jv_string("url"), jv_string(url));
	if (jq && jq_compile_args(jq, expression, args)) {
		jq_start(jq, document, 0);
		mapping_seconds = 0;
		mapping_now = 1;
		jv v = jq_next(jq);
		mapping_now = 0;
		if (jv_get_kind(v) == JV_KIND_STRING && jv_string_length_bytes(jv_copy(v)) > 0)
			out = xstrdup(jv_string_value(v));
		jv_free(v);
	} else {
		jv_free(document);
	}
	if (jq)
		jq_teardown(&jq);
	return out;
}
