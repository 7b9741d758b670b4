/* name.c - see name.h. */
#include "json/name.h"

#include "json/json.h"
#include "json/scan.h"

uint16_t json_name_hash(struct span text)
{
	return name_hash(text.p, text.n, false);
}

uint16_t name_hash_escaped(struct span raw)
{
	char first[NAME_ENDS] = {0}, ring[NAME_ENDS] = {0}, last[NAME_ENDS];
	struct scan_text t = scan_text(raw);
	size_t n = 0;
	int c;
	while ((c = scan_text_next(&t)) >= 0) {
		if (n < NAME_ENDS)
			first[n] = (char)c;
		ring[n++ % NAME_ENDS] = (char)c;
	}
	for (size_t k = 0; k < NAME_ENDS; k++)
		last[k] = ring[(n + k) % NAME_ENDS];
	assert(n <= raw.n);
	return name_hash_ends(first, last, n);
}
