/* verify.c - looks at a store before it is used, in a child process.
 *
 * LMDB trusts its file: pages that were overwritten end in SIGSEGV, SIGBUS or abort() inside the
 * library. So a child goes first. It always does what opening does (tables, feeds' rows, first and
 * last record of each log); when asked it also walks every table, every log and the free list,
 * reads every byte, and checks density, order, counts and (by the caller's check) every record. It
 * says "ok" or a sentence through a pipe; when it dies, that is the answer.
 *
 * A damaged page can send LMDB, or the walk, round in circles: keys must rise, entries are counted,
 * and a child that uses STUCK_CPU_S seconds of processor time without progress is ended. (Time on
 * the clock would say nothing: disks are slow.) */
#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/env.h"

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

enum {
	STUCK_CPU_S = 1,
	PROGRESS_ENTRIES = 4096,
	PROGRESS_BYTES = 16 << 20, /* either is a few milliseconds */
	WHY_BYTES = 480
};

struct walk {
	struct store *s;
	MDB_txn *txn;
	const struct store_options *o;
	char why[WHY_BYTES];
	uint32_t sum;            /* of the values of tables, so that every byte is read */
	uint64_t entries, bytes; /* since the timer was set */
};

/* The child has this much processor time from now on. */
static void arm_timer(void)
{
	const struct itimerval limit = {.it_value = {STUCK_CPU_S, 0}};
	setitimer(ITIMER_PROF, &limit, NULL);
}

static void step(struct walk *w, size_t bytes)
{
	w->bytes += bytes;
	if (++w->entries % PROGRESS_ENTRIES && w->bytes < PROGRESS_BYTES)
		return;
	w->bytes = 0;
	arm_timer();
}

static int bad(struct walk *w, const char *what, const char *name, uint64_t number)
{
	store_why(w->why, sizeof(w->why),
	          "%s is damaged: %s '%s', at %llu; restore a backup with 'oudp restore'",
	          w->s->data_path, what, name, (unsigned long long)number);
	return ERR_STORE_DAMAGED;
}

/* A walk goes from leaf to leaf; readers come from the root. The two must meet. */
static bool found_from_root(const struct walk *w, MDB_dbi dbi, MDB_val k, MDB_val v)
{
	MDB_val found;
	return mdb_get(w->txn, dbi, &k, &found) == 0 && found.mv_data == v.mv_data &&
	       found.mv_size == v.mv_size;
}

/* Seeking before the first record and behind the last one. */
static bool ends_found_from_root(const struct walk *w, const struct log *l)
{
	uint64_t low = 0, high = UINT64_MAX;
	MDB_val k = {sizeof(low), &low}, v;
	MDB_cursor *c;
	if (mdb_cursor_open(w->txn, l->dbi, &c) != 0)
		return false;
	int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	bool good =
	    rc == MDB_NOTFOUND ? l->first > l->last : !rc && load_u64(k.mv_data) == l->first;
	mdb_cursor_close(c);
	k = (MDB_val){sizeof(high), &high};
	if (mdb_cursor_open(w->txn, l->dbi, &c) != 0)
		return false;
	good &= mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) == MDB_NOTFOUND;
	mdb_cursor_close(c);
	return good;
}

static int walk_log(struct walk *w, const struct log *l)
{
	MDB_cursor *c;
	MDB_stat st;
	MDB_val k, v;
	uint64_t n = 0, sequence = l->first;
	int rc = mdb_stat(w->txn, l->dbi, &st);
	if (!rc)
		rc = mdb_cursor_open(w->txn, l->dbi, &c);
	if (rc)
		return bad(w, "the log of feed", l->name, 0);
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		step(w, v.mv_size);
		if (k.mv_size != sizeof(sequence) || load_u64(k.mv_data) != sequence)
			return bad(w, "a record is missing in the log of feed", l->name, sequence);
		if (!found_from_root(w, l->dbi, k, v))
			return bad(w, "a record is not found in the log of feed", l->name,
			           sequence);
		if (w->o->check && !w->o->check(span_of_val(v)))
			return bad(w, "a record fails its checksum in feed", l->name, sequence);
		if (w->o->check_sequence && !w->o->check_sequence(span_of_val(v), sequence))
			return bad(w, "a record stands under another's number in feed", l->name,
			           sequence);
		if (!w->o->check)
			w->sum = crc32c(w->sum, v.mv_data, v.mv_size);
		sequence++;
		n++;
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND || n != st.ms_entries || sequence != l->last + 1 ||
	    !ends_found_from_root(w, l))
		return bad(w, "the log does not end where it should in feed", l->name, sequence);
	return 0;
}

static int compare(MDB_val a, MDB_val b)
{
	int d = memcmp(a.mv_data, b.mv_data, MIN_OF(a.mv_size, b.mv_size));
	return d ? d : (a.mv_size > b.mv_size) - (a.mv_size < b.mv_size);
}

