/* main.c - does not fetch or map; does read the arguments and keep a process per connector alive.
 *
 * A process each, because jq can neither be stopped nor be bounded from within: what one record
 * does to its connector does nothing to the others. */
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/backoff.h"
#include "host/mapping.h"
#include "host/metrics.h"
#include "host/program.h"
#include "host/worker.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	const struct connector_conf *conf;
	struct tally *tally;
	pid_t pid;
	struct backoff backoff;
	int status; /* of its end, with --once */
};

struct options {
	const char *file, *filter;
	bool check, once, dry;
};

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void on_child(int sig)
{
	(void)sig;
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal}, child = {.sa_handler = on_child};
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void bound_memory(const struct connector_conf *k)
{
#ifndef __SANITIZE_ADDRESS__ /* its shadow is terabytes of address space */
	struct rlimit r = {k->memory_max, k->memory_max};
	setrlimit(RLIMIT_AS, &r);
#else
	(void)k;
#endif
}

static uint64_t refused_of(const struct tally *t)
{
	uint64_t n = 0;
	for (int i = 0; i < REFUSED_KINDS; i++)
		n += TALLY_GET(t, refused[i]);
	return n;
}

static void report(const struct child *c)
{
	const struct tally *t = c->tally;
	fprintf(stderr,
	        "%s: records=%llu stored=%llu duplicates=%llu refused=%llu ignored=%llu "
	        "unmappable=%llu "
	        "undecodable=%llu unchanged=%llu failures=%llu holes=%llu\n",
	        c->conf->name, (unsigned long long)TALLY_GET(t, records),
	        (unsigned long long)TALLY_GET(t, stored),
	        (unsigned long long)TALLY_GET(t, duplicates), (unsigned long long)refused_of(t),
	        (unsigned long long)TALLY_GET(t, ignored),
	        (unsigned long long)TALLY_GET(t, unmappable),
	        (unsigned long long)TALLY_GET(t, undecodable),
	        (unsigned long long)TALLY_GET(t, unchanged),
	        (unsigned long long)TALLY_GET(t, source_failures),
	        (unsigned long long)TALLY_GET(t, holes));
}

/* 0 all stored; 1 something was refused or could not be read; 2 the source failed. */
static int grade(const struct tally *t, int err)
{
	if (err < 0)
		return 2;
	return refused_of(t) || TALLY_GET(t, unmappable) || TALLY_GET(t, undecodable) ? 1 : 0;
}

static int run_connector(const struct config *c, const struct options *o, struct child *k)
{
	struct worker w;
	bound_memory(k->conf);
	int err = worker_init(&w, c, k->conf, k->tally, &stopping, o->dry ? stdout : NULL);
	w.once = o->once;
	if (err == 0)
		err = worker_run(&w);
	worker_done(&w);
	fflush(stdout);
	return grade(k->tally, err);
}

static void start(const struct config *c, const struct options *o, struct child *k)
{
	TALLY_SET(k->tally, work, 0);
	k->pid = fork();
	if (k->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		close_range(3, ~0u, 0); /* the listener and its connections are the parent's */
		exit(run_connector(c, o, k));
	}
	if (k->pid < 0) {
		log_warn("no process for a connector connector=%s: %s", k->conf->name,
		         strerror(errno));
		k->pid = 0;
		backoff_failed(&k->backoff);
	}
}

/* A record that was being mapped when the process ended is remembered. */
static void ended(const struct options *o, struct child *k, int status)
{
	uint64_t work = TALLY_GET(k->tally, work);
	bool died = WIFSIGNALED(status) || WEXITSTATUS(status) == MAPPING_TOO_LONG;
	k->pid = 0;
	if (work && died) {
		int crashes =
		    work == TALLY_GET(k->tally, poison) ? TALLY_GET(k->tally, crashes) + 1 : 1;
		TALLY_SET(k->tally, poison, work);
		TALLY_SET(k->tally, crashes, crashes);
	}
	if (o->once && !died) {
		k->status = WEXITSTATUS(status);
		TALLY_SET(k->tally, done, 1);
		return;
	}
	if (stopping)
		return;
	TALLY_ADD(k->tally, restarts, 1);
	backoff_failed(&k->backoff);
	log_warn("connector ended connector=%s %s=%d; begins again", k->conf->name,
	         WIFSIGNALED(status) ? "signal" : "status",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void reap(const struct options *o, struct child *all, size_t n)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < n; i++)
			if (all[i].pid == pid)
				ended(o, &all[i], status);
}

static int supervise(const struct config *c, const struct options *o, struct child *all, size_t n,
                     struct metrics *m)
{
	int worst = 0;
	for (bool told = false;;) {
		size_t alive = 0, left = 0;
		for (size_t i = 0; i < n; i++) {
			struct child *k = &all[i];
			if (!stopping && !k->pid && !TALLY_GET(k->tally, done) &&
			    backoff_due(&k->backoff))
				start(c, o, k);
			if (stopping && !told && k->pid)
				kill(k->pid, SIGTERM);
			alive += k->pid != 0;
			left += !TALLY_GET(k->tally, done);
		}
		told = stopping;
		if (stopping ? alive == 0 : left == 0)
			break;
		metrics_serve(m, 100);
		reap(o, all, n);
	}
	for (size_t i = 0; i < n; i++) {
		report(&all[i]);
		worst = MAX_OF(worst, all[i].status);
	}
	return worst;
}

