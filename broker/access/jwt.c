/* jwt.c - reading a token; see jwt.h. */
#include "access/jwt.h"

#include "base/err.h"
#include "base/limits.h"
#include "json/json.h"

#include <string.h>

enum { TOKENS = 256 };

static int8_t value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (int8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (int8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (int8_t)(c - '0' + 52);
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_read(struct span s, uint8_t *out)
{
	uint32_t bits = 0;
	int n = 0;
	if (s.n % 4 == 1)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int8_t v = value_of(s.p[i]);
		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 0)
			continue;
		unsigned left = 6 - 2 * (unsigned)(i % 4); /* 4, 2, 0 */
		out[n++] = (uint8_t)(bits >> left);
		bits &= (1u << left) - 1;
	}
	return bits ? -1 : n;
}

/* The three parts; false when there are not three. */
static bool cut(struct span text, struct span part[3])
{
	for (unsigned i = 0; i < 3; i++) {
		const char *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
		if ((dot != NULL) != (i < 2))
			return false;
		part[i] = span_of(text.p, dot ? (size_t)(dot - text.p) : text.n);
		if (dot)
			text = span_of(dot + 1, text.n - part[i].n - 1);
	}
	return part[0].n && part[1].n;
}

bool jwt_looks_like(struct span text)
{
	struct span part[3];
	return text.n <= LIMIT_TOKEN_BYTES && cut(text, part);
}

/* A string member into out. 1: there, 0: not there, -1: something else, or too long. */
static int text_member(const struct json_tape *t, const char *name, char out[JWT_TEXT_BYTES])
{
	uint32_t i = json_member(t, 0, span_str(name));
	if (!i)
		return 0;
	if (t->tok[i].type != JSON_STRING || t->tok[i].len >= JWT_TEXT_BYTES)
		return -1;
	size_t n = json_unescape(json_text(t, i), out);
	out[n] = '\0';
	return strlen(out) == n ? 1 : -1;
}

/* NumericDate: seconds, which may have a fraction. */
static int time_member(const struct json_tape *t, const char *name, int64_t *ret)
{
	uint32_t i = json_member(t, 0, span_str(name));
	if (!i)
		return 0;
	if (t->tok[i].type != JSON_NUMBER)
		return -1;
	double v = json_double(json_text(t, i));
	if (!(v > 0 && v < 1e11))
		return -1;
	*ret = (int64_t)v;
	return 1;
}

static const char *read_header(struct json_tape *t, struct span json, struct jwt *ret)
{
	size_t at;
	const char *why;
	char alg[JWT_TEXT_BYTES] = "", type[JWT_TEXT_BYTES] = "";
	if (json_parse(t, json, &at, &why) || t->tok[0].type != JSON_OBJECT ||
	    (t->tok[0].flags & JSON_DUPLICATE))
		return "its header is no JSON object";
	if (text_member(t, "alg", alg) != 1)
		return "it names no algorithm";
	ret->algorithm = strcmp(alg, "RS256") == 0   ? JWT_RS256
	                 : strcmp(alg, "PS256") == 0 ? JWT_PS256
	                 : strcmp(alg, "ES256") == 0 ? JWT_ES256
	                                             : 0;
	if (!ret->algorithm)
		return "its algorithm is none of RS256, PS256, ES256";
	if (json_member(t, 0, SPAN("crit")))
		return "it wants an extension to be understood";
	if (text_member(t, "kid", ret->key_id) < 0 || text_member(t, "typ", type) < 0)
		return "its header has a member of another form";
	return NULL;
}

static const char *read_claims(struct json_tape *t, struct jwt *ret)
{
	size_t at;
	const char *why;
	if (json_parse(t, ret->claims, &at, &why) || t->tok[0].type != JSON_OBJECT ||
	    (t->tok[0].flags & JSON_DUPLICATE))
		return "its claims are no JSON object";
	if (text_member(t, "iss", ret->issuer) != 1 || text_member(t, "sub", ret->subject) != 1)
		return "it has no iss or no sub";
	if (time_member(t, "exp", &ret->expires_s) != 1)
		return "it has no exp";
	if (time_member(t, "nbf", &ret->not_before_s) < 0)
		return "its nbf is no time";
	return NULL;
}

int jwt_read(struct span text, char *mem, struct jwt *ret, const char **ret_why)
{
	struct span part[3];
	struct json_tape t;
	*ret = (struct jwt){0};
	*ret_why = "it has not three parts";
	if (text.n > LIMIT_TOKEN_BYTES || !cut(text, part))
		return ERR_MALFORMED;
	*ret_why = "a part is no base64url";
	int header = base64url_read(part[0], (uint8_t *)mem);
	if (header < 0)
		return ERR_MALFORMED;
	int claims = base64url_read(part[1], (uint8_t *)mem + header);
	if (claims < 0 || part[2].n * 3 / 4 > sizeof(ret->signature))
		return ERR_MALFORMED;
	int signature = base64url_read(part[2], ret->signature);
	if (signature < 0)
		return ERR_MALFORMED;
	ret->signature_n = (size_t)signature;
	ret->signed_part = span_of(text.p, part[0].n + 1 + part[1].n);
	ret->claims = span_of(mem + header, (size_t)claims);
	json_tape_init(&t, TOKENS);
	*ret_why = read_header(&t, span_of(mem, (size_t)header), ret);
	if (!*ret_why)
		*ret_why = read_claims(&t, ret);
	json_tape_done(&t);
	return *ret_why ? ERR_MALFORMED : 0;
}

bool jwt_is_for(const struct jwt *k, const char *audience)
{
	struct json_tape t;
	size_t at;
	const char *why;
	bool found = false;
	json_tape_init(&t, TOKENS);
	int err = json_parse(&t, k->claims, &at, &why);
	uint32_t i = err ? 0 : json_member(&t, 0, SPAN("aud"));
	if (i && t.tok[i].type == JSON_STRING)
		found = json_string_is(&t, i, span_str(audience));
	for (uint32_t e = i + 1, n = 0; i && t.tok[i].type == JSON_ARRAY && n < t.tok[i].size;
	     n++, e = t.tok[e].next)
		found = found ||
		        (t.tok[e].type == JSON_STRING && json_string_is(&t, e, span_str(audience)));
	json_tape_done(&t);
	return found;
}
