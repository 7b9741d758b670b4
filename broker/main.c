/* main.c - oudpd: start, reload, drain. Reads aloud; every room does its own work. */
#include "daemon.h"

#include "access/audit.h"
#include "access/book.h"
#include "access/ending.h"
#include "access/tls.h"
#include "base/detach.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "config/arguments.h"
#include "config/config.h"
#include "feed/hub.h"
#include "ingest/ingest.h"
#include "net/loop.h"
#include "net/tcp.h"
#include "register/entities.h"
#include "register/erase.h"
#include "schema/catalog.h"
#include "series/engine.h"
#include "series/promise.h"
#include "session/session.h"
#include "status/silence.h"
#include "status/status.h"
#include "store/side.h"
#include "store/store.h"
#include "web/web.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { DRAIN_ANSWERS_S = 5, DRAIN_CLOSE_S = 5, ERRORS_BYTES = 1 << 20, CONNECTIONS_SPARE = 256 };

/* ---- schema versions that end ---- */

/* At start, after a reload, and once a day. */
static void tell_versions(struct daemon *d)
{
	d->versions_told_ns = clock_mono_ns(&d->clock);
	versions_tell(d->hub);
}

/* ---- configuration ---- */

static void print_lines(const char *text)
{
	if (text && *text)
		fputs(text, stderr);
}

/* Configuration and its schemas. 0, or an error with everything that is wrong in why. */
static int load(const struct daemon *d, struct config **ret_config, struct catalog **ret_catalog,
                struct buf *why)
{
	struct config *c = NULL;
	struct catalog *schemas = NULL;
	int err = config_load(d->arguments.config_path, &c, why);
	if (err)
		return err;
	audit_add_feed(c);
	err = catalog_load((const char *const *)c->schema_dirs, &schemas, why);
	if (err) {
		config_free(c);
		return err;
	}
	*ret_config = c;
	*ret_catalog = schemas;
	return 0;
}

static int reload(void *arg, struct buf *text)
{
	struct daemon *d = arg;
	struct config *c;
	struct catalog *schemas;
	struct buf restart;
	buf_init(&restart, ERRORS_BYTES);
	int err = load(d, &c, &schemas, text);
	if (!err) {
		buf_clear(text); /* warnings were for the log at start */
		config_diff(d->config, c, text, &restart);
		config_keep(d->config, c);
		size_t said = text->len;
		struct buf why;
		buf_init(&why, ERRORS_BYTES);
		/* The feeds first: certificates are taken whole or not at all, and last. */
		err = hub_check_config(c, schemas, &why);
		err = err ? err : tls_set_reload(d->tls, c, clock_wall_ms(&d->clock) / 1000, &why);
		err = err ? err : hub_configure(d->hub, c, schemas, &why);
		if (err) {
			buf_add_span(text, span_of(why.p, why.len));
			buf_done(&why);
			buf_drop(text, said);
			config_free(c);
			catalog_free(schemas);
		} else {
			buf_done(&why);
		}
	}
	if (err) {
		log_error(
		    "The configuration was not reloaded; the former one stays in force. why=\"%s\"",
		    buf_str(text));
		audit_reload(access_audit(d->access), false);
		goto out;
	}
	config_free(d->config);
	catalog_free(d->catalog);
	d->config = c;
	d->catalog = schemas;
	series_configure(d->series);
	access_reconfigured(d->access);
	web_reconfigured(d->web);
	audit_reload(access_audit(d->access), true);
	log_info("The configuration was reloaded. feeds=%zu schemas=%zu", c->n_feeds,
	         catalog_count(schemas));
	tell_versions(d);
	if (restart.len) {
		log_warn("Some changes need a restart: %s", buf_str(&restart));
		buf_add_str(text, "these need a restart (systemctl restart oudpd):\n");
		buf_add_span(text, span_of(restart.p, restart.len));
	}
out:
	buf_done(&restart);
	return err;
}

/* Certificates that were replaced on disk are taken, and ticket keys change. */
static void look_at_certificates(struct daemon *d)
{
	int64_t now_s = clock_wall_ms(&d->clock) / 1000;
	struct buf why;
	buf_init(&why, ERRORS_BYTES);
	int took = tls_set_look(d->tls, now_s, &why);
	if (took > 0)
		log_info("Changed certificates were read again.");
	else if (took < 0)
		log_error("Changed certificates were not taken; the former ones stay in force. "
		          "why=\"%s\"",
		          buf_str(&why));
	buf_done(&why);
	tls_set_tick(d->tls, now_s);
}

