/* model.c - the tables; see model.h. */
#include "sta/model.h"

#include <string.h>

enum { PROPERTIES_MAX = 9 };

static const struct {
	const char *set, *entity;
	const char *property[PROPERTIES_MAX]; /* "*" behind the name: of any shape */
} types[STA_TYPES] = {
    [STA_THING] = {"Things", "Thing", {"name", "description", "properties*"}},
    [STA_LOCATION] = {"Locations",
                      "Location",
                      {"name", "description", "properties*", "encodingType", "location*"}},
    [STA_HISTORICAL_LOCATION] = {"HistoricalLocations", "HistoricalLocation", {"time"}},
    [STA_DATASTREAM] = {"Datastreams",
                        "Datastream",
                        {"name", "description", "properties*", "unitOfMeasurement*",
                         "observationType", "observedArea*", "phenomenonTime", "resultTime"}},
    [STA_SENSOR] = {"Sensors",
                    "Sensor",
                    {"name", "description", "properties*", "encodingType", "metadata*"}},
    [STA_OBSERVED_PROPERTY] = {"ObservedProperties",
                               "ObservedProperty",
                               {"name", "description", "properties*", "definition"}},
    [STA_OBSERVATION] = {"Observations",
                         "Observation",
                         {"phenomenonTime", "result*", "resultTime", "resultQuality*", "validTime",
                          "parameters*", "storedTime"}},
    [STA_FEATURE] = {"FeaturesOfInterest",
                     "FeatureOfInterest",
                     {"name", "description", "properties*", "encodingType", "feature*"}},
    [STA_MULTI_DATASTREAM] = {"MultiDatastreams",
                              "MultiDatastream",
                              {"name", "description", "properties*", "unitOfMeasurements*",
                               "observationType", "multiObservationDataTypes*", "observedArea*",
                               "phenomenonTime", "resultTime"}},
};

static const struct sta_relation relations[] = {
    {STA_THING, STA_MULTI_DATASTREAM, "MultiDatastreams", true},
    {STA_SENSOR, STA_MULTI_DATASTREAM, "MultiDatastreams", true},
    {STA_OBSERVED_PROPERTY, STA_MULTI_DATASTREAM, "MultiDatastreams", true},
    {STA_OBSERVATION, STA_MULTI_DATASTREAM, "MultiDatastream", false},
    {STA_MULTI_DATASTREAM, STA_THING, "Thing", false},
    {STA_MULTI_DATASTREAM, STA_SENSOR, "Sensor", false},
    {STA_MULTI_DATASTREAM, STA_OBSERVED_PROPERTY, "ObservedProperties", true},
    {STA_MULTI_DATASTREAM, STA_OBSERVATION, "Observations", true},
    {STA_THING, STA_LOCATION, "Locations", true},
    {STA_THING, STA_HISTORICAL_LOCATION, "HistoricalLocations", true},
    {STA_THING, STA_DATASTREAM, "Datastreams", true},
    {STA_LOCATION, STA_THING, "Things", true},
    {STA_LOCATION, STA_HISTORICAL_LOCATION, "HistoricalLocations", true},
    {STA_HISTORICAL_LOCATION, STA_THING, "Thing", false},
    {STA_HISTORICAL_LOCATION, STA_LOCATION, "Locations", true},
    {STA_DATASTREAM, STA_THING, "Thing", false},
    {STA_DATASTREAM, STA_SENSOR, "Sensor", false},
    {STA_DATASTREAM, STA_OBSERVED_PROPERTY, "ObservedProperty", false},
    {STA_DATASTREAM, STA_OBSERVATION, "Observations", true},
    {STA_SENSOR, STA_DATASTREAM, "Datastreams", true},
    {STA_OBSERVED_PROPERTY, STA_DATASTREAM, "Datastreams", true},
    {STA_OBSERVATION, STA_DATASTREAM, "Datastream", false},
    {STA_OBSERVATION, STA_FEATURE, "FeatureOfInterest", false},
    {STA_FEATURE, STA_OBSERVATION, "Observations", true},
};

static const char *const everywhere[] = {"id", "@iot.id", "@iot.selfLink"};

const char *sta_set_name(enum sta_type t)
{
	return types[t].set;
}

const char *sta_entity_name(enum sta_type t)
{
	return types[t].entity;
}

bool sta_find_set(struct span name, enum sta_type *ret)
{
	for (unsigned t = 0; t < STA_TYPES; t++)
		if (span_is(name, types[t].set)) {
			*ret = (enum sta_type)t;
			return true;
		}
	return false;
}

const struct sta_relation *sta_find_relation(enum sta_type from, struct span name)
{
	for (unsigned i = 0; i < ARRAY_LEN(relations); i++)
		if (relations[i].from == from && span_is(name, relations[i].name))
			return &relations[i];
	return NULL;
}

const struct sta_relation *sta_relation_at(enum sta_type from, unsigned i)
{
	for (unsigned k = 0; k < ARRAY_LEN(relations); k++)
		if (relations[k].from == from && i-- == 0)
			return &relations[k];
	return NULL;
}

/* 0: none, 1: plain, 2: open */
static int look(enum sta_type t, struct span name)
{
	for (unsigned i = 0; i < PROPERTIES_MAX && types[t].property[i]; i++) {
		const char *p = types[t].property[i];
		size_t n = strcspn(p, "*");
		if (span_eq(name, span_of(p, n)))
			return p[n] ? 2 : 1;
	}
	return 0;
}

bool sta_has_property(enum sta_type t, struct span name)
{
	for (unsigned i = 0; i < ARRAY_LEN(everywhere); i++)
		if (span_is(name, everywhere[i]))
			return true;
	return look(t, name) > 0;
}

bool sta_property_is_open(enum sta_type t, struct span name)
{
	return look(t, name) == 2;
}

static const struct {
	const char *type, *words;
} results[] = {
    [STA_R_ANY] = {"", "a number, a text or a truth value"},
    [STA_R_NUMBER] = {"OM_Measurement", "a number"},
    [STA_R_COUNT] = {"OM_CountObservation", "a whole number"},
    [STA_R_TRUTH] = {"OM_TruthObservation", "true or false"},
    [STA_R_TEXT] = {"OM_CategoryObservation", "a text"},
};

enum sta_result sta_result_of(struct span type)
{
	for (unsigned i = STA_R_NUMBER; i < ARRAY_LEN(results); i++) {
		size_t n = strlen(results[i].type);
		if (type.n >= n && memcmp(type.p + type.n - n, results[i].type, n) == 0)
			return (enum sta_result)i;
	}
	return STA_R_ANY;
}

const char *sta_result_words(enum sta_result r)
{
	return results[r].words;
}
