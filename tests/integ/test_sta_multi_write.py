"""MultiDatastreams that are written: made, changed and deleted with what is in them; their Observations, which are one record each, over
every way; what a death leaves; all against a plain model."""
import json
import random

import pytest

from kit import city, mqtt
from kit.daemon import SLOW, feed
from kit.killing import lives, written
from test_access import add_key, bearer, grant, must
from test_sta import ask, every, follow, when as at
from test_sta_write import FEEDS, KINDS, observed, place, send, sensor, stream, thing

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
NO2 = {"type": "number", "x-oudp": {"role": "result", "observedProperty": "http://vocabulary.example/no2", "unit": "ug/m3"}}
PM = "http://vocabulary.example/pm25"
MORE = ("MultiDatastreams", "HistoricalLocations", "Observations")


@pytest.fixture
def lab(own):
    d = own({**FEEDS, "ijk": feed("ijk/{thing}", ["ijk/1"], sensorthings=True, max_age="0", keep_series="0"),
             "last": feed("last/{thing}", ["any"], decode="senml", duplicates="replace", sensorthings=True, max_age="0")})
    pm = {**NO2, "maximum": 1000, "x-oudp": {**NO2["x-oudp"], "observedProperty": PM}}
    city.write_schema(d.schemas, "ijk", 1, city.air_schema(pm25=pm, no2=NO2))
    return d.start()


def units(*symbols):
    return [{"name": "x", "symbol": s, "definition": "https://ucum.org/ucum"} for s in symbols]


def seen(name):
    return {**observed(name), "definition": "http://vocabulary.example/" + name.replace(" ", "-")}


def multi(name="wind", types=("Measurement", "Measurement"), symbols=("m/s", "deg"), properties=("speed", "direction"), **more):
    return {**thing(name), "multiObservationDataTypes": [OM + t for t in types], "unitOfMeasurements": units(*symbols),
            **({"ObservedProperties": [seen(f"{name}-{p}") for p in properties]} if properties else {}),
            **({"Sensor": sensor(f"s {name}")} if "Sensor" not in more else {}), **more}


def make(d, name="mast", **more):
    more = {"properties": {"feed": "lab"}, **more}
    t = send(d, "POST", "/Things", thing(name, MultiDatastreams=[multi(f"wind of {name}")], **more))
    m, = ask(d, f"/Things({t})/MultiDatastreams")["value"]
    return t, m["@iot.id"]


def observe(d, m, result, k, status=201, **more):
    return send(d, "POST", f"/MultiDatastreams({m})/Observations", {"phenomenonTime": at(k), "result": result, **more}, status)


def counts(d):
    return {k: len(every(d, ask(d, "/" + k, top=1000))) for k in KINDS + MORE}


def results(d, m, **options):
    return [(o["phenomenonTime"], o["result"]) for o in every(d, ask(d, f"/MultiDatastreams({m})/Observations", **options))]


# the entity

def test_it_is_made_with_its_thing(lab):
    t, m = make(lab)
    a = ask(lab, f"/MultiDatastreams({m})", expand="Thing,Sensor,ObservedProperties,Observations")
    assert a["name"] == "wind of mast" and a["observationType"] == OM + "ComplexObservation" and a["unitOfMeasurements"] == units("m/s", "deg")
    assert a["properties"] == {"feed": "lab", "organisation": "gemeente-test", "thing": "mast", "members": ["wind-of-mast-speed", "wind-of-mast-direction"]}
    assert a["Thing"]["@iot.id"] == t and a["Sensor"]["name"] == "s wind of mast" and a["Observations"] == []
    assert [p["name"] for p in a["ObservedProperties"]] == ["wind of mast-speed", "wind of mast-direction"]
    assert ask(lab, "/Datastreams")["value"] == [], "its members are not shown by themselves"
    for p in a["ObservedProperties"]:
        assert [x["@iot.id"] for x in ask(lab, f"/ObservedProperties({p['@iot.id']})/MultiDatastreams")["value"]] == [m]
        assert ask(lab, f"/ObservedProperties({p['@iot.id']})/Datastreams")["value"] == []
    for path in (f"/Sensors({a['Sensor']['@iot.id']})", f"/Things({t})"):
        assert [x["@iot.id"] for x in ask(lab, path + "/MultiDatastreams")["value"]] == [m]
    for k in range(1, 4):
        ask(lab, f"/Datastreams({m + k})", 404)
        assert send(lab, "POST", f"/Datastreams({m + k})/Observations", {"result": 1}, 404)["code"] == "no-such-entity"
        send(lab, "DELETE", f"/Datastreams({m + k})", None, 404)
    assert [x["name"] for x in ask(lab, "/MultiDatastreams", filter="Thing/name eq 'mast' and ObservedProperties/any(p: endswith(p/name,'speed'))")["value"]]