/* ---- hooks: who hears of what ---- */

static void on_record(void *arg, struct feed *f, const struct record *r)
{
	struct daemon *d = arg;
	things_record(d->things, f, r);
	series_record(d->series, f);
	sessions_record(d->sessions, f, r);
	web_record(d->web, f, r);
}

static void on_commit(void *arg, uint64_t commit)
{
	series_commit(((struct daemon *)arg)->series, commit);
}

static void on_room(void *arg)
{
	struct daemon *d = arg;
	sessions_room(d->sessions);
	web_room(d->web);
}

static void on_gave_up(void *arg)
{
	struct daemon *d = arg;
	sessions_gave_up(d->sessions);
}

static void on_abandoned(void *arg, struct feed *f, const struct record *r)
{
	struct daemon *d = arg;
	ingest_abandoned(d->ingest, f, r);
}

static void on_erased_feed(void *arg, struct feed *f, const struct erasure *e, struct span thing,
                           uint64_t n)
{
	struct daemon *d = arg;
	struct span event = web_erased(d->web, f, span_str(e->organisation), thing, n);
	if (event.n)
		sessions_notice(d->sessions, "erased", f, thing, event);
}

static void on_erased(void *arg, const struct erasure *e, const struct erased *what)
{
	struct daemon *d = arg;
	ingest_erased(d->ingest, e);
	audit_erased(access_audit(d->access), e->id, e->organisation, what->records);
}

static bool on_ended(void *arg, const struct organisation *o, unsigned things)
{
	return silence_ended(((struct daemon *)arg)->silence, span_str(o->name), o->ends_ms,
	                     things);
}

static void on_trimmed(void *arg, struct feed *f, uint64_t first)
{
	audit_trimmed(access_audit(((struct daemon *)arg)->access), f, first);
}

static void on_fatal(void *arg UNUSED, int err)
{
	fatal("The store failed: %s. The process ends, nothing was acknowledged that is not "
	      "stored. Look at the disk, "
	      "then start oudpd again.",
	      err_text(err));
}

/* ---- the loop ---- */

/* First the answers of what came in, then goodbyes, then the end. */
static void drain_step(struct daemon *d)
{
	uint64_t now = clock_mono_ns(&d->clock);
	bool quiet = silence_idle(d->silence);
	if (d->phase == ANSWERING && (hub_idle(d->hub) || now > d->phase_until_ns)) {
		d->phase = CLOSING;
		d->phase_until_ns = now + (uint64_t)DRAIN_CLOSE_S * 1000000000u;
		sessions_drain(d->sessions);
		web_drain(d->web);
	}
	if (d->phase == CLOSING && ((tcp_idle(d->tcp) && web_idle(d->web) &&
	                             sessions_idle(d->sessions) && hub_idle(d->hub) && quiet) ||
	                            now > d->phase_until_ns))
		loop_stop(d->loop);
}

static int on_turn(void *arg)
{
	struct daemon *d = arg;
	promises_turn(d->promises);
	tcp_turn(d->tcp);
	web_turn(d->web);
	sessions_flush(d->sessions);
	audit_turn(access_audit(d->access));
	int ms = hub_turn(d->hub);
	tcp_turn(d->tcp);
	web_turn(d->web);
	sessions_turn(d->sessions);
	if (tcp_busy(d->tcp))
		ms = 0;
	if (d->phase != RUNNING) {
		drain_step(d);
		return 20;
	}
	return ms;
}

static void emit_sys(void *arg, const char *topic, const char *value)
{
	sessions_system(arg, topic, value);
}

static void on_second(void *arg)
{
	struct daemon *d = arg;
	if (access_second(d->access)) {
		sessions_judge(d->sessions);
		web_judge(d->web);
	}
	sessions_second(d->sessions);
	tcp_second(d->tcp);
	status_tick(d->status);
	if (sessions_system_due(d->sessions)) {
		status_each_sys(d->status, d->sessions, emit_sys);
		sessions_system_end(d->sessions);
	}
	series_second(d->series);
	promises_second(d->promises);
	silence_tick(d->silence);
	ending_second(d->ending);
	hub_retention(d->hub);
	eraser_second(d->eraser);
	if (clock_mono_ns(&d->clock) - d->versions_told_ns >
	    (uint64_t)LIMIT_UNTIL_WARN_H * 3600 * 1000000000u)
		tell_versions(d);
	look_at_certificates(d);
}

