/* reader.c - read transactions, pooled.
 *
 * Beginning a read transaction takes a slot of the lock file and memory for every named database;
 * renewing one that was reset costs neither. The pool is bounded: whoever comes when all are out
 * waits, which is short, because readers are. Renewing happens under the pool's lock, so that it
 * never meets the opening of a new log (log.c), which holds the same lock. */
#include "base/mem.h"
#include "store/env.h"

void readers_init(struct store *s)
{
	int bad = pthread_mutex_init(&s->readers_lock, NULL);
	bad |= pthread_cond_init(&s->readers_free, NULL);
	assert(!bad);
}

void readers_done(struct store *s)
{
	assert(s->n_idle == s->n_readers); /* nobody reads */
	for (unsigned i = 0; i < s->n_readers; i++)
		mdb_txn_abort(s->readers[i].txn);
	s->n_readers = s->n_idle = 0;
	pthread_cond_destroy(&s->readers_free);
	pthread_mutex_destroy(&s->readers_lock);
}

static int reader_add(struct store *s)
{
	assert(s->n_readers < LIMIT_STORE_READERS);
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return rc;
	mdb_txn_reset(txn);
	s->readers[s->n_readers].txn = txn;
	s->idle[s->n_idle++] = s->n_readers++;
	return 0;
}

int reader_get(struct store *s, struct reader **ret)
{
	int rc = 0;
	pthread_mutex_lock(&s->readers_lock);
	while (s->n_idle == 0) {
		if (s->n_readers == LIMIT_STORE_READERS)
			pthread_cond_wait(&s->readers_free, &s->readers_lock);
		else if ((rc = reader_add(s)) == MDB_READERS_FULL && s->n_readers > 0)
			pthread_cond_wait(&s->readers_free, &s->readers_lock);
		else if (rc)
			goto out;
	}
	struct reader *r = &s->readers[s->idle[s->n_idle - 1]];
	rc = mdb_txn_renew(r->txn);
	if (rc)
		goto out;
	s->n_idle--;
	*ret = r;
out:
	pthread_mutex_unlock(&s->readers_lock);
	return store_err(rc);
}

void reader_put(struct store *s, struct reader *r)
{
	mdb_txn_reset(r->txn);
	pthread_mutex_lock(&s->readers_lock);
	assert(s->n_idle < s->n_readers);
	s->idle[s->n_idle++] = (unsigned)(r - s->readers);
	pthread_cond_signal(&s->readers_free);
	pthread_mutex_unlock(&s->readers_lock);
}
