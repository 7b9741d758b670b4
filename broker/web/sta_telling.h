/* sta_telling.h - telling of SensorThings (sta_tell.h), between its files: sta_tell.c notes what
 * changed and runs rounds on the loop, sta_telling.c makes the messages of a round on a thread of
 * the reader pool. */
#ifndef WEB_STA_TELLING_H
#define WEB_STA_TELLING_H

#include "web/sta_tell.h"
#include "web/sta_written.h"

/* ---- news: what a record was about ---- */

struct news { /* feed, organisation, thing and results follow */
	int64_t ms;
	uint32_t n_results, results_n;
	uint16_t feed_n, organisation_n, thing_n;
	bool placed;
	struct box place; /* when placed */
};

struct listener { /* one subscription */
	uint64_t session;
	struct permit *permit;
	char *filter;
	size_t n;
};

struct told { /* filter and payload follow */
	uint64_t session;
	uint32_t filter_n, payload_n;
	bool changed; /* it is told when it is another one than before */
};

struct sta_teller {
	struct web *w;
	struct buf news; /* the next round's */
	uint64_t dropped;
	bool busy;
	struct note { /* an entity that somebody wrote */
		enum sta_type type;
		int64_t id;
	} note[LIMIT_STA_NOTED], note_of_round[LIMIT_STA_NOTED];
	unsigned n_notes, n_notes_of_round;
	/* of the round */
	struct job job;
	struct series_ask wait;
	struct buf of_round, told;
	unsigned n_told, dropped_round;
	struct listener *listener;
	unsigned n_listeners, cap_listeners;
	int64_t now_ms;
};

void sta_telling_work(struct job *job); /* of a struct sta_teller */

#endif