static void on_signal(void *arg, int signum)
{
	struct daemon *d = arg;
	if (signum == SIGHUP) {
		struct buf text;
		buf_init(&text, ERRORS_BYTES);
		(void)reload(d, &text); /* it has logged what became of it */
		buf_done(&text);
		return;
	}
	if (d->phase != RUNNING)
		return;
	log_info("Stopping: no new connections, what came in is being answered. signal=%d", signum);
	sd_notify(0, "STOPPING=1");
	d->phase = ANSWERING;
	ending_stop(d->ending);
	d->phase_until_ns = clock_mono_ns(&d->clock) + (uint64_t)DRAIN_ANSWERS_S * 1000000000u;
	tcp_stop_listening(d->tcp);
	hub_close_intake(d->hub);
}

/* ---- start ---- */

static void raise_files(uint64_t connections)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	rlim_t want = (rlim_t)connections + CONNECTIONS_SPARE;
	r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > want ? want : r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < want)
		log_warn("Fewer files may be open than max-connections needs: raise LimitNOFILE. "
		         "limit=%llu wanted=%llu",
		         (unsigned long long)r.rlim_cur, (unsigned long long)want);
}

static void open_store(struct daemon *d)
{
	char why[1024] = "";
	struct store_options o = {.dir = d->config->data_dir,
	                          .map_bytes = d->config->journal_size_bytes,
	                          .reserve_bytes = LIMIT_RESERVE_BYTES,
	                          .feeds_max = 2 * LIMIT_FEEDS,
	                          .verify = d->arguments.verify,
	                          .check = record_is_whole,
	                          .check_sequence = record_is_in_place};
	if (store_open(&o, &d->store, why, sizeof(why)))
		fatal("The store cannot be opened: %s", why);
}

static void open_side(struct daemon *d)
{
	char why[1024] = "";
	struct side_options o = {.data_dir = d->config->data_dir,
	                         .map_bytes = d->config->series_size_bytes,
	                         .verify = d->arguments.verify,
	                         .check = series_row_is_whole};
	store_id(d->store, o.store_id);
	if (side_open(&o, &d->side, why, sizeof(why)))
		fatal("The time series cannot be opened: %s", why);
}

static bool is_registered_at(void *arg, struct span organisation, struct span thing,
                             struct box *ret)
{
	const struct thing_place at = things_entry_place(arg, organisation, thing);
	*ret = at.place;
	return at.known;
}

static void on_placed(void *arg, struct span organisation, struct span thing,
                      const struct box *place)
{
	const struct daemon *d = arg;
	series_registered(d->series, organisation, thing, place);
}

static void open_series(struct daemon *d, struct buf *why)
{
	struct series_options o = {.hub = d->hub,
	                           .side = d->side,
	                           .runner = loop_runner(d->loop),
	                           .fatal = on_fatal,
	                           .arg = d,
	                           .registered = is_registered_at,
	                           .registered_arg = d->things};
	int err = series_open(&o, &d->series, why);
	if (err)
		fatal("The time series cannot be opened: %s",
		      why->len ? buf_str(why) : err_text(err));
	things_tell_places(d->things, on_placed, d);
	if (series_start(d->series))
		fatal("The thread of the time series could not be started.");
}