static int walk_table(struct walk *w, enum store_table table)
{
	const char *name = store_table_names[table];
	char last_bytes[512];
	MDB_val last = {0, last_bytes}, k, v;
	MDB_cursor *c;
	MDB_stat st;
	uint64_t n = 0;
	int rc = mdb_stat(w->txn, w->s->tables[table], &st);
	if (!rc)
		rc = mdb_cursor_open(w->txn, w->s->tables[table], &c);
	if (rc)
		return bad(w, "the table", name, 0);
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		step(w, v.mv_size);
		if (k.mv_size > sizeof(last_bytes) || n >= st.ms_entries ||
		    (n && compare(k, last) <= 0))
			return bad(w, "rows are out of order in the table", name, n);
		if (!found_from_root(w, w->s->tables[table], k, v))
			return bad(w, "a row is not found in the table", name, n);
		memcpy(last_bytes, k.mv_data, k.mv_size);
		last.mv_size = k.mv_size;
		w->sum = crc32c(w->sum, v.mv_data, v.mv_size);
		n++;
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND || n != st.ms_entries)
		return bad(w, "rows are missing in the table", name, n);
	return 0;
}

/* A page that is named twice in the free list would be given to two owners. */
static int walk_free(struct walk *w)
{
	MDB_envinfo info;
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t last = 0;
	int rc = mdb_env_info(w->s->env, &info);
	if (!rc)
		rc = mdb_cursor_open(w->txn, 0, &c);
	if (rc)
		return bad(w, "the free list", "", 0);
	auto_free uint64_t *seen = xcalloc(info.me_last_pgno / 64 + 1, sizeof(*seen));
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		step(w, v.mv_size);
		uint64_t id = k.mv_size == sizeof(id) ? load_u64(k.mv_data) : 0;
		uint64_t n = v.mv_size >= sizeof(n) ? load_u64(v.mv_data) : UINT64_MAX;
		if (id <= last || id > info.me_last_txnid || n > v.mv_size / sizeof(n) - 1)
			return bad(w, "the free list", "", id);
		last = id;
		for (uint64_t i = 1; i <= n; i++) {
			uint64_t page = load_u64((char *)v.mv_data + i * sizeof(page));
			if (page < 2 || page > info.me_last_pgno ||
			    seen[page / 64] >> (page % 64) & 1)
				return bad(w,
				           "the free list names a page twice, or one that is not",
				           "", page);
			seen[page / 64] |= 1ull << (page % 64);
		}
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : bad(w, "the free list", "", last);
}

static int walk_all(struct walk *w)
{
	int err = store_err(mdb_txn_begin(w->s->env, NULL, MDB_RDONLY, &w->txn));
	for (unsigned i = 0; i < STORE_TABLES && !err; i++)
		err = walk_table(w, i);
	for (unsigned i = 0, n = atomic_load(&w->s->n_logs); i < n && !err; i++)
		err = walk_log(w, w->s->logs[i]);
	return err ? err : walk_free(w);
}

/* ---- the child ---- */

static void calm_signals(void)
{
	static const int fatal_signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,
	                                    SIGILL,  SIGPROF, SIGTERM};
	sigset_t none;
	for (unsigned i = 0; i < ARRAY_LEN(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	const struct rlimit no_core = {0, 0};
	setrlimit(RLIMIT_CORE, &no_core); /* the file may be large, and the death is expected */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

struct answer {
	int err;
	char why[WHY_BYTES];
};

static NORETURN void child(const struct store_options *o, bool walk, int fd)
{
	struct answer a = {.err = ERR_STORE_DAMAGED};
	struct store *s = NULL;
	calm_signals();
	arm_timer();
	a.err = env_probe(o, &s, a.why, sizeof(a.why));
	if (!a.err && walk) {
		struct walk w = {.s = s, .o = o};
		a.err = walk_all(&w);
		memcpy(a.why, w.why, sizeof(a.why));
	}
	ssize_t n = write(fd, &a, sizeof(a));
	_exit(n == (ssize_t)sizeof(a) ? 0 : 1);
}

int store_verify(const struct store_options *o, const char *journal, bool walk, char *why,
                 size_t size)
{
	int ends[2], status = 0;
	struct answer a = {.err = ERR_STORE_DAMAGED};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return env_explain(errno, journal, why, size);
	pid_t pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return env_explain(errno, journal, why, size);
	}
	if (pid == 0)
		child(o, walk, ends[1]);
	close(ends[1]);
	ssize_t n;
	while ((n = read(ends[0], &a, sizeof(a))) < 0 && errno == EINTR)
		;
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == (ssize_t)sizeof(a)) {
		if (a.err)
			store_why(why, size, "%s", a.why);
		return a.err;
	}
	store_why(
	    why, size,
	    "%s/data.mdb is damaged: the process that looked at it died (%s); restore a backup "
	    "with 'oudp restore'",
	    journal, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "without a word");
	return ERR_STORE_DAMAGED;
}
