"""SensorThings as the suites of OGC CITE and of FROST try it (abstract tests A.1 to A.8 of 18-088): in their order, with bodies
like theirs, on the feed of the embedded default. They know nothing of this broker: names repeat, units are not UCUM, everything
is deleted between two groups of tests, and what is deleted must be gone."""
import json
import os
import random
import re
import urllib.parse

import pytest

from kit import city, mqtt, web
from kit.daemon import SLOW, TOP, Daemon

LONG_MAX = 9223372036854775807
SETS = ("Observations", "FeaturesOfInterest", "Datastreams", "Sensors", "ObservedProperties", "HistoricalLocations", "Locations", "Things")
PROPERTIES = {"Things": ("name", "description"), "Locations": ("name", "description", "encodingType", "location"),
              "HistoricalLocations": ("time",), "Datastreams": ("name", "description", "unitOfMeasurement", "observationType"),
              "Sensors": ("name", "description", "encodingType", "metadata"), "ObservedProperties": ("name", "definition", "description"),
              "Observations": ("phenomenonTime", "result", "resultTime"), "FeaturesOfInterest": ("name", "description", "encodingType", "feature")}
RELATIONS = {"Things": ("Datastreams", "Locations", "HistoricalLocations"), "Locations": ("HistoricalLocations", "Things"),
             "HistoricalLocations": ("Locations", "Thing"), "Datastreams": ("Thing", "Sensor", "ObservedProperty", "Observations"),
             "Sensors": ("Datastreams",), "ObservedProperties": ("Datastreams",), "Observations": ("Datastream", "FeatureOfInterest"),
             "FeaturesOfInterest": ("Observations",)}
SET_OF = {"Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties", "Datastream": "Datastreams",
          "FeatureOfInterest": "FeaturesOfInterest"}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


def embedded_feed():
    """As oudpd has it when it is told nothing."""
    with open(os.path.join(TOP, "conf/oudpd.conf"), encoding="utf-8") as f:
        block = re.search(r'^feed "sensorthings" \{\n.*?^\}\n', f.read(), re.M | re.S).group(0)
    return "".join(x for x in block.splitlines(True) if "organisation" not in x)


@pytest.fixture(scope="module")
def d(tmp_path_factory):
    with Daemon(tmp_path_factory.mktemp("suite"), {}, extra=embedded_feed()) as d:
        yield d


# ---- what a client does ----

def call(d, method, path, body=None, content_type="application/json"):
    if "/sta/" in path:
        path = path[path.index("/sta/v1.1") + 9:]
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return web.request(d.web_port, method, "/sta/v1.1" + path, text, {"Content-Type": content_type}, timeout=20 * SLOW)


def get(d, path, status=200, **options):
    query = "&".join(f"${k}={urllib.parse.quote(str(v), safe='')}" for k, v in options.items())
    a = call(d, "GET", path + ("?" + query if query else ""))
    assert a.status == status, (path, options, a.status, a.body[:400])
    return json.loads(a.body) if a.body and status == 200 else None


def post(d, path, body):
    """201, its address in Location, and a GET there."""
    a = call(d, "POST", path, body)
    assert a.status == 201, (path, body, a.status, a.body[:600])
    where = a.headers["location"]
    return int(where[where.rindex("(") + 1:where.rindex(")")]), get(d, where)


def refused(d, path, body):
    a = call(d, "POST", path, body)
    assert a.status in (400, 409), (path, body, a.status, a.body[:600])


def change(d, method, path, body):
    a = call(d, method, path, body)
    assert a.status == 200, (method, path, body, a.status, a.body[:600])
    return get(d, path)


def remove(d, path):
    a = call(d, "DELETE", path, content_type="application/x-www-form-urlencoded")
    assert a.status == 200, (path, a.status, a.body[:600])
    get(d, path, 404)


def wipe(d):
    for s in SETS:
        for _ in range(50):
            page = get(d, "/" + s)["value"]
            if not page:
                break
            for e in page:
                remove(d, f"/{s}({e['@iot.id']})")
        else:
            raise AssertionError(f"{s} do not go: {page[:2]}")


def nothing_in(d, *sets):
    for s in sets:
        assert get(d, "/" + s)["value"] == [], s


def something_in(d, *sets):
    for s in sets:
        assert get(d, "/" + s)["value"], s


@pytest.fixture
def clean(d):
    wipe(d)
    yield d
    wipe(d)


# ---- what it writes ----

def point(lon, lat):
    return {"type": "Point", "coordinates": [lon, lat]}


def unit(name="Celsius", symbol="degC", definition="http://qudt.org/vocab/unit#DegreeCelsius"):
    return {"name": name, "symbol": symbol, "definition": definition}


LUMEN = unit("Lumen", "lm", "http://www.qudt.org/qudt/owl/1.0.0/unit/Instances.html#Lumen")
FLUX = {"name": "Luminous Flux", "definition": "http://www.qudt.org/qudt/owl/1.0.0/quantity/Instances.html#LuminousFlux",
        "description": "the power of light as it is perceived"}
FLUXOMATIC = {"name": "Acme Fluxomatic 1000", "description": "Acme Fluxomatic 1000", "encodingType": "application/pdf", "metadata": "Light flux sensor"}
ROOF = {"name": "West Roof", "description": "West Roof", "location": point(-117.05, 51.05), "encodingType": "application/vnd.geo+json"}
STATION = {"name": "A weather station.", "description": "A weather station.", "encodingType": "application/vnd.geo+json", "feature": point(10, 10)}
BAROMETER = {"name": "Fuguro Barometer", "description": "Fuguro Barometer", "encodingType": "application/pdf", "metadata": "Barometer"}
DEW = {"name": "DewPoint Temperature", "definition": "http://dbpedia.org/page/Dew_point", "description": "when dew forms"}
BOW = {"name": "bow river", "description": "bow river", "encodingType": "application/vnd.geo+json", "location": point(-114.05, 51.05)}
BUILDING = {"name": "Office Building", "description": "Office Building"}


