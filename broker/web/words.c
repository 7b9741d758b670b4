/* words.c - see words.h. */
#include "web/words.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- language ---- */

/* The q of "nl;q=0.8" from the first ';' on, in thousandths. */
static int quality(const char *s, size_t n)
{
	const char *q = memchr(s, ';', n);
	while (q && q < s + n && (*q == ';' || *q == ' '))
		q++;
	if (!q || s + n - q < 3 || (q[0] != 'q' && q[0] != 'Q') || q[1] != '=')
		return 1000;
	int v = q[2] == '1' ? 1000 : 0;
	if (s + n - q > 4 && q[2] == '0' && q[3] == '.')
		for (int i = 0, unit = 100; i < 3 && q + 4 + i < s + n && isdigit(q[4 + i]);
		     i++, unit /= 10)
			v += (q[4 + i] - '0') * unit;
	return v;
}

enum language language_of(const char *accept)
{
	int best[2] = {0, 0};
	for (const char *at = accept; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ",");
		bool ends = n > 2 && isalpha((unsigned char)at[2]);
		int which = n < 2 || ends                   ? -1
		            : strncasecmp(at, "nl", 2) == 0 ? DUTCH
		            : strncasecmp(at, "en", 2) == 0 ? ENGLISH
		                                            : -1;
		if (which >= 0 && quality(at, n) > best[which])
			best[which] = quality(at, n);
		at += n;
	}
	return best[ENGLISH] > best[DUTCH] ? ENGLISH : DUTCH;
}

/* ---- names ---- */

