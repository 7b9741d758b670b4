/* book.h - organisations, their identities, and what is granted to them. Rows of the journal (JSON
 * in STORE_STATE, keys "access/..."), read at start and held in memory.
 *
 * A change is asked for as the JSON object of the HTTP API, checked, written, and in force when it
 * is committed; then done() is called, in order. Two changes of one row wait for each other by
 * being refused (ERR_CONFLICT). Nothing is ever taken out of memory: what has ended stays as ended,
 * so that pointers to it stay good.
 *
 * Loop thread only; scrypt runs on the reader pool. */
#ifndef ACCESS_BOOK_H
#define ACCESS_BOOK_H

#include "access/access.h"
#include "access/view.h"
#include "base/list.h"

struct access;
struct area;
struct things;

struct organisation {
	char name[ACCESS_NAME_BYTES]; /* [a-z0-9.-]{1,64} */
	char *title;
	int64_t ends_ms;             /* from then on nobody of it gets in; 0: never */
	int64_t told_ms;             /* the end that was told: ending.h; 0: none */
	struct list members, grants; /* struct principal.node; struct grant.node of all of it */
};

enum identity_kind { IDENTITY_PASSWORD, IDENTITY_KEY, IDENTITY_CERTIFICATE, IDENTITY_TOKEN };

struct principal {
	struct list node;             /* organisation's members */
	char name[ACCESS_NAME_BYTES]; /* [a-z0-9._@-]{1,64}, one of its kind in the whole broker */
	struct organisation *organisation;
	enum identity_kind kind;
	char *secret; /* password: secret.h's text; key: SHA-256 of it in hex; else "" */
	char *match;  /* certificate: a name as tls_client_names() has it; token: issuer, newline,
	               * subject; else "" */
	int64_t ends_ms;     /* 0: never */
	bool active;         /* neither it nor its organisation has ended */
	uint32_t generation; /* counts changes of its credentials, and its end */
	uint32_t losses;     /* counts changes after which it may do less */
	uint8_t proven[32];  /* of the last password that was verified; login.c */
	bool has_proven;
	/* of the certificate that it showed last, since the start; 0: none */
	int64_t certificate_ends_ms;
	int64_t certificate_warned_ms;
	struct list grants; /* struct grant.node of its own */
	struct rights view;
};

enum grant_state { GRANT_ACTIVE, GRANT_SUSPENDED, GRANT_REVOKED };

struct grant {
	struct list node;
	uint64_t id;
	struct organisation *organisation;
	struct principal *identity;       /* NULL: everybody of the organisation */
	char feed[ACCESS_NAME_BYTES + 1]; /* a name, or a beginning and '*' */
	char thing[FEED_THING_BYTES];     /* "": all; a thing's id, or a beginning and '*' */
	struct area *area;                /* NULL: everywhere */
	char *area_text;                  /* as it was given; "" */
	bool area_rd;
	struct things *const *things; /* where things are: access_set_things() */
	uint8_t rights;               /* bits 1 << enum access_right */
	enum grant_state state;
	uint64_t rate;             /* messages a second it may publish; 0: any */
	uint64_t size_bytes;       /* of one message; 0: as the server allows */
	uint64_t quota;            /* messages a day (UTC); 0: any */
	int64_t from_ms, until_ms; /* 0: no bound */
	char *purpose, *contract;
	int64_t made_ms;
	/* at work */
	double tokens;     /* of rate; at most a second's */
	int64_t filled_ms; /* when they were last filled up */
	uint64_t used;     /* of quota, */
	int64_t used_day;  /* on this day since 1970 */
	bool used_changed; /* its row of use is to be written */
};

/* ---- life ---- */
int access_new(struct hub *h, struct access **ret) MUSTCHECK; /* the hub is configured already */
/* Nobody waits any more for what is under way: done functions are not called. */
void access_stop(struct access *a);
void access_free(struct access *a);         /* accepts NULL */
void access_reconfigured(struct access *a); /* after hub_configure() */
/* Once a second: what begins or ends by time, what is to be written. True: what somebody may do has
 * changed since the last call, or a token has expired: look at the connections (access_lost()). */
bool access_second(struct access *a) MUSTCHECK;
/* A connection with this identity has begun: its token is watched. */
void access_watch(struct access *a, const struct identity *who);
/* The register says where things are; it outlives a. Without it a message's own place counts. */
void access_set_things(struct access *a, struct things *t);
struct hub *access_hub(const struct access *a);
struct audit *access_audit(const struct access *a);     /* audit.h */
struct tickets *access_tickets(const struct access *a); /* ticket.h */
struct tickets *access_signins(const struct access *a);

/* Certificates of clients that were shown since the start. */
struct access_certificates {
	unsigned known, ending;          /* ending: within LIMIT_TLS_WARN_DAYS */
	const struct principal *soonest; /* NULL: none is known */
};
struct access_certificates access_certificates(const struct access *a);

/* ---- finding ---- */
struct principal *access_principal(const struct access *a, struct span name); /* NULL: none */
struct principal *access_by_key(const struct access *a, const char *sha256_hex);
struct principal *access_by_match(const struct access *a, enum identity_kind kind,
                                  struct span match);
struct organisation *access_organisation(const struct access *a, struct span name);
struct grant *access_grant(const struct access *a, uint64_t id);
struct identity access_identity(const struct principal *p); /* as if it had just logged in */

/* Walks: *at = 0 at first; NULL at the end. In order of name (identities), of number (grants). */
struct organisation *access_next_organisation(const struct access *a, size_t *at);
struct principal *access_next_principal(const struct access *a, size_t *at);
struct grant *access_next_grant(const struct access *a, size_t *at);

/* As JSON objects, without secrets. */
void organisation_write(struct buf *b, const struct organisation *o);
void identity_write(struct buf *b, const struct principal *p);
void grant_write(struct buf *b, const struct grant *g, int64_t now_ms);

/* ---- changes ---- */
struct access_done {
	/* err: 0, or ERR_STORE_FULL: nothing happened. id: what the row is called; key: of a new
	 * API key, the only time it is told, else NULL. */
	void (*fn)(void *arg, int err, const char *id, const char *key);
	void *arg;
	const struct identity *who; /* for the audit; copied. NULL: nobody asked (tests) */
	const char *origin;         /* its address; copied */
};
/* Each: 0 (done comes), ERR_INVALID (why has a line for each member that is wrong), ERR_NOT_FOUND,
 * ERR_CONFLICT, ERR_TOO_LARGE (there are as many as may be), ERR_AGAIN (no room now). Then done
 * does not come, and why says it in a sentence. */
int organisation_add(struct access *a, struct span json, struct access_done d,
                     struct buf *why) MUSTCHECK;
int organisation_change(struct access *a, struct span name, struct span json, struct access_done d,
                        struct buf *why) MUSTCHECK;
int identity_add(struct access *a, struct span json, struct access_done d,
                 struct buf *why) MUSTCHECK;
int identity_change(struct access *a, struct span name, struct span json, struct access_done d,
                    struct buf *why) MUSTCHECK;
int grant_add(struct access *a, struct span json, struct access_done d, struct buf *why) MUSTCHECK;
int grant_change(struct access *a, uint64_t id, struct span json, struct access_done d,
                 struct buf *why) MUSTCHECK;

#endif
