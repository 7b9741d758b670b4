/* program.c - does not know what goes in or comes out. */
#include "host/program.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* The watchdog's state is the process's, as the signal is. */
static volatile sig_atomic_t running, seconds;

/* A second of CPU time has passed. The parent knows the record. */
static void on_cpu_second(int sig)
{
	static const char text[] = "<3>a mapping took too long for one record; the process ends\n";
	(void)sig;
	if (!running || ++seconds < LIMIT_CONNECT_MAP_S)
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
	struct program *p = ctx;
	p->n_errors++;
	jv text = jq_format_error(msg);
	snprintf(p->error, sizeof(p->error), "%s",
	         jv_get_kind(text) == JV_KIND_STRING ? jv_string_value(text) : "error");
	if (p->complaints)
		fprintf(p->complaints, "%s: %s\n", p->name, p->error);
	jv_free(text);
}

char *program_read(const char *file)
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

int program_init(struct program *p, const char *name, const char *text, const char *lib_dir,
                 jv args, FILE *complaints)
{
	*p = (struct program){.jq = jq_init(), .name = name, .complaints = complaints};
	if (!p->jq) {
		jv_free(args);
		return ERR_INVALID;
	}
	jq_set_error_cb(p->jq, on_message, p);
	if (lib_dir) {
		jq_set_attr(p->jq, jv_string("JQ_LIBRARY_PATH"), JV_ARRAY(jv_string(lib_dir)));
		jq_set_attr(p->jq, jv_string("JQ_ORIGIN"), jv_string(lib_dir));
		jq_set_attr(p->jq, jv_string("PROGRAM_ORIGIN"), jv_string(lib_dir));
	}
	int ok = jq_compile_args(p->jq, text, args);
	p->complaints = NULL;
	p->name = NULL;
	watchdog_start();
	return ok ? 0 : ERR_INVALID;
}

void program_done(struct program *p)
{
	if (p->jq)
		jq_teardown(&p->jq);
	p->jq = NULL;
}

void program_start(struct program *p, jv input)
{
	p->error[0] = '\0';
	p->n_errors = 0;
	if (!running)
		seconds = 0;
	jq_start(p->jq, input, 0);
}

jv program_next(struct program *p)
{
	sig_atomic_t outer = running;
	running = 1;
	jv v = jq_next(p->jq);
	running = outer;
	return v;
}

int program_end(struct program *p, jv last)
{
	if (!jv_invalid_has_msg(jv_copy(last))) {
		jv_free(last);
		return jq_halted(p->jq) || p->n_errors > 0 ? ERR_INVALID : 0;
	}
	jv msg = jv_invalid_get_msg(last);
	if (jv_get_kind(msg) != JV_KIND_STRING)
		msg = jv_dump_string(msg, 0);
	snprintf(p->error, sizeof(p->error), "%s", jv_string_value(msg));
	jv_free(msg);
	return ERR_INVALID;
}