def stream(**links):
    return {"name": "test datastream.", "description": "test datastream.", "observationType": MEASUREMENT, "unitOfMeasurement": unit(),
            **{k: {"@iot.id": v} if isinstance(v, int) else v for k, v in links.items()}}


def light(**more):
    return {"name": "Light exposure.", "description": "Light exposure.", "observationType": MEASUREMENT, "unitOfMeasurement": LUMEN,
            "ObservedProperty": FLUX, "Sensor": FLUXOMATIC, **more}


def same(entity, want):
    for k, v in want.items():
        assert entity[k] == v, (k, entity[k], v)


# ---- A.3: creating, changing and deleting ----

def test_a_deep_insert_that_is_broken_makes_nothing(clean):
    d = clean
    bad = {**BUILDING, "properties": {"reference": "Third Floor"}, "Locations": [ROOF], "Datastreams": [{k: v for k, v in light().items() if k != "Sensor"}]}
    refused(d, "/Things", bad)
    nothing_in(d, "Things", "Locations", "HistoricalLocations", "Datastreams", "ObservedProperties")
    t, _ = post(d, "/Things", BUILDING)
    first = [{"phenomenonTime": "2015-03-01T00:10:00Z", "result": 10}]
    refused(d, "/Datastreams", stream(Thing=t, ObservedProperty=FLUX, Observations=first))
    refused(d, "/Datastreams", stream(Thing=t, Sensor=FLUXOMATIC, Observations=first))
    refused(d, "/Datastreams", stream(ObservedProperty=FLUX, Sensor=FLUXOMATIC, Observations=first))
    nothing_in(d, "Datastreams", "Sensors", "Observations", "FeaturesOfInterest", "ObservedProperties")
    s, _ = post(d, "/Datastreams", stream(Thing=t, ObservedProperty=FLUX, Sensor=FLUXOMATIC))
    refused(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 100, "Datastream": {"@iot.id": s}})
    refused(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 100, "Datastream": {"@iot.id": s},
                                 "FeatureOfInterest": {k: v for k, v in STATION.items() if k != "encodingType"}})
    nothing_in(d, "Observations", "FeaturesOfInterest")


def make_one_of_each(d):
    """Each entity by itself, with links."""
    t, _ = post(d, "/Things", {"name": "Test Thing", "description": "This is a Test Thing"})
    place, at = post(d, "/Locations", BOW)
    s, _ = post(d, "/Sensors", BAROMETER)
    p, _ = post(d, "/ObservedProperties", DEW)
    f, _ = post(d, "/FeaturesOfInterest", STATION)
    m, _ = post(d, "/Datastreams", stream(Thing=t, ObservedProperty=p, Sensor=s))
    o, _ = post(d, "/Observations", {"phenomenonTime": "2015-03-01T00:40:00.000Z", "result": 8, "Datastream": {"@iot.id": m}, "FeatureOfInterest": {"@iot.id": f}})
    change(d, "PATCH", f"/Things({t})", {"Locations": [{"@iot.id": place}]})
    o2, e = post(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00.000Z", "resultTime": "2015-03-01T01:00:00.000Z", "result": 100, "Datastream": {"@iot.id": m}})
    assert e["resultTime"] == "2015-03-01T01:00:00.000Z"
    auto = get(d, f"/Observations({o2})/FeatureOfInterest")
    assert auto["feature"] == at["location"] and auto["@iot.id"] != f
    o3, e = post(d, "/Observations", {"phenomenonTime": "2015-05-01T00:00:00.000Z", "result": 105, "Datastream": {"@iot.id": m}})
    assert e["resultTime"] is None
    assert get(d, f"/Observations({o3})/FeatureOfInterest")["@iot.id"] == auto["@iot.id"]
    assert get(d, f"/Observations({o})/FeatureOfInterest")["@iot.id"] == f
    h, _ = post(d, "/HistoricalLocations", {"time": "2015-03-01T00:40:00.000Z", "Thing": {"@iot.id": t}, "Locations": [{"@iot.id": place}]})
    return {"Observations": [o, o2, o3], "FeaturesOfInterest": [f, auto["@iot.id"]], "Datastreams": [m], "ObservedProperties": [p], "Sensors": [s],
            "HistoricalLocations": [h], "Locations": [place], "Things": [t]}


def make_with_what_is_in_it(d, ids):
    """Deep inserts, with names that are there already."""
    t, _ = post(d, "/Things", {**BUILDING, "properties": {"reference": "Third Floor"}, "Locations": [ROOF], "Datastreams": [light()]})
    m, = get(d, f"/Things({t})/Datastreams")["value"]
    same(m, {k: v for k, v in light().items() if k not in ("ObservedProperty", "Sensor")})
    place, = get(d, f"/Things({t})/Locations")["value"]
    same(place, ROOF)
    s, p = (get(d, f"/Datastreams({m['@iot.id']})/{k}") for k in ("Sensor", "ObservedProperty"))
    same(s, FLUXOMATIC)
    same(p, FLUX)
    m2, _ = post(d, "/Datastreams", stream(Thing=t, ObservedProperty=FLUX, Sensor=FLUXOMATIC, Observations=[{"phenomenonTime": "2015-03-01T00:10:00Z", "result": 10}]))
    s2, p2 = (get(d, f"/Datastreams({m2})/{k}") for k in ("Sensor", "ObservedProperty"))
    same(s2, FLUXOMATIC)
    same(p2, FLUX)
    o, = get(d, f"/Datastreams({m2})/Observations")["value"]
    same(o, {"phenomenonTime": "2015-03-01T00:10:00.000Z", "result": 10})
    o2, _ = post(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 100, "FeatureOfInterest": {**STATION, "feature": point(-114.05, 51.05)}, "Datastream": {"@iot.id": m2}})
    f = get(d, f"/Observations({o2})/FeatureOfInterest")
    same(f, {**STATION, "feature": point(-114.05, 51.05)})
    more = {"Observations": [o["@iot.id"], o2], "FeaturesOfInterest": [f["@iot.id"]], "Datastreams": [m["@iot.id"], m2],
            "ObservedProperties": [p["@iot.id"], p2["@iot.id"]], "Sensors": [s["@iot.id"], s2["@iot.id"]], "Locations": [place["@iot.id"]], "Things": [t]}
    return {k: ids[k] + more.get(k, []) for k in ids}