static bool chosen(const struct connector_conf *k, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], k->name) == 0)
			return true;
	return n == 0 && k->enabled;
}

static struct tally *tally_new(void)
{
	struct tally *t =
	    mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t == MAP_FAILED)
		fatal("no memory for counters");
	return t;
}

/* One mapping as a plain pipe. */
static int filter(const struct config *c, const struct connector_conf *conf)
{
	struct child k = {.conf = conf, .tally = tally_new()};
	struct worker w;
	char buf[64 << 10];
	size_t n;
	bound_memory(conf);
	int err = worker_init(&w, c, conf, k.tally, &stopping, stdout);
	if (err == 0) {
		const char *name = getenv("OUDP_SOURCE"); /* an envelope, for tests and by hand */
		jv envelope = name ? jv_parse(name) : jv_object();
		if (jv_get_kind(envelope) != JV_KIND_OBJECT) {
			jv_free(envelope);
			envelope = jv_object();
		}
		worker_begin(&w, envelope, 0, 0);
		while (err == 0 && (n = fread(buf, 1, sizeof(buf), stdin)) > 0)
			err = worker_feed(&w, buf, n);
		if (err == 0)
			err = worker_end(&w);
	}
	worker_done(&w);
	fflush(stdout);
	return err == ERR_CONFIG ? 2 : grade(k.tally, 0);
}

/* Each mapping is compiled: what is wrong in one is said before anything runs. */
static int check_mappings(const struct config *c)
{
	auto_free char *lib = NULL;
	int bad = 0;
	if (asprintf(&lib, "%s/lib", c->connector_dir) < 0)
		return 1;
	for (size_t i = 0; i < c->n_connectors; i++) {
		struct mapping *m = mapping_new(&c->connectors[i], lib, stderr);
		if (!m)
			fprintf(stderr, "%s:%d: the mapping of connector \"%s\" does not compile\n",
			        c->file, c->connectors[i].line, c->connectors[i].name);
		bad += m == NULL;
		mapping_free(m);
	}
	return bad;
}

static const char *const source_names[] = {[SOURCE_HTTP] = "http",
                                           [SOURCE_FILE] = "file",
                                           [SOURCE_MQTT] = "mqtt",
                                           [SOURCE_WEBSOCKET] = "websocket",
                                           [SOURCE_FEED] = "feed"};

static int run_chosen(const struct config *c, const struct options *o, struct child *all, size_t n)
{
	struct metrics *m = NULL;
	auto_free struct metrics_row *rows = xcalloc(n + 1, sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct metrics_row){all[i].conf->name, source_names[all[i].conf->source],
		                               all[i].tally};
	if (c->listen && !o->once) {
		m = metrics_listen(c->listen, rows, n);
		if (!m)
			return 2;
	}
	int status = supervise(c, o, all, n, m);
	metrics_close(m);
	return status;
}

static int run_all(const struct config *c, const struct options *o, char **names, int n)
{
	struct child *all = xcalloc(c->n_connectors + 1, sizeof(*all));
	size_t count = 0;
	for (size_t i = 0; i < c->n_connectors; i++)
		if (chosen(&c->connectors[i], names, n)) {
			all[count].conf = &c->connectors[i];
			all[count].tally = tally_new();
			backoff_init(&all[count++].backoff);
		}
	int status = 2;
	if (count == 0)
		fprintf(stderr, "oudp-connect: no such connector\n");
	else if (!o->dry && mkdir(c->state_dir, 0700) < 0 && errno != EEXIST)
		fprintf(stderr, "oudp-connect: %s: %s\n", c->state_dir, strerror(errno));
	else
		status = run_chosen(c, o, all, count);
	for (size_t i = 0; i < count; i++)
		munmap(all[i].tally, sizeof(*all[i].tally));
	free(all);
	return status;
}

static int usage(void)
{
	fprintf(stderr, "usage: oudp-connect -f FILE [-n] [--once] [--dry-run] [NAME...]\n"
	                "       oudp-connect -f FILE --filter NAME < IN > OUT\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"once", no_argument, NULL, 'o'},
	                                      {"dry-run", no_argument, NULL, 'd'},
	                                      {"filter", required_argument, NULL, 'F'},
	                                      {NULL, 0, NULL, 0}};
	struct options o = {.file = "/etc/oudp/oudp-connect.conf"};
	int ch;
	while ((ch = getopt_long(argc, argv, "f:n", longs, NULL)) != -1)
		switch (ch) {
		case 'f': o.file = optarg; break;
		case 'n': o.check = true; break;
		case 'o': o.once = true; break;
		case 'd': o.dry = true; break;
		case 'F': o.filter = optarg; break;
		default: return usage();
		}
	struct config *c = config_load(o.file, stderr);
	if (!c || (!o.filter && check_mappings(c) > 0)) {
		config_free(c);
		return 2;
	}
	int status = 0;
	catch_signals();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	mosquitto_lib_init();
	const struct connector_conf *found = NULL;
	for (size_t i = 0; o.filter && i < c->n_connectors; i++)
		if (strcmp(c->connectors[i].name, o.filter) == 0)
			found = &c->connectors[i];
	if (o.filter && !found) {
		fprintf(stderr, "oudp-connect: no such connector: %s\n", o.filter);
		status = 2;
	} else if (!o.check) {
		status = found ? filter(c, found) : run_all(c, &o, argv + optind, argc - optind);
	}
	mosquitto_lib_cleanup();
	curl_global_cleanup();
	config_free(c);
	return status;
}
