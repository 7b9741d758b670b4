/* render.h - between run.c, page.c and render.c: one request under way. */
#ifndef STA_RENDER_H
#define STA_RENDER_H

#include "sta/run.h"
#include "sta/value.h"

struct run {
	const struct sta_request *r;
	struct sta_eval eval;
	unsigned entities; /* put into the answer */
	unsigned examined; /* looked at */
	char *error;       /* 200 bytes */
	int err;
};

/* page.c: the entities of a walk that o asks for, rendered, as "value" of set (with @iot.count and
 * @iot.nextLink as they are due), or with prefix ("Datastreams") as members of an entity. link: URL
 * of the set without options; options: those of a link, encoded, without $skip and $skiptoken. */
struct page {
	struct sta_list list;
	const struct sta_options *o;
	struct span token; /* of the former page; n 0: the first */
	bool refs;         /* links only */
	/* the answer */
	json_t *value, *ids; /* arrays of the same length, owned by the caller */
	bool more, counted;
	uint64_t count;
	char next[2400]; /* $skiptoken of the next page */
};
int page_run(struct run *run, struct page *p) MUSTCHECK;

/* sort.c: the same, in an order that the source does not have. */
int sort_page(struct run *run, struct page *p) MUSTCHECK;
/* distinct.c: the same, each choice once. */
int distinct_page(struct run *run, struct page *p) MUSTCHECK;
/* What they share. */
bool page_fits(struct run *run, const struct page *p, int64_t id, const json_t *entity);
size_t page_top(const struct sta_options *o);
int page_eval_error(struct run *run);
int page_take(struct run *run, struct page *p, int64_t id, json_t *entity) MUSTCHECK;
/* Bytes as hexadecimal digits behind a letter; out has room for 2 n + 2. */
void token_write(char kind, struct span bytes, char *out);
int token_read(char kind, struct span token, char *out, size_t size, size_t *ret_n) MUSTCHECK;

/* render.c: an entity with what is selected and expanded; a new reference, or NULL with run->err.
 */
json_t *render_entity(struct run *run, const struct sta_options *o, int64_t id, json_t *entity,
                      bool ref);
void render_self(const struct run *run, enum sta_type t, int64_t id, char *out, size_t size);
/* format.c: the page's value in another form. */
int format_data_array(struct run *run, struct page *p, json_t **ret) MUSTCHECK;
int format_geojson(struct run *run, const struct page *p, json_t **ret) MUSTCHECK;
/* JSON as the rest of the broker writes it: 21.5 is 21.5. */
void write_json(struct buf *b, const json_t *j);
int run_fail(struct run *run, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
