"""OGC SensorThings 1.1 (18-088), reading, as its conformance classes have it: what every entity must have, every link,
every path to a depth of four, every option on every set and every relation, every operator and function of clause 9.3.3.
The server knows nothing but messages that came over MQTT."""
import datetime
import itertools
import json
import re
import urllib.parse

import pytest

from kit import city
from kit.daemon import Daemon, feed

DAY = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
START = city.parse_time(f"{DAY}T08:00:00Z")
TIMES = 6
FEEDS = {"air": feed("city/air/{thing}", schemas=["test-two/1"], duplicates="keep"),
         "bare": feed("city/bare/{thing}", duplicates="keep")}
NO2 = "http://example.org/property/no2"
SETS = {
    "Things": (["name", "description", "properties"], ["Datastreams", "Locations", "HistoricalLocations"]),
    "Locations": (["name", "description", "encodingType", "location"], ["Things", "HistoricalLocations"]),
    "HistoricalLocations": (["time"], ["Thing", "Locations"]),
    "Datastreams": (["name", "description", "observationType", "unitOfMeasurement"], ["Thing", "Sensor", "ObservedProperty", "Observations"]),
    "Sensors": (["name", "description", "encodingType", "metadata"], ["Datastreams"]),
    "ObservedProperties": (["name", "definition", "description"], ["Datastreams"]),
    "Observations": (["phenomenonTime", "result", "resultTime"], ["Datastream", "FeatureOfInterest"]),
    "FeaturesOfInterest": (["name", "description", "encodingType", "feature"], ["Observations"]),
}
SET_OF = {"Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties", "Datastream": "Datastreams",
          "FeatureOfInterest": "FeaturesOfInterest"}
PLAIN = {s: [p for p in ps if p not in ("properties", "location", "feature", "unitOfMeasurement")] for s, (ps, _) in SETS.items()}
many = lambda relation: relation in SETS


