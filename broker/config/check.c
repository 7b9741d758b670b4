/* check.c - what two options say together. The rule of design: beyond loopback there is TLS, or the
 * administrator says insecure. */
#include "base/limits.h"
#include "base/mem.h"
#include "config/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned index_of(enum block b, const char *option)
{
	unsigned at;
	const struct row *r = row_find(b, option, &at);
	assert(r);
	(void)r;
	return at;
}

static bool given(const struct place *p, enum block b, const char *option)
{
	return p->row_line[index_of(b, option)] > 0;
}

/* Where an option stands, or its block. */
static unsigned file_of(const struct place *p, enum block b, const char *option)
{
	return given(p, b, option) ? p->row_file[index_of(b, option)] : p->file;
}

static int line_of(const struct place *p, enum block b, const char *option)
{
	return given(p, b, option) ? p->row_line[index_of(b, option)] : p->line;
}

#define AT(place, block, option) file_of(place, block, option), line_of(place, block, option)

/* ---- defaults that are worked out ---- */

static char *join(const char *dir, const char *rest)
{
	char *s = xmalloc(strlen(dir) + strlen(rest) + 2);
	sprintf(s, "%s/%s", dir, rest);
	return s;
}

static void set_string(char **s, char *to)
{
	free(*s);
	*s = to;
}

static char *default_data_dir(void)
{
	const char *state = getenv("STATE_DIRECTORY"); /* systemd: colons between several */
	size_t n = state ? strcspn(state, ":") : 0;
	return n ? xstrndup(state, n) : xstrdup("/var/lib/oudp");
}

static void add_dir(char **dirs, size_t *n, char *dir, bool only_if_there)
{
	bool take = !only_if_there || !access(dir, X_OK);
	for (size_t i = 0; i < *n; i++)
		take = take && strcmp(dirs[i], dir);
	if (take)
		dirs[(*n)++] = dir;
	else
		free(dir);
}

/* Where schemas are, seen from the program: an installation's share/, or the schemas/ beside a
 * build/.
 */
static char **default_schema_dirs(void)
{
	enum { DIRS_MAX = 5 };
	char **dirs = xcalloc(DIRS_MAX, sizeof(*dirs)), exe[4096];
	size_t n = 0;
	add_dir(dirs, &n, xstrdup("/etc/oudp/schemas"), false);
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *up[2] = {NULL, NULL}; /* the directory above the program's, and the one above that */
	if (len > 0) {
		exe[len] = 0;
		for (int i = 0; i < 3; i++) {
			char *slash = strrchr(exe, '/');
			if (slash)
				*slash = 0;
			if (i > 0)
				up[i - 1] = xstrdup(exe);
		}
		add_dir(dirs, &n, join(up[0], "share/oudp/schemas"), true);
	}
	add_dir(dirs, &n, xstrdup("/usr/share/oudp/schemas"), false);
	if (up[1] && strlen(up[0]) > 6 && !strcmp(up[0] + strlen(up[0]) - 6, "/build"))
		add_dir(dirs, &n, join(up[1], "schemas"), true);
	free(up[0]);
	free(up[1]);
	assert(n < DIRS_MAX);
	return dirs;
}

