/* crs.c - see crs.h. */
#include "web/crs.h"

#include "base/compiler.h"

static const char uri_84[] = "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
                  uri_rd[] = "http://www.opengis.net/def/crs/EPSG/0/28992";

bool crs_find(struct span name, enum crs *ret)
{
	static const struct {
		const char *name;
		enum crs crs;
	} rows[] = {{uri_84, CRS_84}, {"OGC:CRS84", CRS_84},  {"CRS84", CRS_84},
	            {uri_rd, CRS_RD}, {"EPSG:28992", CRS_RD}, {"epsg:28992", CRS_RD}};
	if (name.n > 2 && name.p[0] == '<' && name.p[name.n - 1] == '>')
		name = span_of(name.p + 1, name.n - 2);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(name, rows[i].name)) {
			*ret = rows[i].crs;
			return true;
		}
	return false;
}

const char *crs_uri(enum crs c)
{
	return c == CRS_RD ? uri_rd : uri_84;
}

double crs_accuracy_m(enum crs c)
{
	return c == CRS_RD ? 0.25 : 0;
}
