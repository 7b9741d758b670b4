/* usage.c - figures for the status page and for retention. */
#include "base/err.h"
#include "store/env.h"

#include <errno.h>
#include <sys/statvfs.h>

int store_usage(struct store *s, struct store_usage *ret)
{
	uint64_t free_pages = 0;
	struct statvfs fs;
	MDB_envinfo info;
	int err = room_free_pages(s, &free_pages);
	if (err)
		return err;
	if (statvfs(s->dir, &fs) != 0)
		return -errno;
	int rc = mdb_env_info(s->env, &info);
	if (rc)
		return store_err(rc);
	uint64_t pages = info.me_last_pgno + 1;
	uint64_t used = (pages > free_pages ? pages - free_pages : 0) * s->room.psize;
	uint64_t map = s->room.limit_pages * s->room.psize;
	*ret = (struct store_usage){.map_bytes = map,
	                            .used_bytes = used,
	                            .free_bytes = map > used ? map - used : 0,
	                            .disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
	                            .readers = info.me_numreaders,
	                            .readers_max = info.me_maxreaders};
	return 0;
}

int store_feed_bytes(struct store *s, uint32_t feed, uint64_t *ret_records, uint64_t *ret_bytes)
{
	struct log *l = log_find(s, feed);
	if (!l)
		return ERR_NOT_FOUND;
	struct reader *r;
	int err = reader_get(s, &r);
	if (err)
		return err;
	MDB_stat st;
	err = store_err(mdb_stat(r->txn, l->dbi, &st));
	if (!err) {
		*ret_records = st.ms_entries;
		*ret_bytes =
		    (uint64_t)(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) *
		    st.ms_psize;
	}
	reader_put(s, r);
	return err;
}
