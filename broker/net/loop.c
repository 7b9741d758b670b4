/* loop.c - see loop.h. The writer takes jobs in order from a locked list and gives them back
 * through uv_async. */
#include "net/loop.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIGNALS = 3, WRITER_SLICE_NS = 100000 /* the least there is */ };

struct loop {
	uv_loop_t uv;
	struct loop_calls calls;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_timer_t wait, second;
	uint64_t turns;
	uv_async_t written;
	uv_signal_t signals[SIGNALS];
	bool started, stopping;

	pthread_t writer;
	bool writer_runs, writer_ends;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *todo_first, *todo_last, *done_first, *done_last;
};

static struct job **next_of(struct job *j)
{
	return (struct job **)&j->private_[0];
}

static void push(struct job **first, struct job **last, struct job *j)
{
	*next_of(j) = NULL;
	if (*last)
		*next_of(*last) = j;
	else
		*first = j;
	*last = j;
}

static struct job *pop(struct job **first, struct job **last)
{
	struct job *j = *first;
	if (!j)
		return NULL;
	*first = *next_of(j);
	if (!*first)
		*last = NULL;
	return j;
}

/* ---- the writer ---- */

/* The writer sleeps in the disk most of the time and needs a core for microseconds. With the usual
 * slice it would wait for the end of the loop's turn, a millisecond away, and nothing would go side
 * by side. Kernels before 6.12 take no notice (and let a sleeper go first anyway). */
static void ask_short_slice(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {0};
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) || attr.policy != SCHED_OTHER)
		return;
	attr.size = sizeof(attr);
	attr.runtime = WRITER_SLICE_NS;
	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		log_debug("The writer thread keeps the usual slice of the processor.");
}

static void *writer_main(void *arg)
{
	struct loop *l = arg;
	ask_short_slice();
	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct job *j;
		while (!(j = pop(&l->todo_first, &l->todo_last)) && !l->writer_ends)
			pthread_cond_wait(&l->work, &l->lock);
		if (!j)
			break;
		pthread_mutex_unlock(&l->lock);
		j->work(j);
		pthread_mutex_lock(&l->lock);
		push(&l->done_first, &l->done_last, j);
		uv_async_send(&l->written);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static void give_writer(void *arg, struct job *j)
{
	struct loop *l = arg;
	pthread_mutex_lock(&l->lock);
	push(&l->todo_first, &l->todo_last, j);
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
}

static void take_written(uv_async_t *a)
{
	struct loop *l = a->data;
	for (;;) {
		pthread_mutex_lock(&l->lock);
		struct job *j = pop(&l->done_first, &l->done_last);
		pthread_mutex_unlock(&l->lock);
		if (!j)
			return;
		j->done(j);
	}
}

/* ---- the pool: libuv's own, made of few threads ---- */

static void pool_work(uv_work_t *w)
{
	struct job *j = w->data;
	j->work(j);
}

static void pool_done(uv_work_t *w, int status)
{
	struct job *j = w->data;
	assert(status == 0);
	free(w);
	j->done(j);
}

static void give_pool(void *arg, struct job *j)
{
	struct loop *l = arg;
	uv_work_t *w = xcalloc(1, sizeof(*w)); /* one per disk read, not per message */
	w->data = j;
	if (uv_queue_work(&l->uv, w, pool_work, pool_done))
		fatal("cannot queue work");
}

static void post(void *arg, struct job *j)
{
	struct loop *l = arg;
	pthread_mutex_lock(&l->lock);
	push(&l->done_first, &l->done_last, j);
	uv_async_send(&l->written); /* under the lock: after it the loop may end */
	pthread_mutex_unlock(&l->lock);
}

struct hub_runner loop_runner(struct loop *l)
{
	return (struct hub_runner){
	    .arg = l, .pool = give_pool, .writer = give_writer, .post = post};
}

/* ---- turns ---- */

static void wait_over(uv_timer_t *t UNUSED) {} /* waking up was all */

static void end_of_turn(struct loop *l)
{
	int ms = l->calls.turn(l->calls.arg);
	if (ms >= 0)
		uv_timer_start(&l->wait, wait_over, (uint64_t)ms, 0);
}

static void on_prepare(uv_prepare_t *h)
{
	end_of_turn(h->data);
}

static void on_check(uv_check_t *h)
{
	struct loop *l = h->data;
	l->turns++;
	end_of_turn(l);
}

static void on_second(uv_timer_t *t)
{
	struct loop *l = t->data;
	l->calls.second(l->calls.arg);
}

static void on_signal(uv_signal_t *s, int signum)
{
	struct loop *l = s->data;
	l->calls.signal(l->calls.arg, signum);
}

int loop_new(struct loop **ret)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	int err = uv_loop_init(&l->uv);
	if (err) {
		free(l);
		return err;
	}
	l->uv.data = l;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	uv_timer_init(&l->uv, &l->wait);
	uv_timer_init(&l->uv, &l->second);
	uv_async_init(&l->uv, &l->written, take_written);
	l->prepare.data = l->check.data = l->wait.data = l->second.data = l->written.data = l;
	for (unsigned i = 0; i < SIGNALS; i++) {
		uv_signal_init(&l->uv, &l->signals[i]);
		l->signals[i].data = l;
	}
	/* Signals are the loop's: the writer is made with all of them blocked. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&l->writer, NULL, writer_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		fatal("cannot start the writer thread");
	l->writer_runs = true;
	*ret = l;
	return 0;
}

int loop_start(struct loop *l, const struct loop_calls *calls)
{
	static const int signums[SIGNALS] = {SIGHUP, SIGTERM, SIGINT};
	l->calls = *calls;
	int err = uv_prepare_start(&l->prepare, on_prepare);
	err = err ? err : uv_check_start(&l->check, on_check);
	err = err ? err : uv_timer_start(&l->second, on_second, 1000, 1000);
	for (unsigned i = 0; !err && i < SIGNALS; i++)
		err = uv_signal_start(&l->signals[i], on_signal, signums[i]);
	l->started = err == 0;
	return err;
}

uint64_t loop_turns(const struct loop *l)
{
	return l->turns;
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}
void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	uv_stop(&l->uv);
}

static void close_handle(uv_handle_t *h, void *arg UNUSED)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->writer_ends = true;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->writer, NULL);
	take_written(&l->written);
	uv_prepare_stop(&l->prepare);
	uv_check_stop(&l->check);
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	int err = uv_loop_close(&l->uv);
	if (err)
		log_debug("The loop did not close. error=%s", uv_strerror(err));
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->work);
	free(l);
}
