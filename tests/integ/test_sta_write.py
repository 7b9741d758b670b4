"""Writing over SensorThings: entities with what is in them, Observations, corrections, batches; rights; what a death leaves."""
import glob
import json
import os
import random
import threading
import time

import pytest

from kit import city, recordings
from kit.daemon import feed, wait_for
from kit.killing import lives, written
from test_access import add_key, bearer, grant, must
from test_sta import ask, every, follow

FEEDS = {"air": feed("city/air/{thing}"),
         "lab": feed("lab/{thing}", ["any"], decode="senml", sensorthings=True, max_age="0", keep_series="0"),
         "log": feed("log/{thing}", ["any"], decode="senml", duplicates="keep")}
EXAMPLES = recordings.folder("sensorthings", "frost-docs")
MEASURED = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
KINDS = ("Things", "Locations", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest")


def send(d, method, path, body=None, status=201, headers=None, port=None):
    from kit import web
    a = web.request(port or d.web_port, method, "/sta/v1.1" + path, None if body is None else json.dumps(body),
                    {"Content-Type": "application/json", **(headers or {})})
    assert a.status == status, (method, path, body, a.status, a.body[:600])
    if status >= 400:
        e = json.loads(a.body)
        assert e["status"] == status and e["detail"]
        if "code" in e:
            assert e["errors"][0]["rule"] and e["errors"][0]["schema"]
        return e
    if a.headers.get("location"):
        return int(a.headers["location"].split("(")[1].rstrip(")"))
    return json.loads(a.body) if a.body else None


def thing(name="kitchen", **more):
    return {"name": name, "description": "of the tests", **more}


def test_positions_that_are_none_end_nothing(broker, name):
    """GEOS looks at two numbers of each position, whether they are there or not."""
    for i, g in enumerate(({"type": "LineString", "coordinates": [[4.9, 52.3], []]}, {"type": "Polygon", "coordinates": [[[]]]},
                           {"type": "GeometryCollection", "geometries": [{"type": "MultiPoint", "coordinates": [[]]}]},
                           {"type": "Feature", "geometry": {"type": "Point", "coordinates": []}},
                           {"type": "LineString", "coordinates": [[4.9, 52.3], [4.91, 52.3]]})):
        send(broker, "POST", "/Locations", {"name": f"{name}-{i}", "description": "d", "encodingType": "application/geo+json", "location": g})
    area = "geography'POLYGON((4.8 52.2,5 52.2,5 52.4,4.8 52.4,4.8 52.2))'"
    found = ask(broker, "/Locations", filter=f"startswith(name,'{name}') and st_within(location,{area})")["value"]
    assert [x["name"] for x in found] == [f"{name}-4"]


def place(name="corner", lon=4.5, lat=52.25, **more):
    return {**thing(name), "encodingType": "application/geo+json", "location": {"type": "Point", "coordinates": [lon, lat]}, **more}


def sensor(name="probe"):
    return {**thing(name), "encodingType": "text/html", "metadata": "https://maker.example/probe"}


def observed(name="temperature"):
    return {**thing(name), "definition": f"http://vocabulary.example/{name}"}


def stream(name="temperature of the kitchen", unit="Cel", **more):
    return {**thing(name), "observationType": MEASURED,
            "unitOfMeasurement": {"name": "x", "symbol": unit, "definition": "https://ucum.org/ucum"},
            **({"Sensor": sensor(), "ObservedProperty": observed()} if "Sensor" not in more else {}), **more}


@pytest.fixture
def lab(own):
    return own(FEEDS).start()


def make_stream(d, name="kitchen"):
    t = send(d, "POST", "/Things", thing(name, Datastreams=[stream(f"temperature of {name}", Sensor=sensor(f"s {name}"),
                                                                   ObservedProperty=observed(f"p-{name}"))]))
    s, = ask(d, f"/Things({t})/Datastreams")["value"]
    return t, s["@iot.id"]


# entities

def test_deep_insert_is_all_or_nothing(lab):
    whole = thing(properties={"oven": True}, Locations=[place()], Datastreams=[stream()])
    t = send(lab, "POST", "/Things", whole)
    a = ask(lab, f"/Things({t})", expand="Locations,HistoricalLocations,Datastreams($expand=Sensor,ObservedProperty,Thing)")
    assert a["properties"] == {"oven": True, "feed": "lab", "organisation": "gemeente-test", "thing": "kitchen"}
    assert a["Locations"][0]["location"]["coordinates"] == [4.5, 52.25] and len(a["HistoricalLocations"]) == 1
    s = a["Datastreams"][0]
    assert s["Thing"]["@iot.id"] == t and s["Sensor"]["name"] == "probe" and s["ObservedProperty"]["name"] == "temperature"
    assert s["properties"]["member"] == "temperature-of-the-kitchen" and s["unitOfMeasurement"]["symbol"] == "Cel"
    before = {k: len(ask(lab, "/" + k)["value"]) for k in KINDS}
    new = {"Sensor": sensor("q"), "ObservedProperty": observed("q")}
    for wrong, status in ((stream("second", "furlong", **new), 400), (stream("second", Sensor=sensor("q"), ObservedProperty=observed()), 409),
                          ({**stream("second"), **new, "Sensor": {"@iot.id": 77}}, 400)):
        send(lab, "POST", "/Things", thing("shed", Locations=[place("there")], Datastreams=[wrong]), status)
    assert {k: len(ask(lab, "/" + k)["value"]) for k in KINDS} == before
    send(lab, "POST", "/Things", thing("shed", Locations=[place("there")]))


@pytest.mark.parametrize("path, body, status, code, pointer", [
    ("/Things", {"name": "x"}, 400, "missing", "/description"),
    ("/Things", thing(colour=1), 400, "unknown", "/colour"),
    ("/Things", thing(properties={"feed": "nothing"}), 400, "feed", "/properties/feed"),
    ("/Things", thing(properties={"feed": "air"}), 403, "feed", "/properties/feed"),
    ("/Things", thing(properties={"thing": "a/b"}), 400, "thing", "/properties/thing"),
    ("/Things", [], 400, "json", ""),
    ("/Things", thing(Locations=[{"@iot.id": 12}]), 400, "no-such-entity", ""),
    ("/Things(12)/Datastreams", stream(), 404, "no-such-entity", ""),
    ("/Things/Datastreams", stream(), 404, "path", ""),
    ("/Datastreams", stream(), 400, "missing", "/Thing"),
    ("/ObservedProperties", {**thing(), "definition": "warm"}, 400, "type", "/definition"),
    ("/Nothing", thing(), 404, "path", ""),
    ("/Things(1)", thing(), 405, "method", ""),
])
def test_refusals_say_what_and_where(lab, path, body, status, code, pointer):
    e = send(lab, "POST", path, body, status)
    assert (e["code"], e["errors"][0]["pointer"]) == (code, pointer)


def test_units(lab):
    t = send(lab, "POST", "/Things", thing())
    links = {"Thing": {"@iot.id": t}, "Sensor": {"@iot.id": send(lab, "POST", "/Sensors", sensor())},
             "ObservedProperty": {"@iot.id": send(lab, "POST", "/ObservedProperties", observed())}}
    for i, (unit, status) in enumerate([({"name": "c", "symbol": "\u00b0C", "definition": "ucum:Cel"}, 201),
                                        ({"name": None, "symbol": None, "definition": None}, 201),
                                        ({"name": "c", "symbol": "\u00b0C", "definition": "http://x"}, 201),
                                        ({"name": "c", "symbol": "smoots", "definition": "http://x"}, 400)]):
        e = send(lab, "POST", "/Datastreams", {**stream(f"s{i}", Sensor=0), **links, "unitOfMeasurement": unit}, status)
        if status == 400:
            assert e["code"] == "ucum"


def test_names_are_unique_and_numbers_are_given_once(lab):
    t = send(lab, "POST", "/Things", thing())
    assert send(lab, "POST", "/Things", thing(), 409)["code"] == "name-taken"
    send(lab, "DELETE", f"/Things({t})", None, 200)
    assert send(lab, "DELETE", f"/Things({t})", None, 404)["code"] == "no-such-entity"
    u = send(lab, "POST", "/Things", thing())
    assert u > t
    other = send(lab, "POST", "/Things", thing("hall"))
    assert send(lab, "PATCH", f"/Things({other})", {"name": "kitchen"}, 409)["code"] == "name-taken"
    send(lab, "PATCH", f"/Things({u})", {"name": "cellar"}, 200)
    send(lab, "PATCH", f"/Things({other})", {"name": "kitchen"}, 200)
    assert ask(lab, f"/Things({u})")["properties"]["thing"] == "kitchen"  # the topic stays


def test_patch_put_and_what_does_not_change(lab):
    t, s = make_stream(lab)
    send(lab, "PATCH", f"/Things({t})", {"description": "new", "properties": {"a": 1, "b": 2}}, 200)
    send(lab, "PATCH", f"/Things({t})", {"properties": {"a": None}}, 200)
    a = ask(lab, f"/Things({t})")
    assert a["description"] == "new" and a["properties"]["b"] == 2 and "a" not in a["properties"]
    send(lab, "PUT", f"/Things({t})", a, 200)  # what was got can be put
    assert ask(lab, f"/Things({t})") == a
    send(lab, "PUT", f"/Things({t})", thing(), 200)
    assert "b" not in ask(lab, f"/Things({t})")["properties"]
    assert send(lab, "PUT", f"/Things({t})", {"name": "x"}, 400)["code"] == "missing"
    assert send(lab, "PATCH", f"/Datastreams({s})", {"properties": {"member": "other"}}, 400)["code"] == "fixed"
    assert send(lab, "PATCH", f"/Things({t})", {"properties": {"feed": "air"}}, 400)["code"] == "fixed"
    q = send(lab, "POST", "/Sensors", sensor("better"))
    send(lab, "PATCH", f"/Datastreams({s})", {"Sensor": {"@iot.id": q}}, 200)
    assert ask(lab, f"/Datastreams({s})/Sensor")["@iot.id"] == q and ask(lab, f"/Sensors({q})/Datastreams")["value"][0]["@iot.id"] == s


def test_json_patch(lab):
    """RFC 6902, as 18-088 clause 10.3 has it: all operations or none."""
    def patch(path, *operations, status=200):
        return send(lab, "PATCH", path, list(operations), status, {"Content-Type": "application/json-patch+json"})
    t, s = make_stream(lab)
    path = f"/Things({t})"
    patch(path, {"op": "add", "path": "/properties", "value": {"a": 1}}, {"op": "copy", "from": "/properties/a", "path": "/properties/b"},
          {"op": "replace", "path": "/description", "value": "new"}, {"op": "test", "path": "/name", "value": "kitchen"})
    a = ask(lab, path)
    assert a["description"] == "new" and (a["properties"]["a"], a["properties"]["b"]) == (1, 1)
    patch(path, {"op": "move", "from": "/properties/a", "path": "/properties/c"}, {"op": "remove", "path": "/properties/b"})
    assert {k: v for k, v in ask(lab, path)["properties"].items() if k in "abc"} == {"c": 1}
    was = ask(lab, path)
    for bad, code in ((({"op": "remove", "path": "/properties/c"}, {"op": "test", "path": "/name", "value": "x"}), "patch"), (({"op": "remove", "path": "/name"},), "missing"),
                      (({"op": "add", "path": "/colour", "value": 1},), "unknown"), (({"op": "remove", "path": "/none"},), "patch"), ((1,), "patch"),
                      (({"op": "add", "path": "/properties/feed", "value": "air"},), "fixed")):
        assert patch(path, *bad, status=400)["code"] == code
    assert ask(lab, path) == was
    patch(f"/Datastreams({s})", {"op": "replace", "path": "/unitOfMeasurement/symbol", "value": "K"})
    assert ask(lab, f"/Datastreams({s})")["unitOfMeasurement"]["symbol"] == "K"
    o = send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 1})
    patch(f"/Observations({o})", {"op": "replace", "path": "/result", "value": 2})
    assert ask(lab, f"/Observations({o})/result")["result"] == 2
    patch(f"/Observations({o})", {"op": "replace", "path": "/resultQuality", "value": 2}, status=400)


