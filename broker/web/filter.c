/* filter.c - see filter.h. */
#include "web/filter.h"

#include "web/where.h"

static const char bbox_wrong[] = "bbox is not minlon,minlat,maxlon,maxlat in degrees";

const char *filter_read(const struct query *q, struct filter *ret, struct span *ret_parameter)
{
	struct span v;
	*ret = (struct filter){0};
	if (query_get(q, "thing", &v)) {
		*ret_parameter = SPAN("thing");
		if (v.n == 0 || v.n > sizeof(ret->thing))
			return "thing is empty or longer than 256 bytes";
		memcpy(ret->thing, v.p, v.n);
		ret->thing_n = (uint16_t)v.n;
	}
	if (query_get(q, "property", &v)) {
		*ret_parameter = SPAN("property");
		if (v.n == 0 || v.n > sizeof(ret->property))
			return "property is empty or longer than 128 bytes";
		memcpy(ret->property, v.p, v.n);
		ret->property_n = (uint16_t)v.n;
	}
	if (query_get(q, "bbox", &v)) {
		*ret_parameter = SPAN("bbox");
		if (!where_bbox(v, NULL, &ret->area))
			return bbox_wrong;
	}
	return NULL;
}

static bool has_property(const struct filter *f, const struct record *r)
{
	struct record_result one;
	size_t at = 0;
	while (record_next_result(r, &at, &one))
		if (span_eq(one.member, span_of(f->property, f->property_n)))
			return true;
	return false;
}

bool filter_match(const struct filter *f, const struct record *r)
{
	return (!f->thing_n || span_eq(r->thing, span_of(f->thing, f->thing_n))) &&
	       shape_takes(&f->area, r->flags & RECORD_LOCATION ? &r->place : NULL) &&
	       (!f->property_n || has_property(f, r));
}

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c)); /* a comma would cut a Link header for simple clients */
}

void filter_write_query(struct buf *b, const struct query *q, const char *names)
{
	for (const char *at = names; *at;) {
		size_t n = strcspn(at, " ");
		for (unsigned i = 0; i < q->n; i++) {
			struct span v = q->pair[i].value;
			if (!span_eq(q->pair[i].name, span_of(at, n)))
				continue;
			buf_add_char(b, '&');
			buf_add(b, at, n);
			buf_add_char(b, '=');
			for (size_t k = 0; k < v.n; k++) {
				unsigned char c = (unsigned char)v.p[k];
				if (is_plain(c))
					buf_add_char(b, (char)c);
				else
					buf_addf(b, "%%%02X", c);
			}
		}
		at += n + (at[n] == ' ');
	}
}
