/* entry.h - one entry of the register of things: the document that people write, checked member by
 * member. Pure.
 *
 * The members are the union of Amsterdam's sensor register and SensRNet, so that an entry can be
 * handed on to either; oudp-register(7) is the manual. One table (entry_fields) says which there
 * are: reading, the columns of CSV files and the manual's lint are walks over it.
 *
 * Who may do what with an entry is not asked here. */
#ifndef REGISTER_ENTRY_H
#define REGISTER_ENTRY_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_state { ENTRY_PLANNED, ENTRY_ACTIVE, ENTRY_INACTIVE, ENTRY_ENDED, ENTRY_STATES };

enum entry_type {
	ENTRY_TEXT,
	ENTRY_URL,    /* http, https, mailto or urn */
	ENTRY_BOOL,   /* true, false */
	ENTRY_NUMBER, /* low to high */
	ENTRY_DATE,   /* 2027-03-01, or RFC 3339 */
	ENTRY_STATE,  /* a word of enum entry_state */
};

struct entry_field {
	const char *path; /* "owner.name"; "devices[].id": of each object of an array */
	enum entry_type type;
	unsigned max; /* bytes of a text */
	double low, high;
	bool required;    /* of every entry */
	const char *what; /* for the manual and messages */
};
extern const struct entry_field entry_fields[];
extern const unsigned entry_n_fields;

/* What the broker itself needs of an entry. */
struct entry {
	char *text; /* compact JSON, an object; malloc'ed */
	size_t n;
	enum entry_state state;
	bool has_location, is_public, personal_data;
	int32_t lat_e7, lon_e7; /* 1e-7 degree */
	int64_t from_ms;        /* activeFrom, its first moment; 0: none */
	int64_t until_ms;  /* the first moment after activeUntil (a date counts whole); 0: none */
	int64_t permit_ms; /* the same of permit.until */
};

struct entry_fault {
	char pointer[96]; /* RFC 6901; "": the whole */
	char detail[160];
};
struct entry_faults {
	unsigned n; /* at most LIMIT_THING_FAULTS are told */
	struct entry_fault one[LIMIT_THING_FAULTS];
};

/* Reads a document. Members that the broker adds to its answers (id, organisation, code, version,
 * changed, changedBy, registered, valid, seen) are left out of it, so that what was got can be put.
 * 0 with *ret the caller's, or ERR_INVALID with all faults. */
int entry_read(struct span json, struct entry *ret, struct entry_faults *faults) MUSTCHECK;
/* The same of text changed by an RFC 7396 merge patch. */
int entry_patch(struct span text, struct span patch, struct entry *ret,
                struct entry_faults *faults) MUSTCHECK;
void entry_done(struct entry *e);

/* A version as it is kept. */
enum { THING_CODE_BYTES = 10, THING_BY_BYTES = 80 };
struct entry_row {
	char code[THING_CODE_BYTES + 1]; /* of /t/{code}: short, random, stays */
	char by[THING_BY_BYTES];         /* who wrote it */
	int64_t changed_ms;
	struct span document; /* n == 0: the entry was taken out */
};
void entry_row_write(const struct entry_row *row, struct buf *out);
/* 0, or ERR_STORE_FORMAT. *ret_document: malloc'ed, what row->document is a view of; or NULL. */
int entry_row_read(struct span bytes, struct entry_row *ret, char **ret_document) MUSTCHECK;

/* Is data of such a thing taken now? NULL, or why not: a piece of a sentence, static. */
const char *entry_invalid(const struct entry *e, int64_t now_ms);

/* An id that can be registered: 1 to LIMIT_THING_ID_BYTES of UTF-8 without control characters, '/',
 * '+' and '#'. */
bool entry_is_id(struct span id);

const char *entry_state_text(enum entry_state s); /* "planned"; static */
/* 0 or ERR_MALFORMED. */
int entry_state_read(struct span text, enum entry_state *ret) MUSTCHECK;

#endif