def test_a_thing_moves(lab):
    t = send(lab, "POST", "/Things", thing(Locations=[place("here", 4)]))
    send(lab, "POST", f"/Things({t})/Locations", place("there", 5))
    assert [x["name"] for x in ask(lab, f"/Things({t})/Locations")["value"]] == ["there"]
    back, = ask(lab, "/Locations", filter="name eq 'here'")["value"]
    send(lab, "PATCH", f"/Things({t})", {"Locations": [{"@iot.id": back["@iot.id"]}]}, 200)
    was = ask(lab, f"/Things({t})/HistoricalLocations", expand="Locations", orderby="time")["value"]
    assert [x["Locations"][0]["name"] for x in was] == ["here", "there", "here"]
    assert ask(lab, f"/Locations({back['@iot.id']})/Things")["value"][0]["@iot.id"] == t
    send(lab, "DELETE", f"/Locations({back['@iot.id']})", None, 200)
    assert ask(lab, f"/Things({t})/Locations")["value"] == [] and len(ask(lab, f"/Things({t})/HistoricalLocations")["value"]) == 1


# data

def test_data_fills_what_was_made(lab):
    """Whoever publishes for that thing and member, it is the Datastream that was made."""
    t, s = make_stream(lab)
    with lab.client("vendor") as c:
        for k in range(3):
            assert c.publish("lab/kitchen", json.dumps([{"n": "temperature-of-kitchen", "u": "Cel", "v": k}]).encode()).reason == 0
            time.sleep(0.002)
        assert c.publish("lab/kitchen", b'[{"n":"extra","v":1}]').reason == 0
    assert [x["@iot.id"] for x in ask(lab, "/Things")["value"]] == [t]
    assert [o["result"] for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == [0, 1, 2]
    o = ask(lab, f"/Datastreams({s})/Observations", top=1, expand="Datastream($expand=Thing)")["value"][0]
    assert o["Datastream"]["@iot.id"] == s and o["Datastream"]["Thing"]["@iot.id"] == t
    mine = ask(lab, f"/Things({t})/Datastreams")["value"]
    assert len(mine) == 2 and ask(lab, f"/Datastreams({mine[0]['@iot.id']})/Thing")["@iot.id"] == t
    assert ask(lab, f"/Datastreams({s})/Observations", count="true")["@iot.count"] == 3
    send(lab, "DELETE", f"/Things({t})", None, 200)
    assert ask(lab, "/Things")["value"] == ask(lab, "/Datastreams")["value"] == ask(lab, "/Observations")["value"] == []
    u, _ = make_stream(lab, "kitchen") if False else (send(lab, "POST", "/Things", thing("kitchen")), 0)
    assert ask(lab, f"/Things({u})")["properties"]["thing"] == "kitchen-2"  # not the data of the one that is gone


def test_what_data_made_is_described(lab):
    with lab.client("pole") as c:
        assert c.publish("city/air/pole-1", city.air(7)).reason == 0
    s, = ask(lab, "/Datastreams")["value"]
    assert send(lab, "PATCH", f"/Datastreams({s['@iot.id']})", {"name": "dust"}, 403)["code"] == "denied"  # the administrator's
    a = lab.admin("PATCH", f"/sta/v1.1/Datastreams({s['@iot.id']})", json.dumps({"name": "dust", "properties": {"height": 4}}),
                  {"Content-Type": "application/json"})
    assert a.status == 200, a.body
    b = ask(lab, f"/Datastreams({s['@iot.id']})")
    assert b["name"] == "dust" and b["properties"]["height"] == 4 and b["properties"]["feed"] == "air"
    assert ask(lab, "/Datastreams", filter="name eq 'dust'")["value"][0]["@iot.id"] == s["@iot.id"]
    t = ask(lab, f"/Datastreams({s['@iot.id']})/Thing")["@iot.id"]
    assert lab.admin("DELETE", f"/sta/v1.1/Things({t})").status == 200
    lab.restart()
    for path in ("/Things", "/Datastreams", "/Observations", "/Sensors", "/HistoricalLocations"):
        assert ask(lab, path)["value"] == [], path
    assert len(lab.all_events("air")) == 1  # the log has lost nothing


def test_an_observation_that_was_answered_is_there(lab):
    _, s = make_stream(lab)
    t = city.now(-60)
    o = send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 21.5, "phenomenonTime": t, "resultTime": t, "parameters": {"a": [1]}})
    a = ask(lab, f"/Observations({o})")
    assert a["result"] == 21.5 and a["phenomenonTime"] == t
    e = lab.all_events("lab")[-1]
    assert e["subject"] == "kitchen" and e["data"][0]["v"] == 21.5 and e["data"][0]["parameters"] == {"a": [1]}
    assert send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 21.5, "phenomenonTime": t}, 200) == o
    assert send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 22, "phenomenonTime": t}, 409)["code"] == "conflict"
    for result in ("warm", True, -3e-7):
        o = send(lab, "POST", "/Observations", {"result": result, "Datastream": {"@iot.id": s}})
        assert ask(lab, f"/Observations({o})/result")["result"] == result
        time.sleep(0.002)
    assert send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 1, "phenomenonTime": "1970-01-02T00:00:00Z"}, 400)["code"] == "time"