def test_links_order_and_the_same_twice(lab):
    """As the conformance tests of others have it: one property, two, in the opposite order, the same twice."""
    t, s = send(lab, "POST", "/Things", thing("one", properties={"feed": "lab"})), send(lab, "POST", "/Sensors", {**sensor(), "properties": {"feed": "lab"}})
    p = [send(lab, "POST", "/ObservedProperties", {**observed(x), "properties": {"feed": "lab"}}) for x in ("temperature", "humidity")]
    made = {}
    for order in ([0], [0, 1], [1, 0], [0, 0]):
        made[tuple(order)] = m = send(lab, "POST", "/MultiDatastreams", multi(
            f"m{order}", ["Measurement"] * len(order), [("°C", "%")[k] for k in order], None, Thing={"@iot.id": t}, Sensor={"@iot.id": s},
            ObservedProperties=[{"@iot.id": p[k]} for k in order]))
        assert [x["@iot.id"] for x in ask(lab, f"/MultiDatastreams({m})/ObservedProperties")["value"]] == [p[k] for k in order]
        assert [x["@iot.id"] for x in ask(lab, f"/MultiDatastreams({m})", expand="ObservedProperties($top=1)")["ObservedProperties"]] == [p[order[0]]]
    assert [x["@iot.id"] for x in ask(lab, f"/ObservedProperties({p[1]})/MultiDatastreams")["value"]] == [made[(0, 1)], made[(1, 0)]]
    members = [x for m in made.values() for x in ask(lab, f"/MultiDatastreams({m})")["properties"]["members"]]
    assert len(set(members)) == len(members) == 7
    ids = {o: [send(lab, "POST", "/Observations", {"result": [10 * k + j for j in range(len(o))], "phenomenonTime": at(k), "MultiDatastream": {"@iot.id": m}})
               for k in range(3)] for o, m in made.items()}
    for o, m in made.items():
        got = ask(lab, f"/MultiDatastreams({m})/Observations")["value"]
        assert [x["@iot.id"] for x in got] == ids[o] and [x["result"] for x in got] == [[10 * k + j for j in range(len(o))] for k in range(3)]
    assert {x["@iot.id"] for x in every(lab, ask(lab, "/Observations", top=5))} == {i for x in ids.values() for i in x}
    assert send(lab, "PATCH", f"/ObservedProperties({p[1]})", {"MultiDatastreams": [{"@iot.id": made[(0,)]}]}, 400)["code"] == "link"
    send(lab, "DELETE", f"/ObservedProperties({p[1]})", None, 200)
    assert [x["@iot.id"] for x in ask(lab, "/MultiDatastreams")["value"]] == [made[(0,)], made[(0, 0)]]
    assert {x["@iot.id"] for x in every(lab, ask(lab, "/Observations"))} == set(ids[(0,)] + ids[(0, 0)])
    send(lab, "DELETE", f"/Sensors({s})", None, 200)
    assert ask(lab, "/MultiDatastreams")["value"] == [] == ask(lab, "/Observations")["value"]


@pytest.mark.parametrize("change, status, code, pointer", [
    ({"unitOfMeasurements": units("m/s")}, 400, "length", "/multiObservationDataTypes"),
    ({"multiObservationDataTypes": [OM + "Measurement"]}, 400, "length", "/multiObservationDataTypes"),
    ({"ObservedProperties": [observed()]}, 400, "length", "/ObservedProperties"),
    ({"properties": {"members": ["a"]}}, 400, "length", "/properties/members"),
    ({"properties": {"members": ["a", 1]}}, 400, "type", "/properties/members"),
    ({"properties": {"members": ["a", "a"]}}, 409, "datastream-taken", "/properties/members/1"),
    ({"properties": {"members": ["a", "b c"]}}, 400, "member", "/properties/members/1"),
    ({"ObservedProperties": None}, 400, "missing", "/ObservedProperties"),
    ({"Sensor": None}, 400, "missing", "/Sensor"),
    ({"Thing": None, "properties": {"feed": "lab"}}, 400, "missing", "/Thing"),
    ({"unitOfMeasurements": units("m/s", "furlong")}, 400, "ucum", "/unitOfMeasurements/1"),
    ({"unitOfMeasurements": []}, 400, "type", "/unitOfMeasurements"),
    ({"unitOfMeasurements": [1, 2]}, 400, "type", "/unitOfMeasurements"),
    ({"multiObservationDataTypes": "x"}, 400, "type", "/multiObservationDataTypes"),
    ({"multiObservationDataTypes": None}, 400, "missing", "/multiObservationDataTypes"),
    ({"observationType": OM + "Measurement"}, 400, "type", "/observationType"),
    ({"ObservedProperties": [{"@iot.id": 9}, observed()]}, 400, "no-such-entity", ""),
    ({"ObservedProperties": [observed("d"), {**observed("d"), "definition": "none"}]}, 400, "type", "/ObservedProperties/1/definition"),
    ({"name": "wind of mast"}, 409, "name-taken", "/name"),
    ({"colour": 1}, 400, "unknown", "/colour"),
])
def test_refusals_say_what_and_where(lab, change, status, code, pointer):
    t, _ = make(lab)
    before = counts(lab)
    body = {k: v for k, v in {**multi(Thing={"@iot.id": t}), **change}.items() if v is not None}
    e = send(lab, "POST", "/MultiDatastreams", body, status)
    assert (e["code"], e["errors"][0]["pointer"]) == (code, pointer), e
    assert counts(lab) == before, "nothing of it is there"


def test_patch_put_and_delete(lab):
    t, m = make(lab)
    o = observe(lab, m, [1, 2], 0)
    members = ask(lab, f"/MultiDatastreams({m})")["properties"]["members"]
    other, q = send(lab, "POST", "/Sensors", {**sensor("q"), "properties": {"feed": "lab"}}), send(lab, "POST", "/ObservedProperties", {**observed("q"), "properties": {"feed": "lab"}})
    send(lab, "PATCH", f"/MultiDatastreams({m})", {"description": "new", "unitOfMeasurements": units("km/h", "deg"), "properties": {"a": 1}, "Sensor": {"@iot.id": other},
                                                   "ObservedProperties": [{"@iot.id": q}, {"@iot.id": q}]}, 200)
    a = ask(lab, f"/MultiDatastreams({m})", expand="Sensor,ObservedProperties")
    assert a["description"] == "new" and a["unitOfMeasurements"] == units("km/h", "deg") and a["properties"]["a"] == 1 and a["properties"]["members"] == members
    assert a["Sensor"]["@iot.id"] == other and [x["@iot.id"] for x in a["ObservedProperties"]] == [q, q]
    observe(lab, m, [3, 4], 1)
    with lab.client("read") as c:
        assert c.subscribe("lab/mast") == [0]
        observe(lab, m, [5, 6], 2)
        assert [r["u"] for r in json.loads(c.expect(mqtt.PUBLISH).payload)] == ["km/h", "deg"]
    a = ask(lab, f"/MultiDatastreams({m})")
    send(lab, "PUT", f"/MultiDatastreams({m})", a, 200)
    assert ask(lab, f"/MultiDatastreams({m})") == a, "what was got can be put"
    for change, code in (({"unitOfMeasurements": units("m"), "multiObservationDataTypes": [OM + "Measurement"]}, "fixed"), ({"unitOfMeasurements": units("m")}, "length"),
                         ({"unitOfMeasurements": units("m/s", "x")}, "ucum"), ({"properties": {"members": ["x", "y"]}}, "fixed"), ({"Thing": {"@iot.id": t + 100}}, "no-such-entity"),
                         ({"ObservedProperties": [{"@iot.id": q}]}, "length"), ({"properties": {"feed": "air"}}, "fixed")):
        assert send(lab, "PATCH", f"/MultiDatastreams({m})", change, 400)["code"] == code, change
    assert send(lab, "PUT", f"/MultiDatastreams({m})", thing("x"), 400)["code"] == "missing"
    assert ask(lab, f"/MultiDatastreams({m})") == a
    send(lab, "DELETE", f"/MultiDatastreams({m})", None, 200)
    for _ in range(2):
        ask(lab, f"/MultiDatastreams({m})", 404)
        ask(lab, f"/Observations({o})", 404)
        assert counts(lab) == {**counts(lab), "Things": 1, "MultiDatastreams": 0, "Observations": 0, "Datastreams": 0, "Sensors": 2, "ObservedProperties": 3}
        lab.restart()
    assert send(lab, "DELETE", f"/MultiDatastreams({m})", None, 404)["code"] == "no-such-entity"
    n = send(lab, "POST", f"/Things({t})/MultiDatastreams", multi("wind of mast", Sensor={"@iot.id": other}, ObservedProperties=[{"@iot.id": q}] * 2))
    assert n > m and results(lab, n) == []
    send(lab, "DELETE", f"/Things({t})", None, 200)
    assert counts(lab)["MultiDatastreams"] == 0