def check_what_is_refused(d, ids):
    first = {k: v[0] for k, v in ids.items()}
    t, p, s, f = (first[k] for k in ("Things", "ObservedProperties", "Sensors", "FeaturesOfInterest"))
    refused(d, "/Datastreams", stream(Thing=t, ObservedProperty=p))
    refused(d, "/Datastreams", stream(Thing=t, Sensor=s))
    refused(d, "/Datastreams", stream(ObservedProperty=p, Sensor=s))
    nowhere, _ = post(d, "/Things", {"name": "This is a Test Thing", "description": "without a Location"})
    m, _ = post(d, "/Datastreams", stream(Thing=nowhere, ObservedProperty=p, Sensor=s))
    refused(d, "/Observations", {"phenomenonTime": "2015-03-01T00:40:00.000Z", "result": 8, "FeatureOfInterest": {"@iot.id": f}})
    refused(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00.000Z", "result": 100, "Datastream": {"@iot.id": m}})
    ids["Things"].append(nowhere)
    ids["Datastreams"].append(m)


def check_patch(d, ids):
    entropy = unit("Entropy2", "S2", "http://qudt.org/vocab/unit#Entropy2")
    for s, changes in (("Things", {"description": "PATCHED"}), ("Locations", {"location": point(114.05, -50)}),
                       ("HistoricalLocations", {"time": "2015-07-01T00:00:00.000Z"}), ("Sensors", {"metadata": "PATCHED"}),
                       ("ObservedProperties", {"description": "PATCHED"}), ("FeaturesOfInterest", {"feature": point(114.05, -51.05)}),
                       ("Datastreams", {"description": "Patched Description"}), ("Datastreams", {"unitOfMeasurement": entropy}),
                       ("Observations", {"phenomenonTime": "2015-07-01T00:40:00.000Z"})):
        path = f"/{s}({ids[s][0]})"
        was = get(d, path)
        now = change(d, "PATCH", path, changes)
        for k in PROPERTIES[s]:
            assert now[k] == changes.get(k, was[k]), (s, k, now[k])


def check_put(d, ids):
    for s, body in (("Things", {"name": "Updated", "description": "Updated"}),
                    ("Locations", {"encodingType": "application/vnd.geo+json", "name": "UPDATED", "description": "UPDATED", "location": point(-114.05, 50)}),
                    ("HistoricalLocations", {"time": "2015-08-01T00:00:00.000Z"}),
                    ("Sensors", {"name": "UPDATED", "description": "UPDATED", "encodingType": "application/pdf", "metadata": "UPDATED"}),
                    ("FeaturesOfInterest", {"encodingType": "application/vnd.geo+json", "feature": point(-114.05, 51.05), "name": "PUT", "description": "PUT"}),
                    ("Datastreams", {"name": "Data from the ISS.", "description": "Data from the ISS.", "observationType": MEASUREMENT.replace("Measurement", "Observation"),
                                     "unitOfMeasurement": unit("Entropy", "S", "http://qudt.org/vocab/unit#Entropy")}),
                    ("Observations", {"result": "99", "phenomenonTime": "2015-08-01T00:40:00.000Z"})):
        same(change(d, "PUT", f"/{s}({ids[s][0]})", body), body)
    # a member twice: the last one counts; and a definition that is no URI
    now = change(d, "PUT", f"/ObservedProperties({ids['ObservedProperties'][0]})",
                 '{"name":"QWERTY", "definition": "ZXCVB", "name":"POIUYTREW","description":"POIUYTREW"}')
    same(now, {"name": "POIUYTREW", "definition": "ZXCVB", "description": "POIUYTREW"})


def check_patch_that_makes(d, ids):
    first = {k: v[0] for k, v in ids.items()}
    inside = [{"unitOfMeasurement": LUMEN, "Thing": {"@iot.id": first["Things"]}}]
    for s, body in (("Things", {"Locations": [ROOF]}), ("Things", {"Datastreams": [{"unitOfMeasurement": LUMEN}]}), ("Sensors", {"Datastreams": inside}),
                    ("ObservedProperties", {"Datastreams": inside}), ("Datastreams", {"ObservedProperty": FLUX}), ("Datastreams", {"Sensor": FLUXOMATIC}),
                    ("Datastreams", {"Thing": {"name": "test", "description": "test"}}),
                    ("Datastreams", {"Observations": [{"phenomenonTime": "2015-03-01T00:00:00Z", "result": 92122, "resultQuality": "High"}]})):
        a = call(d, "PATCH", f"/{s}({first[s]})", body)
        assert a.status == 400, (s, body, a.status)


def test_each_entity_from_its_making_to_its_end(clean):
    d = clean
    ids = make_with_what_is_in_it(d, make_one_of_each(d))
    check_what_is_refused(d, ids)
    check_patch_that_makes(d, ids)
    check_patch(d, ids)
    check_put(d, ids)
    for s in SETS:
        assert call(d, "DELETE", f"/{s}({LONG_MAX})").status == 404
        get(d, f"/{s}({LONG_MAX})", 404)
    for s in SETS:
        for i in ids[s]:
            remove(d, f"/{s}({i})")


GOES_WITH = {"Things": ("Datastreams", "HistoricalLocations", "Observations"), "Datastreams": ("Observations",), "Locations": ("HistoricalLocations",),
             "HistoricalLocations": (), "Sensors": ("Datastreams", "Observations"), "ObservedProperties": ("Datastreams", "Observations"),
             "FeaturesOfInterest": ("Observations",), "Observations": ()}


@pytest.mark.parametrize("which", GOES_WITH)
def test_what_goes_with_what(clean, which):
    """[Table 25]"""
    d = clean
    t, _ = post(d, "/Things", {"name": "thing 1", "description": "thing 1", "properties": {"reference": "first"}, "Locations": [{**ROOF, "name": "location 1"}],
                               "Datastreams": [light(name="datastream 1", Sensor={**FLUXOMATIC, "name": "sensor 1"})]})
    m = get(d, f"/Things({t})/Datastreams")["value"][0]["@iot.id"]
    o, _ = post(d, f"/Datastreams({m})/Observations", {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 1})
    ids = {"Things": t, "Datastreams": m, "Observations": o,
           "Locations": get(d, f"/Things({t})/Locations")["value"][0]["@iot.id"],
           "HistoricalLocations": get(d, f"/Things({t})/HistoricalLocations")["value"][0]["@iot.id"],
           "Sensors": get(d, f"/Datastreams({m})/Sensor")["@iot.id"], "ObservedProperties": get(d, f"/Datastreams({m})/ObservedProperty")["@iot.id"],
           "FeaturesOfInterest": get(d, f"/Observations({o})/FeatureOfInterest")["@iot.id"]}
    remove(d, f"/{which}({ids[which]})")
    gone = {which, *GOES_WITH[which]}
    nothing_in(d, *gone)
    something_in(d, *(set(ids) - gone))
    d.restart()
    nothing_in(d, *gone)
    something_in(d, *(set(ids) - gone))


def make_temperature(d):
    t, _ = post(d, "/Things", {"name": "Thing 1", "description": "The first thing.", "Locations": [{**ROOF, "name": "Location 1.0", "location": point(8, 51)}]})
    m, _ = post(d, "/Datastreams", {
        "name": "Datastream 1", "description": "of thing 1", "observationType": "someType", "unitOfMeasurement": unit("degree celcius", "\u00b0C", "ucum:T"),
        "Thing": {"@iot.id": t}, "Sensor": {"name": "Sensor 1", "description": "The first sensor.", "encodingType": "text", "metadata": "Some metadata."},
        "ObservedProperty": {"name": "Temperature", "definition": "http://ucom.org/temperature", "description": "The temperature of the thing."}})
    return t, m


@pytest.mark.parametrize("result", [True, False, "fourty two", 1, 1.23, {"number": 1.23, "string": "One comma twentythree", "boolean": True},
                                    [1.23, "One comma twentythree", True], {"deep": [{"a": [1, {"b": None}]}], "text": "x" * 2000}, [], {}, "", 9007199254740993, -LONG_MAX])
def test_results_of_any_type(d, result):
    _, m = make_temperature(d)
    o, e = post(d, "/Observations", {"result": result, "Datastream": {"@iot.id": m}})
    assert e["result"] == result and type(e["result"]) is type(result)
    assert e["phenomenonTime"]
    assert get(d, f"/Observations({o})/result") == {"result": result}
    for other in ("99", 12.5, {"a": 1}, False, [1], 8):  # any is changed to any
        e = change(d, "PATCH", f"/Observations({o})", {"result": other})
        assert e["result"] == other and type(e["result"]) is type(other)
    e = change(d, "PATCH", f"/Observations({o})", {"result": "text"})
    e = change(d, "PATCH", f"/Observations({o})", {"parameters": {"a": 1}})
    assert e["result"] == "text" and e["parameters"] == {"a": 1}
    assert get(d, f"/Datastreams({m})/Observations", filter="result eq 'text'")["value"][0]["@iot.id"] == o


def test_result_quality_and_parameters(clean):
    d = clean
    _, m = make_temperature(d)
    for quality in ({"DQ_Status": {"code": "http://id.example/nsa/446#2", "label": "Niveau 1"}}, [{"nameOfMeasure": "DQ_Status", "DQ_Result": {"code": "x"}}, {"nameOfMeasure": "y"}]):
        _, e = post(d, "/Observations", {"result": 1, "resultQuality": quality, "Datastream": {"@iot.id": m}})
        assert e["resultQuality"] == quality


def test_a_historical_location_moves_its_thing_when_it_is_the_newest(clean):
    d = clean
    t, _ = post(d, "/Things", {"name": "Thing 1", "description": "moves"})
    a, b, c = (post(d, "/Locations", {**ROOF, "name": f"Location {i}", "location": point(8, 50 + i)})[0] for i in range(3))
    change(d, "PATCH", f"/Things({t})", {"Locations": [{"@iot.id": a}]})
    h, = get(d, f"/Things({t})/HistoricalLocations")["value"]
    change(d, "PATCH", f"/HistoricalLocations({h['@iot.id']})", {"time": "2016-01-01T06:00:00.000Z"})
    where = lambda: [x["@iot.id"] for x in get(d, f"/Things({t})/Locations")["value"]]  # noqa: E731
    post(d, "/HistoricalLocations", {"time": "2016-01-01T07:00:00.000Z", "Thing": {"@iot.id": t}, "Locations": [{"@iot.id": b}]})
    assert where() == [b]
    post(d, "/HistoricalLocations", {"time": "2016-01-01T05:00:00.000Z", "Thing": {"@iot.id": t}, "Locations": [{"@iot.id": c}]})
    assert where() == [b]


def test_paths_that_lead_to_it_and_that_do_not(clean):
    d = clean
    place, _ = post(d, "/Locations", ROOF)
    one, two = (post(d, "/Things", {"name": f"Thing {i}", "description": "x", "Locations": [{"@iot.id": place}]})[0] for i in (1, 2))
    s, p = post(d, "/Sensors", BAROMETER)[0], post(d, "/ObservedProperties", DEW)[0]
    m, _ = post(d, "/Datastreams", stream(Thing=one, Sensor=s, ObservedProperty=p))
    o, _ = post(d, "/Observations", {"result": 1.0, "Datastream": {"@iot.id": m}})
    good, bad = (f"/Things({t})/Datastreams({m})/Observations" for t in (one, two))
    get(d, good)
    get(d, bad, 404)
    body = {"phenomenonTime": "2015-03-01T03:00:00.000Z", "result": 300}
    assert call(d, "POST", good, body).status == 201
    assert call(d, "POST", bad, body).status != 201
    at = f"({o})"
    same(change(d, "PUT", good + at, {"phenomenonTime": "2015-03-01T04:00:00.000Z", "result": 301}), {"result": 301})
    assert call(d, "PUT", bad + at, {"phenomenonTime": "2015-03-01T03:00:00.000Z", "result": 302}).status == 404
    same(change(d, "PATCH", good + at, {"result": 303}), {"result": 303})
    assert call(d, "PATCH", bad + at, {"result": 304}).status == 404
    assert call(d, "DELETE", bad + at).status == 404
    get(d, good + at)
    remove(d, good + at)


# ---- A.2: options; A.1: what every answer has ----

def make_two_things(d):
    ids = {}
    place = lambda i, lon, lat: {"name": f"location {i}", "description": f"location {i}", "encodingType": "http://example.org/location_types/GeoJSON",  # noqa: E731
                                 "location": point(lon, lat)}
    sensor = lambda i: {"name": f"sensor {i}", "description": f"sensor {i}", "encodingType": "http://schema.org/description", "metadata": f"Sensor {i}"}  # noqa: E731
    celsius = unit("Centigrade", "C", "http://www.qudt.org/qudt/owl/1.0.0/unit/Instances.html/Lumen")
    prop = lambda i, n: {"name": n, "definition": f"http://www.qudt.org/qudt/owl/1.0.0/quantity/Instances.html/{n.replace(' ', '')}", "description": f"observedProperty {i}"}  # noqa: E731
    one = lambda i, u, p: {"name": f"datastream {i}", "description": f"datastream {i}", "observationType": MEASUREMENT, "unitOfMeasurement": u,  # noqa: E731
                           "ObservedProperty": p, "Sensor": sensor(i)}
    a, _ = post(d, "/Things", {"name": "thing 1", "description": "thing 1", "properties": {"reference": "first"}, "Locations": [place(1, -117.05, 51.05)],
                               "Datastreams": [one(1, LUMEN, prop(1, "Luminous Flux")), one(2, celsius, prop(2, "Tempretaure"))]})
    second = get(d, f"/Datastreams({get(d, f'/Things({a})/Datastreams')['value'][1]['@iot.id']})/ObservedProperty")["@iot.id"]
    b, _ = post(d, "/Things", {"name": "thing 2", "description": "thing 2", "properties": {"reference": "second"}, "Locations": [place(2, -100.05, 50.05)],
                               "Datastreams": [one(3, LUMEN, prop(3, "Second Luminous Flux")), {**one(4, celsius, {"@iot.id": second}), "name": "datastream 2"}]})
    where = [get(d, f"/Things({t})/Locations")["value"][0]["@iot.id"] for t in (a, b)]
    for t, place_id in ((a, where[1]), (b, where[0])):
        change(d, "PATCH", f"/Things({t})", {"Locations": [{"@iot.id": place_id}]})
    n = 0
    for t in (a, b):
        for m in get(d, f"/Things({t})/Datastreams")["value"]:
            for _ in range(3):
                n += 1
                post(d, f"/Datastreams({m['@iot.id']})/Observations", {"phenomenonTime": f"2015-03-{n:02}T00:00:00Z", "result": n})
    return ids


COUNTS = {"Things": 2, "Locations": 2, "FeaturesOfInterest": 2, "ObservedProperties": 3, "HistoricalLocations": 4, "Sensors": 4, "Datastreams": 4, "Observations": 12}


@pytest.fixture(scope="module")
def two(d):
    wipe(d)
    make_two_things(d)
    yield d
    wipe(d)


def whole(e, s):
    assert isinstance(e["@iot.id"], int) and e["@iot.selfLink"].endswith(f"/{s}({e['@iot.id']})")
    for k in PROPERTIES[s]:
        assert k in e
    for r in RELATIONS[s]:
        assert r + "@iot.navigationLink" in e


@pytest.mark.parametrize("s", SETS)
def test_entities_have_what_they_must(two, s):
    for e in get(two, "/" + s)["value"]:
        whole(e, s)
        whole(get(two, e["@iot.selfLink"]), s)
        for k in PROPERTIES[s]:
            a = call(two, "GET", f"/{s}({e['@iot.id']})/{k}")
            assert json.loads(a.body) == {k: e[k]}
            raw = call(two, "GET", f"/{s}({e['@iot.id']})/{k}/$value")
            assert raw.status == 200 and raw.body.startswith(b"{") == (k in ("location", "feature", "unitOfMeasurement"))


@pytest.mark.parametrize("s", SETS)
def test_paths_to_the_fourth_level(two, s):
    def walk(path, name, depth):
        many = name in PROPERTIES
        a = get(two, path)
        e = a["value"][0] if many else a
        for x in (get(two, path + "/$ref")["value"] if many else [get(two, path + "/$ref")]):
            assert set(x) == {"@iot.selfLink"}
        if depth < 4:
            for r in RELATIONS[SET_OF.get(name, name)]:
                walk(f"{path}({e['@iot.id']})/{r}" if many else f"{path}/{r}", r, depth + 1)
    walk("/" + s, s, 1)


@pytest.mark.parametrize("s", SETS)
def test_top_skip_count_select_order_expand(two, s):
    n = COUNTS[s]
    for top in (1, 2, 3, 4, 5, 12, 13):
        a = get(two, "/" + s, top=top)
        assert len(a["value"]) == min(n, top) and ("@iot.nextLink" in a) == (top < n), (top, n)
    for skip in (1, 2, 3, 4, 12):
        a = get(two, "/" + s, skip=skip)
        assert len(a["value"]) == max(0, n - skip) and "@iot.nextLink" not in a
    assert get(two, "/" + s, count="true")["@iot.count"] == n
    assert "@iot.count" not in get(two, "/" + s, count="false")
    for i in range(1, len(PROPERTIES[s]) + 1):
        for e in get(two, "/" + s, select=",".join(PROPERTIES[s][:i]))["value"]:
            assert set(e) == set(PROPERTIES[s][:i])
    for k in PROPERTIES[s]:
        if k in ("location", "feature", "unitOfMeasurement", "resultTime"):
            continue
        up, down = ([e[k] for e in get(two, "/" + s, orderby=k + how)["value"]] for how in ("", " desc"))
        assert up == sorted(up) and down == sorted(down, reverse=True)
        v = up[len(up) // 2]
        text = v if not isinstance(v, str) or re.match(r"\d{4}-", v) else f"'{v}'"
        for op, holds in (("lt", lambda x: x < v), ("le", lambda x: x <= v), ("eq", lambda x: x == v), ("ge", lambda x: x >= v), ("gt", lambda x: x > v)):
            got = [e[k] for e in get(two, "/" + s, filter=f"{k} {op} {text}")["value"]]
            assert sorted(got) == [x for x in up if holds(x)], (k, op, v)
    for r in RELATIONS[s]:
        for e in get(two, "/" + s, expand=r)["value"]:
            target = SET_OF.get(r, r)
            for x in e[r] if r in PROPERTIES else [e[r]]:
                whole(x, target)
            for deeper in RELATIONS[target]:
                e = get(two, f"/{s}({e['@iot.id']})", expand=f"{r}/{deeper}")
                assert all(deeper in x for x in (e[r] if r in PROPERTIES else [e[r]]))


def test_the_order_in_which_options_count(two):
    a = get(two, "/Observations", count="true", top=1, skip=2, orderby="phenomenonTime asc", filter="result gt 6")
    assert a["@iot.count"] == 6 and [o["result"] for o in a["value"]] == [9]


def test_observations_of_a_feature(two):
    for f in get(two, "/FeaturesOfInterest")["value"]:
        a = get(two, f"/FeaturesOfInterest({f['@iot.id']})/Observations", top=3, count="true")
        assert len(a["value"]) == 3 and a["@iot.nextLink"] and a["@iot.count"] == 6
        assert len(get(two, a["@iot.nextLink"])["value"]) == 3


# ---- geography ----

def test_geography(clean):
    d = clean
    things = [post(d, "/Things", {"name": f"Thing {i}", "description": "x"})[0] for i in range(1, 5)]
    shapes = [point(8, 51), point(8, 52), point(8, 53), point(8, 54), {"type": "Polygon", "coordinates": [[[8, 53], [7, 52], [7, 53], [8, 53]]]},
              {"type": "LineString", "coordinates": [[5, 52], [5, 53]]}, {"type": "LineString", "coordinates": [[5, 52], [6, 53]]},
              {"type": "LineString", "coordinates": [[4, 52], [8, 52]]}]
    at = [0, 0, 1, 2, 3]
    s, p = post(d, "/Sensors", BAROMETER)[0], post(d, "/ObservedProperties", DEW)[0]
    streams = [post(d, "/Datastreams", {**stream(Thing=things[i], Sensor=s, ObservedProperty=p), "name": f"Datastream {i}"})[0] for i in range(3)]
    places, features, seen = [], [], []
    for i, g in enumerate(shapes):
        more = {"Things": [{"@iot.id": things[at[i]]}]} if i < 5 else {}
        places.append(post(d, "/Locations", {"name": f"Location {i}", "description": "x", "encodingType": "application/vnd.geo+json", "location": g, **more})[0])
        features.append(post(d, "/FeaturesOfInterest", {"name": f"FoI {i}", "description": "x", "encodingType": "application/geo+json", "feature": g})[0])
        if i < 4:
            o, _ = post(d, "/Observations", {"result": i, "phenomenonTime": f"2016-01-0{i + 1}T01:01:01.000Z", "Datastream": {"@iot.id": streams[at[i]]}, "FeatureOfInterest": {"@iot.id": features[i]},
                                             "validTime": f"2016-01-0{i + 1}T01:01:01.000Z/2016-01-0{i + 1}T23:59:59.999Z"})
            seen.append(o)
            assert get(d, f"/Observations({o})/FeatureOfInterest")["@iot.id"] == features[i]
            assert [x["@iot.id"] for x in get(d, f"/FeaturesOfInterest({features[i]})/Observations")["value"]] == [o]
    def check(s, text, ids, want):
        got = {x["@iot.id"] for x in get(d, "/" + s, filter=text)["value"]}
        assert got & set(ids) == {ids[i] for i in want}, (s, text)
    for text, want in (("geo.distance({}, geography'POINT(8 54.1)') lt 1", [3]), ("geo.distance({}, geography'POINT(8 54.1)') gt 1", [0, 1, 2, 4, 5, 6, 7]),
                       ("geo.intersects({}, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]), ("geo.length({}) gt 1", [6, 7]), ("geo.length({}) eq 1", [5]),
                       ("geo.length({}) le 4", range(8)), ("st_contains(geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))', {})", [1, 2]),
                       ("st_crosses(geography'LINESTRING(7.5 51.5, 7.5 53.5)', {})", [4, 7]), ("st_disjoint(geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))', {})", [0, 3, 5, 6]),
                       ("st_equals({}, geography'POINT(8 53)')", [2]), ("st_intersects({}, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
                       ("st_overlaps(geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))', {})", [4]),
                       ("st_within(geography'POINT(7.5 52.75)', {})", [4])):
        check("Locations", text.format("location"), places, want)
        check("FeaturesOfInterest", text.format("feature"), features, want)
        if "length" not in text:
            check("Observations", text.format("FeatureOfInterest/feature"), seen, [i for i in want if i < 4])


# ---- A.6: data arrays ----

def test_data_arrays(clean):
    d = clean
    t, _ = post(d, "/Things", {"name": "Thing 1", "description": "The first thing."})
    post(d, "/Locations", {**ROOF, "location": point(8, 51), "Things": [{"@iot.id": t}]})
    p = post(d, "/ObservedProperties", DEW)[0]
    streams = [post(d, "/Datastreams", {**stream(Thing=t, Sensor=post(d, "/Sensors", {**BAROMETER, "name": f"Sensor {i}"})[0], ObservedProperty=p), "name": f"Datastream {i}"})[0] for i in (1, 2)]
    features = [post(d, "/FeaturesOfInterest", {**STATION, "name": f"Feature {i}"})[0] for i in (1, 2)]
    for i in range(4):
        o, _ = post(d, "/Observations", {"result": i, "phenomenonTime": f"2016-01-0{i + 1}T01:01:01.000Z", "Datastream": {"@iot.id": streams[i % 2]}, "FeatureOfInterest": {"@iot.id": features[i // 2]}})
        assert get(d, f"/Observations({o})/FeatureOfInterest")["@iot.id"] == features[i // 2]
    a = get(d, "/Observations", count="true", top=3, resultFormat="dataArray")
    assert a["@iot.count"] == 4 and a["@iot.nextLink"]
    for group in a["value"]:
        assert group["Datastream@iot.navigationLink"] and group["dataArray@iot.count"] == len(group["dataArray"])
        names = group["components"]
        assert len(set(names)) == len(names) and {"phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"} <= set(names)
        assert {"id", "@iot.id"} & set(names) and all(len(row) == len(names) for row in group["dataArray"])
    body = [{"Datastream": {"@iot.id": streams[0]}, "components": ["phenomenonTime", "result", "FeatureOfInterest/id"], "dataArray@iot.count": 2,
             "dataArray": [["2010-12-23T10:20:00-0700", 20, features[0]], ["2010-12-23T10:21:00-0700", 30, "probablyNotAValidId"]]},
            {"Datastream": {"@iot.id": streams[1]}, "components": ["phenomenonTime", "result"], "dataArray@iot.count": 2,
             "dataArray": [["2010-12-23T10:20:00-0700", 65], ["2010-12-23T10:21:00-0700", 60]]}]
    a = call(d, "POST", "/CreateObservations", body)
    assert a.status == 201, a.body
    lines = json.loads(a.body)
    assert [x.lower().startswith("error") for x in lines] == [False, True, False, False], lines
    got = [get(d, x, expand="FeatureOfInterest") for x in lines if not x.lower().startswith("error")]
    assert [o["result"] for o in got] == [20, 65, 60]
    assert got[0]["FeatureOfInterest"]["@iot.id"] == features[0]
    assert got[1]["FeatureOfInterest"]["@iot.id"] == got[2]["FeatureOfInterest"]["@iot.id"]


# ---- A.7, A.8: MQTT ----

def make_stream(d):
    t, s, p = (post(d, f"/{k}", v)[0] for k, v in (("Things", {"name": "Test Thing", "description": "x"}), ("Sensors", BAROMETER), ("ObservedProperties", DEW)))
    m, _ = post(d, "/Datastreams", {**stream(Thing=t, Sensor=s, ObservedProperty=p), "phenomenonTime": "2014-03-01T13:00:00Z/2015-05-11T15:30:00Z", "resultTime": "2014-03-01T13:00:00Z/2015-05-11T15:30:00Z"})
    f, _ = post(d, "/FeaturesOfInterest", STATION)
    return m, f


@pytest.mark.parametrize("topic", ["v1.1/Observations", "v1.1/Datastreams({m})/Observations", "v1.1/FeaturesOfInterest({f})/Observations"])
@pytest.mark.parametrize("inside", [False, True])
def test_observations_are_created_over_mqtt(d, name, topic, inside):
    m, f = make_stream(d)
    feature = {"@iot.id": f} if not inside or "Features" in topic else {**STATION, "feature": point(-114.05, 51.05)}
    body = {"phenomenonTime": "2015-03-01T02:40:00+02:00", "validTime": "2016-01-01T01:01:01.000Z/2016-01-01T23:59:59.000Z", "result": random.randint(-2**63, 2**63 - 1),
            "parameters": {"param1": "some value1", "param2": "some value2"}, "Datastream": {"@iot.id": m}, "FeatureOfInterest": feature}
    with d.client(name) as c:
        p = c.publish(topic.format(m=m, f=f), json.dumps(body))
        assert p.reason == 0, p
    o, = get(d, "/Observations", orderby="id desc", top=1, select="result,phenomenonTime,validTime,parameters", expand="Datastream($select=id),FeatureOfInterest")["value"]
    assert city.parse_time(o.pop("phenomenonTime")) == city.parse_time("2015-03-01T00:40:00Z")
    got = o.pop("FeatureOfInterest")
    same(got, feature)
    assert o == {k: v for k, v in body.items() if k not in ("phenomenonTime", "FeatureOfInterest")}
    assert len(get(d, f"/FeaturesOfInterest({got['@iot.id']})/Observations")["value"]) == 1


CHANGES = {"Things": {"name": "Updated", "description": "Updated"},
           "Locations": {"encodingType": "UPDATED ENCODING", "name": "UPDATED NAME", "description": "UPDATED DESCRIPTION", "location": point(-114.05, 50)},
           "Sensors": {"name": "UPDATED", "description": "UPDATED", "encodingType": "http://www.opengis.net/doc/IS/SensorML/2.0", "metadata": "UPDATED"},
           "ObservedProperties": {"name": "QWERTY", "definition": "ZXCVB", "description": "POIUYTREW"},
           "FeaturesOfInterest": {"encodingType": "SQUARE", "feature": point(-114.05, 51.05), "name": "POIUYTREW", "description": "POIUYTREW"},
           "Datastreams": {"name": "Data from the ISS.", "description": "Data from the ISS.", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation",
                           "unitOfMeasurement": unit("Entropy", "S", "http://qudt.org/vocab/unit#Entropy")},
           "Observations": {"result": "99", "phenomenonTime": "2015-08-01T00:40:00.000Z", "resultTime": "2015-12-12T12:12:12.000Z",
                            "validTime": "2016-12-12T12:12:12+01:00/2016-12-12T23:59:59+01:00", "parameters": {"param1": "some updated value1"}},
           "HistoricalLocations": {"time": "2015-08-01T00:00:00.000Z"}}
MAKE = {"Things": lambda ids: {"name": "Test Thing", "description": "x"}, "Locations": lambda ids: {**BOW, "Things": [{"@iot.id": ids["Things"]}]},
        "Sensors": lambda ids: BAROMETER, "ObservedProperties": lambda ids: DEW, "FeaturesOfInterest": lambda ids: STATION,
        "Datastreams": lambda ids: stream(Thing=ids["Things"], Sensor=ids["Sensors"], ObservedProperty=ids["ObservedProperties"]),
        "Observations": lambda ids: {"phenomenonTime": "2015-03-01T00:40:00.000Z", "result": 8, "Datastream": {"@iot.id": ids["Datastreams"]},
                                     "validTime": "2016-01-01T02:01:01+01:00/2016-01-02T00:59:59+01:00", "parameters": {"param1": "some value1"},
                                     "FeatureOfInterest": {"@iot.id": ids["FeaturesOfInterest"]}},
        "HistoricalLocations": lambda ids: {"time": "2015-03-01T00:40:00.000Z", "Thing": {"@iot.id": ids["Things"]}, "Locations": [{"@iot.id": ids["Locations"]}]}}


def make_all(d):
    ids = {}
    for s, body in MAKE.items():
        ids[s] = post(d, "/" + s, body(ids))[0]
    return ids


def told_of(d, name, topic, action):
    """What comes first on a topic when something is done."""
    with d.client(name) as c:
        assert c.subscribe((topic, 1)) == [1]
        done = action()
        return done, json.loads(c.expect(mqtt.PUBLISH, 10 * SLOW).payload)


@pytest.mark.parametrize("select", [False, True])
def test_what_is_created_is_told(clean, name, select):
    d, ids = clean, {}
    for i, (s, body) in enumerate(MAKE.items()):
        chosen = PROPERTIES[s][::2]
        (ids[s], entity), told = told_of(d, f"{name}-{i}", f"v1.1/{s}" + ("?$select=" + ",".join(chosen) if select else ""), lambda s=s, body=body: post(d, "/" + s, body(ids)))
        assert told == ({k: entity[k] for k in chosen} if select else entity), s


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("what", ["set", "select", "entity", "property"])
def test_what_is_changed_is_told(clean, name, method, what):
    d = clean
    ids = make_all(d)
    for i, s in enumerate(MAKE):
        path = f"/{s}({ids[s]})"
        for k in PROPERTIES[s] if what == "property" else PROPERTIES[s][:1]:
            if k not in CHANGES[s]:
                continue
            chosen = [x for x in PROPERTIES[s][::2] if x in CHANGES[s]]
            changes = {k: CHANGES[s][k]} if what == "property" else {x: CHANGES[s][x] for x in chosen} if what == "select" else CHANGES[s]
            if s == "Observations" and what == "set":
                changes = {"resultTime": changes["resultTime"], "result": "99"}
            topic = {"set": f"v1.1/{s}", "select": f"v1.1/{s}?$select=" + ",".join(chosen), "entity": "v1.1" + path, "property": f"v1.1{path}/{k}"}[what]
            body = changes if method == "PATCH" else {**{x: v for x, v in get(d, path).items() if "@" not in x}, **changes}
            entity, told = told_of(d, f"{name}-{i}-{k}", topic, lambda path=path, body=body: change(d, method, path, body))
            want = entity if what in ("set", "entity") else {x: entity[x] for x in (chosen if what == "select" else [k])}
            assert told == want, (s, k)
            same(entity, {x: v for x, v in changes.items() if x != "validTime"})


def test_what_is_in_a_deep_insert_is_told(clean, name):
    d = clean
    topics = [f"v1.1/{s}" for s in ("Things", "Locations", "Datastreams", "ObservedProperties", "Sensors", "Observations", "FeaturesOfInterest")]
    with d.client(name) as c:
        assert c.subscribe(*((t, 1) for t in topics)) == [1] * len(topics)
        t, _ = post(d, "/Things", {**BUILDING, "Locations": [ROOF], "Datastreams": [light()]})
        got = {}
        for _ in range(5):
            p = c.expect(mqtt.PUBLISH, 10 * SLOW)
            got[p.topic] = json.loads(p.payload)
        m = get(d, f"/Things({t})/Datastreams")["value"][0]
        assert got["v1.1/Things"] == get(d, f"/Things({t})") and got["v1.1/Datastreams"] == m
        assert got["v1.1/Locations"] == get(d, f"/Things({t})/Locations")["value"][0]
        for k in ("Sensor", "ObservedProperty"):
            assert got["v1.1/" + SET_OF[k]] == get(d, f"/Datastreams({m['@iot.id']})/{k}")
        o, e = post(d, "/Observations", {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 100, "FeatureOfInterest": STATION, "Datastream": {"@iot.id": m["@iot.id"]}})
        got = {}
        while not {"v1.1/Observations", "v1.1/FeaturesOfInterest"} <= set(got):
            p = c.expect(mqtt.PUBLISH, 10 * SLOW)
            got[p.topic] = json.loads(p.payload)
        assert got["v1.1/Observations"] == e and got["v1.1/FeaturesOfInterest"] == get(d, f"/Observations({o})/FeatureOfInterest")