def when(k):
    return datetime.datetime.fromtimestamp(START + 60 * k, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def sta(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("conformance"), FEEDS)
    place = {"type": "object", "x-oudp": {"role": "location"}}
    no2 = {"type": "number", "x-oudp": {"role": "result", "observedProperty": NO2, "unit": "ug/m3"}}
    state = {"type": "string", "x-oudp": {"role": "result", "observedProperty": "http://example.org/property/state", "unit": "1"}}
    city.write_schema(d.schemas, "test-two", 1, city.air_schema(location=place, no2=no2, state=state))
    d.start()
    try:
        with d.client("conformance") as c:
            for t, k in itertools.product(range(3), range(TIMES)):
                more = {"no2": 100 - t - k, "state": f"it's {'odd' if k % 2 else 'even'}"} if t else {}
                p = c.publish(f"city/air/pole-{t}", city.air(10 * t + k + 0.5, time=when(k), note=None, location={
                    "type": "Point", "coordinates": [4 + t / 10 + k // 3 / 100, 52]}, **more))
                assert p.reason == 0, p
            assert c.publish("city/bare/nowhere", city.air(1, time=when(0))).reason == 0
        yield d
        d.stop()
    finally:
        d.kill()


def get(d, url, status=200):
    path = url[url.index("/sta/v1.1"):] if "/sta/v1.1" in url else "/sta/v1.1" + url
    a = d.get(path.replace(" ", "%20"))
    assert a.status == status, (url, a.status, a.body[:300])
    return a


def ask(d, url, status=200):
    return json.loads(get(d, url, status).body)


def every(d, url):
    a = ask(d, url)
    out = list(a["value"])
    while "@iot.nextLink" in a:
        a = ask(d, a["@iot.nextLink"])
        assert a["value"], "an empty last page"
        out += a["value"]
    return out


def whole(e, name, but=()):
    """Everything that clause 8.2 wants of an entity."""
    properties, relations = SETS[name]
    assert isinstance(e["@iot.id"], int) and e["@iot.selfLink"].endswith(f"/sta/v1.1/{name}({e['@iot.id']})")
    for p in properties:
        assert p in e, (name, p, e)
    for r in relations:
        if r not in but:
            assert e[r + "@iot.navigationLink"].endswith(f"/{name}({e['@iot.id']})/{r}"), (name, r, e)


# ---- A.1 sensing core ----

def test_service_root(sta):
    a = ask(sta, "")
    assert set(SETS) <= {v["name"] for v in a["value"]}
    for v in a["value"]:
        assert v["url"].endswith("/sta/v1.1/" + v["name"])
        ask(sta, v["url"])
    assert ask(sta, "/") == a
    uris = a["serverSettings"]["conformance"]
    assert {u.removeprefix("http://www.opengis.net/spec/iot_sensing/1.1/req/") for u in uris} >= {
        "datamodel", "resource-path/resource-path-to-entities", "request-data"}
    updates = "http://www.opengis.net/spec/iot_sensing/1.1/req/receive-updates-via-mqtt/receive-updates"
    assert updates in uris
    assert a["serverSettings"][updates]["endpoints"] == [f"mqtt://127.0.0.1:{sta.mqtt_port}", f"ws://127.0.0.1:{sta.web_port}/mqtt"]


@pytest.mark.parametrize("name", SETS)
def test_entities(sta, name):
    value = every(sta, "/" + name)
    assert value and len({e["@iot.id"] for e in value}) == len(value)
    for e in value:
        whole(e, name)
        one = ask(sta, e["@iot.selfLink"])
        assert one == e
    assert ask(sta, f"/{name}(9223372036854775807)", 404)["status"] == 404
    assert ask(sta, f"/{name}(0)", 404)["status"] == 404
    assert ask(sta, f"/{name}(-1)", 404)["status"] == 404


@pytest.mark.parametrize("name", SETS)
def test_properties(sta, name):
    e = ask(sta, "/" + name)["value"][0]
    for p in SETS[name][0]:
        assert ask(sta, e["@iot.selfLink"] + "/" + p) == {p: e[p]}
        v = get(sta, e["@iot.selfLink"] + "/" + p + "/$value")
        if isinstance(e[p], (dict, list)):
            assert json.loads(v.body) == e[p]
        else:
            assert "{" not in v.body.decode() and v.headers["content-type"].startswith("text/plain")
            assert e[p] is None or v.body.decode() == (e[p] if isinstance(e[p], str) else json.dumps(e[p]))
    get(sta, e["@iot.selfLink"] + "/nothing", 404)
    get(sta, e["@iot.selfLink"] + "/nothing/$value", 404)


def test_a_property_that_is_not_set(sta):
    o = ask(sta, "/Observations?$top=1")["value"][0]
    for p in ("validTime", "parameters", "resultQuality"):
        assert get(sta, o["@iot.selfLink"] + "/" + p, 204).body == b""
        assert get(sta, o["@iot.selfLink"] + "/" + p + "/$value", 204).body == b""


def test_members_of_an_object(sta):
    s = ask(sta, "/Datastreams?$top=1")["value"][0]
    assert ask(sta, s["@iot.selfLink"] + "/unitOfMeasurement/symbol") == {"symbol": "ug/m3"}
    assert get(sta, s["@iot.selfLink"] + "/unitOfMeasurement/symbol/$value").body == b"ug/m3"
    get(sta, s["@iot.selfLink"] + "/unitOfMeasurement/nothing", 404)


def walk(sta, path, name, depth):
    a = ask(sta, path)
    if not many(path.rsplit("/", 1)[1]):
        whole(a, name)
        return 1
    assert a["value"], path
    refs = ask(sta, path + "/$ref")["value"]
    assert [set(r) for r in refs] == [{"@iot.selfLink"}] * len(refs)
    assert [r["@iot.selfLink"] for r in refs] == [e["@iot.selfLink"] for e in a["value"]], path
    n, e = 1, a["value"][0]
    whole(e, name)
    assert ask(sta, f"{path}({e['@iot.id']})") == e
    if depth:
        for r in SETS[name][1]:
            n += walk(sta, f"{path}({e['@iot.id']})/{r}", SET_OF.get(r, r), depth - 1)
    return n


@pytest.mark.parametrize("name", SETS)
def test_resource_paths(sta, name):
    assert walk(sta, "/" + name, name, 3) > 1


def test_relations_lead_both_ways(sta):
    back = {("Things", "Datastreams"): "Thing", ("Datastreams", "Observations"): "Datastream", ("Sensors", "Datastreams"): "Sensor",
            ("ObservedProperties", "Datastreams"): "ObservedProperty", ("FeaturesOfInterest", "Observations"): "FeatureOfInterest",
            ("Things", "HistoricalLocations"): "Thing"}
    for (name, relation), home in back.items():
        total = 0
        for e in every(sta, "/" + name):
            for o in every(sta, e[relation + "@iot.navigationLink"]):
                total += 1
                assert ask(sta, o[home + "@iot.navigationLink"])["@iot.id"] == e["@iot.id"]
        assert total == len(every(sta, "/" + relation)), (name, relation)


def test_an_entity_that_is_not_related(sta):
    a, b = ask(sta, "/Things?$top=2")["value"]
    s = ask(sta, b["Datastreams@iot.navigationLink"])["value"][0]
    get(sta, f"/Things({a['@iot.id']})/Datastreams({s['@iot.id']})", 404)
    get(sta, f"/Things({b['@iot.id']})/Datastreams({s['@iot.id']})")


def test_a_thing_without_a_place(sta):
    t, = ask(sta, "/Things?$filter=name eq 'nowhere'&$expand=Locations,HistoricalLocations,Datastreams/Observations/FeatureOfInterest")["value"]
    assert t["Locations"] == t["HistoricalLocations"] == []
    f = t["Datastreams"][0]["Observations"][0]["FeatureOfInterest"]
    whole(f, "FeaturesOfInterest")
    assert f["feature"]["geometry"] is None


def test_what_a_datastream_says(sta):
    s, = ask(sta, "/Datastreams?$filter=name eq 'pole-1 pm25'")["value"]
    assert set(s["unitOfMeasurement"]) == {"name", "symbol", "definition"}
    assert s["observationType"] == "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
    assert s["phenomenonTime"] == f"{when(0)}/{when(TIMES - 1)}" and s["observedArea"]["type"] in ("Point", "Polygon")
    w, = ask(sta, "/Datastreams?$filter=name eq 'pole-1 state'")["value"]
    assert w["observationType"].endswith("OM_CategoryObservation")
    for p in ask(sta, "/Locations")["value"]:
        assert p["encodingType"] == "application/geo+json" and p["location"]["type"] == "Point"


def test_history_of_places(sta):
    t, = ask(sta, "/Things?$filter=name eq 'pole-1'&$expand=HistoricalLocations($orderby=time)")["value"]
    assert [h["time"] for h in t["HistoricalLocations"]] == [when(0), when(3)]


# ---- A.2 filtering ----

def relations_of(sta):
    """Each set, and each relation to many of its first entity: path and set."""
    for name, (_, relations) in SETS.items():
        yield "/" + name, name
        e = ask(sta, f"/{name}")["value"][0]
        for r in filter(many, relations):
            yield f"/{name}({e['@iot.id']})/{r}", r


def test_select(sta):
    for path, name in relations_of(sta):
        properties, relations = SETS[name]
        for n in range(1, len(properties) + 1):
            for e in ask(sta, f"{path}?$select={','.join(properties[:n])}")["value"]:
                assert set(e) == set(properties[:n]), (path, n)
        for r in relations:
            for e in ask(sta, f"{path}?$select={r}")["value"]:
                assert set(e) == {r + "@iot.navigationLink"}
        for i in ("id", "@iot.id"):
            assert all(set(e) == {"@iot.id"} for e in ask(sta, f"{path}?$select={i}")["value"])
        for e in ask(sta, f"{path}?$select=id,@iot.selfLink,{properties[0]}")["value"]:
            assert set(e) == {"@iot.id", "@iot.selfLink", properties[0]}


def check_expanded(e, name, way):
    relation, *rest = way
    target = SET_OF.get(relation, relation)
    whole(e, name, but=[relation])
    inside = e[relation]
    if many(relation):
        assert isinstance(inside, list)
    for x in inside if many(relation) else [inside]:
        if rest:
            check_expanded(x, target, rest)
        else:
            whole(x, target)


@pytest.mark.parametrize("name", SETS)
def test_expand(sta, name):
    first = ask(sta, f"/{name}")["value"][0]["@iot.selfLink"]
    relations = SETS[name][1]
    for r in relations:
        target = SET_OF.get(r, r)
        for e in ask(sta, f"/{name}?$expand={r}&$top=5")["value"]:
            check_expanded(e, name, [r])
        check_expanded(ask(sta, f"{first}?$expand={r}"), name, [r])
        for second in SETS[target][1]:
            for e in ask(sta, f"/{name}?$expand={r}/{second}&$top=3")["value"]:
                check_expanded(e, name, [r, second])
            for e in ask(sta, f"/{name}?$expand={r}($expand={second})&$top=3")["value"]:
                check_expanded(e, name, [r, second])
    e = ask(sta, f"{first}?$expand={','.join(relations)}")
    assert all(r in e for r in relations)


def test_expand_with_options(sta):
    t = ask(sta, "/Things?$filter=name eq 'pole-2'&$select=name&$expand=Datastreams($select=name;$top=1;$orderby=name;$count=true)")["value"]
    assert len(t) == 1 and set(t[0]) == {"name", "Datastreams", "Datastreams@iot.count", "Datastreams@iot.nextLink"}
    assert t[0]["Datastreams"] == [{"name": "pole-2 no2"}] and t[0]["Datastreams@iot.count"] == 3
    rest = every(sta, t[0]["Datastreams@iot.nextLink"])
    assert rest == [{"name": "pole-2 pm25"}, {"name": "pole-2 state"}]
    a = ask(sta, "/Things?$filter=name eq 'pole-2'&$expand=Datastreams($filter=endswith(name,'pm25');$expand=Observations("
                 "$filter=result gt 22;$skip=1;$orderby=phenomenonTime desc;$select=result,phenomenonTime))")["value"][0]
    assert [s["name"] for s in a["Datastreams"]] == ["pole-2 pm25"]
    assert a["Datastreams"][0]["Observations"] == [{"result": 20.5 + k, "phenomenonTime": when(k)} for k in (4, 3, 2)]


@pytest.mark.parametrize("options", ["", "&$orderby=id desc", "&$orderby=id"])
def test_top_skip_count(sta, options):
    for path, name in relations_of(sta):
        whole_set = [e["@iot.id"] for e in every(sta, f"{path}?$top=1000{options}")]
        n = len(whole_set)
        for top in (0, 1, 2, 3, n, n + 1):
            for skip in (0, 1, 2, n - 1, n, n + 1):
                a = ask(sta, f"{path}?$top={top}&$skip={skip}&$count=true{options}")
                got = [e["@iot.id"] for e in a["value"]]
                assert got == whole_set[skip:skip + top], (path, top, skip)
                assert a["@iot.count"] == n
                assert ("@iot.nextLink" in a) == (0 < top < n - skip), (path, top, skip, n)
        assert "@iot.count" not in ask(sta, f"{path}?$count=false{options}")
        assert [e["@iot.id"] for e in every(sta, f"{path}?$top=2{options}")] == whole_set


def comparable(v):
    return (v is not None, isinstance(v, str), v if v is not None else 0)


@pytest.mark.parametrize("name", SETS)
def test_orderby(sta, name):
    for p in PLAIN[name]:
        for suffix, back in (("", False), (" asc", False), (" desc", True)):
            value = [e[p] for e in every(sta, f"/{name}?$orderby={p}{suffix}")]
            if all(isinstance(v, (int, float, str)) or v is None for v in value):
                assert value == sorted(value, key=comparable, reverse=back), (name, p, suffix)
    key = ",".join(PLAIN[name]) + ",id"
    ids = [e["@iot.id"] for e in every(sta, f"/{name}?$orderby={key}&$top=3")]
    assert len(ids) == len(set(ids)) == len(every(sta, f"/{name}"))


@pytest.mark.parametrize("name", SETS)
def test_filter_by_each_property(sta, name):
    everything = every(sta, "/" + name)
    compare = {"lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
               "ge": lambda a, b: a >= b, "gt": lambda a, b: a > b}
    for p in PLAIN[name]:
        for sample in (everything[0][p], everything[-1][p]):
            if sample is None:
                assert every(sta, f"/{name}?$filter={p} eq null") == [e for e in everything if e[p] is None]
                continue
            is_time = isinstance(sample, str) and re.match(r"\d{4}-\d\d-\d\dT", sample)
            text = sample if is_time or not isinstance(sample, str) else "'" + sample.replace("'", "''") + "'"
            for op, f in compare.items():
                got = [e["@iot.id"] for e in every(sta, f"/{name}?$filter={urllib.parse.quote(f'{p} {op} {text}')}")]
                want = [e["@iot.id"] for e in everything if isinstance(e[p], str) == isinstance(sample, str) and f(e[p], sample)
                        or op == "ne" and isinstance(e[p], str) != isinstance(sample, str)]
                assert got == want, (name, p, op, text)
    i = everything[0]["@iot.id"]
    for id_name in ("id", "@iot.id"):
        assert [e["@iot.id"] for e in every(sta, f"/{name}?$filter={id_name} eq {i}")] == [i]


T0, T5 = when(0), when(5)
FILTERS = [  # on Observations of pole-1 pm25 (10.5 to 15.5, a minute each): text, and the k that meet it
    ("result lt 12", [0, 1]), ("result le 11.5", [0, 1]), ("result eq 12.5", [2]), ("result ne 12.5", [0, 1, 3, 4, 5]),
    ("result gt 14", [4, 5]), ("result ge 14.5", [4, 5]), ("12 lt result", [2, 3, 4, 5]), ("result gt 1.2e1", [2, 3, 4, 5]),
    ("result gt 11 and result lt 13", [1, 2]), ("result lt 11 or result gt 15", [0, 5]), ("not result lt 12", [2, 3, 4, 5]),
    ("not (result lt 12)", [2, 3, 4, 5]), ("(result lt 12 or result gt 13) and result lt 14", [0, 1, 3]),
    ("result lt 11 or result gt 13 and result lt 14", [0, 3]),
    ("result add 5 ge 20", [5]), ("result sub 10 lt 1", [0]), ("result mul 2 gt 30", [5]), ("result div 2 lt 5.5", [0]),
    ("result sub 0.5 mod 2 eq 1", []), ("(result sub 0.5) mod 2 eq 1", [1, 3, 5]), ("10 add 2 mul 2 sub 0.5 eq result sub 1", [4]) ,
    ("-result lt -15", [5]), ("result eq null", []), ("result ne null", [0, 1, 2, 3, 4, 5]),
    ("round(result) eq 13", [2]), ("floor(result) eq 12", [2]), ("ceiling(result) eq 13", [2]),
    (f"phenomenonTime eq {when(2)}", [2]), (f"phenomenonTime lt {when(2)}", [0, 1]), (f"phenomenonTime ge {when(4)}", [4, 5]),
    (f"phenomenonTime gt {when(1)} and phenomenonTime le {when(3)}", [2, 3]), (f"phenomenonTime gt {DAY}T09:03:00+01:00", [4, 5]),
    (f"phenomenonTime lt {DAY}T08:02:00Z", [0, 1]), (f"year(phenomenonTime) eq {DAY.year}", [0, 1, 2, 3, 4, 5]), (f"month(phenomenonTime) eq {DAY.month}", [0, 1, 2, 3, 4, 5]),
    (f"day(phenomenonTime) eq {DAY.day}", [0, 1, 2, 3, 4, 5]), ("hour(phenomenonTime) eq 8", [0, 1, 2, 3, 4, 5]), ("minute(phenomenonTime) ge 4", [4, 5]),
    ("second(phenomenonTime) eq 0", [0, 1, 2, 3, 4, 5]), ("fractionalseconds(phenomenonTime) eq 0", [0, 1, 2, 3, 4, 5]),
    (f"date(phenomenonTime) eq date({DAY}T23:00:00Z)", [0, 1, 2, 3, 4, 5]), (f"date(phenomenonTime) eq {DAY}", [0, 1, 2, 3, 4, 5]),
    ("time(phenomenonTime) lt '08:02:00.000'", [0, 1]), ("time(phenomenonTime) ge time(2026-06-01T08:04:00Z)", [4, 5]),
    ("totaloffsetminutes(phenomenonTime) eq 0", [0, 1, 2, 3, 4, 5]),
    ("phenomenonTime lt now()", [0, 1, 2, 3, 4, 5]), ("phenomenonTime gt now() sub duration'PT1H'", []),
    ("phenomenonTime gt mindatetime()", [0, 1, 2, 3, 4, 5]), ("phenomenonTime lt maxdatetime()", [0, 1, 2, 3, 4, 5]),
    (f"phenomenonTime add duration'PT2M' gt {T5}", [4, 5]), (f"before(phenomenonTime,{when(2)})", [0, 1]), (f"after(phenomenonTime,{when(2)})", [3, 4, 5]),
    (f"during(phenomenonTime,{when(1)}/{when(4)})", [1, 2, 3]), (f"overlaps(phenomenonTime,{when(1)}/{when(3)})", [1, 2]),
    (f"meets(phenomenonTime,{when(3)}/{when(5)})", [3, 5]), (f"starts(phenomenonTime,{when(3)}/{when(5)})", [3]), (f"finishes(phenomenonTime,{when(3)}/{when(5)})", [5]),
    ("Datastream/Thing/name eq 'pole-1'", [0, 1, 2, 3, 4, 5]), ("Datastream/Thing/properties/feed eq 'air'", [0, 1, 2, 3, 4, 5]),
    ("Datastream/unitOfMeasurement/symbol eq 'ug/m3'", [0, 1, 2, 3, 4, 5]), ("FeatureOfInterest/name eq 'no'", []),
    ("resultTime eq null", [0, 1, 2, 3, 4, 5]), ("result eq '12.5'", []),
]


@pytest.mark.parametrize("text, want", FILTERS)
def test_operators_and_functions_on_observations(sta, text, want):
    s, = ask(sta, "/Datastreams?$filter=name eq 'pole-1 pm25'")["value"]
    a = ask(sta, f"{s['@iot.selfLink']}/Observations?$count=true&$filter={urllib.parse.quote(text, safe='')}")
    assert [o["phenomenonTime"] for o in a["value"]] == [when(k) for k in want] and a["@iot.count"] == len(want)


TEXTS = [  # on Things pole-0, pole-1, pole-2, nowhere
    ("substringof('ole-1',name)", ["pole-1"]), ("contains(name,'where')", ["nowhere"]), ("endswith(name,'-2')", ["pole-2"]),
    ("startswith(name,'pole')", ["pole-0", "pole-1", "pole-2"]), ("length(name) eq 7", ["nowhere"]), ("indexof(name,'-') eq 4", ["pole-0", "pole-1", "pole-2"]),
    ("indexof(name,'-') eq -1", ["nowhere"]), ("substring(name,5) eq '1'", ["pole-1"]), ("substring(name,1,3) eq 'ole'", ["pole-0", "pole-1", "pole-2"]),
    ("tolower('NOWHERE') eq name", ["nowhere"]), ("toupper(name) eq 'POLE-1'", ["pole-1"]), ("trim(' pole-1 ') eq name", ["pole-1"]),
    ("concat(concat(name,', '),name) eq 'pole-1, pole-1'", ["pole-1"]), ("name gt 'pole-1'", ["pole-2"]), ("name eq 'pole-1' eq true", ["pole-1"]),
    ("Datastreams/name eq 'pole-2 no2'", ["pole-2"]), ("Datastreams/ObservedProperty/name eq 'no2'", ["pole-1", "pole-2"]),
    ("Datastreams/Observations/result gt 22", ["pole-1", "pole-2"]), ("Datastreams/Observations/result eq 'it''s odd'", ["pole-1", "pole-2"]),
    ("st_equals(Locations/location,geography'POINT(4.11 52)')", ["pole-1"]),
    ("st_disjoint(Locations/location,geography'POLYGON((4.1 51,4.15 51,4.15 53,4.1 53,4.1 51))')", ["pole-0", "pole-2"]),
    ("st_within(Locations/location,geography'POLYGON((4.1 51,4.15 51,4.15 53,4.1 53,4.1 51))')", ["pole-1"]),
    ("st_intersects(Locations/location,geography'LINESTRING(4.11 51,4.11 53)')", ["pole-1"]),
    ("st_touches(geography'POLYGON((4.11 51,4.15 51,4.15 53,4.11 53,4.11 51))',Locations/location)", ["pole-1"]),
    ("st_contains(geography'POLYGON((4.1 51,4.15 51,4.15 53,4.1 53,4.1 51))',Locations/location)", ["pole-1"]),
    ("st_overlaps(Locations/location,geography'POINT(4.11 52)')", []), ("st_crosses(geography'LINESTRING(4.11 51,4.11 53)',Locations/location)", []),
    ("st_relate(Locations/location,geography'POLYGON((4.1 51,4.15 51,4.15 53,4.1 53,4.1 51))','T********')", ["pole-1"]),
    ("geo.intersects(Locations/location,geography'LINESTRING(4.11 51,4.11 53)')", ["pole-1"]),
    ("geo.distance(Locations/location,geography'POINT(4.11 52.01)') lt 0.02", ["pole-1"]),
    ("geo.length(Locations/location) eq 0", ["pole-0", "pole-1", "pole-2"]), ("geo.length(geography'LINESTRING(0 0,0 2)') eq 2", ["nowhere", "pole-0", "pole-1", "pole-2"]),
]


@pytest.mark.parametrize("text, want", TEXTS)
def test_functions_on_things(sta, text, want):
    assert [t["name"] for t in every(sta, f"/Things?$orderby=name&$filter={urllib.parse.quote(text, safe='')}")] == want


# ---- how a question may be written, and what is wrong ----

def test_encodings(sta):
    plain = ask(sta, "/Things?$filter=name eq 'pole-1'&$select=name")
    assert ask(sta, "/Things?%24filter=name%20eq%20%27pole-1%27&%24select=name") == plain
    assert ask(sta, "/Things?$filter=name+eq+'pole-1'&$select=name") == plain
    assert ask(sta, "/Things%281%29") == ask(sta, "/Things(1)")
    assert ask(sta, "/Things(1)/%24ref") == ask(sta, "/Things(1)/$ref")
    one = ask(sta, "/Things?%24top=1")
    assert ask(sta, one["@iot.nextLink"])["value"]


@pytest.mark.parametrize("path, status", [
    ("/Nothing", 404), ("/things", 404), ("/Things(1)/Nothing", 404), ("/Things(1)/Observations", 404), ("/Things/name", 404), ("/Things(1)/Thing", 404),
    ("/Things(1)/Datastreams(1)/Nothing", 404), ("/Things(999999)/Datastreams", 404), ("/Things(999999)/name", 404), ("/Things(999999)/$ref", 404),
    ("/Things(x)", 404), ("/Things('x')", 404), ("/Things()", 404), ("/Things(1", 400),
    ("/Things?$filter=", 400), ("/Things?$filter=name", 400), ("/Things?$filter=name eq", 400), ("/Things?$filter=name eqq 'x'", 400),
    ("/Things?$filter=nothing eq 1", 400), ("/Things?$filter=name eq 'x", 400), ("/Things?$filter=(name eq 'x'", 400), ("/Things?$filter=nothing(name)", 400),
    ("/Things?$filter=startswith(name)", 400), ("/Things?$filter=Datastreams/nothing eq 1", 400), ("/Things?$filter=name eq 'x' and", 400),
    ("/Things?$filter=st_within(Locations/location,geography'POLYGON((')", 400), ("/Observations?$filter=phenomenonTime gt 2026-13-01T00:00:00Z", 400),
    ("/Things?$orderby=", 400), ("/Things?$orderby=nothing", 400), ("/Things?$orderby=name up", 400), ("/Things?$orderby=name,", 400),
    ("/Things?$top=-1", 400), ("/Things?$top=x", 400), ("/Things?$top=", 400), ("/Things?$skip=-1", 400), ("/Things?$skip=1.5", 400),
    ("/Things?$count=yes", 400), ("/Things?$count=", 400), ("/Things?$select=", 400), ("/Things?$select=nothing", 400), ("/Things?$select=name,", 400),
    ("/Things?$expand=", 400), ("/Things?$expand=Nothing", 400), ("/Things?$expand=Datastreams(", 400), ("/Things?$expand=Datastreams($top=x)", 400),
    ("/Things?$expand=Datastreams/Nothing", 400), ("/Things?$resultFormat=xml", 400), ("/Things?$nothing=1", 400), ("/Things?$top=1&$top=2", 400),
    ("/Things(1)?$filter=name eq 'x'", 400), ("/Things(1)?$top=1", 400), ("/Things(1)?$count=true", 400), ("/Things(1)/name?$top=1", 400),
])
def test_what_is_wrong(sta, path, status):
    a = ask(sta, path, status)
    assert a["status"] == status and a["detail"]