def test_a_feed_with_a_schema(lab):
    """Its results are members of one schema, by their definitions; the message is what the schema wants."""
    both = [{**thing("pm"), "definition": PM}, {**thing("no2"), "definition": NO2["x-oudp"]["observedProperty"]}]
    t = send(lab, "POST", "/Things", thing("pole", properties={"feed": "ijk"}))
    m = send(lab, "POST", f"/Things({t})/MultiDatastreams", multi("air", symbols=("ug/m3", "ug/m3"), properties=None, ObservedProperties=both[::-1]))
    assert ask(lab, f"/MultiDatastreams({m})")["properties"]["members"] == ["no2", "pm25"]
    with lab.client("read") as c:
        assert c.subscribe("ijk/pole") == [0]
        observe(lab, m, [1, 2.5], 0)
        assert json.loads(c.expect(mqtt.PUBLISH).payload) == {"dateObserved": at(0), "no2": 1, "pm25": 2.5}
        assert c.publish("ijk/pole", json.dumps({"dateObserved": at(5), "pm25": 7})).reason == 0
    assert [r for _, r in results(lab, m)] == [[1, 2.5], [None, 7]]
    for symbols, properties, code in ((("K", "ug/m3"), both, "unit"), (("ug/m3", "ug/m3"), [observed("a"), observed("b")], "member")):
        e = send(lab, "POST", f"/Things({t})/MultiDatastreams", multi("x", symbols=symbols, properties=None, ObservedProperties=[
            {**p, "name": p["name"] + "x"} for p in properties]), 400)
        assert e["code"] == code, e
    observe(lab, m, [1, 2000], 9, 400)


# Observations

def test_one_record_each(lab):
    _, m = make(lab)
    with lab.client("read") as c:
        assert c.subscribe("lab/mast") == [0]
        o = observe(lab, m, [3.5, 270], 0, resultTime=at(1), parameters={"by": "hand"})
        pack = json.loads(c.expect(mqtt.PUBLISH).payload)
        assert [(r["n"], r["u"], r["v"]) for r in pack] == [("wind-of-mast-speed", "m/s", 3.5), ("wind-of-mast-direction", "deg", 270)]
        c.expect_quiet()
        a = ask(lab, f"/Observations({o})", expand="MultiDatastream,FeatureOfInterest")
        assert a["result"] == [3.5, 270] and a["phenomenonTime"] == at(0) and a["resultTime"] == at(1) and a["parameters"] == {"by": "hand"}
        assert a["MultiDatastream"]["@iot.id"] == m and "Datastream@iot.navigationLink" not in a and o > 0
        assert follow(lab, a["@iot.selfLink"])["result"] == [3.5, 270]
        ask(lab, f"/Observations({o})/Datastream", 404)
        # who publishes to the feed fills it too, in part as well
        t = city.parse_time(at(5))
        assert c.publish("lab/mast", json.dumps([{"n": "wind-of-mast-direction", "u": "deg", "v": 90, "t": t}]).encode()).reason == 0
    assert [r for _, r in results(lab, m)] == [[3.5, 270], [None, 90]]
    assert ask(lab, f"/MultiDatastreams({m})")["phenomenonTime"] == f"{at(0)}/{at(5)}"
    later, = ask(lab, f"/MultiDatastreams({m})/Observations", filter="result/0 eq null")["value"]
    assert ask(lab, f"/Observations({later['@iot.id']})")["result"] == [None, 90]
    assert len(ask(lab, "/Observations", filter=f"MultiDatastream/id eq {m} and result/1 gt 100")["value"]) == 1
    for path, says in (("result[0]", {"result[0]": 3.5}), ("result/1", {"1": 270}), ("result", {"result": [3.5, 270]})):
        assert ask(lab, f"/Observations({o})/{path}") == says
    assert lab.get(f"/sta/v1.1/Observations({o})/result[1]/$value").body == b"270" == lab.get(f"/sta/v1.1/Observations({o})/result%5B1%5D/$value").body
    assert len(ask(lab, "/Observations", filter="result[1] eq 270")["value"]) == 1 and ask(lab, "/Observations", orderby="result[1]")["value"][0]["result"][1] == 90
    for path, status in (("result[2]", 404), ("result[x]", 400), ("result[0", 400), ("result[-1]", 400), ("phenomenonTime[0]", 400)):
        assert lab.get(f"/sta/v1.1/Observations({o})/{path}").status == status, path
    d = ask(lab, f"/MultiDatastreams({m})/Observations", resultFormat="dataArray")["value"][0]
    assert d["MultiDatastream@iot.navigationLink"].endswith(f"/MultiDatastreams({m})") and d["dataArray@iot.count"] == 2
    assert ask(lab, "/Observations", count="true", top=0)["@iot.count"] == 2 == ask(lab, f"/MultiDatastreams({m})/Observations", count="true", top=0)["@iot.count"]


