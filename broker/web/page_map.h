/* page_map.h - what the map shows: page_map_find.c finds it, page_map.c draws it. */
#ifndef WEB_PAGE_MAP_H
#define WEB_PAGE_MAP_H

#include "web/pages.h"

enum { MAP_ROWS = 200 };

struct map_row {
	const struct seen_thing *t;     /* NULL: nothing came from it yet */
	const struct thing *registered; /* then: where it stands */
	bool placed;
	struct box place; /* that it told, else the register's */
	double metres;    /* from near; -1: it has no place */
	double value;     /* of the property; NAN: none */
};

struct map_asked {
	struct feed *feed;
	struct span property;
	bool near, silent;
	int32_t lon_e7, lat_e7; /* near */
	struct shape bbox, radius;
	struct map_row *rows; /* the best MAP_ROWS, in order; the caller's to free */
	unsigned n, found;
	bool more;        /* found are not all */
	double low, high; /* of the property, over the rows */
};

/* False after a 400. */
bool map_read(struct req *r, struct map_asked *a);
/* The shape by which things are looked up: of the two that is asked for the one that is. */
const struct shape *map_area(const struct map_asked *a);
void map_find(const struct page *p, struct map_asked *a);

#endif