static void root_defaults(struct loader *ld)
{
	struct config *c = ld->config;
	finish_rows(ld, BLOCK_ROOT, &ld->root, c);
	if (!*c->data_dir)
		set_string(&c->data_dir, default_data_dir());
	if (!*c->admin_socket)
		set_string(&c->admin_socket, join(c->data_dir, "oudpd.sock"));
	if (!c->schema_dirs[0]) {
		free(c->schema_dirs);
		c->schema_dirs = default_schema_dirs();
	}
	if (strlen(c->admin_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		problem_add(ld, AT(&ld->root, BLOCK_ROOT, "admin-socket"), false,
		            "admin-socket: \"%s\" is too long for a Unix socket; write a path of at"
		            " most 107 bytes",
		            c->admin_socket);
}

/* A directory that somebody wrote down and that is not there is most likely mistyped. */
static void check_schema_dirs(struct loader *ld)
{
	if (!ld->files || !given(&ld->root, BLOCK_ROOT, "schema-dirs"))
		return;
	for (char **dir = ld->config->schema_dirs; *dir; dir++)
		if (access(*dir, R_OK | X_OK))
			problem_add(ld, AT(&ld->root, BLOCK_ROOT, "schema-dirs"), true,
			            "schema-dirs: cannot look into %s: %s; make it, or take it out",
			            *dir, strerror(errno));
}

/* ---- listeners ---- */

static void default_listeners(struct config *c, struct loader *ld)
{
	static const char *const names[] = {"mqtt", "web", "admin"};
	static const int protocols[] = {CONFIG_MQTT, CONFIG_HTTP, CONFIG_ADMIN};
	c->n_listeners = ARRAY_LEN(names);
	c->listeners = xcalloc(c->n_listeners, sizeof(*c->listeners));
	ld->listeners = xcalloc(c->n_listeners, sizeof(*ld->listeners));
	for (size_t i = 0; i < c->n_listeners; i++)
		c->listeners[i] = (struct config_listener){
		    .name = xstrdup(names[i]),
		    .protocol = protocols[i],
		    .address = xstrdup("127.0.0.1"),
		    .anonymous = true,
		};
}

/* As 16 bytes, so that two spellings of one address are the same. */
static void address_bytes(const char *text, unsigned char out[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	memcpy(out, mapped, sizeof(mapped));
	if (!strcmp(text, "localhost"))
		text = "127.0.0.1";
	if (inet_pton(AF_INET, text, out + 12) == 1)
		return;
	if (inet_pton(AF_INET6, text, out) != 1)
		memset(out, 0, 16); /* was refused before; a problem is noted */
}

static bool is_loopback(const unsigned char a[16])
{
	static const unsigned char mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
	static const unsigned char one[16] = {[15] = 1};
	return !memcmp(a, mapped, sizeof(mapped)) || !memcmp(a, one, sizeof(one));
}

static bool is_any(const unsigned char a[16])
{
	static const unsigned char zero[16], mapped[16] = {[10] = 0xff, [11] = 0xff};
	return !memcmp(a, zero, 16) || !memcmp(a, mapped, 16);
}

static bool collide(const struct config_listener *a, const struct config_listener *b)
{
	unsigned char x[16], y[16];
	address_bytes(a->address, x);
	address_bytes(b->address, y);
	return a->port && a->port == b->port && (!memcmp(x, y, 16) || is_any(x) || is_any(y));
}

static void check_listener(struct loader *ld, size_t at)
{
	static const uint16_t ports[2][3] = {{1883, 8080, 9883}, {8883, 8443, 9883}};
	struct config *c = ld->config;
	struct config_listener *l = &c->listeners[at];
	const struct place *p = &ld->listeners[at];
	unsigned char address[16];
	address_bytes(l->address, address);
	l->loopback = is_loopback(address);
	if (l->port == 0 && !given(p, BLOCK_LISTENER, "port")) /* else it was refused */
		l->port = ports[l->tls != NULL][l->protocol];
	if (l->tls && !config_tls_find(c, l->tls) && !ld->cut)
		problem_add(ld, AT(p, BLOCK_LISTENER, "tls"), false,
		            "tls: there is no block tls \"%s\"; add it, or name one there is",
		            l->tls);
	if (!l->loopback && !l->tls && !l->insecure)
		problem_add(ld, AT(p, BLOCK_LISTENER, "address"), false,
		            "listener \"%s\" on %s can be reached from outside without TLS; name a"
		            " tls block (tls = \"...\"), listen on 127.0.0.1, or accept it with"
		            " insecure = true",
		            l->name, l->address);
	for (size_t i = 0; i < at; i++)
		if (collide(&c->listeners[i], l))
			problem_add(
			    ld, AT(p, BLOCK_LISTENER, "port"), false,
			    "listener \"%s\" wants port %u of %s, which listener \"%s\" has;"
			    " give it another port",
			    l->name, (unsigned)l->port, l->address, c->listeners[i].name);
}

/* ---- tls ---- */

static void check_file(struct loader *ld, const struct place *p, const char *option,
                       const char *path)
{
	if (path && *path && access(path, R_OK))
		problem_add(ld, AT(p, BLOCK_TLS, option), false,
		            "%s: cannot read %s: %s; oudpd's user must be able to", option, path,
		            strerror(errno));
}

static void check_tls(struct loader *ld, size_t at)
{
	const struct config_tls *t = &ld->config->tls[at];
	const struct place *p = &ld->tls[at];
	bool used = false;
	for (size_t i = 0; i < ld->config->n_listeners; i++)
		used = used || (ld->config->listeners[i].tls &&
		                !strcmp(ld->config->listeners[i].tls, t->name));
	if (!used && !ld->cut)
		problem_add(ld, p->file, p->line, true,
		            "no listener uses tls \"%s\"; name it in one, or take it out", t->name);
	if (t->crl && !t->client_ca)
		problem_add(ld, AT(p, BLOCK_TLS, "crl"), false,
		            "crl without client-ca revokes nothing; add client-ca");
	if (!ld->files)
		return;
	check_file(ld, p, "certificate", t->certificate);
	check_file(ld, p, "key", t->key);
	check_file(ld, p, "client-ca", t->client_ca);
	check_file(ld, p, "crl", t->crl);
	struct stat st;
	if (!stat(t->key, &st) && (st.st_mode & S_IROTH))
		problem_add(ld, AT(p, BLOCK_TLS, "key"), true,
		            "everyone on this machine can read %s; chmod o-r it", t->key);
}

/* ---- issuers ---- */

/* Keys that come without TLS could be anybody's; but on this machine there is nobody between. */
static bool is_good_source(const char *s)
{
	static const char *const fronts[] = {"/", "https://",
	                                     "http://127.0.0.1:", "http://localhost:"};
	for (size_t i = 0; i < ARRAY_LEN(fronts); i++)
		if (strncmp(s, fronts[i], strlen(fronts[i])) == 0)
			return true;
	return false;
}

static void check_issuer(struct loader *ld, size_t at)
{
	const struct config_issuer *c = ld->config->issuers, *i = &c[at];
	const struct place *p = &ld->issuers[at];
	if (i->jwks && *i->jwks && !is_good_source(i->jwks))
		problem_add(ld, AT(p, BLOCK_ISSUER, "jwks"), false,
		            "jwks: \"%.200s\" is neither an https address nor an absolute path",
		            i->jwks);
	if (ld->files && i->jwks && i->jwks[0] == '/' && access(i->jwks, R_OK))
		problem_add(ld, AT(p, BLOCK_ISSUER, "jwks"), false,
		            "jwks: cannot read %s: %s; oudpd's user must be able to", i->jwks,
		            strerror(errno));
	for (size_t k = 0; k < at; k++)
		if (i->iss && c[k].iss && strcmp(i->iss, c[k].iss) == 0)
			problem_add(ld, AT(p, BLOCK_ISSUER, "iss"), false,
			            "iss: issuer \"%s\" has the same; take one out", c[k].name);
}

/* ---- feeds ---- */

static void check_personal_data(struct loader *ld, const struct config_feed *f,
                                const struct place *p)
{
	const struct {
		const char *option, *why;
		bool there;
	} needs[] = {
	    {"purpose", "say why it is processed", *f->purpose},
	    {"legal-ground", "say on what ground", *f->legal_ground},
	    {"dpia", "say where the assessment is", *f->dpia},
	    {"keep-messages", "say how long it is kept",
	     given(p, BLOCK_FEED, "keep-messages") && f->keep_messages_s},
	};
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		if (f->personal_data && !needs[i].there)
			problem_add(ld, AT(p, BLOCK_FEED, "personal-data"), false,
			            "feed \"%s\" has personal data and needs %s; %s", f->name,
			            needs[i].option, needs[i].why);
}

static void check_feed(struct loader *ld, size_t at)
{
	struct config_feed *f = &ld->config->feeds[at];
	const struct place *p = &ld->feeds[at];
	if (strcmp(f->name, "oudp-audit") == 0)
		problem_add(ld, p->file, p->line, false,
		            "feed \"oudp-audit\" is the broker's own; give this one another name");
	if (!*f->title)
		set_string(&f->title, xstrdup(f->name));
	if (!*f->organisation)
		set_string(&f->organisation, xstrdup(ld->config->organisation));
	bool any = false;
	size_t n = 0;
	for (; f->schemas[n]; n++)
		any = any || span_is(config_schema(f->schemas[n], NULL), "any");
	if (any && n > 1)
		problem_add(ld, AT(p, BLOCK_FEED, "schemas"), false,
		            "schemas: \"any\" fits everything; let it stand alone, or take it out");
	if (f->decode == CONFIG_SENML && !any)
		problem_add(ld, AT(p, BLOCK_FEED, "decode"), false,
		            "decode: senml is read by its own rules, not by a schema; write schemas"
		            " = { \"any\" }, or leave decode out");
	if (f->sensorthings && any && f->decode != CONFIG_SENML)
		problem_add(
		    ld, AT(p, BLOCK_FEED, "sensorthings"), false,
		    "sensorthings: an Observation is written by a schema or as SenML; write "
		    "schemas, or decode = senml");
	if (f->sensorthings && f->topics && f->topics[0] && !strstr(f->topics[0], "{thing}"))
		problem_add(ld, AT(p, BLOCK_FEED, "sensorthings"), false,
		            "sensorthings: a Thing is a level of the topic; write {thing} in the "
		            "first of topics");
	check_personal_data(ld, f, p);
}

static void check_room(struct loader *ld)
{
	const struct config *c = ld->config;
	uint64_t sum = 0;
	for (size_t i = 0; i < c->n_feeds; i++)
		if (!c->feeds[i].alerts) /* the broker's own: little, and nobody's setting */
			sum += c->feeds[i].keep_messages_max_bytes; /* at most 1,000 times 64TiB */
	if (sum > c->journal_size_bytes)
		problem_add(ld, AT(&ld->root, BLOCK_ROOT, "journal-size"), true,
		            "the feeds may keep %llu MB together, more than journal-size has room"
		            " for; raise journal-size or lower keep-messages-max",
		            (unsigned long long)(sum / 1000000));
}

static void check_security_contact(struct loader *ld)
{
	const char *s = ld->config->security_contact;
	if (*s && strncmp(s, "mailto:", 7) != 0 && strncmp(s, "https://", 8) != 0)
		problem_add(
		    ld, AT(&ld->root, BLOCK_ROOT, "security-contact"), false,
		    "security-contact: \"%s\" is no address; write mailto:... or https://...", s);
}

static void check_oin(struct loader *ld)
{
	const struct config *c = ld->config;
	for (size_t i = 0; i < c->n_listeners; i++)
		if (!c->listeners[i].loopback && !given(&ld->root, BLOCK_ROOT, "oin")) {
			problem_add(ld, ld->root.file, 0, true,
			            "oin is not given, so events go out under the example's number;"
			            " write your own");
			return;
		}
}

void check_all(struct loader *ld)
{
	struct config *c = ld->config;
	root_defaults(ld);
	check_public(ld);
	check_schema_dirs(ld);
	if (c->n_listeners == 0)
		default_listeners(c, ld);
	for (size_t i = 0; i < c->n_listeners; i++)
		check_listener(ld, i);
	for (size_t i = 0; i < c->n_tls; i++)
		check_tls(ld, i);
	for (size_t i = 0; i < c->n_issuers; i++)
		check_issuer(ld, i);
	for (size_t i = 0; i < c->n_feeds; i++)
		check_feed(ld, i);
	if (c->n_feeds == 0 && !ld->cut)
		problem_add(ld, ld->root.file, 0, true,
		            "there is no feed block, so nothing will be taken; add one");
	check_room(ld);
	check_oin(ld);
	check_security_contact(ld);
}