def test_a_number_comes_first_and_stays(lab):
    """Also when the first result is null in the first Observation, and comes later."""
    _, m = make(lab)
    ids = [observe(lab, m, [None, 1], 0), observe(lab, m, [2, None], 1), observe(lab, m, [3, 4], 2)]
    want = [[None, 1], [2, None], [3, 4]]
    for k in range(3):
        got = ask(lab, f"/MultiDatastreams({m})/Observations")["value"]
        assert [o["@iot.id"] for o in got] == ids and [o["result"] for o in got] == want
        assert [ask(lab, f"/Observations({i})")["result"] for i in ids] == want
        if k == 0:
            lab.restart()
        else:
            assert lab.oudp("rebuild").returncode == 0


@pytest.mark.parametrize("body, code, pointer", [
    ({"result": 1}, "result-type", ""), ({"result": []}, "result-type", ""), ({"result": [1]}, "result-type", "/result"), ({"result": [1, 2, 3]}, "result-type", "/result"),
    ({"result": [1, "x"]}, "result-type", "/result/1"), ({"result": [True, 2]}, "result-type", "/result/0"), ({"result": [None, None]}, "result-type", ""),
    ({"result": [1, [2]]}, "result-type", "/result/1"), ({"result": [1, "x" * 2000]}, "result-type", "/result/1"), ({}, "missing", ""),
    ({"result": [1, 2], "phenomenonTime": "now"}, "time", ""), ({"result": [1, 2], "validTime": "x"}, "validTime", ""),
])
def test_refused_observations(lab, body, code, pointer):
    _, m = make(lab)
    e = send(lab, "POST", f"/MultiDatastreams({m})/Observations", body, 400)
    assert (e["code"], e["errors"][0]["pointer"]) == (code, pointer), e
    a = send(lab, "POST", "/CreateObservations", [{"MultiDatastream": {"@iot.id": m}, "components": list(body), "dataArray": [list(body.values())]}], 201 if body else 201)
    assert a[0].startswith(f"error: {code}"), a
    assert results(lab, m) == []


def test_types_of_results(lab):
    t = send(lab, "POST", "/Things", thing("all", properties={"feed": "lab"}))
    kinds = ("Measurement", "CountObservation", "TruthObservation", "CategoryObservation", "Observation")
    m = send(lab, "POST", f"/Things({t})/MultiDatastreams", multi("all", kinds, (None,) * 5, "abcde"))
    good = [1.5, 2, True, "http://x.example/on", "anything"]
    o = observe(lab, m, good, 0)
    assert ask(lab, f"/Observations({o})")["result"] == good
    bad = ["1.5", 2.5, 1, 7, None]
    for k in range(4):
        e = observe(lab, m, [*good[:k], bad[k], *good[k + 1:]], 10 + k, 400)
        assert (e["code"], e["errors"][0]["pointer"]) == ("result-type", f"/result/{k}")
    assert ask(lab, f"/Observations({observe(lab, m, [None] * 4 + [1], 20)})")["result"] == [None] * 4 + [1]


def test_rules_of_the_standard(own):
    """sensorthings-rules = standard: names, units and definitions as others write them."""
    d = own({"lab": feed("lab/{thing}", ["any"], decode="senml", sensorthings=True, sensorthings_rules="standard", max_age="0")}).start()
    t = send(d, "POST", "/Things", thing("a"))
    p = {**observed("x"), "definition": "no uri"}
    m = [send(d, "POST", f"/Things({t})/MultiDatastreams", multi("same", symbols=("furlong", "°"), properties=None, ObservedProperties=[p, p])) for _ in range(2)]
    for i in m:
        assert [u["symbol"] for u in ask(d, f"/MultiDatastreams({i})")["unitOfMeasurements"]] == ["furlong", "°"]
        observe(d, i, [1, 2], 0)
        send(d, "PATCH", f"/MultiDatastreams({i})", {"unitOfMeasurements": units("ell", "deg"), "name": "other"}, 200)
        assert [r for _, r in results(d, i)] == [[1, 2]]
    assert len({x for i in m for x in ask(d, f"/MultiDatastreams({i})")["properties"]["members"]}) == 4


def test_the_key(lab):
    _, m = make(lab)
    o = observe(lab, m, [1, 2], 0)
    assert observe(lab, m, [1, 2], 0, 200) == o
    for other in ([1, 3], [1, None], [None, 2]):
        assert observe(lab, m, other, 0, 409)["code"] == "conflict"
    assert send(lab, "POST", "/Observations", {"result": [1, 2], "MultiDatastream": {"@iot.id": m}, "Datastream": {"@iot.id": 1}}, 400)["code"] == "missing"
    assert send(lab, "POST", "/Observations", {"result": [1, 2]}, 400)["code"] == "missing"
    assert send(lab, "POST", f"/MultiDatastreams({m + 100})/Observations", {"result": [1, 2]}, 404)["code"] == "no-such-entity"
    _, last = make(lab, "last", properties={"feed": "last"})
    observe(lab, last, [1, 2], 0)
    observe(lab, last, [3, 4], 0)
    assert [r for _, r in results(lab, last)] == [[3, 4]]


