/* backup.c - `oudp backup` and `oudp restore`: the store room does the work. */
#include "cli/cli.h"

#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"
#include "json/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

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

int cmd_backup(struct cli *c, int argc, char **argv)
{
	const char *dir;
	char why[512] = "";
	int err = one_directory(c, argc, argv, &dir);
	if (err)
		return err;
	time_t began = time(NULL);
	int rc = store_backup(c->data_dir, dir, why, sizeof(why));
	if (rc < 0)
		return cli_trouble(c, "%s to %s: %s", c->data_dir, dir,
		                   why[0] ? why : err_text(rc));
	say_done(c, "backup", dir, (int64_t)(time(NULL) - began));
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
	const char *dir;
	char why[512] = "";
	int err = one_directory(c, argc, argv, &dir);
	if (err)
		return err;
	if (daemon_runs(c))
		return cli_trouble(c, "oudpd runs on %s: stop it first (systemctl stop oudpd)",
		                   c->data_dir);
	time_t began = time(NULL);
	int rc = store_restore(dir, c->data_dir, (int64_t)began * 1000, why, sizeof(why));
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
