/* alert_command.c - see alert_command.h. */
#include "status/alert_command.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { ARGUMENTS = 6, MINUTE_MS = 60000 };

struct waiting {
	char *argument[ARGUMENTS]; /* the program first */
	uint64_t more;
};

struct alert_command {
	struct hub *hub;
	struct waiting queue[LIMIT_ALERTS_WAITING];
	unsigned first, n;
	uint64_t more; /* left out since the last that was queued */
	struct job job;
	bool starting; /* on the pool */
	struct waiting now;
	pid_t pid; /* 0: none runs */
	int err;   /* of the start */
	uint64_t begun_ms, minute_ms;
	unsigned in_minute;
	struct alert_command_stats stats;
};

static uint64_t now_ms(const struct alert_command *a)
{
	return clock_mono_ns(hub_clock(a->hub)) / 1000000;
}

static void waiting_done(struct waiting *w)
{
	for (unsigned i = 0; i < ARGUMENTS; i++)
		free(w->argument[i]);
	*w = (struct waiting){0};
}

struct alert_command *alert_command_new(struct hub *h)
{
	struct alert_command *a = xcalloc(1, sizeof(*a));
	a->hub = h;
	return a;
}

void alert_command_free(struct alert_command *a)
{
	if (!a)
		return;
	assert(!a->starting);
	if (a->pid > 0) {
		kill(a->pid, SIGKILL);
		waitpid(a->pid, NULL, 0);
	}
	for (; a->n; a->n--)
		waiting_done(&a->queue[a->first++ % LIMIT_ALERTS_WAITING]);
	waiting_done(&a->now);
	free(a);
}

bool alert_command_idle(const struct alert_command *a)
{
	return !a->starting;
}

/* ---- starting: on the pool ---- */

static int start(const struct waiting *w, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, all;
	char more[48], path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *const environment[] = {path, more, NULL};
	char *argv[ARGUMENTS + 1] = {0};
	memcpy(argv, w->argument, sizeof(w->argument));
	snprintf(more, sizeof(more), "OUDP_ALERTS_MORE=%llu", (unsigned long long)w->more);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, 2, 1);
	posix_spawn_file_actions_addclosefrom_np(&files, 3); /* the store, the sockets */
	posix_spawnattr_init(&how);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	int err = posix_spawn(ret, argv[0], &files, &how, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	return err;
}

static void work(struct job *j)
{
	struct alert_command *a = container_of(j, struct alert_command, job);
	a->err = start(&a->now, &a->pid);
}

static void failed(struct alert_command *a, const char *why, int value)
{
	a->stats.failed++;
	log_warn("The alert-command failed: %s. program=%s value=%d", why, a->now.argument[0],
	         value);
}

static void started(struct job *j)
{
	struct alert_command *a = container_of(j, struct alert_command, job);
	a->starting = false;
	a->begun_ms = now_ms(a);
	if (!a->err) {
		a->stats.run++;
		return;
	}
	a->pid = 0;
	failed(a, strerror(a->err), a->err);
	waiting_done(&a->now);
}

/* ---- the loop's side ---- */

static void end_of(struct alert_command *a)
{
	int status = 0;
	pid_t pid = waitpid(a->pid, &status, WNOHANG);
	if (pid == 0) {
		if (now_ms(a) - a->begun_ms < (uint64_t)LIMIT_ALERT_COMMAND_S * 1000)
			return;
		kill(a->pid, SIGKILL);
		waitpid(a->pid, &status, 0); /* it cannot refuse */
		failed(a, "it took too long and was ended", LIMIT_ALERT_COMMAND_S);
	} else if (WIFSIGNALED(status)) {
		failed(a, "a signal ended it", WTERMSIG(status));
	} else if (WEXITSTATUS(status)) {
		failed(a, "its exit status is not 0", WEXITSTATUS(status));
	}
	a->pid = 0;
	waiting_done(&a->now);
}

static bool may_start(struct alert_command *a)
{
	uint64_t now = now_ms(a);
	if (now - a->minute_ms >= MINUTE_MS) {
		a->minute_ms = now;
		a->in_minute = 0;
	}
	return a->n && a->in_minute < LIMIT_ALERT_COMMANDS;
}

void alert_command_tick(struct alert_command *a)
{
	if (a->starting)
		return;
	if (a->pid)
		end_of(a);
	if (a->pid || !may_start(a))
		return;
	a->now = a->queue[a->first];
	a->queue[a->first] = (struct waiting){0};
	a->first = (a->first + 1) % LIMIT_ALERTS_WAITING;
	a->n--;
	a->in_minute++;
	a->starting = true;
	a->job = (struct job){.work = work, .done = started};
	hub_pool(a->hub, &a->job);
}

void alert_command_put(struct alert_command *a, const char *path, const char *word,
                       struct span feed, struct span thing, const char *last_stored,
                       const char *message)
{
	if (!path || !*path)
		return;
	if (a->n == LIMIT_ALERTS_WAITING) {
		a->more++;
		a->stats.left_out++;
		return;
	}
	struct waiting *w = &a->queue[(a->first + a->n++) % LIMIT_ALERTS_WAITING];
	w->argument[0] = xstrdup(path);
	w->argument[1] = xstrdup(word);
	w->argument[2] = xstrndup(feed.p, feed.n);
	w->argument[3] = xstrndup(thing.p, thing.n);
	w->argument[4] = xstrdup(last_stored);
	w->argument[5] = xstrdup(message);
	w->more = a->more;
	a->more = 0;
}

const struct alert_command_stats *alert_command_stats(const struct alert_command *a)
{
	return &a->stats;
}
