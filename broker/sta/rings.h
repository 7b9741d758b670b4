/* rings.h - a polygon or several, as people write them, as plain rings of points: GEOS reads them
 * and says whether they are valid. Pure. */
#ifndef STA_RINGS_H
#define STA_RINGS_H

#include "base/compiler.h"
#include "base/span.h"

struct rings {
	double (*xy)[2]; /* n points; each ring's last is its first again */
	unsigned n, n_rings;
	unsigned *ends; /* one past the last point of each ring; holes are rings too */
};

/* text: WKT, or a geometry or Feature of GeoJSON. 0 with *ret the caller's, or ERR_INVALID with a
 * static piece of a sentence in *ret_why: "is ...". */
int rings_read(struct span text, unsigned max_points, struct rings *ret,
               const char **ret_why) MUSTCHECK;
void rings_done(struct rings *r);

#endif
