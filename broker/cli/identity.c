/* identity.c - `oudp identity`. A password never comes from the command line, which everybody on
 * the machine can read. */
#include "cli/access.h"
#include "cli/table.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_BYTES = 512 };

struct asked {
	const char *organisation, *certificate, *issuer, *subject, *file, *date;
	bool password, key;
};

/* ---- passwords ---- */

/* Without its line end. */
static int read_line(FILE *f, char *out, size_t size)
{
	if (!fgets(out, (int)size, f))
		return -1;
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

static int from_terminal(const struct cli *c, const char *prompt, char *out, size_t size)
{
	struct termios was, now;
	if (tcgetattr(STDIN_FILENO, &was))
		return cli_trouble(c, "the terminal cannot be asked: %s", strerror(errno));
	now = was;
	now.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
	int err = read_line(stdin, out, size);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return err ? cli_trouble(c, "no password was given") : CLI_OK;
}

static int read_password(const struct cli *c, const char *file, char out[PASSWORD_BYTES])
{
	char again[PASSWORD_BYTES];
	if (!file && isatty(STDIN_FILENO)) {
		int err = from_terminal(c, "Password: ", out, PASSWORD_BYTES);
		err = err ? err : from_terminal(c, "Once more: ", again, PASSWORD_BYTES);
		bool same = !err && strcmp(out, again) == 0;
		explicit_bzero(again, sizeof(again));
		return err || same ? err : cli_trouble(c, "the two are not the same");
	}
	FILE *f = file ? fopen(file, "re") : stdin;
	if (!f)
		return cli_trouble(c, "cannot read %s: %s", file, strerror(errno));
	int err = read_line(f, out, PASSWORD_BYTES);
	if (file)
		fclose(f);
	return err ? cli_trouble(c, "no password was given") : CLI_OK;
}

static int add_password(const struct cli *c, const struct asked *a, json_t *body)
{
	char password[PASSWORD_BYTES];
	int err = read_password(c, a->file, password);
	if (!err)
		json_object_set_new(body, "password", json_string(password));
	explicit_bzero(password, sizeof(password));
	if (!err && !json_object_get(body, "password"))
		return cli_trouble(c, "the password is not UTF-8");
	return err;
}

/* ---- commands ---- */

static void row(struct table *t, const json_t *o, const void *arg)
{
	const struct asked *a = arg;
	if (a->organisation && strcmp(a->organisation, reply_text(o, "organisation", "")))
		return;
	table_cell(t, reply_text(o, "name", "?"));
	table_cell(t, reply_text(o, "organisation", "?"));
	table_cell(t, reply_text(o, "kind", "?"));
	table_cell(t, json_is_true(json_object_get(o, "active")) ? "yes" : "no");
	table_cell(t, reply_text(o, "ends", "-"));
	table_cell(t, reply_text(o, "certificate", reply_text(o, "subject", "-")));
}

static int list(struct cli *c, const struct asked *a)
{
	static const char *const headings[] = {"IDENTITY", "ORGANISATION", "KIND",
	                                       "ACTIVE",   "ENDS",         "SHOWS"};
	return access_list(c, "identities", headings, ARRAY_LEN(headings), row, a);
}

static void tell_key(const json_t *r, const char *name)
{
	const char *key = reply_text(r, "key", NULL);
	if (key)
		printf("The key of %s, which is not shown again:\n%s\n", name, key);
}

static int add(struct cli *c, const char *name, const struct asked *a)
{
	bool password = a->password || a->file;
	int ways = password + a->key + (a->certificate != NULL) + (a->issuer != NULL);
	json_t *r = NULL;
	if (!a->organisation)
		return cli_usage(c, "whose is it? --organisation NAME");
	if (ways != 1 || (a->issuer != NULL) != (a->subject != NULL))
		return cli_usage(c, "one of --password, --password-file, --key, --certificate, or "
		                    "--issuer with --subject");
	const char *kind = password    ? "password"
	                   : a->key    ? "key"
	                   : a->issuer ? "token"
	                               : "certificate";
	json_t *body = json_pack("{s:s, s:s, s:s}", "name", name, "organisation", a->organisation,
	                         "kind", kind);
	int err = password ? add_password(c, a, body) : CLI_OK;
	if (a->certificate)
		json_object_set_new(body, "certificate", json_string(a->certificate));
	if (a->issuer) {
		json_object_set_new(body, "issuer", json_string(a->issuer));
		json_object_set_new(body, "subject", json_string(a->subject));
	}
	err = err ? err : access_ask(c, "POST", "/v1/identities", body, &r);
	json_decref(body);
	if (r) {
		printf("%s is added; it may do nothing yet: oudp grant add\n", name);
		tell_key(r, name);
	}
	json_decref(r);
	return err;
}

static int renew(struct cli *c, const char *name, const struct asked *a)
{
	json_t *r = NULL, *body = json_object();
	auto_free char *path = access_path("identities", name);
	int err = CLI_OK;
	if (a->key)
		json_object_set_new(body, "newKey", json_integer(1));
	else
		err = add_password(c, a, body);
	err = err ? err : access_ask(c, "PATCH", path, body, &r);
	json_decref(body);
	if (r) {
		printf("%s has another one; connections made with the former are closed\n", name);
		tell_key(r, name);
	}
	json_decref(r);
	return err;
}

static int end(struct cli *c, const char *name, const struct asked *a)
{
	json_t *r, *body = access_end(a->date);
	auto_free char *path = access_path("identities", name);
	int err = access_ask(c, "PATCH", path, body, &r);
	json_decref(body);
	if (r)
		printf("%s ends at %s\n", name, reply_text(r, "ends", "?"));
	json_decref(r);
	return err;
}

enum {
	OPT_ORGANISATION = CLI_OWN,
	OPT_PASSWORD,
	OPT_FILE,
	OPT_KEY,
	OPT_CERTIFICATE,
	OPT_ISSUER,
	OPT_SUBJECT,
	OPT_DATE
};

int cmd_identity(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {
	    {"organisation", required_argument, NULL, OPT_ORGANISATION},
	    {"password", no_argument, NULL, OPT_PASSWORD},
	    {"password-file", required_argument, NULL, OPT_FILE},
	    {"key", no_argument, NULL, OPT_KEY},
	    {"certificate", required_argument, NULL, OPT_CERTIFICATE},
	    {"issuer", required_argument, NULL, OPT_ISSUER},
	    {"subject", required_argument, NULL, OPT_SUBJECT},
	    {"date", required_argument, NULL, OPT_DATE},
	    {0}};
	struct asked a = {0};
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		switch (o) {
		case OPT_ORGANISATION: a.organisation = optarg; break;
		case OPT_PASSWORD: a.password = true; break;
		case OPT_FILE: a.file = optarg; break;
		case OPT_KEY: a.key = true; break;
		case OPT_CERTIFICATE: a.certificate = optarg; break;
		case OPT_ISSUER: a.issuer = optarg; break;
		case OPT_SUBJECT: a.subject = optarg; break;
		case OPT_DATE: a.date = optarg; break;
		default: return CLI_TROUBLE;
		}
	}
	const char *verb = optind < argc ? argv[optind] : "";
	const char *name = optind + 1 < argc ? argv[optind + 1] : NULL;
	int given = argc - optind;
	if (strcmp(verb, "list") == 0 && given == 1)
		return list(c, &a);
	if (strcmp(verb, "add") == 0 && given == 2)
		return add(c, name, &a);
	if (strcmp(verb, "renew") == 0 && given == 2)
		return renew(c, name, &a);
	if (strcmp(verb, "end") == 0 && given == 2)
		return end(c, name, &a);
	return cli_usage(c, "list, add NAME, renew NAME, or end NAME");
}
