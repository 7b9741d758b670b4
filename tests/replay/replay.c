/* replay.c - plays scenarios (*.play) against the broker's inside: fake connections, fake clock, a
 * store in a temporary folder. Prints TAP, one line a scenario. Does not sleep and opens no socket.
 *
 *   replay [--dribble] FILE|DIRECTORY...      --dribble: every byte comes alone
 *
 * tests/replay/README describes the language. */
#include "unit/broker.h"

#include "replay/packet.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>

enum { PEERS = 12, LINE_BYTES = 96 << 10, CONFIG_BYTES = 64 << 10, FILES = 5000 };

static const char any_feed[] =
    "feed \"all\" { topics = { \"#\" } schemas = { \"any\" } duplicates = keep }\n";

struct peer {
	char name[16];
	struct client c;
	bool open;
	unsigned version;
	bool again;    /* reading stopped while it was handed in */
	struct buf in; /* sent, but not taken yet */
	size_t at;     /* of what came, how much was expected already */
};

struct play {
	const char *path;
	unsigned line;
	bool dribble, begun, hold;
	struct broker broker;
	char config[CONFIG_BYTES];
	struct peer peer[PEERS];
	unsigned n_peers;
	struct words words;
	struct variables variables;
	struct facts facts;
	char why[WHY_BYTES + 4096];
};