def test_many_at_once_and_deep(lab):
    _, m = make(lab)
    s = send(lab, "POST", "/Things", thing("plain", properties={"feed": "lab"}, Datastreams=[stream()]))
    s = ask(lab, f"/Things({s})/Datastreams")["value"][0]["@iot.id"]
    a = send(lab, "POST", "/CreateObservations", [
        {"MultiDatastream": {"@iot.id": m}, "components": ["phenomenonTime", "result", "parameters"], "dataArray@iot.count": 3,
         "dataArray": [[at(k), [k, None if k == 1 else -k], {"k": k}] for k in range(3)] + [[at(9), 5, None], [at(10), [1, "x"], None]]},
        {"Datastream": {"@iot.id": s}, "components": ["phenomenonTime", "result"], "dataArray": [[at(0), 7], [at(1), [7]]]}])
    assert [x[:19] for x in a if x.startswith("error")] == ["error: result-type:"] * 2 and "/result/1" in a[4]
    assert [follow(lab, x)["result"] for x in a if not x.startswith("error")] == [[0, 0], [1, None], [2, -2], 7, [7]]
    deep = thing("deep", properties={"feed": "lab"}, MultiDatastreams=[multi("deep", Observations=[{"result": [k, k], "phenomenonTime": at(k)} for k in range(5)])],
                 Datastreams=[stream("t", Sensor=sensor("t"), ObservedProperty=observed("t"), Observations=[{"result": 1}])])
    t = send(lab, "POST", "/Things", deep)
    b = ask(lab, f"/Things({t})", expand="Datastreams($expand=Observations),MultiDatastreams($expand=Observations)")
    assert [o["result"] for o in b["MultiDatastreams"][0]["Observations"]] == [[k, k] for k in range(5)] and b["Datastreams"][0]["Observations"][0]["result"] == 1
    e = send(lab, "POST", f"/Things({t})/MultiDatastreams", multi("wrong", Observations=[{"result": [1, 2], "phenomenonTime": at(1)}, {"result": [1]}]), 400)
    assert "1 of its 2 Observations were refused" in e["detail"]


def test_patch_put_and_delete_of_observations(lab):
    _, m = make(lab)
    ids = [observe(lab, m, [k, 10 * k], k, parameters={"k": k}) for k in range(4)] + [observe(lab, m, [None, 9], 8)]
    path = [f"/Observations({i})" for i in ids]
    send(lab, "PATCH", path[0], {"result": [5, 0]}, 200)
    send(lab, "PATCH", path[1], {"result": [1, 77], "parameters": {"more": 1}}, 200)
    send(lab, "PUT", path[2], {"result": [20, 200]}, 200)
    send(lab, "PATCH", path[3], {"phenomenonTime": at(20), "result": [3, 31]}, 200)
    send(lab, "PATCH", path[4], [{"op": "replace", "path": "/result/1", "value": 8}], 200, {"Content-Type": "application/json-patch+json"})
    for body, code, pointer in (({"result": [5]}, "result-type", "/result"), ({"result": ["a", 0]}, "result-type", "/result/0"), ({"result": [None, 0]}, "result-type", "/result/0"),
                                ({"result": 5}, "result-type", ""), ({"MultiDatastream": {"@iot.id": m}}, "fixed", "")):
        e = send(lab, "PATCH", path[0], body, 400)
        assert (e["code"], e["errors"][0]["pointer"]) == (code, pointer), (body, e)
    assert send(lab, "PATCH", path[4], {"result": [1, 9]}, 400)["errors"][0]["pointer"] == "/result/0"
    assert send(lab, "PATCH", path[0], {"phenomenonTime": at(1)}, 409)["code"] == "conflict"
    want = [[5, 0], [1, 77], [20, 200], [3, 31], [None, 8]]
    for k in range(3):
        a = [ask(lab, p) for p in path]
        assert [o["result"] for o in a] == want
        assert [o.get("parameters") for o in a] == [{"k": 0}, {"k": 1, "more": 1}, None, {"k": 3}, None] and a[3]["phenomenonTime"] == at(20)
        assert [o["@iot.id"] for o in ask(lab, f"/MultiDatastreams({m})/Observations")["value"]] == [ids[i] for i in (0, 1, 2, 4, 3)]
        assert "corrected" in json.dumps(a[0]["resultQuality"])
        if k == 0:
            lab.restart()
        else:
            assert lab.oudp("rebuild").returncode == 0
    send(lab, "DELETE", path[1], None, 200)
    send(lab, "DELETE", f"/MultiDatastreams({m})" + path[3], None, 200)
    assert send(lab, "DELETE", path[1], None, 404)["code"] == "no-such-entity"
    assert observe(lab, m, [1, 1], 1, 409)["code"] == "deleted"
    lab.restart()
    assert [o["@iot.id"] for o in ask(lab, f"/MultiDatastreams({m})/Observations")["value"]] == [ids[i] for i in (0, 2, 4)]


def test_those_that_are_derived(lab):
    """A MultiDatastream that nobody wrote takes Observations; what it is does not change."""
    with lab.client("p") as c:
        assert c.publish("log/x", b'[{"n":"a","v":1,"t":1795521600},{"n":"b","vs":"on","t":1795521600}]').reason == 0
    m, = ask(lab, "/MultiDatastreams")["value"]
    path = f"/MultiDatastreams({m['@iot.id']})"
    for method in ("PATCH", "DELETE"):
        a = lab.admin(method, "/sta/v1.1" + path, {"name": "x"} if method == "PATCH" else None)
        assert a.status == 409 and a.json()["code"] == "derived", a
    o = send(lab, "POST", path + "/Observations", {"result": [2, "off"], "phenomenonTime": "2026-11-24T12:00:01Z"})
    assert o < 0 and ask(lab, f"/Observations({o})")["result"] == [2, "off"]
    assert send(lab, "POST", path + "/Observations", {"result": [2]}, 400)["errors"][0]["pointer"] == "/result"
    assert lab.admin("PATCH", f"/sta/v1.1/Observations({o})", {"result": [3, "off"]}).status == 200
    assert ask(lab, f"/Observations({o})")["result"] == [3, "off"] and len(ask(lab, "/Datastreams")["value"]) == 2
    assert lab.admin("DELETE", f"/sta/v1.1/Observations({o})").status == 200
    assert [x["result"] for x in ask(lab, path + "/Observations")["value"]] == [[1, "on"]]
    # of a thing whose Datastreams somebody wrote there is none but what was written
    t = send(lab, "POST", "/Things", thing("two", properties={"feed": "lab"}, Datastreams=[
        stream(n, Sensor=sensor(n), ObservedProperty=observed(n)) for n in ("a", "b")]))
    with lab.client("p") as c:
        assert c.publish("lab/two", b'[{"n":"a","v":1},{"n":"b","v":1}]').reason == 0
        assert ask(lab, f"/Things({t})/MultiDatastreams")["value"] == []
        assert c.publish("lab/two", b'[{"n":"c","v":1},{"n":"d","v":1}]').reason == 0
    assert [x["properties"]["members"] for x in ask(lab, f"/Things({t})/MultiDatastreams")["value"]] == [["c", "d"]]


