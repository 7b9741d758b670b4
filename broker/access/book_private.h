/* book_private.h - the inside of the book, shared by book.c (memory), rows.c (JSON both ways) and
 * change.c (what administrators ask for). */
#ifndef ACCESS_BOOK_PRIVATE_H
#define ACCESS_BOOK_PRIVATE_H

#include "access/area.h"
#include "access/audit.h"
#include "access/book.h"
#include "access/form.h"
#include "access/issuers.h"
#include "access/ticket.h"
#include "base/hash.h"

enum { MATCH_BYTES = 512, TITLE_BYTES = 256, PURPOSE_BYTES = 512, CONTRACT_BYTES = 128 };
#define NAME_SET     "abcdefghijklmnopqrstuvwxyz0123456789.-"
#define IDENTITY_SET NAME_SET "_@"

struct access {
	struct hub *hub;
	struct things *things; /* NULL: nobody knows where things are */
	struct map organisations, principals, keys, matches, grants;
	struct organisation **organisation_list;
	struct principal **principal_list;
	struct grant **grant_list; /* by id */
	size_t n_organisations, n_principals, n_grants;
	uint64_t last_grant;
	int64_t next_ms;  /* what somebody may do changes by time */
	int64_t watch_ms; /* the first token that expires */
	bool changed;
	struct list changes; /* struct change: those that wait for their commit */
	unsigned n_changes;
	struct login *login;
	struct issuers *issuers;
	struct tickets *tickets, *signins;
	struct audit *audit;
};

enum area_crs { AREA_UNSAID, AREA_CRS84, AREA_RD };

/* What a row says, before it is taken into memory. */
struct organisation_form {
	char name[ACCESS_NAME_BYTES];
	char *title;
	int64_t ends_ms;
};
struct identity_form {
	char name[ACCESS_NAME_BYTES], organisation[ACCESS_NAME_BYTES];
	unsigned kind; /* enum identity_kind */
	char *secret;  /* hashed */
	char *match;
	char *password; /* in a request only: to be hashed, then wiped */
	int64_t ends_ms;
	bool key; /* a request to make a key (anew) */
};
struct grant_form {
	uint64_t id;
	char organisation[ACCESS_NAME_BYTES], identity[ACCESS_NAME_BYTES];
	char feed[ACCESS_NAME_BYTES + 1], thing[FEED_THING_BYTES];
	unsigned rights, state;
	uint64_t rate, size_bytes, quota;
	int64_t from_ms, until_ms, made_ms;
	char *purpose, *contract, *area;
	unsigned area_crs; /* enum area_crs */
};
void organisation_form_done(struct organisation_form *o);
void identity_form_done(struct identity_form *i);
void grant_form_done(struct grant_form *g);

/* rows.c: members that are given, onto what the form holds already. row: from the store, where more
 * may stand than in a request. */
void organisation_form_read(struct form *f, struct organisation_form *o);
void identity_form_read(struct form *f, struct identity_form *i, bool row);
void grant_form_read(struct form *f, struct grant_form *g, bool row);
void organisation_form_write(struct buf *b, const struct organisation_form *o);
void identity_form_write(struct buf *b, const struct identity_form *i, bool row);
void grant_form_write(struct buf *b, const struct grant_form *g);
/* The form of what is in memory; its strings are copies. */
struct organisation_form organisation_form_of(const struct organisation *o);
struct identity_form identity_form_of(const struct principal *p);
struct grant_form grant_form_of(const struct grant *g);

/* book.c: a row is in force from now on; key as in the store. 0 or ERR_INVALID: the row says what
 * cannot be, and is left out. */
int book_take(struct access *a, struct span key, struct span row);

#define ROW_ORGANISATION "access/o/"
#define ROW_IDENTITY     "access/i/"
#define ROW_GRANT        "access/g/"
#define ROW_USE          "access/u/"

/* change.c */
void changes_free(struct access *a);
void changes_stop(struct access *a);

/* login.c */
struct login *login_new(struct access *a);
void login_stop(struct login *l);
void login_free(struct login *l);

#endif
