/* post.h - what post.c (publishing) and quarantine.c (retry) share: messages of one request on
 * their way through admission, at most LIMIT_WEB_NDJSON_FLIGHT in a batch at a time. Results come
 * in the order in which the messages went in, and are written as they come. */
#ifndef WEB_POST_H
#define WEB_POST_H

#include "web/private.h"
#include "json/json.h"

struct result { /* of one message; views that live during the call */
	uint8_t verdict;
	int err; /* ERR_STORE_FULL: it did not happen */
	uint64_t sequence, token;
	const char *reason, *schema, *pointer, *rule;
};

struct post {
	struct req *req;
	struct feed *feed;                                    /* NULL: unrouted */
	void (*next)(struct post *p);                         /* publishes on, or finishes */
	void (*take)(struct post *p, const struct result *r); /* one result */
	char topic[LIMIT_TOPIC_BYTES + 1];
	bool lines;
	bool events;           /* each line is an event with subject and data */
	size_t at;             /* in the body */
	struct json_tape tape; /* of one such line */

	/* retry */
	bool received, end;
	uint32_t feed_id;
	uint64_t after, *ids;
	unsigned n_ids, stored, refused, listed;
};

struct post *post_new(struct req *r, struct feed *f);
/* False: no room; the request waits for it and p->next is called then. */
bool post_publish(struct post *p, struct ingest_message *m, uint64_t token);
/* No room: p->next is called when there may be some. */
void post_wait(struct req *r);
/* A trial (ingest.h): 0, it fits; ERR_AGAIN, not now; ERR_INVALID, refused, and p->take will hear
 * why. */
int post_try(struct post *p, struct ingest_message *m, uint64_t token) MUSTCHECK;
/* p->topic: given whole by the query (may be NULL), or the feed's first template with the thing put
 * in. NULL, or what is wrong. */
const char *post_topic(struct post *p, const struct query *q, struct span thing);
/* HTTP status of a verdict. */
int post_status(const struct result *r);
extern const char post_full[]; /* what is said of ERR_STORE_FULL */

#endif
