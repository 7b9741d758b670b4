/* near.c - which things, or whose datastreams, may be where it is asked, without looking at all of
 * them. */
#include "base/mem.h"
#include "series/private.h"

#include <math.h>
#include <stdlib.h>

static const double E7 = 1e7;
static const int32_t LON_E7 = 1800000000, LAT_E7 = 900000000;

/* In one piece, or two where it goes over 180 degrees. */
struct areas {
	unsigned n;
	struct box at[2];
};

static struct areas areas_of(int64_t west, int64_t south, int64_t east, int64_t north)
{
	struct areas a = {0};
	south = MAX_OF(south, (int64_t)-LAT_E7);
	north = MIN_OF(north, (int64_t)LAT_E7);
	if (south > north)
		return a;
	if (west < -LON_E7)
		west += 2 * (int64_t)LON_E7;
	if (east > LON_E7)
		east -= 2 * (int64_t)LON_E7;
	int32_t s = (int32_t)south, n = (int32_t)north;
	if (west <= east) {
		a.at[a.n++] = (struct box){(int32_t)west, s, (int32_t)east, n};
	} else {
		a.at[a.n++] = (struct box){(int32_t)west, s, LON_E7, n};
		a.at[a.n++] = (struct box){-LON_E7, s, (int32_t)east, n};
	}
	return a;
}

static struct areas of_radius(const struct series_filter *f)
{
	double r = f->radius_m / SERIES_EARTH_M, lat = f->lat_e7 / E7 * M_PI / 180;
	double high = fabs(lat) + r, wide = high < M_PI / 2 ? asin(sin(r) / cos(lat)) : M_PI;
	/* A little more, for what is lost in rounding. */
	int64_t dlat = (int64_t)(MIN_OF(r, M_PI) * 180 / M_PI * E7) + 2,
	        dlon = (int64_t)(wide * 180 / M_PI * E7) + 2;
	if (dlon >= LON_E7)
		return areas_of(-LON_E7, f->lat_e7 - dlat, LON_E7, f->lat_e7 + dlat);
	return areas_of(f->lon_e7 - dlon, f->lat_e7 - dlat, f->lon_e7 + dlon, f->lat_e7 + dlat);
}

static bool add_streams(const struct series *s, uint32_t thing, uint64_t after, struct near *ret)
{
	for (uint32_t id = s->things[thing].first_stream; id; id = s->streams[id].next) {
		if (id <= after)
			continue;
		if (ret->n == LIMIT_SERIES_STEP_LOOKS)
			return false;
		ret->ids[ret->n++] = id;
	}
	return true;
}

/* Of the things found in an area, or their datastreams, those behind `after`. */
static bool keep(const struct series *s, const uint32_t *found, size_t n, bool streams,
                 uint64_t after, struct near *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (streams) {
			if (!add_streams(s, found[i], after, ret))
				return false;
		} else if (found[i] > after) {
			if (ret->n == LIMIT_SERIES_STEP_LOOKS)
				return false;
			ret->ids[ret->n++] = found[i];
		}
	}
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

bool near_find(struct series *s, const struct series_filter *f, bool streams, uint64_t after,
               struct near *ret)
{
	const struct areas a = f->shape == SERIES_RADIUS
	                           ? of_radius(f)
	                           : areas_of(f->west_e7, f->south_e7, f->east_e7, f->north_e7);
	uint32_t *found = xmalloc(LIMIT_SERIES_STEP_LOOKS * sizeof(*found));
	bool all = true;
	*ret = (struct near){.ids = xmalloc(LIMIT_SERIES_STEP_LOOKS * sizeof(*ret->ids))};
	for (unsigned i = 0; i < a.n && all; i++) {
		size_t n = 0;
		pthread_mutex_lock(&s->state);
		all = boxes_near(&s->boxes, &a.at[i], found, LIMIT_SERIES_STEP_LOOKS, &n) &&
		      keep(s, found, n, streams, after, ret);
		pthread_mutex_unlock(&s->state);
	}
	free(found);
	if (!all) {
		near_free(ret);
		return false;
	}
	qsort(ret->ids, ret->n, sizeof(*ret->ids), by_number);
	return true;
}

void near_free(struct near *n)
{
	free(n->ids);
	*n = (struct near){0};
}

void near_moved(struct series *s, uint32_t id, const struct where *before)
{
	const struct thing *t = &s->things[id];
	if (before) {
		struct box old = box_of_point(before->lon_e7, before->lat_e7);
		boxes_drop(&s->boxes, id, &old);
	}
	if (t->has_place && !t->gone) {
		struct box at = box_of_point(t->place.lon_e7, t->place.lat_e7);
		boxes_add(&s->boxes, id, &at);
	}
}