static const struct word {
	const char *word, *dutch, *english;
} members[] = {
    /* sorted by the word: looked for in halves */
    {"LA10", "geluid, 10% van de tijd luider (LA10)", "noise, exceeded 10% of the time (LA10)"},
    {"LA90", "geluid, 90% van de tijd luider (LA90)", "noise, exceeded 90% of the time (LA90)"},
    {"LAS", "geluid nu (LAS)", "noise now (LAS)"},
    {"LAeq", "geluid, gemiddeld (LAeq)", "noise, average (LAeq)"},
    {"LAeq_d", "geluid overdag, gemiddeld", "noise by day, average"},
    {"LAmax", "geluid, hoogste (LAmax)", "noise, highest (LAmax)"},
    {"LAmin", "geluid, laagste (LAmin)", "noise, lowest (LAmin)"},
    {"airQualityIndex", "luchtkwaliteitsindex", "air quality index"},
    {"airQualityLevel", "luchtkwaliteit", "air quality"},
    {"as", "arseen", "arsenic"},
    {"atmosphericPressure", "luchtdruk", "air pressure"},
    {"availableCapacity", "vrije laadpunten", "free charging points"},
    {"availableSpotNumber", "vrije plaatsen", "free places"},
    {"averageCrowdSpeed", "loopsnelheid", "walking speed"},
    {"averageGapDistance", "afstand tussen voertuigen", "gap between vehicles"},
    {"averageHeadwayTime", "tijd tussen voertuigen", "time between vehicles"},
    {"averageVehicleLength", "voertuiglengte", "vehicle length"},
    {"averageVehicleSpeed", "rijsnelheid", "driving speed"},
    {"batteryLevel", "batterij", "battery"},
    {"c6h6", "benzeen", "benzene"},
    {"capacity", "laadpunten", "charging points"},
    {"cargoWeight", "gewicht", "weight"},
    {"cd", "cadmium", "cadmium"},
    {"co", "koolmonoxide (CO)", "carbon monoxide (CO)"},
    {"co2", "koolstofdioxide (CO₂)", "carbon dioxide (CO₂)"},
    {"congested", "file", "congested"},
    {"currentLevel", "waterpeil", "water level"},
    {"depth", "diepte", "depth"},
    {"dewPoint", "dauwpunt", "dew point"},
    {"extraSpotNumber", "extra plaatsen", "extra places"},
    {"feelsLikeTemperature", "gevoelstemperatuur", "felt temperature"},
    {"fillingLevel", "vulling", "filled"},
    {"floodLevelStatus", "wateroverlast", "flood level"},
    {"flow", "stroomsnelheid", "flow speed"},
    {"gustSpeed", "windstoten", "gusts"},
    {"height", "hoogte", "height"},
    {"illuminance", "licht", "light"},
    {"illuminanceLevel", "lichtstand", "light level"},
    {"intensity", "voertuigen", "vehicles"},
    {"measuredDistance", "afstand tot het water", "distance to the water"},
    {"methaneConcentration", "methaan", "methane"},
    {"nh3", "ammoniak (NH₃)", "ammonia (NH₃)"},
    {"ni", "nikkel", "nickel"},
    {"no", "stikstofmonoxide (NO)", "nitrogen monoxide (NO)"},
    {"no2", "stikstofdioxide (NO₂)", "nitrogen dioxide (NO₂)"},
    {"nox", "stikstofoxiden (NOx)", "nitrogen oxides (NOx)"},
    {"numValue", "waarde", "value"},
    {"o3", "ozon (O₃)", "ozone (O₃)"},
    {"objectArea", "oppervlakte van voorwerpen", "area of objects"},
    {"objectHeightAverage", "gemiddelde hoogte van voorwerpen", "average height of objects"},
    {"objectHeightMax", "hoogste voorwerp", "highest object"},
    {"objectVolume", "inhoud van voorwerpen", "volume of objects"},
    {"occupancy", "bezetting", "occupancy"},
    {"occupiedSpotNumber", "bezette plaatsen", "occupied places"},
    {"pb", "lood", "lead"},
    {"peopleCount", "mensen", "people"},
    {"peopleCountAway", "mensen, heen", "people, away"},
    {"peopleCountTowards", "mensen, terug", "people, towards"},
    {"pm1", "fijnstof PM1", "fine dust PM1"},
    {"pm10", "fijnstof PM10", "fine dust PM10"},
    {"pm25", "fijnstof PM2,5", "fine dust PM2.5"},
    {"pm4", "fijnstof PM4", "fine dust PM4"},
    {"pollutionRate", "vervuiling", "pollution"},
    {"powerFactor", "arbeidsfactor", "power factor"},
    {"powerState", "lamp", "lamp"},
    {"precipitation", "neerslag", "precipitation"},
    {"pressure", "druk", "pressure"},
    {"pressureTendency", "luchtdruktendens", "pressure tendency"},
    {"relativeHumidity", "luchtvochtigheid", "humidity"},
    {"reversedLane", "wisselstrook omgekeerd", "lane reversed"},
    {"sh2", "zwavelwaterstof (H₂S)", "hydrogen sulphide (H₂S)"},
    {"snowHeight", "sneeuw", "snow"},
    {"so2", "zwaveldioxide (SO₂)", "sulphur dioxide (SO₂)"},
    {"solarRadiation", "zonnestraling", "solar radiation"},
    {"status", "toestand", "status"},
    {"streamGauge", "peilschaal", "stream gauge"},
    {"swellDirection", "richting van de deining", "swell direction"},
    {"swellHeight", "deining", "swell"},
    {"swellPeriod", "periode van de deining", "swell period"},
    {"temperature", "temperatuur", "temperature"},
    {"textValue", "waarde", "value"},
    {"totalSpotNumber", "plaatsen", "places"},
    {"tpc", "deeltjes geteld", "particles counted"},
    {"tsp", "zwevend stof", "suspended particles"},
    {"uVIndexMax", "zonkracht, hoogste", "UV index, highest"},
    {"uvIndexMax", "zonkracht, hoogste", "UV index, highest"},
    {"visibility", "zicht", "visibility"},
    {"volatileOrganicCompoundsTotal", "vluchtige stoffen (VOC)", "volatile compounds (VOC)"},
    {"waterDischarge", "afvoer", "discharge"},
    {"waterLevel", "waterstand", "water level"},
    {"waterTable", "grondwaterstand", "groundwater level"},
    {"waveLength", "golflengte", "wave length"},
    {"windDirection", "windrichting", "wind direction"},
    {"windSpeed", "wind", "wind"},
};

static int by_word(const void *key, const void *item)
{
	const struct span *k = key;
	const char *word = ((const struct word *)item)->word;
	size_t n = strlen(word);
	int c = memcmp(k->p, word, MIN_OF(k->n, n));
	return c ? c : k->n < n ? -1 : k->n > n;
}

static const struct word *word_of(struct span member)
{
	return member.n ? bsearch(&member, members, ARRAY_LEN(members), sizeof(members[0]), by_word)
	                : NULL;
}

bool words_is_member(struct span member)
{
	return word_of(member) != NULL;
}

void words_member(struct buf *b, enum language l, struct span member)
{
	const struct word *w = word_of(member);
	if (w)
		buf_add_str(b, l == DUTCH ? w->dutch : w->english);
	else
		buf_add_span(b, member);
}

