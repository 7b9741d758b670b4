/* unit.c - UCUM section 2.1 (grammar) and a selection of the atoms of sections 4.2 to 4.9. */
#include "schema/unit.h"

enum { UNIT_BYTES_MAX = 64, NESTING_MAX = 8 };

static const char *const METRIC[] = {/* take a prefix */
                                     "m",    "s",    "g",     "rad",    "K",     "C",   "cd",
                                     "mol",  "sr",   "Hz",    "N",      "Pa",    "J",   "W",
                                     "A",    "V",    "F",     "Ohm",    "S",     "Wb",  "Cel",
                                     "T",    "H",    "lm",    "lx",     "Bq",    "Gy",  "Sv",
                                     "l",    "L",    "ar",    "t",      "bar",   "eV",  "pc",
                                     "u",    "cal",  "kat",   "U",      "B",     "Np",  "B[SPL]",
                                     "B[V]", "B[W]", "B[kW]", "m[H2O]", "m[Hg]", "bit", "By",
                                     "Bd",   "eq",   "osm",   "[IU]"};
static const char *const PLAIN[] = {
    "%",       "[ppth]", "[ppm]",  "[ppb]",  "[pptr]", "10*",    "10^",      "[pi]",    "min",
    "h",       "d",      "wk",     "mo",     "a",      "mo_g",   "a_g",      "deg",     "'",
    "''",      "gon",    "[degF]", "[ft_i]", "[in_i]", "[yd_i]", "[mi_i]",   "[nmi_i]", "[kn_i]",
    "[lb_av]", "[psi]",  "[pH]",   "atm",    "[g]",    "[c]",    "[gal_us]", "[den]",   "circ"};
static const char *const PREFIXES[] = {"Y", "Z",  "E", "P", "T",  "G",  "M",  "k",
                                       "h", "da", "d", "c", "m",  "u",  "n",  "p",
                                       "f", "a",  "z", "y", "Ki", "Mi", "Gi", "Ti"};

static bool among(struct span s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(s, list[i]))
			return true;
	return false;
}

static bool atom_valid(struct span s)
{
	if (among(s, METRIC, ARRAY_LEN(METRIC)) || among(s, PLAIN, ARRAY_LEN(PLAIN)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(PREFIXES); i++) {
		size_t n = strlen(PREFIXES[i]);
		if (s.n > n && memcmp(s.p, PREFIXES[i], n) == 0 &&
		    among(span_of(s.p + n, s.n - n), METRIC, ARRAY_LEN(METRIC)))
			return true;
	}
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* An atom with its exponent, or a whole number. */
static bool simple_valid(struct span s)
{
	size_t n = 0;
	while (n < s.n && is_digit(s.p[n]))
		n++;
	if (s.n > 0 && n == s.n)
		return true;
	n = s.n;
	while (n > 0 && is_digit(s.p[n - 1]))
		n--;
	if (n < s.n && n > 0 && (s.p[n - 1] == '-' || s.p[n - 1] == '+'))
		n--;
	return atom_valid(span_of(s.p, n));
}

/* {what is counted}: printable ASCII. */
static bool annotation(struct span s, size_t *at)
{
	size_t i = *at + 1;
	while (i < s.n && s.p[i] > ' ' && s.p[i] < 127 && s.p[i] != '{' && s.p[i] != '}')
		i++;
	if (i >= s.n || s.p[i] != '}')
		return false;
	*at = i + 1;
	return true;
}

static bool term(struct span s, size_t *at, int nesting);

static bool component(struct span s, size_t *at, int nesting)
{
	bool any = false;
	size_t start = *at;
	if (start < s.n && s.p[start] == '(') {
		++*at;
		if (nesting == NESTING_MAX || !term(s, at, nesting + 1) || *at >= s.n ||
		    s.p[*at] != ')')
			return false;
		++*at;
		any = true;
	} else {
		size_t i = start;
		while (i < s.n && !strchr("./(){", s.p[i])) {
			if (s.p[i] == '[')
				while (i < s.n && s.p[i] != ']')
					i++;
			if (i < s.n)
				i++;
		}
		any = i > start;
		if (any && !simple_valid(span_of(s.p + start, i - start)))
			return false;
		*at = i;
	}
	if (*at < s.n && s.p[*at] == '{')
		return annotation(s, at);
	return any;
}

static bool term(struct span s, size_t *at, int nesting)
{
	if (*at < s.n && s.p[*at] == '/')
		++*at;
	for (;;) {
		if (!component(s, at, nesting))
			return false;
		if (*at >= s.n || (s.p[*at] != '.' && s.p[*at] != '/'))
			return true;
		++*at;
	}
}

bool unit_valid(struct span code)
{
	size_t at = 0;
	if (code.n == 0 || code.n > UNIT_BYTES_MAX || memchr(code.p, '\0', code.n))
		return false;
	return term(code, &at, 0) && at == code.n;
}
