/* senml_unit.c - the units of RFC 8428 section 12.1 and, secondary, RFC 8798, in UCUM. Those that
 * are written alike in both are not in the table. */
#include "schema/senml.h"
#include "schema/unit.h"

static const struct {
	const char *senml, *ucum;
} UNITS[] = {
    {"Bspl", "B[SPL]"},
    {"EL", "s"},
    {"%EL", "%"},
    {"%RH", "%"},
    {"/", "1"},
    {"//", "1"},
    {"/100", "%"},
    {"/1000", "[ppth]"},
    {"Ah", "A.h"},
    {"B", "By"},
    {"B/s", "By/s"},
    {"GB", "GBy"},
    {"KiB", "KiBy"},
    {"MB/s", "MBy/s"},
    {"NTU", "{NTU}"},
    {"VA", "V.A"},
    {"VAs", "V.A.s"},
    {"Wh", "W.h"},
    {"Wh/km", "W.h/km"},
    {"beat/min", "{beats}/min"},
    {"beats", "{beats}"},
    {"count", "{count}"},
    {"dBW", "dB[W]"},
    {"dBm", "dB{mW}"},
    {"kVA", "kV.A"},
    {"kVAh", "kV.A.h"},
    {"kWh", "kW.h"},
    {"kvar", "kV.A{reactive}"},
    {"kvarh", "kV.A.h{reactive}"},
    {"l", "L"},
    {"l/s", "L/s"},
    {"lat", "deg"},
    {"lon", "deg"},
    {"pH", "[pH]"},
    {"ppm", "[ppm]"},
    {"var", "V.A{reactive}"},
    {"varh", "V.A.h{reactive}"},
    {"vars", "V.A.s{reactive}"},
};

const char *senml_unit(struct span u, bool *ret_same)
{
	*ret_same = false;
	for (size_t i = 0; i < ARRAY_LEN(UNITS); i++)
		if (span_is(u, UNITS[i].senml))
			return UNITS[i].ucum;
	*ret_same = unit_valid(u);
	return *ret_same ? u.p : NULL;
}
