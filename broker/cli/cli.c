/* cli.c - options, words on stderr, files and signals for the commands. Knows no command. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OPT_JSON = CLI_OWN - 10, OPT_URL, OPT_SOCKET, OPT_DATA_DIR, OPT_HELP };

static const struct option common[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"url", required_argument, NULL, OPT_URL},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"data-dir", required_argument, NULL, OPT_DATA_DIR},
    {"help", no_argument, NULL, OPT_HELP},
};
enum { OPTIONS_MAX = 40 };

static const char *asked(const char *name)
{
	const char *v = getenv(name);
	return v && *v ? v : NULL;
}

static char *without_last_slash(const char *url)
{
	size_t n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	return xstrndup(url, n);
}

static void set_data_dir(struct cli *c, const char *dir)
{
	c->data_dir = dir;
	if (c->socket_asked)
		return;
	char *path = NULL;
	if (asprintf(&path, "%s/oudpd.sock", dir) < 0)
		path = xstrdup("oudpd.sock");
	c->socket = path;
}

void cli_init(struct cli *c)
{
	*c = (struct cli){.terminal = isatty(STDOUT_FILENO)};
	struct winsize w;
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	c->colour = c->terminal && !(no && *no) && term && strcmp(term, "dumb") != 0;
	if (c->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
		c->columns = w.ws_col;
	const char *url = asked("OUDP_URL");
	c->url_asked = url != NULL;
	c->url = without_last_slash(url ? url : "http://127.0.0.1:8080");
	c->socket = asked("OUDP_SOCKET");
	c->socket_asked = c->socket != NULL;
	const char *state = asked("STATE_DIRECTORY"); /* systemd: a list with ':' between */
	set_data_dir(c, state ? xstrndup(state, strcspn(state, ":")) : "/var/lib/oudp");
}

static void help(const struct cli *c)
{
	printf("oudp %s %s\n%s\n\n%s", c->command->name, c->command->arguments, c->command->what,
	       c->command->help);
	printf("\n"
	       "  --json           for machines\n"
	       "  --url URL        the web listener (%s; OUDP_URL)\n"
	       "  --socket PATH    the administration socket (%s; OUDP_SOCKET)\n"
	       "  --data-dir DIR   where oudpd keeps its data (%s; STATE_DIRECTORY)\n",
	       c->url, c->socket, c->data_dir);
}

int cli_option(struct cli *c, int argc, char **argv, const char *letters, const struct option *own)
{
	struct option all[OPTIONS_MAX + 1] = {0};
	size_t n = ARRAY_LEN(common);
	memcpy(all, common, sizeof(common));
	for (; own && own->name; own++) {
		assert(n < OPTIONS_MAX);
		all[n++] = *own;
	}
	for (;;) {
		int o = getopt_long(argc, argv, letters, all, NULL);
		switch (o) {
		case OPT_JSON: c->json = true; break;
		case OPT_URL:
			c->url = without_last_slash(optarg);
			c->url_asked = true;
			c->socket_asked = false; /* an option is stronger than the environment */
			break;
		case OPT_SOCKET:
			c->socket = optarg;
			c->socket_asked = true;
			break;
		case OPT_DATA_DIR: set_data_dir(c, optarg); break;
		case OPT_HELP:
			if (!c->command)
				return CLI_HELP;
			help(c);
			exit(cli_finish(c, CLI_OK));
		case '?':
			fprintf(stderr, "see: oudp help%s%s\n", c->command ? " " : "",
			        c->command ? c->command->name : "");
			return CLI_WRONG;
		default: return o;
		}
	}
}

static PRINTF(2, 0) void say(const struct cli *c, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "oudp%s%s: ", c->command ? " " : "", c->command ? c->command->name : "");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int cli_trouble(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	return CLI_TROUBLE;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	fprintf(stderr, "usage: oudp %s %s\n       oudp help %s\n", c->command->name,
	        c->command->arguments, c->command->name);
	return CLI_TROUBLE;
}

int cli_number(const struct cli *c, const char *option, const char *text, uint64_t low,
               uint64_t high, uint64_t *ret)
{
	uint64_t v = 0;
	if (span_to_u64(span_str(text), &v) < 0 || v < low || v > high)
		return cli_trouble(c, "%s is a whole number from %llu to %llu, not '%s'", option,
		                   (unsigned long long)low, (unsigned long long)high, text);
	*ret = v;
	return 0;
}

void cli_print_json(json_t *value)
{
	assert(value != NULL);
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	fputc('\n', stdout);
	json_decref(value);
}

int cli_finish(const struct cli *c, int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	int err = errno;
	struct pollfd p = {.fd = STDOUT_FILENO};
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR))
		return status; /* a pipe whose reader has seen enough */
	return cli_trouble(c, "could not write the output: %s", strerror(err ? err : EIO));
}

int cli_read_file(const struct cli *c, const char *path, size_t max, struct buf *ret)
{
	bool is_stdin = strcmp(path, "-") == 0;
	auto_close int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_trouble(c, "%s: %s", path, strerror(errno));
	const char *name = is_stdin ? "standard input" : path;
	char chunk[64 << 10];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_trouble(c, "%s: %s", name, strerror(errno));
		if (n == 0)
			return 0;
		if (ret->len + (size_t)n > max)
			return cli_trouble(c, "%s is larger than %zu bytes", name, max);
		buf_add(ret, chunk, (size_t)n);
		if (ret->err)
			return cli_trouble(c, "%s is too large", name);
	}
}

static void stop_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void cli_stop_init(void)
{
	sigset_t set;
	stop_set(&set);
	int err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert(err == 0);
}

bool cli_stop(void)
{
	sigset_t set;
	stop_set(&set);
	struct timespec none = {0, 0};
	return sigtimedwait(&set, NULL, &none) > 0;
}