const char *words_schema(struct span name)
{
	static const char *const titles[][2] = {
	    {"air-quality-observed", "Luchtkwaliteit"},
	    {"crowd-flow-observed", "Drukte"},
	    {"device-measurement", "Meting van een apparaat"},
	    {"environment-observed", "Leefomgeving"},
	    {"ev-charging-station", "Laadpaal"},
	    {"flood-monitoring", "Wateroverlast"},
	    {"noise-level-observed", "Geluid"},
	    {"off-street-parking", "Parkeergarage"},
	    {"parking-spot", "Parkeervak"},
	    {"phreatic-observed", "Grondwater"},
	    {"series-corrected", "Correctie van waarnemingen"},
	    {"streetlight", "Lantaarnpaal"},
	    {"traffic-flow-observed", "Verkeer"},
	    {"waste-container", "Afvalcontainer"},
	    {"water-observed", "Oppervlaktewater"},
	    {"weather-observed", "Weer"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(titles); i++)
		if (span_is(name, titles[i][0]))
			return titles[i][1];
	return NULL;
}

void words_unit(struct buf *b, struct span ucum)
{
	static const char *const units[][2] = {
	    {"ug/m3", "µg/m³"}, {"ng/m3", "ng/m³"}, {"mg/m3", "mg/m³"}, {"Cel", "°C"},
	    {"deg", "°"},       {"1", ""},          {"dB[SPL]", "dB"},  {"[ppm]", "ppm"},
	    {"L/m2", "l/m²"},   {"W/m2", "W/m²"},   {"m3", "m³"},       {"m3/s", "m³/s"},
	    {"m2", "m²"},       {"[ppb]", "ppb"},   {"lx", "lux"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(units); i++)
		if (span_is(ucum, units[i][0])) {
			buf_add_str(b, units[i][1]);
			return;
		}
	buf_add_span(b, ucum);
}

bool words_is_share(struct span member, struct span ucum)
{
	static const char *const shares[] = {"relativeHumidity", "occupancy", "fillingLevel",
	                                     "batteryLevel", "illuminanceLevel"};
	bool is = false;
	for (unsigned i = 0; i < ARRAY_LEN(shares); i++)
		is = is || span_is(member, shares[i]);
	return is && span_is(ucum, "1");
}

/* ---- numbers ---- */

void words_number(struct buf *b, enum language l, double v)
{
	char text[40];
	snprintf(text, sizeof(text), "%.6g", v == 0 ? 0 : v);
	for (char *p = text; *p; p++)
		if (*p == '.' && l == DUTCH)
			*p = ',';
	buf_add_str(b, text);
}

void words_bytes(struct buf *b, enum language l, uint64_t n)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double v = (double)n;
	unsigned u = 0;
	char text[40];
	for (; v >= 999.5 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1000;
	snprintf(text, sizeof(text), u && v < 99.95 ? "%.1f" : "%.0f", v);
	for (char *c = text; *c; c++)
		*c = *c == '.' && l == DUTCH ? ',' : *c;
	buf_addf(b, "%s %s", text, units[u]);
}

void words_count(struct buf *b, enum language l, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf_add_char(b, l == DUTCH ? '.' : ',');
		buf_add_char(b, text[i]);
	}
}

/* ---- times ---- */

void words_duration(struct buf *b, enum language l, uint64_t s)
{
	static const struct {
		uint64_t from, seconds; /* from so many seconds on, counted in units of so many */
		const char *one[2], *many[2];
	} units[] = {
	    {2 * 365 * 86400, 365 * 86400, {"jaar", "year"}, {"jaar", "years"}},
	    {2 * 86400, 86400, {"dag", "day"}, {"dagen", "days"}},
	    {2 * 3600, 3600, {"uur", "hour"}, {"uur", "hours"}},
	    {120, 60, {"minuut", "minute"}, {"minuten", "minutes"}},
	    {0, 1, {"seconde", "second"}, {"seconden", "seconds"}},
	};
	for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
		bool exact = s == units[i].seconds && s > 1;
		if (s < units[i].from && !exact)
			continue;
		uint64_t n = s / units[i].seconds;
		buf_addf(b, "%llu %s", (unsigned long long)n,
		         n == 1 ? units[i].one[l] : units[i].many[l]);
		return;
	}
}

void words_ago(struct buf *b, enum language l, int64_t then_ms, int64_t now_ms)
{
	int64_t s = (now_ms - then_ms) / 1000;
	if (s >= -2 && s <= 2) {
		buf_add_str(b, l == DUTCH ? "zojuist" : "just now");
		return;
	}
	if (s < 0)
		buf_add_str(b, l == DUTCH ? "over " : "in ");
	words_duration(b, l, (uint64_t)(s < 0 ? -s : s));
	if (s > 0)
		buf_add_str(b, l == DUTCH ? " geleden" : " ago");
}

void words_time(struct buf *b, enum language l, int64_t ms)
{
	static const char *const months[2][12] = {
	    {"jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"},
	    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}};
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	if (!localtime_r(&t, &tm))
		return;
	buf_addf(b, "%d %s %d %02d:%02d:%02d %s", tm.tm_mday, months[l][tm.tm_mon],
	         tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_zone);
}
