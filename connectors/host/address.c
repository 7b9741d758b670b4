/* address.c - does not resolve names. */
#include "host/address.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int address_parse(const char *url, int plain, int secure, struct address *ret)
{
	struct address a = {.path = ""};
	const char *p = strstr(url, "://");
	if (!p || p == url)
		return ERR_MALFORMED;
	a.tls = p[-1] == 's' && strncmp(url, "ws:", 3) != 0;
	a.port = a.tls ? secure : plain;
	p += 3;
	bool bracket = *p == '[';
	p += bracket;
	size_t n = strcspn(p, bracket ? "]" : ":/?");
	if (n == 0 || n >= sizeof(a.host) || (bracket && p[n] != ']'))
		return ERR_MALFORMED;
	memcpy(a.host, p, n);
	p += n + bracket;
	if (*p == ':') {
		char *end;
		long port = strtol(p + 1, &end, 10);
		if (end == p + 1 || port < 1 || port > 65535)
			return ERR_MALFORMED;
		a.port = (int)port;
		p = end;
	}
	if (*p && *p != '/' && *p != '?')
		return ERR_MALFORMED;
	a.path = p;
	*ret = a;
	return 0;
}