def test_its_feature_of_interest(lab):
    t, m = make(lab, Locations=[place("corner")])
    o = observe(lab, m, [1, 2], 0)
    assert ask(lab, f"/Observations({o})/FeatureOfInterest")["name"] == "corner"
    l, = ask(lab, f"/Things({t})/Locations")["value"]
    assert [x["@iot.id"] for x in ask(lab, f"/FeaturesOfInterest({l['@iot.id']})/Observations")["value"]] == [o]
    _, n = make(lab, "other")
    f = {**thing("river"), "encodingType": "application/geo+json", "feature": {"type": "Point", "coordinates": [5, 51]}}
    p = observe(lab, n, [1, 2], 0, FeatureOfInterest=f)
    f = ask(lab, f"/Observations({p})/FeatureOfInterest")["@iot.id"]
    assert [x["@iot.id"] for x in ask(lab, f"/FeaturesOfInterest({f})/Observations")["value"]] == [p]
    assert observe(lab, n, [1, 2], 1, 400, FeatureOfInterest={"@iot.id": l["@iot.id"]})["code"] == "feature"
    observe(lab, n, [1, 2], 1, FeatureOfInterest={"@iot.id": f})
    send(lab, "DELETE", f"/FeaturesOfInterest({f})", None, 200)
    assert results(lab, n) == [] and len(results(lab, m)) == 1 and ask(lab, f"/MultiDatastreams({n})")["name"]


def test_a_list_in_a_datastream(lab):
    """Is a result like any other: it makes no Observation of a MultiDatastream."""
    t = send(lab, "POST", "/Things", thing("plain", properties={"feed": "lab"}, Datastreams=[stream()]))
    s = ask(lab, f"/Things({t})/Datastreams")["value"][0]["@iot.id"]
    o = send(lab, "POST", f"/Datastreams({s})/Observations", {"result": [1, {"a": 2}], "phenomenonTime": at(0)})
    _, m = make(lab)
    p = observe(lab, m, [1, 2], 0)
    for i, of, is_not in ((o, "Datastream", "MultiDatastream"), (p, "MultiDatastream", "Datastream")):
        a = ask(lab, f"/Observations({i})", expand="Datastream,MultiDatastream")
        assert a[of]["name"] and a[is_not] is None
        a = ask(lab, f"/Observations({i})")
        assert f"{of}@iot.navigationLink" in a and f"{is_not}@iot.navigationLink" not in a
    assert len(ask(lab, "/Observations", resultFormat="dataArray")["value"]) == 2


# over other ways

def test_batch(lab):
    """All or nothing with what else is in a group, found by $ID."""
    def part(k, url, body):
        return {"id": k, "atomicityGroup": "g", "method": "post", "url": url, "body": body}
    parts = [part("t", "Things", thing("mast", properties={"feed": "lab"})), part("m", "$t/MultiDatastreams", multi()),
             part("o", "$m/Observations", {"result": [1, 2], "phenomenonTime": at(0)}), part("p", "Observations", {"result": [3, 4], "phenomenonTime": at(1), "MultiDatastream": {"@iot.id": "$m"}})]
    before = counts(lab)
    bad = {**parts[3], "body": {**parts[3]["body"], "result": [1, "x"]}}
    a = send(lab, "POST", "/$batch", {"requests": parts[:3] + [bad]}, 200)["responses"]
    assert [x["status"] for x in a] == [424, 424, 424, 400] and counts(lab) == before
    a = send(lab, "POST", "/$batch", {"requests": parts}, 200)["responses"]
    assert [x["status"] for x in a] == [201] * 4, a
    m, = ask(lab, "/MultiDatastreams")["value"]
    assert [r for _, r in results(lab, m["@iot.id"])] == [[1, 2], [3, 4]]


def test_over_mqtt(lab):
    t, m = make(lab)
    topic = f"v1.1/MultiDatastreams({m})/Observations"
    with lab.client("p") as c, lab.client("s") as s:
        topics = [topic, "v1.1/Observations", f"v1.1/MultiDatastreams({m})", f"v1.1/Things({t})/MultiDatastreams", "v1.1/Datastreams", "lab/mast"]
        assert s.subscribe(*topics) == [0] * 6
        assert c.publish(topic, json.dumps({"result": [1, 2], "phenomenonTime": at(0)})).reason == 0
        got = {p.topic: json.loads(p.payload) for p in (s.expect(mqtt.PUBLISH, 10 * SLOW) for _ in range(5))}
        s.expect_quiet()
        o, = ask(lab, f"/MultiDatastreams({m})/Observations")["value"]
        now = ask(lab, f"/MultiDatastreams({m})")
        assert got[topic] == got["v1.1/Observations"] == o and got[topics[2]] == got[topics[3]] == now and len(got["lab/mast"]) == 2
        assert c.publish("v1.1/Observations", json.dumps({"result": [3, None], "phenomenonTime": at(1), "MultiDatastream": {"@iot.id": m}})).reason == 0
        for body, reason, says in (({"result": [1]}, 0x99, "2 results"), ({"result": [1, "x"]}, 0x99, "result 1"), ({"result": 1}, 0x99, "list")):
            p = c.publish(topic, json.dumps(body))
            assert p.reason == reason and says in p.props["reason"], p
        p = c.publish(f"v1.1/MultiDatastreams({m + 50})/Observations", json.dumps({"result": [1, 2]}))
        assert p.reason == 0x87
    with lab.client("s2") as s:
        assert s.subscribe("v1.1/MultiDatastreams", topic) == [0, 0]
        send(lab, "PATCH", f"/MultiDatastreams({m})", {"description": "new"}, 200)
        p = s.expect(mqtt.PUBLISH, 10 * SLOW)
        assert p.topic == "v1.1/MultiDatastreams" and json.loads(p.payload) == ask(lab, f"/MultiDatastreams({m})")
        send(lab, "PATCH", f"/Observations({o['@iot.id']})", {"result": [7, 2]}, 200)
        assert json.loads(s.expect(mqtt.PUBLISH, 10 * SLOW).payload)["result"] == [7, 2]
    assert [r for _, r in results(lab, m)] == [[7, 2], [3, None]]


