/* shape.h - the piece of the earth that is asked about: bbox= or radius=. Pure.
 *
 * What meets it is in the answer: of a bbox what has at least an edge or a point in common with it,
 * of a circle what has its nearest point within the radius. A shape that is empty ({0}) is
 * everywhere. */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include "base/box.h"

#include <stddef.h>

enum shape_kind { SHAPE_EVERYWHERE, SHAPE_BBOX, SHAPE_RADIUS };

struct shape {
	enum shape_kind kind;
	int32_t west_e7, south_e7, east_e7, north_e7; /* BBOX; west > east: over 180 degrees */
	int32_t lon_e7, lat_e7;                       /* RADIUS: the middle */
	double radius_m;                              /* along the sphere */
};

bool shape_meets(const struct shape *s, const struct box *b);
/* place NULL: it has none, and is nowhere but everywhere. */
static inline bool shape_takes(const struct shape *s, const struct box *place)
{
	return s->kind == SHAPE_EVERYWHERE || (place && shape_meets(s, place));
}
/* Boxes outside of which nothing meets it: one, or two where it goes over 180 degrees; 0: nothing
 * does. Of everywhere: the whole earth. */
enum { SHAPE_BOXES = 2 };
unsigned shape_boxes(const struct shape *s, struct box out[SHAPE_BOXES]);

#endif
