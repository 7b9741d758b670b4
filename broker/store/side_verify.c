/* side_verify.c - looks at the second environment in a child process before it is used, as verify.c
 * does with the journal: LMDB trusts its file, and a page that was overwritten may end the process.
 * A row that fails the caller's check is counted, not refused: it is one piece of one datastream,
 * and readers pass over it. */
#include "base/err.h"
#include "base/mem.h"
#include "store/side_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STUCK_CPU_S = 1, PROGRESS_ROWS = 4096, WHY_BYTES = 480 };

struct answer {
	int err;
	uint64_t damaged;
	char why[WHY_BYTES];
};

static void arm_timer(void)
{
	const struct itimerval limit = {.it_value = {STUCK_CPU_S, 0}};
	setitimer(ITIMER_PROF, &limit, NULL);
}

static int compare(struct span a, struct span b)
{
	int d = memcmp(a.p, b.p, MIN_OF(a.n, b.n));
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static int walk_table(struct side_view *v, enum side_table table, const struct side_options *o,
                      struct answer *a)
{
	char last[512];
	struct span key, value, before = {last, 0};
	uint64_t n = 0;
	MDB_stat st;
	if (mdb_stat(v->txn, v->side->tables[table], &st))
		return ERR_STORE_DAMAGED;
	int err = side_seek(v, table, SPAN("\0"), &key, &value);
	for (; !err; err = side_next(v, table, &key, &value)) {
		struct span found;
		if (key.n > sizeof(last) || n++ >= st.ms_entries ||
		    (n > 1 && compare(key, before) <= 0) || side_get(v, table, key, &found) ||
		    found.p != value.p)
			return ERR_STORE_DAMAGED;
		memcpy(last, key.p, key.n);
		before.n = key.n;
		if (o->check && !o->check(table, key, value))
			a->damaged++;
		if (n % PROGRESS_ROWS == 0)
			arm_timer();
	}
	return err == ERR_NOT_FOUND && n == st.ms_entries ? 0 : ERR_STORE_DAMAGED;
}

static NORETURN void child(const struct side_options *o, bool walk, int fd)
{
	static const int fatal_signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,
	                                    SIGILL,  SIGPROF, SIGTERM};
	const struct rlimit no_core = {0, 0};
	struct answer a = {0};
	struct side_view *v = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	arm_timer();
	struct side *s = side_new(o);
	a.err = side_open_env(s, o, MDB_RDONLY | MDB_NOLOCK, a.why, sizeof(a.why));
	if (!a.err && walk)
		a.err = side_view_open(s, &v);
	for (unsigned i = 0; i < SIDE_TABLES && !a.err && walk; i++) {
		a.err = walk_table(v, i, o, &a);
		if (a.err)
			store_why(a.why, sizeof(a.why),
			          "%s is damaged: rows are out of order or missing; restore a "
			          "backup with 'oudp restore', or move %s away to have the series "
			          "made again from what the log still holds",
			          s->data_path, s->dir);
	}
	ssize_t n = write(fd, &a, sizeof(a));
	_exit(n == (ssize_t)sizeof(a) ? 0 : 1);
}

int side_verify(const struct side_options *o, bool walk, uint64_t *ret_damaged, char *why,
                size_t size)
{
	int ends[2], status = 0;
	struct answer a = {.err = ERR_STORE_DAMAGED};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return env_explain(errno, o->data_dir, why, size);
	pid_t pid = fork();
	if (pid == 0)
		child(o, walk, ends[1]);
	int forked = pid < 0 ? errno : 0;
	close(ends[1]);
	ssize_t n;
	while ((n = read(ends[0], &a, sizeof(a))) < 0 && errno == EINTR)
		;
	close(ends[0]);
	while (!forked && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (forked)
		return env_explain(forked, o->data_dir, why, size);
	if (n == (ssize_t)sizeof(a)) {
		if (a.err)
			store_why(why, size, "%s", a.why);
		else
			*ret_damaged = a.damaged;
		return a.err;
	}
	store_why(why, size,
	          "%s/series/data.mdb is damaged: the process that looked at it died (%s); restore "
	          "a backup with 'oudp restore', or move %s/series away to have the series made "
	          "again from what the log still holds",
	          o->data_dir, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "without a word",
	          o->data_dir);
	return ERR_STORE_DAMAGED;
}
