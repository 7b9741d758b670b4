/* backup.c - `oudp backup` and `oudp restore`: the store room does the work. */
#include "cli/bar.h"
#include "cli/cli.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "store/store.h"
#include "json/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LEDGER_BYTES = 64 << 20 };

static int one_directory(struct cli *c, int argc, char **argv, const char **ret)
{
	if (cli_option(c, argc, argv, "", NULL) != CLI_END)
		return CLI_TROUBLE;
	if (argc - optind != 1)
		return cli_usage(c, "one directory, please");
	*ret = argv[optind];
	return 0;
}

static void say_done(const struct cli *c, const char *what, const char *dir, int64_t seconds)
{
	struct buf b;
	buf_init(&b, 64 << 10);
	if (c->json) {
		buf_addf(&b, "{\"%s\":", what);
		json_write_string(&b, span_str(dir));
		buf_addf(&b, ",\"seconds\":%lld}", (long long)seconds);
	} else {
		buf_addf(&b, "%s: %s", what, dir);
	}
	puts(buf_str(&b));
	buf_done(&b);
}

/* ---- a bar, for who waits at a terminal ---- */

static void draw(void *arg UNUSED, uint64_t records, uint64_t of)
{
	if (of)
		bar_draw((double)records / (double)of, "%llu of %llu messages",
		         (unsigned long long)records, (unsigned long long)of);
	else
		bar_draw(0, "the time series");
}

static const struct store_watch *watch(const struct cli *c)
{
	static const struct store_watch bar = {draw, NULL};
	return bar_wanted(c) ? &bar : NULL;
}

static void end_bar(const struct cli *c)
{
	if (bar_wanted(c))
		bar_clear();
}

/* ---- the ledger of what was erased: it goes with a backup, and rules over what is restored ----
 */

static char *file_of(const char *dir, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int read_ledger(const struct cli *c, const char *path, struct buf *ret)
{
	buf_init(ret, LEDGER_BYTES);
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	return cli_read_file(c, path, LEDGER_BYTES, ret);
}

/* Whole or not at all. */
static int write_ledger(const struct cli *c, const char *dir, struct span text)
{
	auto_free char *path = file_of(dir, "erased"), *fresh = file_of(dir, "erased.new");
	if (mkdir(dir, 0700) && errno != EEXIST)
		return cli_trouble(c, "%s: %s", dir, strerror(errno));
	auto_close int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, text.n ? text.p : "", text.n);
	if (n < 0 || (size_t)n != text.n || fsync(fd) || rename(fresh, path))
		return cli_trouble(c, "%s: %s", path, strerror(errno));
	auto_close int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d < 0 || fsync(d) ? cli_trouble(c, "%s: %s", dir, strerror(errno)) : 0;
}

/* A line as it was first written, without what a former restore put before it. */
static struct span first_form(struct span line)
{
	if (line.n > 31 && memcmp(line.p, "again ", 6) == 0)
		return span_of(line.p + 31, line.n - 31); /* "again " and a time and a space */
	return line;
}

/* Adds the lines that out does not have yet, each with the time of this restore in front. */
static void merge_ledger(struct buf *out, struct span text, const char *again)
{
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;
		struct span line = first_form(span_of(text.p, n));
		if (nl && line.n && !(out->len && memmem(out->p, out->len, line.p, line.n)))
			buf_addf(out, "again %s %.*s\n", again, (int)line.n, line.p);
		n += nl ? 1 : 0;
		text = span_of(text.p + n, text.n - n);
	}
}

/* Before the store is there: a restore that is cut short forgets nothing of it. */
static int restore_ledger(const struct cli *c, const char *backup, const char *more)
{
	auto_free char *here = file_of(c->data_dir, "erased"), *there = file_of(backup, "erased");
	const char *const paths[] = {here, there, more};
	char again[RFC3339_BYTES + 1] = "";
	struct buf all, one;
	int err = 0;
	rfc3339_format((int64_t)time(NULL) * 1000, again);
	buf_init(&all, 4 * LEDGER_BYTES);
	for (unsigned i = 0; i < ARRAY_LEN(paths) && !err; i++) {
		if (!paths[i])
			continue;
		if (paths[i] == more && access(more, R_OK))
			err = cli_trouble(c, "%s: %s", more, strerror(errno));
		else
			err = read_ledger(c, paths[i], &one);
		if (!err)
			merge_ledger(&all, span_of(one.p, one.len), again);
		if (!err)
			buf_done(&one);
	}
	if (!err && all.len)
		err = write_ledger(c, c->data_dir, span_of(all.p, all.len));
	buf_done(&all);
	return err;
}