PRINTF(2, 3) static bool fail(struct play *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- the broker ---- */

/* What is wrong with the configuration is said here: broker_open() would end the process. */
static bool begin(struct play *p)
{
	if (p->begun)
		return true;
	const char *text = *p->config ? p->config : any_feed;
	struct config *c = NULL;
	struct buf errors;
	buf_init(&errors, 1 << 16);
	if (config_parse("CONFIG", text, false, &c, &errors))
		fail(p, "%s", buf_str(&errors));
	else
		broker_open(&p->broker, text);
	p->begun = c != NULL;
	config_free(c);
	buf_done(&errors);
	return p->begun;
}

static void feed_in(struct play *p, struct peer *x)
{
	while (x->in.len && x->c.link.session && !x->c.paused) {
		size_t n = p->dribble ? 0 : x->in.len, took = 0;
		/* byte by byte: what is not taken is handed in again with one more */
		do {
			n += p->dribble;
			took = session_input(x->c.link.session, (const uint8_t *)x->in.p, n);
		} while (!took && n < x->in.len && x->c.link.session && !x->c.paused);
		if (took)
			buf_drop(&x->in, MIN_OF(took, x->in.len));
		x->again = x->c.paused;
		if (!took)
			return;
	}
}

static void turn(struct play *p)
{
	for (int i = 0; i < 3; i++) {
		for (unsigned k = 0; k < p->n_peers; k++)
			if (p->peer[k].open && p->peer[k].again)
				feed_in(p, &p->peer[k]);
		broker_turn(&p->broker);
	}
}

static struct peer *peer_find(struct play *p, struct span name)
{
	for (unsigned i = 0; i < p->n_peers; i++)
		if (span_is(name, p->peer[i].name))
			return &p->peer[i];
	if (p->n_peers == PEERS || name.n == 0 || name.n >= sizeof(p->peer[0].name))
		return NULL;
	struct peer *x = &p->peer[p->n_peers++];
	*x = (struct peer){.version = 5};
	memcpy(x->name, name.p, name.n);
	buf_init(&x->in, 32u << 20);
	return x;
}

static void peer_close(struct peer *x)
{
	if (x->open)
		client_done(&x->c);
	x->open = false;
	x->at = 0;
	buf_clear(&x->in);
}

static void peer_open(struct play *p, struct peer *x)
{
	peer_close(x);
	client_open(&x->c, &p->broker);
	x->open = true;
}

/* ---- lines ---- */

static bool sends(struct play *p, struct peer *x, unsigned from)
{
	struct span what = p->words.word[from].text;
	if (span_is(what, "LOST")) {
		if (!x->open || !x->c.link.session)
			return fail(p, "%s is not connected", x->name);
		session_gone(x->c.link.session);
		x->c.closed = true;
		return true;
	}
	if (!x->open || x->c.closed || !x->c.link.session) /* a restart lets go of all */
		peer_open(p, x);
	if (span_is(what, "NOTHING")) /* the connection alone */
		return true;
	char why[WHY_BYTES];
	if (!packet_write(&p->words, from, &p->variables, &x->version, &x->in, why))
		return fail(p, "%s", why);
	if (x->in.len > 8 && x->in.p[0] == 0x10 && span_is(what, "HEX"))
		x->version = x->in.p[8] < 5 ? 4 : 5; /* its CONNECT is written out */
	feed_in(p, x);
	return true;
}

/* The next packet that was not expected yet is read into p->facts. 1, 0 (none), -1 (failed). */
static int next_packet(struct play *p, struct peer *x, size_t *ret_n)
{
	if (!x->open || x->at == x->c.sent)
		return 0;
	if (packet_read((const uint8_t *)x->c.link.out.p + x->at, x->c.sent - x->at, x->version,
	                &p->facts, ret_n))
		return 1;
	fail(p, "what came is no packet of a server");
	return -1;
}

static bool complain(struct play *p, const char *why)
{
	struct buf b;
	buf_init(&b, 4096);
	facts_show(&p->facts, &b);
	fail(p, "%s; came: %s", why, buf_str(&b));
	buf_done(&b);
	return false;
}

static bool expects(struct play *p, struct peer *x, unsigned from)
{
	size_t n;
	struct span what = p->words.word[from].text;
	turn(p);
	if (span_is(what, "*")) {
		if (x->open)
			x->at = x->c.sent;
		return true;
	}
	int got = next_packet(p, x, &n);
	if (got < 0)
		return false;
	if (span_is(what, "NOTHING"))
		return got ? complain(p, "nothing was expected") : true;
	if (!got)
		return fail(p, "nothing came, the connection is %s",
		            x->open && !x->c.closed ? "open" : "closed");
	if (span_is(what, "HEX")) {
		struct buf want;
		buf_init(&want, 1 << 20);
		char why[WHY_BYTES];
		unsigned version = x->version;
		bool ok = packet_write(&p->words, from, &p->variables, &version, &want, why);
		bool same = ok && want.len == n && memcmp(want.p, x->c.link.out.p + x->at, n) == 0;
		buf_done(&want);
		if (!ok)
			return fail(p, "%s", why);
		if (!same)
			return complain(p, "other bytes were expected");
	} else {
		char why[WHY_BYTES];
		if (!packet_matches(&p->facts, &p->words, from, &p->variables, why))
			return complain(p, why);
	}
	x->at += n;
	return true;
}

/* "A! closed", "A! closed 0x8D", "A! closed *", "A! open" */
static bool is_state(struct play *p, struct peer *x, unsigned from)
{
	struct span what = p->words.word[from].text;
	uint64_t reason = 0;
	size_t n;
	turn(p);
	if (span_is(what, "open"))
		return x->open && !x->c.closed ? true : fail(p, "%s is closed", x->name);
	if (!span_is(what, "closed"))
		return fail(p, "open or closed is expected after !");
	if (p->words.n > from + 1) {
		bool any = span_is(p->words.word[from + 1].text, "*");
		if (!any && !words_number(p->words.word[from + 1].text, &reason))
			return fail(p, "not a reason");
		int got = next_packet(p, x, &n);
		if (got <= 0)
			return got < 0 ? false : fail(p, "no DISCONNECT came");
		char text[16];
		snprintf(text, sizeof(text), "%llu", (unsigned long long)reason);
		if (strcmp(p->facts.type, "DISCONNECT") != 0 ||
		    (!any && !span_is(p->facts.fact[0].value, text)))
			return complain(p, "another DISCONNECT was expected");
		x->at += n;
	}
	if (next_packet(p, x, &n) != 0)
		return complain(p, "nothing more was expected");
	return x->c.closed || !x->open ? true : fail(p, "%s is still open", x->name);
}

/* What main.c does each second, with two values of $SYS. */
static void second(struct broker *b)
{
	clock_advance(&b->clock, 1000);
	sessions_second(b->sessions);
	if (sessions_system_due(b->sessions)) {
		sessions_system(b->sessions, "$SYS/broker/version", "oudpd");
		sessions_system(b->sessions, "$SYS/broker/clients/connected", "1");
		sessions_system_end(b->sessions);
	}
}

/* "OPEN A v5 ... is CONNECT with a clean start and its CONNACK. */
static bool opens(struct play *p)
{
	char text[LINE_BYTES];
	struct span name = p->words.n > 1 ? p->words.word[1].text : (struct span){0};
	struct peer *x = peer_find(p, name);
	if (!x)
		return fail(p, "OPEN needs a client");
	int n = snprintf(text, sizeof(text), "%s> CONNECT clean id=%s", x->name, x->name);
	for (unsigned i = 2; i < p->words.n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %.*s",
		              (int)p->words.word[i].text.n, p->words.word[i].text.p);
	const char *why = "";
	if (!words_read(&p->words, text, &why) || !sends(p, x, 1))
		return fail(p, "OPEN: %.200s", *why ? why : p->why);
	turn(p);
	size_t size;
	if (next_packet(p, x, &size) != 1 || strcmp(p->facts.type, "CONNACK") != 0)
		return fail(p, "no CONNACK came");
	x->at += size;
	return x->c.closed ? complain(p, "OPEN was refused") : true;
}

static bool passes_time(struct play *p)
{
	struct span s = p->words.n > 1 ? p->words.word[1].text : (struct span){0};
	uint64_t n;
	if (s.n < 3 || s.p[0] != '+' || s.p[s.n - 1] != 's' ||
	    !words_number(span_of(s.p + 1, s.n - 2), &n) || n > 10000000)
		return fail(p, "TIME +90s is how time is written");
	turn(p);
	if (n > 3000) { /* nobody counts seconds that far apart */
		clock_advance(&p->broker.clock, (int64_t)(n - 3000) * 1000);
		sessions_second(p->broker.sessions);
		n = 3000;
	}
	while (n--)
		second(&p->broker);
	turn(p);
	return true;
}

static bool counts(struct play *p, bool stored)
{
	uint64_t want, got;
	if (p->words.n != 3 || !words_number(p->words.word[2].text, &want))
		return fail(p, "STORE feed N, QUARANTINE feed N");
	turn(p);
	struct span name = p->words.word[1].text;
	if (!stored && span_is(name, "-")) {
		got = ingest_stats(p->broker.ingest)->unrouted;
	} else {
		struct feed *f = hub_feed(p->broker.hub, name);
		if (!f)
			return fail(p, "no feed of that name");
		got = stored ? f->last : f->count.quarantined;
	}
	return got == want ? true : fail(p, "there are %llu", (unsigned long long)got);
}

static void trimmed(void *arg, int64_t deleted)
{
	*(int64_t *)arg = deleted;
}

/* "TRIM feed N": its records before N are gone. */
static bool trims(struct play *p)
{
	uint64_t before;
	int64_t deleted = -1;
	if (p->words.n != 3 || !words_number(p->words.word[2].text, &before))
		return fail(p, "TRIM feed N");
	turn(p);
	struct feed *f = hub_feed(p->broker.hub, p->words.word[1].text);
	if (!f)
		return fail(p, "no feed of that name");
	hub_trim(p->broker.hub, f, before, trimmed, &deleted);
	for (unsigned i = 0; i < 20 && deleted < 0; i++)
		broker_turn(&p->broker);
	return deleted > 0 ? true : fail(p, "nothing was trimmed");
}

static bool command(struct play *p, bool *ret_known)
{
	struct span c = p->words.word[0].text;
	*ret_known = true;
	if (span_is(c, "OPEN"))
		return opens(p);
	if (span_is(c, "TIME"))
		return passes_time(p);
	if (span_is(c, "STORE") || span_is(c, "QUARANTINE"))
		return counts(p, span_is(c, "STORE"));
	if (span_is(c, "TRIM"))
		return trims(p);
	if (span_is(c, "HOLD")) { /* the disk stands still until COMMIT */
		p->broker.hold = p->hold = true;
		return true;
	}
	if (span_is(c, "COMMIT")) {
		p->broker.hold = p->hold = false;
		turn(p);
		return true;
	}
	if (span_is(c, "DRAIN")) {
		sessions_drain(p->broker.sessions);
		return true;
	}
	if (span_is(c, "RESTART")) {
		broker_restart(&p->broker);
		return true;
	}
	if (span_is(c, "KILL")) {
		broker_kill(&p->broker);
		return true;
	}
	*ret_known = false;
	return false;
}

static bool play_line(struct play *p, const char *line);

/* "REPEAT 3 A> PUBLISH q1 id=$i a x": the line, with 1 to 3 in the place of $i. */
static bool repeats(struct play *p, const char *line)
{
	char *end, one[1024];
	unsigned long n = strtoul(line, &end, 10);
	if (n == 0 || n > 100000 || *end++ != ' ' || strlen(end) > sizeof(one) / 2)
		return fail(p, "REPEAT N LINE, and not too much of it");
	for (unsigned long i = 1; i <= n; i++) {
		size_t used = 0;
		for (const char *at = end; *at && used < sizeof(one) - 12;)
			if (at[0] == '$' && at[1] == 'i' && (at[2] == ' ' || !at[2])) {
				used += (size_t)snprintf(one + used, 12, "%lu", i);
				at += 2;
			} else {
				one[used++] = *at++;
			}
		one[used] = '\0';
		if (!play_line(p, one))
			return false;
	}
	return true;
}

static bool play_line(struct play *p, const char *line)
{
	if (strncmp(line, "REPEAT ", 7) == 0)
		return repeats(p, line + 7);
	const char *why = "";
	bool known;
	if (strncmp(line, "CONFIG ", 7) == 0) {
		if (p->begun)
			return fail(p, "CONFIG stands before everything else");
		size_t n = strlen(p->config);
		snprintf(p->config + n, sizeof(p->config) - n, "%s\n", line + 7);
		return true;
	}
	if (!words_read(&p->words, line, &why))
		return fail(p, "%s", why);
	if (!p->words.n || p->words.word[0].text.p[0] == '#')
		return true;
	if (!begin(p))
		return false;
	bool ok = command(p, &known);
	if (known)
		return ok;
	struct span who = p->words.word[0].text;
	char verb = who.n > 1 ? who.p[who.n - 1] : 0;
	if (p->words.n < 2 || !strchr("><!", verb) || !verb)
		return fail(p, "not a line of a scenario");
	struct peer *x = peer_find(p, span_of(who.p, who.n - 1));
	if (!x)
		return fail(p, "too many clients, or a long name");
	return verb == '>' ? sends(p, x, 1) : verb == '<' ? expects(p, x, 1) : is_state(p, x, 1);
}

/* Whatever came must have been expected. */
static bool nothing_left(struct play *p)
{
	turn(p);
	for (unsigned i = 0; i < p->n_peers; i++) {
		size_t n;
		int got = next_packet(p, &p->peer[i], &n);
		if (got > 0) {
			char why[64];
			snprintf(why, sizeof(why), "%s got more than was expected",
			         p->peer[i].name);
			return complain(p, why);
		}
		if (got < 0)
			return false;
	}
	return p->broker.fatal ? fail(p, "the store failed") : true;
}

/* ---- files ---- */

static bool play_file(const char *path, bool dribble, char *title, size_t title_size, char *why,
                      size_t why_size)
{
	struct play *p = xcalloc(1, sizeof(*p));
	char *line = xmalloc(LINE_BYTES);
	FILE *f = fopen(path, "r");
	bool ok = f != NULL;
	p->path = path;
	p->dribble = dribble;
	*title = '\0';
	while (ok && fgets(line, LINE_BYTES, f)) {
		line[strcspn(line, "\n")] = '\0';
		p->line++;
		if (p->line == 1 && strncmp(line, "# ", 2) == 0)
			snprintf(title, title_size, "%s", line + 2);
		else if (p->line == 1)
			ok = fail(p, "the first line says what is shown: # [MQTT-x.y.z-n] ...");
		ok = ok && play_line(p, line);
	}
	if (ok && !p->begun)
		ok = fail(p, "the scenario does nothing");
	ok = ok && nothing_left(p);
	if (!f)
		fail(p, "cannot be read");
	snprintf(why, why_size, "%s:%u: %s", path, p->line, p->why);
	for (unsigned i = 0; i < p->n_peers; i++) {
		peer_close(&p->peer[i]);
		buf_done(&p->peer[i].in);
	}
	if (p->begun)
		broker_close(&p->broker);
	if (f)
		fclose(f);
	free(line);
	free(p);
	return ok;
}

struct files {
	char *path[FILES];
	unsigned n;
};

static void gather(struct files *fs, const char *path)
{
	struct stat st;
	size_t n = strlen(path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		struct dirent **entry;
		int many = scandir(path, &entry, NULL, alphasort);
		for (int i = 0; i < many; i++) {
			char below[1024];
			snprintf(below, sizeof(below), "%s/%s", path, entry[i]->d_name);
			if (entry[i]->d_name[0] != '.')
				gather(fs, below);
			free(entry[i]);
		}
		if (many >= 0)
			free(entry);
	} else if (n > 5 && strcmp(path + n - 5, ".play") == 0 && fs->n < FILES) {
		fs->path[fs->n++] = xstrndup(path, n);
	}
}

int main(int argc, char **argv)
{
	static struct files fs;
	static char why[8192];
	char title[400];
	bool dribble = false, all = true;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--dribble") == 0)
			dribble = true;
		else
			gather(&fs, argv[i]);
	printf("1..%u\n", fs.n);
	for (unsigned i = 0; i < fs.n; i++) {
		bool ok = play_file(fs.path[i], dribble, title, sizeof(title), why, sizeof(why));
		const char *name = strrchr(fs.path[i], '/');
		name = name ? name + 1 : fs.path[i];
		printf("%s %u - %.*s: %s\n", ok ? "ok" : "not ok", i + 1, (int)(strlen(name) - 5),
		       name, title);
		if (!ok)
			printf("# %s\n", why);
		fflush(stdout);
		all = all && ok;
		free(fs.path[i]);
	}
	return all && fs.n ? 0 : 1;
}