def test_rights_and_the_audit(own):
    from kit.daemon import free_ports, wait_for
    port, = free_ports(1)
    d = own({**FEEDS, "lab": feed("lab/{thing}", ["any"], decode="senml", sensorthings=True, max_age="0", access="restricted")},
            extra=f'listener "strict" {{\n\tprotocol = http\n\tport = {port}\n\tanonymous = false\n}}\n').start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    some, other = bearer(add_key(d, "some")), bearer(add_key(d, "other", "vendor"))
    grant(d, "lab", "publish", identity="some", thing="v-*")
    grant(d, "lab", "read", identity="some", thing="v-*")
    t = send(d, "POST", "/Things", thing("v-1", MultiDatastreams=[multi()]), headers=some, port=port)
    from kit import web
    a = web.request(port, "GET", f"/sta/v1.1/Things({t})/MultiDatastreams", headers=some).json()["value"]
    m = a[0]["@iot.id"]
    o = send(d, "POST", f"/MultiDatastreams({m})/Observations", {"result": [1, 2]}, headers=some, port=port)
    assert send(d, "POST", "/Things", thing("w-1", MultiDatastreams=[multi("w")]), 403, headers=some, port=port)["code"] == "denied"
    assert send(d, "POST", f"/MultiDatastreams({m})/Observations", {"result": [1, 2]}, 404, headers=other, port=port)["code"] == "no-such-entity"
    for method, path in (("PATCH", f"/MultiDatastreams({m})"), ("DELETE", f"/MultiDatastreams({m})"), ("DELETE", f"/Observations({o})")):
        send(d, method, path, {"description": "x"} if method == "PATCH" else None, 404, headers=other, port=port)
    for path in ("/MultiDatastreams", "/Observations", f"/Things({t})/MultiDatastreams"):
        a = web.request(port, "GET", "/sta/v1.1" + path, headers=other)
        assert a.status == 404 or a.json()["value"] == [], path
    send(d, "PATCH", f"/MultiDatastreams({m})", {"description": "x"}, 200, headers=some, port=port)
    send(d, "DELETE", f"/MultiDatastreams({m})", None, 200, headers=some, port=port)
    wait_for("the audit", lambda: "sensorthings.delete" in must(d, "audit", "list"))
    lines = must(d, "audit", "list")
    assert all(f"{x}" in lines for x in ("sensorthings.create", "sensorthings.change", f"MultiDatastreams({m})"))


def test_it_goes_with_its_thing(lab):
    _, m = make(lab)
    observe(lab, m, [1, 2], 0)
    a = lab.admin("POST", "/v1/things/mast/_erase", {"reason": "asked for"})
    assert a.status in (200, 202), a
    for _ in range(2):
        assert ask(lab, "/MultiDatastreams")["value"] == [] == ask(lab, "/Observations")["value"]
        ask(lab, f"/MultiDatastreams({m})", 404)
        lab.restart()


# everything at once