static void open_listeners(struct daemon *d)
{
	struct buf why;
	char base[256] = "http://127.0.0.1:8080";
	struct web_listener *w = xcalloc(d->config->n_listeners + 1, sizeof(*w));
	unsigned n = 0;
	buf_init(&why, ERRORS_BYTES);
	for (size_t i = 0; i < d->config->n_listeners; i++) {
		const struct config_listener *l = &d->config->listeners[i];
		struct tls *tls = l->tls ? tls_find(d->tls, l->tls) : NULL;
		assert(tls || !l->tls);
		if (l->protocol == CONFIG_MQTT) {
			if (tcp_listen(d->tcp, l, tls, &why))
				fatal("%s", buf_str(&why));
			continue;
		}
		const char *host = strcmp(l->address, "localhost") == 0 ? "127.0.0.1" : l->address;
		w[n++] =
		    (struct web_listener){.kind = l->protocol == CONFIG_HTTP ? WEB_TCP : WEB_ADMIN,
		                          .name = l->name,
		                          .address = host,
		                          .port = (int)l->port,
		                          .tls = tls,
		                          .trusted = l->loopback || l->insecure,
		                          .any_name = l->insecure,
		                          .known_only = !l->anonymous};
		if (l->protocol == CONFIG_HTTP)
			snprintf(base, sizeof(base),
			         strchr(host, ':') ? "http%s://[%s]:%u" : "http%s://%s:%u",
			         tls ? "s" : "", host, (unsigned)l->port);
	}
	w[n++] = (struct web_listener){
	    .kind = WEB_UNIX, .name = "admin-socket", .address = d->config->admin_socket};
	struct web_options o = {.loop = loop_uv(d->loop),
	                        .hub = d->hub,
	                        .ingest = d->ingest,
	                        .access = d->access,
	                        .sessions = d->sessions,
	                        .addresses = d->addresses,
	                        .things = d->things,
	                        .entities = d->entities,
	                        .series = d->series,
	                        .promises = d->promises,
	                        .eraser = d->eraser,
	                        .ops = {.arg = d,
	                                .reload = reload,
	                                .ready = figures_ready,
	                                .metrics = figures_metrics,
	                                .status = figures_status,
	                                .feed = figures_feed},
	                        .listeners = w,
	                        .n_listeners = n,
	                        .base_url = base,
	                        .test_echo = d->arguments.test_echo};
	if (*d->config->public_url)
		o.base_url = d->config->public_url;
	if (web_new(&o, &d->web, &why))
		fatal("%s", buf_str(&why));
	sessions_set_observe(d->sessions, web_observation, d->web);
	free(w);
	buf_done(&why);
}

static void build(struct daemon *d)
{
	struct buf why;
	buf_init(&why, ERRORS_BYTES);
	open_store(d);
	open_side(d);
	if (loop_new(&d->loop))
		fatal("The event loop could not be made.");
	struct hub_options ho = {
	    .store = d->store, .clock = &d->clock, .runner = loop_runner(d->loop)};
	int err = hub_open(&ho, &d->hub);
	err = err ? err : hub_configure(d->hub, d->config, d->catalog, &why);
	if (err)
		fatal("The feeds could not be opened: %s %s", err_text(err), buf_str(&why));
	err = things_new(d->hub, &d->things);
	if (!err)
		open_series(d, &why);
	err = err ? err : promises_new(d->hub, d->series, &d->promises);
	err = err ? err : access_new(d->hub, &d->access);
	d->addresses = addresses_new();
	err = err ? err : entities_new(d->hub, &d->entities);
	err = err ? err : ingest_new(d->hub, &d->ingest);
	err = err ? err : sessions_new(d->hub, d->ingest, &d->sessions);
	err = err ? err
	          : tcp_new(d->loop, d->hub, d->sessions, d->addresses,
	                    (unsigned)d->config->max_connections, &d->tcp);
	if (err)
		fatal("The broker could not be built: %s", err_text(err));
	ingest_set_things(d->ingest, d->things);
	access_set_things(d->access, d->things);
	struct eraser_hooks eh = {
	    .arg = d, .record = on_abandoned, .feed = on_erased_feed, .done = on_erased};
	char ledger[4096];
	snprintf(ledger, sizeof(ledger), "%s/erased", d->config->data_dir);
	eraser_new(d->hub, d->things, ledger, &eh, &d->eraser);
	eraser_set_series(d->eraser, d->series);
	eraser_set_entities(d->eraser, d->entities);
	sessions_set_access(d->sessions, d->access);
	d->silence = silence_new(d->hub, d->ingest, d->series);
	struct ending_hooks nh = {.arg = d, .ended = on_ended};
	if (ending_new(d->access, d->things, &nh, &d->ending))
		fatal("What organisations have ended cannot be read.");
	ingest_set_access(d->ingest, d->access);
	ingest_set_audit(d->ingest, access_audit(d->access));
	struct status_options so = {.hub = d->hub,
	                            .ingest = d->ingest,
	                            .series = d->series,
	                            .runner = loop_runner(d->loop),
	                            .tls = d->tls,
	                            .arg = d,
	                            .outside = figures_outside};
	if (status_new(&so, &d->status))
		fatal("The status could not be built.");
	struct hub_hooks hooks = {.arg = d,
	                          .room = on_room,
	                          .record = on_record,
	                          .abandoned = on_abandoned,
	                          .trimmed = on_trimmed,
	                          .commit = on_commit,
	                          .fatal = on_fatal,
	                          .gave_up = on_gave_up};
	hub_set_hooks(d->hub, &hooks);
	open_listeners(d);
	struct loop_calls calls = {
	    .arg = d, .turn = on_turn, .second = on_second, .signal = on_signal};
	if (loop_start(d->loop, &calls))
		fatal("The event loop could not be started.");
	things_look_back(d->things);
	err = eraser_start(d->eraser);
	if (err)
		fatal("The ledger of what was erased cannot be read, so what was to be forgotten "
		      "might be shown: %s file=%s",
		      err_text(err), ledger);
	buf_done(&why);
}

