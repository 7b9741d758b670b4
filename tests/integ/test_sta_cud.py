"""OGC SensorThings 1.1 (18-088), creating, changing and deleting, as its clause 10 and abstract test A.3 have it: each entity made
alone, by link and with what is in it; what is missing; what a service makes by itself; PATCH and PUT of each; what goes with what."""
import time

import pytest

from kit import city
from test_sta import ask, every
from test_sta_write import FEEDS, observed, place, send, sensor, stream, thing

EMPTY = {k: [] for k in ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest")}


@pytest.fixture
def lab(own):
    return own(FEEDS).start()


def feature(name="river", lon=10):
    return {**thing(name), "encodingType": "application/vnd.geo+json", "feature": {"type": "Point", "coordinates": [lon, 10]}}


def numbers(d):
    return {k: [x["@iot.id"] for x in every(d, ask(d, "/" + k, top=1000))] for k in EMPTY}


def link(n):
    return {"@iot.id": n}


def world(d):
    t = send(d, "POST", "/Things", thing())
    p = send(d, "POST", "/Locations", place(Things=[link(t)]))
    s, o = send(d, "POST", "/Sensors", sensor()), send(d, "POST", "/ObservedProperties", observed())
    f = send(d, "POST", "/FeaturesOfInterest", feature())
    m = send(d, "POST", "/Datastreams", stream(Thing=link(t), Sensor=link(s), ObservedProperty=link(o)))
    x = send(d, "POST", "/Observations", {"result": 8, "phenomenonTime": city.now(-60), "Datastream": link(m), "FeatureOfInterest": link(f)})
    return {"Things": t, "Locations": p, "Sensors": s, "ObservedProperties": o, "FeaturesOfInterest": f, "Datastreams": m, "Observations": x}


def test_each_entity_by_link(lab):
    w = world(lab)
    h = send(lab, "POST", "/HistoricalLocations", {"time": "2015-03-01T00:40:00.000Z", "Thing": link(w["Things"]), "Locations": [link(w["Locations"])]})
    e = ask(lab, f"/HistoricalLocations({h})", expand="Thing,Locations")
    assert e["time"] == "2015-03-01T00:40:00.000Z" and e["Thing"]["@iot.id"] == w["Things"] and e["Locations"][0]["@iot.id"] == w["Locations"]
    for name, n in w.items():
        assert ask(lab, f"/{name}({n})")["@iot.id"] == n
    o = ask(lab, f"/Observations({w['Observations']})", expand="Datastream($expand=Thing,Sensor,ObservedProperty),FeatureOfInterest")
    assert o["FeatureOfInterest"]["@iot.id"] == w["FeaturesOfInterest"]
    assert [o["Datastream"][k]["@iot.id"] for k in ("Thing", "Sensor", "ObservedProperty")] == [w["Things"], w["Sensors"], w["ObservedProperties"]]


def test_the_answer_to_a_post(lab):
    from kit import web
    import json
    a = web.request(lab.web_port, "POST", "/sta/v1.1/Things", json.dumps(thing()), {"Content-Type": "application/json"})
    assert a.status == 201 and json.loads(a.body)["@iot.selfLink"] == a.headers["location"]
    got = web.request(lab.web_port, "GET", a.headers["location"][a.headers["location"].index("/sta"):])
    assert json.loads(got.body)["name"] == "kitchen"


@pytest.mark.parametrize("name, body, without", [
    ("Things", thing(), ("name", "description")), ("Locations", place(), ("name", "description", "encodingType", "location")),
    ("Sensors", sensor(), ("name", "description", "encodingType", "metadata")), ("ObservedProperties", observed(), ("name", "description", "definition")),
    ("FeaturesOfInterest", feature(), ("name", "description", "encodingType", "feature")),
    ("Datastreams", stream(Thing=thing("inside")), ("name", "description", "observationType", "unitOfMeasurement", "Thing", "Sensor", "ObservedProperty"))])
def test_what_is_missing(lab, name, body, without):
    """Nothing is made, and of a deep insert no piece."""
    for member in without:
        send(lab, "POST", "/" + name, {k: v for k, v in body.items() if k != member}, 400)
        send(lab, "POST", "/" + name, {**body, member: None}, 400)
        assert numbers(lab) == EMPTY
    send(lab, "POST", "/" + name, body)


@pytest.mark.parametrize("broken", [
    thing(Datastreams=[{k: v for k, v in stream().items() if k != "ObservedProperty"}]), thing(Datastreams=[stream(Sensor={"name": "x"}, ObservedProperty=observed())]),
    thing(Locations=[{k: v for k, v in place().items() if k != "location"}]), thing(Locations=[place()], Datastreams=[stream(), {}]), thing(Locations={}), thing(Datastreams=[1])])
def test_deep_insert_that_is_broken(lab, broken):
    send(lab, "POST", "/Things", broken, 400)
    assert numbers(lab) == EMPTY


def test_deep_insert_below_a_path(lab):
    t = send(lab, "POST", "/Things", thing())
    m = send(lab, "POST", f"/Things({t})/Datastreams", stream(Observations=[{"result": 10, "phenomenonTime": "2015-03-01T00:10:00Z"}]))
    assert [o["phenomenonTime"] for o in ask(lab, f"/Datastreams({m})/Observations")["value"]] == ["2015-03-01T00:10:00.000Z"]
    o = send(lab, "POST", f"/Datastreams({m})/Observations", {"result": 100, "phenomenonTime": "2015-03-01T00:00:00Z", "FeatureOfInterest": feature()})
    assert ask(lab, f"/Observations({o})/FeatureOfInterest")["name"] == "river"
    s = ask(lab, f"/Datastreams({m})/Sensor")["@iot.id"]
    n = send(lab, "POST", f"/Sensors({s})/Datastreams", {**stream("second", Sensor=0), "Thing": link(t), "ObservedProperty": observed("second"), "Sensor": None})
    assert ask(lab, f"/Datastreams({n})/Sensor")["@iot.id"] == s


def test_what_is_made_by_itself(lab):
    """HistoricalLocations whenever the Locations of a Thing change; the FeatureOfInterest of its Location."""
    t = send(lab, "POST", "/Things", thing(Locations=[place("one", 4)]))
    history = lambda: [h["Locations"][0]["name"] for h in ask(lab, f"/Things({t})/HistoricalLocations", expand="Locations", orderby="time")["value"]]  # noqa: E731
    assert history() == ["one"]
    time.sleep(0.002)
    send(lab, "POST", f"/Things({t})/Locations", place("two", 5))
    time.sleep(0.002)
    p = send(lab, "POST", "/Locations", place("three", 6))
    send(lab, "PATCH", f"/Things({t})", {"Locations": [link(p)]}, 200)
    time.sleep(0.002)
    send(lab, "POST", "/Locations", place("four", 7, Things=[link(t)]))
    assert history() == ["one", "two", "three", "four"]
    m = send(lab, "POST", f"/Things({t})/Datastreams", stream())
    o = send(lab, "POST", f"/Datastreams({m})/Observations", {"result": 1})
    f = ask(lab, f"/Observations({o})/FeatureOfInterest")
    assert f["feature"] == {"type": "Point", "coordinates": [7, 52.25]} and f["encodingType"] == "application/geo+json"


CHANGES = {"Things": {"description": "patched"}, "Locations": {"location": {"type": "Point", "coordinates": [114.05, -50]}}, "Sensors": {"metadata": "patched"},
           "ObservedProperties": {"description": "patched"}, "FeaturesOfInterest": {"feature": {"type": "Point", "coordinates": [114.05, -51.05]}},
           "Datastreams": {"description": "patched"}, "Observations": {"result": 9}}


@pytest.mark.parametrize("name", CHANGES)
def test_patch_changes_what_it_names_and_nothing_else(lab, name):
    w = world(lab)
    path = f"/{name}({w[name]})"
    was = ask(lab, path)
    send(lab, "PATCH", path, CHANGES[name], 200)
    now = ask(lab, path)
    now.pop("resultQuality", None)  # says that it was corrected
    assert now == {**was, **CHANGES[name]}
    if name != "Observations":
        send(lab, "PUT", path, ask(lab, path), 200)
        assert ask(lab, path) == {**was, **CHANGES[name]}


@pytest.mark.parametrize("name, body", [
    ("Things", {"Locations": [place("x")]}), ("Things", {"Datastreams": [stream("x", Sensor=sensor("x"), ObservedProperty=observed("x"))]}),
    ("Sensors", {"Datastreams": [stream("x", Sensor=sensor("x"), ObservedProperty=observed("x"))]}), ("ObservedProperties", {"Datastreams": [stream("x")]}),
    ("Datastreams", {"ObservedProperty": observed("x")}), ("Datastreams", {"Sensor": sensor("x")}), ("Datastreams", {"Thing": thing("x")}),
    ("Datastreams", {"Observations": [{"result": 1}]})])
def test_a_patch_makes_nothing(lab, name, body):
    """[10.3: no related entities inline]"""
    w = world(lab)
    was = numbers(lab)
    send(lab, "PATCH", f"/{name}({w[name]})", body, 400)
    assert numbers(lab) == was


@pytest.mark.parametrize("name, goes", [
    ("Observations", {"Observations"}), ("FeaturesOfInterest", {"FeaturesOfInterest", "Observations"}), ("Datastreams", {"Datastreams", "Observations"}),
    ("Sensors", {"Sensors", "Datastreams", "Observations"}), ("ObservedProperties", {"ObservedProperties", "Datastreams", "Observations"}),
    ("Locations", {"Locations", "HistoricalLocations"}), ("Things", {"Things", "HistoricalLocations", "Datastreams", "Observations"})])
def test_what_goes_with_what(lab, name, goes):
    """[Table 25]"""
    w = world(lab)
    send(lab, "DELETE", f"/{name}({w[name]})", None, 200)
    send(lab, "DELETE", f"/{name}({w[name]})", None, 404)
    lab.restart()
    here = numbers(lab)
    for k, n in w.items():
        assert (n in here[k]) == (k not in goes), (k, here)
    assert bool(here["HistoricalLocations"]) == ("HistoricalLocations" not in goes)


@pytest.mark.parametrize("name", [*CHANGES, "HistoricalLocations"])
def test_what_is_not_there(lab, name):
    for n in (2147483999, 12, 9223372036854775807):
        assert send(lab, "DELETE", f"/{name}({n})", None, 404)["detail"]
        assert send(lab, "PATCH", f"/{name}({n})", {"description": "x"} if name not in ("Observations", "HistoricalLocations") else
                    {"result": 1} if name == "Observations" else {"time": "2015-03-01T00:10:00Z"}, 404)["detail"]


def test_through_a_relation(lab):
    """DELETE and PATCH by any path that leads to it."""
    w = world(lab)
    path = f"/Things({w['Things']})/Datastreams({w['Datastreams']})"
    send(lab, "PATCH", path, {"description": "x"}, 200)
    assert ask(lab, path)["description"] == "x"
    send(lab, "PATCH", f"/Things({w['Things'] + 100})/Datastreams({w['Datastreams']})", {"description": "y"}, 404)
    assert ask(lab, path)["description"] == "x"
    send(lab, "DELETE", path, None, 200)
    assert ask(lab, "/Datastreams")["value"] == []


def test_units_that_others_write(lab):
    """Symbols that are no UCUM, and mean one."""
    t = send(lab, "POST", "/Things", thing())
    for k, (symbol, want) in enumerate({"degC": "degC", "\u00b0C": "\u00b0C", "%": "%", "lm": "lm", "m/s": "m/s"}.items()):
        m = send(lab, "POST", f"/Things({t})/Datastreams", stream(f"s{k}", symbol, Sensor=sensor(f"q{k}"), ObservedProperty=observed(f"p{k}")))
        assert ask(lab, f"/Datastreams({m})")["unitOfMeasurement"]["symbol"] == want