class Model:
    """Things with MultiDatastreams and Datastreams, and what is in them, as lists."""

    def __init__(self, d, seed):
        self.d, self.r, self.n = d, random.Random(seed), 0
        self.thing = send(d, "POST", "/Things", thing("model", properties={"feed": "lab"}))
        self.sensor = send(d, "POST", "/Sensors", {**sensor("model"), "properties": {"feed": "lab"}})
        self.properties = [send(d, "POST", "/ObservedProperties", {**observed(f"m{k}"), "properties": {"feed": "lab"}}) for k in range(4)]
        self.multis, self.streams = {}, {}

    def make(self):
        self.n += 1
        of = [self.r.choice(self.properties) for _ in range(self.r.randrange(1, 6))]
        i = send(self.d, "POST", f"/Things({self.thing})/MultiDatastreams", multi(
            f"multi {self.n}", ["Measurement"] * len(of), ["m"] * len(of), None, Sensor={"@iot.id": self.sensor}, ObservedProperties=[{"@iot.id": p} for p in of]))
        self.multis[i] = {"name": f"multi {self.n}", "of": of, "rows": {}}

    def make_stream(self):
        self.n += 1
        i = send(self.d, "POST", f"/Things({self.thing})/Datastreams", stream(
            f"stream {self.n}", "m", Sensor={"@iot.id": self.sensor}, ObservedProperty={"@iot.id": self.r.choice(self.properties)}))
        self.streams[i] = {}

    def observe(self):
        if not self.multis:
            return
        i = self.r.choice(sorted(self.multis))
        m, k = self.multis[i], self.r.randrange(40)
        row = [None if self.r.random() < .3 else self.r.randrange(1000) for _ in m["of"]]
        if k in m["rows"] or all(v is None for v in row):
            return
        o = send(self.d, "POST", f"/MultiDatastreams({i})/Observations", {"result": row, "phenomenonTime": self.time(k)})
        assert o not in {x for y in self.multis.values() for x, _ in y["rows"].values()}
        m["rows"][k] = (o, row)

    def observe_stream(self):
        if self.streams:
            i = self.r.choice(sorted(self.streams))
            k = len(self.streams[i])
            o = send(self.d, "POST", f"/Datastreams({i})/Observations", {"result": k, "phenomenonTime": self.time(k)})
            self.streams[i][o] = k

    def time(self, k):
        return f"2026-10-01T{k // 60:02}:{k % 60:02}:00.000Z"

    def amend(self):
        some = [(i, k) for i, m in self.multis.items() for k in m["rows"] if m["rows"][k][1]]
        if some:
            i, k = self.r.choice(some)
            o, row = self.multis[i]["rows"][k]
            if self.r.random() < .4:
                send(self.d, "DELETE", f"/Observations({o})", None, 200)
                self.multis[i]["rows"][k] = (o, None)
            else:
                row = [v if v is None else self.r.choice([v, v + .5]) for v in row]
                send(self.d, "PATCH", f"/Observations({o})", {"result": row}, 200)
                self.multis[i]["rows"][k] = (o, row)

    def rename(self):
        if self.multis:
            i, self.n = self.r.choice(sorted(self.multis)), self.n + 1
            m = self.multis[i]
            m["of"] = [self.r.choice(self.properties) for _ in m["of"]]
            m["name"] = f"renamed {self.n}"
            send(self.d, "PATCH", f"/MultiDatastreams({i})", {"name": m["name"], "ObservedProperties": [{"@iot.id": p} for p in m["of"]]}, 200)

    def delete(self):
        if len(self.multis) > 3:
            i = self.r.choice(sorted(self.multis))
            send(self.d, "DELETE", f"/MultiDatastreams({i})", None, 200)
            del self.multis[i]

    def check(self):
        top = self.r.choice([1, 3, 100])
        rows = {i: {o: row for _, (o, row) in sorted(m["rows"].items()) if row} for i, m in self.multis.items()}
        got = every(self.d, ask(self.d, "/MultiDatastreams", top=top, expand="ObservedProperties,Observations($top=1000;$count=true)"))
        assert {m["@iot.id"]: m["name"] for m in got} == {i: m["name"] for i, m in self.multis.items()}
        for m in got:
            assert [p["@iot.id"] for p in m["ObservedProperties"]] == self.multis[m["@iot.id"]]["of"]
            assert [(o["@iot.id"], o["result"]) for o in m["Observations"]] == list(rows[m["@iot.id"]].items())
            assert m["Observations@iot.count"] == len(m["Observations"])
        want = {**{o: row for x in rows.values() for o, row in x.items()}, **{o: v for x in self.streams.values() for o, v in x.items()}}
        all_ = every(self.d, ask(self.d, "/Observations", top=self.r.choice([7, 1000]), count="true"))
        assert {o["@iot.id"]: o["result"] for o in all_} == want and len(all_) == len(want)
        assert ask(self.d, "/Observations", top=0, count="true")["@iot.count"] == len(want)
        assert {s["@iot.id"] for s in every(self.d, ask(self.d, "/Datastreams", top=top))} == set(self.streams)
        for p in self.properties:
            assert {m["@iot.id"] for m in ask(self.d, f"/ObservedProperties({p})/MultiDatastreams")["value"]} == {i for i, m in self.multis.items() if p in m["of"]}
        for i, x in rows.items():
            a, v = self.r.randrange(40), self.r.randrange(1000)
            text = f"phenomenonTime ge {self.time(a)} and result/0 gt {v}"
            found = every(self.d, ask(self.d, f"/MultiDatastreams({i})/Observations", top=2, filter=text, orderby="phenomenonTime desc"))
            model = [o for k, (o, row) in sorted(self.multis[i]["rows"].items(), reverse=True) if row and k >= a and row[0] is not None and row[0] > v]
            assert [o["@iot.id"] for o in found] == model, text


@pytest.mark.parametrize("seed", range(4))
def test_against_a_model(lab, seed):
    m = Model(lab, seed)
    m.make()
    for k in range(150):
        m.r.choice([m.make, m.make_stream, m.rename, m.delete, m.observe_stream, m.amend] + [m.observe] * 6)()
        if k % 50 == 49:
            m.check()
        if k == 70:
            lab.restart()  # kill -9: what was answered is there
    assert lab.oudp("rebuild").returncode == 0
    m.check()


def test_kill_while_writing(lab):
    """What was answered is there after each death, whole: MultiDatastreams with their members, Observations and corrections with all their results."""
    t = send(lab, "POST", "/Things", thing("kill", properties={"feed": "lab"}))
    s = send(lab, "POST", "/Sensors", {**sensor("kill"), "properties": {"feed": "lab"}})
    p = [send(lab, "POST", "/ObservedProperties", {**observed(f"k{k}"), "properties": {"feed": "lab"}}) for k in range(3)]
    made, sums = {}, {}

    def write(life, w, k):
        name = f"{life}-{w}-{k}"
        a = written(lab, "POST", f"/sta/v1.1/Things({t})/MultiDatastreams", multi(
            name, ["Measurement"] * 3, ["m"] * 3, None, Sensor={"@iot.id": s}, ObservedProperties=[{"@iot.id": x} for x in p]))
        if not a:
            return False
        assert a.status == 201, a.body
        m = int(a.headers["location"].split("(")[1].rstrip(")"))
        assert m not in made
        made[m] = name
        for j in range(3):
            a = written(lab, "POST", f"/sta/v1.1/MultiDatastreams({m})/Observations", {"result": [j, j, j], "phenomenonTime": at(j)})
            if not a:
                return False
            assert a.status == 201, a.body
            o = int(a.headers["location"].split("(")[1].rstrip(")"))
            sums[o] = {j}
            sums[o].add(j + 100)
            a = written(lab, "PATCH", f"/sta/v1.1/Observations({o})", {"result": [j + 100] * 3})
            if not a:
                return False
            assert a.status == 200, a.body
            sums[o] = {j + 100}
        return True
    for _ in lives(lab, 4, write, seed=8, longest=1):
        there = {m["@iot.id"]: m for m in every(lab, ask(lab, "/MultiDatastreams", top=100, expand="Observations,ObservedProperties"))}
        assert made and sums and all(there[m]["name"] == name for m, name in made.items())
        assert all([x["@iot.id"] for x in m["ObservedProperties"]] == p for m in there.values())
        found = {o["@iot.id"]: o["result"] for m in there.values() for o in m["Observations"]}
        assert all(len(r) == 3 and len(set(r)) == 1 for r in found.values()), "all results of one, or none"
        assert all(found[o][0] in some for o, some in sums.items())