int cmd_backup(struct cli *c, int argc, char **argv)
{
	const char *dir = NULL;
	char why[512] = "";
	int err = one_directory(c, argc, argv, &dir);
	if (err)
		return err;
	time_t began = time(NULL);
	int rc = store_backup(c->data_dir, dir, watch(c), why, sizeof(why));
	end_bar(c);
	if (rc < 0)
		return cli_trouble(c, "%s to %s: %s", c->data_dir, dir,
		                   why[0] ? why : err_text(rc));
	struct buf ledger;
	auto_free char *path = file_of(c->data_dir, "erased");
	err = read_ledger(c, path, &ledger);
	if (!err && ledger.len)
		err = write_ledger(c, dir, span_of(ledger.p, ledger.len));
	buf_done(&ledger);
	if (err)
		return err;
	say_done(c, "backup", dir, (int64_t)(time(NULL) - began));
	if (!c->json)
		printf("next: copy it to another place; 'oudp restore %s --data-dir EMPTY' shows "
		       "that it is whole.\n",
		       dir);
	return CLI_OK;
}

/* A daemon that runs on the directory answers on its socket. */
static bool daemon_runs(const struct cli *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/oudpd.sock", c->data_dir);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return false;
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"ledger", required_argument, NULL, CLI_OWN}, {0}};
	const char *dir, *more = NULL;
	char why[512] = "";
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		if (o != CLI_OWN)
			return CLI_TROUBLE;
		more = optarg;
	}
	if (argc - optind != 1)
		return cli_usage(c, "one directory, please");
	dir = argv[optind];
	if (daemon_runs(c))
		return cli_trouble(c, "oudpd runs on %s: stop it first (systemctl stop oudpd)",
		                   c->data_dir);
	time_t began = time(NULL);
	int err = restore_ledger(c, dir, more);
	if (err)
		return err;
	int rc = store_restore(dir, c->data_dir, (int64_t)began * 1000, watch(c), why, sizeof(why));
	end_bar(c);
	if (rc < 0)
		return cli_trouble(c, "%s to %s: %s", dir, c->data_dir,
		                   why[0] ? why : err_text(rc));
	say_done(c, "restored", c->data_dir, (int64_t)(time(NULL) - began));
	if (c->json)
		return CLI_OK;
	struct stat st;
	bool root = geteuid() == 0 && stat(c->data_dir, &st) == 0 && st.st_uid == 0;
	printf("next: %sstart oudpd.\n"
	       "Every feed goes on in a new epoch: subscribers that had seen more than the backup "
	       "holds are\n"
	       "told with a gap event (reason rewound). What was published after the backup is not "
	       "here.\n",
	       root ? "give the files to the user oudpd runs as (chown -R), then " : "");
	return CLI_OK;
}

int cmd_compact(struct cli *c, int argc, char **argv)
{
	char why[512] = "";
	if (cli_option(c, argc, argv, "", NULL) != CLI_END)
		return CLI_TROUBLE;
	if (argc != optind)
		return cli_usage(c, "it takes no argument");
	if (daemon_runs(c))
		return cli_trouble(c, "oudpd runs on %s: stop it first (systemctl stop oudpd)",
		                   c->data_dir);
	time_t began = time(NULL);
	int rc = store_compact(c->data_dir, watch(c), why, sizeof(why));
	end_bar(c);
	if (rc < 0)
		return cli_trouble(c, "%s: %s", c->data_dir, why[0] ? why : err_text(rc));
	say_done(c, "compact", c->data_dir, (int64_t)(time(NULL) - began));
	if (!c->json)
		puts("next: start oudpd (systemctl start oudpd).");
	return CLI_OK;
}