static void take_down(struct daemon *d)
{
	series_stop(d->series);
	access_stop(d->access);
	web_free(d->web);
	d->web = NULL;
	tcp_close(d->tcp);
	things_stop(d->things);
	eraser_stop(d->eraser);
	loop_free(d->loop);
	sessions_turn(d->sessions);
	sessions_free(d->sessions);
	tcp_free(d->tcp);
	ending_free(d->ending);
	silence_free(d->silence);
	addresses_free(d->addresses);
	status_free(d->status);
	ingest_free(d->ingest);
	eraser_free(d->eraser);
	entities_free(d->entities);
	things_free(d->things);
	promises_free(d->promises);
	series_close(d->series);
	access_free(d->access);
	hub_close(d->hub);
	side_close(d->side);
	store_close(d->store);
	tls_set_free(d->tls);
	catalog_free(d->catalog);
	config_free(d->config);
}

/* ---- the whole ---- */

static void tell_ready(struct daemon *d)
{
	sd_notify(0, "READY=1");
	if (d->ready_fd < 0)
		return;
	if (write(d->ready_fd, "1", 1) != 1)
		log_debug("Nobody waited for the start.");
	close(d->ready_fd);
	d->ready_fd = -1;
}

/* -n: also what only shows when feeds and schemas meet. */
static int check(const struct daemon *d, struct buf *why)
{
	print_lines(buf_str(why));
	buf_clear(why);
	int err = hub_check_config(d->config, d->catalog, why);
	struct tls_set *tls = NULL;
	if (tls_set_new(d->config, clock_wall_ms(&d->clock) / 1000, &tls, why))
		err = ERR_CONFIG;
	tls_set_free(tls);
	print_lines(buf_str(why));
	size_t n = 0; /* without the broker's own */
	for (size_t i = 0; i < d->config->n_feeds; i++)
		n += !d->config->feeds[i].builtin && !d->config->feeds[i].alerts;
	if (!err)
		printf("The configuration is in order: %zu feed%s, %zu schemas.\n", n,
		       n == 1 ? "" : "s", catalog_count(d->catalog));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct daemon d = {.ready_fd = -1, .clock = clock_system()};
	struct buf why;
	arguments_read(&d.arguments, argc, argv);
	buf_init(&why, ERRORS_BYTES);
	if (load(&d, &d.config, &d.catalog, &why)) {
		print_lines(buf_str(&why));
		return 1;
	}
	if (d.arguments.check_only) {
		int status = check(&d, &why);
		catalog_free(d.catalog);
		config_free(d.config);
		buf_done(&why);
		return status;
	}
	print_lines(buf_str(&why));
	buf_clear(&why);
	if (tls_set_new(d.config, clock_wall_ms(&d.clock) / 1000, &d.tls, &why)) {
		print_lines(buf_str(&why));
		return 1;
	}
	buf_done(&why);
	signal(SIGPIPE, SIG_IGN);
	if (!d.arguments.foreground)
		d.ready_fd = detach();
	raise_files(d.config->max_connections);
	build(&d);
	log_info("oudpd is ready. version=%s organisation=%s feeds=%zu schemas=%zu data-dir=%s",
	         OUDP_VERSION, d.config->organisation, d.config->n_feeds, catalog_count(d.catalog),
	         d.config->data_dir);
	tell_versions(&d);
	tell_ready(&d);
	loop_run(d.loop);
	take_down(&d);
	log_info("oudpd has stopped.");
	return 0;
}
