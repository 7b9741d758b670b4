/* sta_batch.h - POST /$batch, between its files: many requests in one, in the form that
 * SensorThings 1.1 clause 11 has (multipart/mixed, OData 4.0 11.7) or in JSON (OData JSON 4.01
 * clause 19). They go one after the other through the router, as if each had come by itself, so
 * that admission, rights and limits are the same.
 *
 *   sta_batch_read.c   bodies become parts         sta_batch_write.c  answers of both forms
 *   sta_batch.c        what names another, running sta_group.h        all or nothing
 *
 * A later part names an earlier one by "$" and its id: at the beginning of its url
 * ("$t/Datastreams"), between brackets ("Things($t)") and as the value of @iot.id in its body. It
 * stands for the entity that was made, or that the answer is: of a set, the first. An id that is
 * given twice is that of the last one that has an entity. */
#ifndef WEB_STA_BATCH_H
#define WEB_STA_BATCH_H

#include "web/private.h"
#include "json/json.h"

enum {
	PART_ID_BYTES = 64,
	PART_ENTITY_BYTES = 80,
	PART_URL_BYTES = PATH_BYTES + QUERY_BYTES,
	PART_DEPENDS = 16
};

struct part {
	/* as it was read */
	char id[PART_ID_BYTES];
	char method[16], type[64]; /* type: of its body */
	char condition[PART_ID_BYTES + 8];
	char *url; /* malloc'ed */
	struct span body;
	unsigned group; /* 0: none; those of one stand side by side */
	char group_name[PART_ID_BYTES];
	char depends[PART_DEPENDS][PART_ID_BYTES];
	unsigned n_depends;
	const char *wrong; /* NULL, or why it cannot be begun */
	/* as it went */
	int status;
	char entity[PART_ENTITY_BYTES]; /* "Things(5)", or "" */
	struct req *inner;              /* its answer; NULL: there is only why */
	const char *why;
	bool passed_over; /* its condition is not met */
};

struct batch_parts {
	bool mixed; /* the form */
	struct part *one;
	unsigned n;
	const char *wrong; /* with the whole; static */
};

/* NULL, or what is wrong with the body as a whole. Views of the request's body. */
const char *batch_read(struct batch_parts *b, const struct req *r);
void batch_parts_done(struct batch_parts *b);

/* Into out, in order: begin, each part, end. A change set of the mixed form that failed has one
 * answer: of the one that did. */
void batch_write_begin(const struct batch_parts *b, struct buf *out);
void batch_write_part(const struct batch_parts *b, unsigned i, const char *boundary,
                      struct buf *out);
void batch_write_end(const struct batch_parts *b, const char *boundary, struct buf *out);

#endif