def test_two_at_the_same_time(lab):
    """Of many who write another result for one time, one is told that it counts."""
    _, s = make_stream(lab)
    t, answers = city.now(-60), []
    from kit import web

    def one(k):
        a = web.request(lab.web_port, "POST", f"/sta/v1.1/Datastreams({s})/Observations", json.dumps({"result": k, "phenomenonTime": t}),
                        {"Content-Type": "application/json"})
        answers.append((a.status, k))
    threads = [threading.Thread(target=one, args=(k,)) for k in range(12)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    kept = [k for status, k in answers if status == 201]
    assert len(kept) == 1 and {status for status, _ in answers} == {201, 409}
    assert [o["result"] for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == kept


def test_features(lab):
    t, s = make_stream(lab)
    send(lab, "POST", f"/Things({t})/Locations", place())
    o = send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 1})
    f = ask(lab, f"/Observations({o})/FeatureOfInterest")
    assert f["feature"]["coordinates"] == [4.5, 52.25]
    of = lambda f: [x["result"] for x in every(lab, ask(lab, f"/FeaturesOfInterest({f})/Observations", top=1))]  # noqa: E731
    river = {**thing("river"), "encodingType": "application/geo+json", "feature": {"type": "Point", "coordinates": [5, 51]}}
    time.sleep(0.002)
    o = send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 2, "FeatureOfInterest": river})
    r = ask(lab, f"/Observations({o})/FeatureOfInterest")
    assert r["name"] == "river" and of(r["@iot.id"]) == [2] and of(f["@iot.id"]) == [1]
    other = send(lab, "POST", "/FeaturesOfInterest", {**river, "name": "lake"})
    for k, about in enumerate((other, r["@iot.id"], None, other)):
        time.sleep(0.002)
        send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 3 + k, **({"FeatureOfInterest": {"@iot.id": about}} if about else {})})
    want = {f["@iot.id"]: [1, 5], r["@iot.id"]: [2, 4], other: [3, 6]}
    for again in (False, True):
        assert {x: of(x) for x in want} == want
        assert [[o["result"] for o in x["Observations"]] for x in ask(lab, "/FeaturesOfInterest", expand="Observations", orderby="id")["value"]] == [want[x] for x in sorted(want)]
        assert [o["result"] for o in ask(lab, f"/Datastreams({s})/Observations", filter="FeatureOfInterest/name eq 'lake'")["value"]] == [3, 6]
        if not again:
            lab.restart()
    send(lab, "PATCH", f"/Observations({o})", {"result": 2.5, "resultTime": city.now()}, 200)  # it stays what it is about
    assert of(r["@iot.id"]) == [2.5, 4]
    send(lab, "DELETE", f"/FeaturesOfInterest({other})", None, 200)
    assert [o["result"] for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == [1, 2.5, 4, 5]
    send(lab, "DELETE", f"/Locations({f['@iot.id']})", None, 200)  # it stays what they are about
    assert of(f["@iot.id"]) == [1, 5] and ask(lab, f"/FeaturesOfInterest({f['@iot.id']})")["feature"]["coordinates"] == [4.5, 52.25]
    send(lab, "DELETE", f"/FeaturesOfInterest({f['@iot.id']})", None, 200)
    assert [o["result"] for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == [2.5, 4]


def test_many_rows(lab):
    _, s = make_stream(lab)
    _, u = make_stream(lab, "hall")
    when = [city.now(-3600 + k) for k in range(500)]
    rows = [[w, k / 4, None] for k, w in enumerate(when)]
    body = [{"Datastream": {"@iot.id": s}, "components": ["phenomenonTime", "result", "resultTime"],
             "dataArray@iot.count": 500, "dataArray": rows + [[when[0], 9, None], ["x", 1, None], [when[1]]]},
            {"Datastream": {"@iot.id": u}, "components": ["result"], "dataArray": [[1]]},
            {"Datastream": {"@iot.id": 99}, "components": ["result"], "dataArray": [[1]]}]
    a = send(lab, "POST", "/CreateObservations", body)
    assert len(a) == 505
    assert [follow(lab, x)["result"] for x in a[:5] + a[499:500] + a[503:504]] == [0, .25, .5, .75, 1, 499 / 4, 1]
    assert [x.split(":")[1].strip() for x in a[500:503] + a[504:]] == ["conflict", "time", "columns", "no-such-entity"]
    assert all(x.startswith("error") for x in a[500:503] + a[504:])
    assert ask(lab, f"/Datastreams({s})/Observations", count="true", top=0)["@iot.count"] == 500
    assert send(lab, "POST", "/CreateObservations", body[:1])[:500] == a[:500]  # again: the same links
    assert send(lab, "POST", "/CreateObservations", {}, 400)["code"] == "data-array"
    assert send(lab, "POST", "/CreateObservations", [{"Datastream": {"@iot.id": s}, "components": ["colour"], "dataArray": []}], 400)["code"] == "data-array"


def test_a_correction_leaves_no_hole(lab):
    _, s = make_stream(lab)
    o = [send(lab, "POST", f"/Datastreams({s})/Observations", {"result": k, "phenomenonTime": city.now(-60 + k)}) for k in range(3)]
    send(lab, "PATCH", f"/Observations({o[0]})", {"result": 99.5}, 200)
    a = ask(lab, f"/Observations({o[0]})")
    assert a["result"] == 99.5 and a["resultQuality"] == ["corrected"]
    send(lab, "PUT", f"/Observations({o[0]})", {"result": -1}, 200)
    send(lab, "DELETE", f"/Observations({o[1]})", None, 200)
    assert [x["result"] for x in ask(lab, f"/Datastreams({s})/Observations")["value"]] == [-1, 2]
    send(lab, "DELETE", f"/Observations({o[1]})", None, 404)
    when = lab.all_events("lab")[1]["data"][0]["t"]
    body = {"result": 5, "phenomenonTime": city.datetime.datetime.fromtimestamp(when, city.datetime.timezone.utc).isoformat()}
    assert send(lab, "POST", f"/Datastreams({s})/Observations", body, 409)["code"] == "deleted"
    assert send(lab, "PATCH", f"/Observations({o[0]})", body, 409)["code"] == "deleted"
    assert [e["data"][0]["v"] for e in lab.all_events("lab")] == [0, 1, 2]  # what was stored is stored
    lab.restart()
    assert [x["result"] for x in ask(lab, f"/Datastreams({s})/Observations")["value"]] == [-1, 2]


def test_a_client_that_leaves_takes_nothing_with_it(lab):
    """The request goes on; what it owns is freed when its last answer has come."""
    import socket
    _, s = make_stream(lab)
    bodies = [("$batch", {"requests": [{"id": str(k), "method": "post", "url": f"Datastreams({s})/Observations", "body": {"result": k}} for k in range(50)]}),
              ("Things", thing("left", Datastreams=[stream("left", Observations=[{"result": 1}])])), ("CreateObservations", [
                  {"Datastream": {"@iot.id": s}, "components": ["phenomenonTime", "result"], "dataArray": [[city.now(-9000 + k), k] for k in range(300)]}])]
    for path, body in bodies * 4:
        text = json.dumps(body).encode()
        with socket.create_connection(("127.0.0.1", lab.web_port)) as c:
            c.sendall(b"POST /sta/v1.1/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(text)) + text)
            time.sleep(random.uniform(0, 0.02))
    assert ask(lab, "/Things")["value"]
    lab.alive()


def test_a_feed_with_schemas(own):
    """A Datastream is a result of the schema: by its name, or by the definition of its ObservedProperty."""
    d = own({"air": feed("city/air/{thing}", sensorthings=True)}).start()
    t = send(d, "POST", "/Things", thing("pole"))
    p = send(d, "POST", "/ObservedProperties", {**observed("dust"), "definition": city.PM25})
    q = send(d, "POST", "/Sensors", sensor())
    links = {"Sensor": {"@iot.id": q}, "ObservedProperty": {"@iot.id": p}}
    assert send(d, "POST", f"/Things({t})/Datastreams", {**stream("a", "Cel", Sensor=0), **links}, 400)["code"] == "unit"
    s = send(d, "POST", f"/Things({t})/Datastreams", {**stream("a", "ug/m3", Sensor=0), **links})
    assert ask(d, f"/Datastreams({s})")["properties"]["member"] == "pm25"
    assert send(d, "POST", f"/Things({t})/Datastreams", {**stream("b", "ug/m3", Sensor=0), **links}, 409)["code"] == "datastream-taken"
    other = {**links, "ObservedProperty": {"@iot.id": send(d, "POST", "/ObservedProperties", observed("noise"))}}
    assert send(d, "POST", f"/Things({t})/Datastreams", {**stream("b", "ug/m3", Sensor=0), **other}, 400)["code"] == "member"
    o = send(d, "POST", f"/Datastreams({s})/Observations", {"result": 12.5})
    assert ask(d, f"/Observations({o})", expand="Datastream")["Datastream"]["@iot.id"] == s
    e = send(d, "POST", f"/Datastreams({s})/Observations", {"result": 1200}, 400)
    assert e["errors"][0] == {"detail": e["detail"], "pointer": "/pm25", "rule": "maximum", "schema": "test-air/1"}
    assert ask(d, "/ObservedProperties", filter=f"definition eq '{city.PM25}'")["value"][0]["@iot.id"] == p


def test_a_derived_thing_gets_more(lab):
    with lab.client("v") as c:
        assert c.publish("lab/found", b'[{"n":"x","v":1}]').reason == 0
    t, = (x["@iot.id"] for x in ask(lab, "/Things")["value"])
    s = send(lab, "POST", f"/Things({t})/Datastreams", stream("more"))
    assert len(ask(lab, f"/Things({t})/Datastreams")["value"]) == 2 and ask(lab, f"/Datastreams({s})/Thing")["@iot.id"] == t
    assert send(lab, "POST", f"/Things({t})/Datastreams", stream("x", Sensor=sensor("q"), ObservedProperty=observed("q")), 409)["code"] == "datastream-taken"
    assert send(lab, "POST", f"/Things({t})/Locations", place(), 403)["code"] == "denied"
    assert send(lab, "POST", "/Things", thing("found"), 409)["code"] == "thing-taken"
    a = lab.admin("POST", f"/sta/v1.1/Things({t})/Locations", json.dumps(place()), {"Content-Type": "application/json"})
    assert a.status == 201, a.body
    lab.restart()
    x = ask(lab, f"/Things({t})", expand="Locations,Datastreams,HistoricalLocations")
    assert [p["name"] for p in x["Locations"]] == ["corner"] and len(x["Datastreams"]) == 2 and x["name"] == "found"


def test_pages_while_entities_come_and_go(lab):
    want = [send(lab, "POST", "/Things", thing(f"t-{k}")) for k in range(40)]
    a = ask(lab, "/Things", top=7)
    got, k = [x["@iot.id"] for x in a["value"]], 0
    while "@iot.nextLink" in a:
        k += 1
        send(lab, "POST", "/Things", thing(f"new-{k}"))
        send(lab, "DELETE", f"/Things({got[-2]})", None, 200)  # of those that were shown
        a = follow(lab, a["@iot.nextLink"])
        got += [x["@iot.id"] for x in a["value"]]
        assert k < 20
    assert got[:40] == want and len(set(got)) == len(got)


def test_an_erased_thing_leaves_no_word(lab):
    t = send(lab, "POST", "/Things", thing("of-a-person", Locations=[place("at home")]))
    kept = send(lab, "POST", "/Things", thing("hall"))
    a = lab.admin("POST", "/v1/things/of-a-person/_erase?organisation=gemeente-test", json.dumps({"reason": "asked"}), {"Content-Type": "application/json"})
    assert a.status in (200, 202), a.body
    wait_for("the erasure", lambda: not ask(lab, "/Locations")["value"])
    lab.restart()
    assert [x["@iot.id"] for x in ask(lab, "/Things")["value"]] == [kept] and ask(lab, "/HistoricalLocations")["value"] == []
    assert send(lab, "POST", "/Things", thing("of-a-person")) > kept > t


# rights

def test_who_may_write(own):
    from kit.daemon import free_ports
    port, = free_ports(1)
    d = own(FEEDS, extra=f'listener "strict" {{\n\tprotocol = http\n\tport = {port}\n\tanonymous = false\n}}\n').start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    none, some, reads = (bearer(add_key(d, n)) for n in ("none", "some", "reads"))
    grant(d, "lab", "publish", identity="some", thing="v-*")
    grant(d, "lab", "read", identity="some", thing="v-*")
    grant(d, "lab", "read", identity="reads")
    assert send(d, "POST", "/Things", thing("v-1"), 403, none, port)["code"] == "denied"
    assert send(d, "POST", "/Things", thing("v-1"), 403, reads, port)["code"] == "denied"
    assert send(d, "POST", "/Things", thing("w-1"), 403, some, port)["code"] == "denied"
    t = send(d, "POST", "/Things", thing("v-1"), 201, some, port)
    assert ask(d, f"/Things({t})")["properties"]["organisation"] == "vendor"
    assert send(d, "PATCH", f"/Things({t})", {"description": "x"}, 404, none, port)["code"] == "no-such-entity"
    assert send(d, "PATCH", f"/Things({t})", {"description": "x"}, 403, reads, port)["code"] == "denied"
    send(d, "PATCH", f"/Things({t})", {"description": "x"}, 200, some, port)
    mine, _ = make_stream(d)  # of another organisation, the same names
    s, = ask(d, f"/Things({mine})/Datastreams")["value"]
    assert send(d, "POST", f"/Datastreams({s['@iot.id']})/Observations", {"result": 1}, 404, some, port)
    a = send(d, "POST", "/$batch", {"requests": [{"id": "1", "method": "delete", "url": f"Things({t})"}]}, 200, reads, port)
    assert a["responses"][0]["status"] == 403
    send(d, "DELETE", f"/Things({t})", None, 200, some, port)
    def told():  # within the next commits
        audit = must(d, "audit", "list")
        return "sensorthings.create" in audit and "sensorthings.delete" in audit and f"Things({t})" in audit
    wait_for("the audit", told)


# the whole against a plain model

class Model:
    def __init__(self, d, seed):
        self.d, self.r, self.n = d, random.Random(seed), 0
        self.all = {k: {} for k in ("Things", "Locations", "Sensors", "ObservedProperties", "Datastreams")}
        self.data, self.given = {}, set()

    def name(self, kind):
        self.n += 1
        return f"{kind.lower()}-{self.n}"

    def take(self, kind, number, **about):
        assert number not in self.given
        self.given.add(number)
        self.all[kind][number] = about

    def some(self, kind):
        return self.r.choice(sorted(self.all[kind]) or [None])

    def post(self):
        kind = self.r.choice(["Things", "Locations", "Sensors", "ObservedProperties", "Datastreams", "Datastreams"])
        name = self.name(kind)
        if kind == "Datastreams":
            t, s, p = self.some("Things"), self.some("Sensors"), self.some("ObservedProperties")
            if None in (t, s, p):
                return
            path = self.r.choice(["/Datastreams", f"/Things({t})/Datastreams"])
            n = send(self.d, "POST", path, stream(name, Sensor={"@iot.id": s}, ObservedProperty={"@iot.id": p}, Thing={"@iot.id": t}))
            self.take(kind, n, name=name, Thing=t, Sensor=s, ObservedProperty=p)
            self.data[n] = {}
        elif kind == "Things":
            places = sorted(self.r.sample(sorted(self.all["Locations"]), min(len(self.all["Locations"]), self.r.randrange(3))))
            self.take(kind, send(self.d, "POST", "/Things", thing(name, Locations=[{"@iot.id": x} for x in places])), name=name, Locations=places)
        else:
            self.take(kind, send(self.d, "POST", "/" + kind, {"Locations": place, "Sensors": sensor, "ObservedProperties": observed}[kind](name)), name=name)

    def patch(self):
        kind = self.r.choice(list(self.all))
        n = self.some(kind)
        if n is None:
            return
        name = self.name(kind)
        send(self.d, "PATCH", f"/{kind}({n})", {"name": name}, 200)
        self.all[kind][n]["name"] = name

    def delete(self):
        kind = self.r.choice(list(self.all))
        n = self.some(kind)
        if n is None or self.r.random() < 0.5:
            return
        send(self.d, "DELETE", f"/{kind}({n})", None, 200)
        del self.all[kind][n]
        if kind == "Locations":
            for t in self.all["Things"].values():
                t["Locations"] = [x for x in t["Locations"] if x != n]
        one = {"Things": "Thing", "Sensors": "Sensor", "ObservedProperties": "ObservedProperty"}.get(kind)
        for s in [s for s, about in self.all["Datastreams"].items() if one and about[one] == n]:
            del self.all["Datastreams"][s]
        self.data = {s: v for s, v in self.data.items() if s in self.all["Datastreams"]}

    def observe(self):
        s = self.some("Datastreams")
        if s is None:
            return
        k = len(self.data[s])
        o = send(self.d, "POST", f"/Datastreams({s})/Observations", {"result": k, "phenomenonTime": city.now(-5000 + k)})
        self.data[s][o] = k

    def amend(self):
        s = self.some("Datastreams")
        if s is None or not self.data[s]:
            return
        o = self.r.choice(sorted(self.data[s]))
        if self.r.random() < 0.7 or o == max(self.data[s]):
            send(self.d, "PATCH", f"/Observations({o})", {"result": 500}, 200)
            self.data[s][o] = 500

    def check(self):
        for kind, want in self.all.items():
            got = every(self.d, ask(self.d, "/" + kind, top=7))
            assert {x["@iot.id"]: x["name"] for x in got} == {n: about["name"] for n, about in want.items()}, kind
        for s in every(self.d, ask(self.d, "/Datastreams", expand="Thing,Sensor,ObservedProperty,Observations($top=1000)")):
            about = self.all["Datastreams"][s["@iot.id"]]
            assert {k: s[k]["@iot.id"] for k in ("Thing", "Sensor", "ObservedProperty")} == {k: about[k] for k in ("Thing", "Sensor", "ObservedProperty")}
            assert {o["@iot.id"]: o["result"] for o in s["Observations"]} == self.data[s["@iot.id"]]
        for t in every(self.d, ask(self.d, "/Things", expand="Locations,Datastreams")):
            about = self.all["Things"][t["@iot.id"]]
            assert sorted(x["@iot.id"] for x in t["Locations"]) == about["Locations"]
            assert {x["@iot.id"] for x in t["Datastreams"]} == {s for s, x in self.all["Datastreams"].items() if x["Thing"] == t["@iot.id"]}
        assert len(every(self.d, ask(self.d, "/Observations", top=1000))) == sum(map(len, self.data.values()))


@pytest.mark.parametrize("seed", range(4))
def test_against_a_model(lab, seed):
    m = Model(lab, seed)
    for k in range(120):
        m.r.choice([m.post, m.post, m.patch, m.delete, m.observe, m.observe, m.amend])()
        if k % 40 == 39:
            m.check()
        if k == 60:
            lab.restart()  # kill -9: what was answered is there
    m.check()


def test_kill_while_moving(lab):
    """An Observation that moves stands at one of its two times after each death, never at both."""
    _, s = make_stream(lab)
    may = {}  # by number: its result, the times that it may have

    def write(life, w, k):
        name, t = f"{life}-{w}-{k}", [city.now(-40000 + 8000 * life + 2500 * w + 3 * k + i) for i in range(2)]
        a = written(lab, "POST", f"/sta/v1.1/Datastreams({s})/Observations", {"result": name, "phenomenonTime": t[0]})
        if not a:
            return False
        assert a.status == 201, a.body
        o = int(a.headers["location"].split("(")[1].rstrip(")"))
        later, t = t[1], [city.parse_time(x) for x in t]
        may[o] = name, set(t)
        a = written(lab, "PATCH", f"/sta/v1.1/Observations({o})", {"phenomenonTime": later})
        if not a:
            return False
        assert a.status == 200, a.body
        may[o] = name, {t[1]}
        return True

    def settled():
        now = every(lab, ask(lab, f"/Datastreams({s})/Observations", top=1000))
        shown, results = {x["@iot.id"]: x for x in now}, [x["result"] for x in now]
        return len(set(results)) == len(results) and all(
            o in shown and shown[o]["result"] == name and city.parse_time(shown[o]["phenomenonTime"]) in t for o, (name, t) in may.items())
    for _ in lives(lab, 5, write, seed=4, longest=.8):
        wait_for("what was promised", settled)
    assert may


def test_kill_while_writing(lab):
    """What was answered with 201 is there after each death, and no number is given twice."""
    made = {}

    def write(life, w, k):
        name = f"{w}-{life}-{k}"
        a = written(lab, "POST", "/sta/v1.1/Things", thing(name, Locations=[place(name)]))
        if not a:
            return False
        if a.status == 201:
            n = int(a.headers["location"].split("(")[1].rstrip(")"))
            assert n not in made
            made[n] = name
        return True
    for _ in lives(lab, 5, write, seed=3):
        there = {t["@iot.id"]: t for t in every(lab, ask(lab, "/Things", top=1000, expand="Locations"))}
        assert made
        for n, name in made.items():
            assert there[n]["name"] == name and [x["name"] for x in there[n]["Locations"]] == [name]


@recordings.needs("sensorthings", "frost-docs")
def test_examples_of_others(lab):
    """FROST's documentation and its default entities, with the numbers that links have here."""
    made = {}

    def example(name, **links):
        with open(glob.glob(os.path.join(EXAMPLES, name))[0], encoding="utf-8") as f:
            return {**json.load(f), **links}
    made["T"] = send(lab, "POST", "/Things", example("1_CreatingEntities_10.json"))
    made["L"] = send(lab, "POST", "/Locations", example("1_CreatingEntities_11.json", Things=[{"@iot.id": made["T"]}]))
    made["S"] = send(lab, "POST", "/Sensors", example("1_CreatingEntities_13.json"))
    made["P"] = send(lab, "POST", "/ObservedProperties", example("4_ExampleEntities_20.json"))
    made["D"] = send(lab, "POST", "/Datastreams", example("4_ExampleEntities_15.json", Thing={"@iot.id": made["T"]}, Sensor={"@iot.id": made["S"]},
                                                          ObservedProperty={"@iot.id": made["P"]}))
    send(lab, "POST", "/FeaturesOfInterest", example("4_ExampleEntities_16.json"))
    send(lab, "POST", f"/Datastreams({made['D']})/Observations", example("4_ExampleEntities_18.json"))
    deep = example("5_CreatingEntitiesAdvanced_23.json")
    for s in deep["Datastreams"]:
        s["Sensor"]["@iot.id"] = made["S"]
    assert send(lab, "POST", "/Things", deep, 409)["code"] == "name-taken"  # its Temperature is there
    send(lab, "PATCH", f"/ObservedProperties({made['P']})", {"name": "Temperature, once"}, 200)
    assert send(lab, "POST", "/Things", deep, 409)["errors"][0]["pointer"] == "/Datastreams/0/name"
    send(lab, "PATCH", f"/Datastreams({made['D']})", {"name": "once"}, 200)
    t = send(lab, "POST", "/Things", deep)
    assert len(ask(lab, f"/Things({t})/Datastreams")["value"]) == 2
    t = send(lab, "POST", "/Things", example("entitiesDefault.json"))
    assert len(ask(lab, "/Observations")["value"]) == 5 and len(ask(lab, f"/Things({t})/Datastreams")["value"]) == 2
    for want in ([200, 412], [200, 201]):  # it is made when it is not there
        a = send(lab, "POST", "/$batch", example("JsonBatchRequest_05.json"), 200)["responses"]
        assert [x["status"] for x in a] == want
        p, = ask(lab, "/ObservedProperties", filter="name eq 'Temperature'")["value"]
        send(lab, "PATCH", f"/ObservedProperties({p['@iot.id']})", {"name": f"of {want}"}, 200)
