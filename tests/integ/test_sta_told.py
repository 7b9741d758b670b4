"""What is written over SensorThings is told over MQTT (18-088, clause 14): each entity that is made or changed, on every path that
leads to it, as a GET has it then; to who may read it."""
import json

import pytest

from kit import city, mqtt
from kit.access import add_key, grant, must
from kit.daemon import SLOW, feed
from test_access import bearer
from test_sta import ask
from test_sta_multi_write import multi
from test_sta_write import FEEDS, observed, place, send, sensor, stream, thing

CHANGES = {"Things": {"description": "other"}, "Locations": {"location": {"type": "Point", "coordinates": [5, 51]}}, "Sensors": {"metadata": "other"},
           "ObservedProperties": {"description": "other"}, "Datastreams": {"description": "other"}, "MultiDatastreams": {"description": "other"}, "FeaturesOfInterest": {"name": "lake"},
           "HistoricalLocations": {"time": "2015-07-01T00:00:00.000Z"}, "Observations": {"result": 9}}
ONE = {"Things": "Thing", "Locations": "Locations", "Sensors": "Sensor", "ObservedProperties": "ObservedProperty", "Datastreams": "Datastream",
       "FeaturesOfInterest": "FeatureOfInterest"}


@pytest.fixture
def lab(own):
    return own(FEEDS).start()


def told(c, n=1):
    return [(p.topic, json.loads(p.payload)) for p in (c.expect(mqtt.PUBLISH, 10 * SLOW) for _ in range(n))]


def feature(name="river"):
    return {**thing(name), "encodingType": "application/geo+json", "feature": {"type": "Point", "coordinates": [5, 51]}}


def bodies(ids):
    """In an order in which each finds what it links to."""
    link = lambda s: {"@iot.id": ids[s]}  # noqa: E731
    yield "Things", thing
    yield "Locations", lambda: place(Things=[link("Things")])
    yield "Sensors", sensor
    yield "ObservedProperties", observed
    yield "FeaturesOfInterest", feature
    yield "Datastreams", lambda: stream(Thing=link("Things"), Sensor=link("Sensors"), ObservedProperty=link("ObservedProperties"))
    yield "MultiDatastreams", lambda: multi("both", properties=None, Thing=link("Things"), Sensor=link("Sensors"), ObservedProperties=[link("ObservedProperties")] * 2)
    yield "Observations", lambda: {"result": 8, "phenomenonTime": city.now(-50), "Datastream": link("Datastreams"), "FeatureOfInterest": link("FeaturesOfInterest")}
    yield "HistoricalLocations", lambda: {"time": "2015-03-01T00:40:00.000Z", "Thing": link("Things"), "Locations": [link("Locations")]}


def make_all(d):
    ids = {}
    for name, body in bodies(ids):
        ids[name] = send(d, "POST", "/" + name, body())
    return ids


def test_made(lab):
    ids = {}
    for name, body in bodies(ids):
        with lab.client(name) as c:
            topics = [f"v1.1/{name}", f"v1.1/{name}?$select=id", f"v1.1/{name}?$filter=id eq 5"]
            assert c.subscribe(*topics) == [0, 0, 0]
            ids[name] = send(lab, "POST", "/" + name, body())
            got = dict(told(c, 2))
            assert got[topics[0]] == ask(lab, f"/{name}({ids[name]})") and got[topics[1]] == {"@iot.id": ids[name]}
            c.expect_quiet()


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_changed(lab, method):
    """Sets, the entity, each of its properties, $select."""
    ids = make_all(lab)
    for name, change in CHANGES.items():
        p, = change
        path = f"/{name}({ids[name]})"
        body = change
        if method == "PUT":
            body = {**ask(lab, path), **change}
            body = {k: v for k, v in body.items() if "@" not in k}
            if name == "Observations":
                body = {"result": 10}
        with lab.client(name) as c:
            topics = [f"v1.1/{name}", f"v1.1{path}", f"v1.1{path}/{p}", f"v1.1/{name}?$select={p}", f"v1.1/{name}({ids[name] + 1})"]
            assert c.subscribe(*topics) == [0] * 5
            send(lab, method, path, body, 200)
            got = dict(told(c, 4))
            c.expect_quiet()
            now = ask(lab, path)
            assert got == {topics[0]: now, topics[1]: now, topics[2]: {p: now[p]}, topics[3]: {p: now[p]}}
            assert now[p] == body[p]


def test_on_every_path(lab):
    ids = make_all(lab)
    t, d, s, p, o = (ids[k] for k in ("Things", "Datastreams", "Sensors", "ObservedProperties", "Observations"))
    paths = {"Things": [f"Datastreams({d})/Thing", f"Locations({ids['Locations']})/Things", f"Observations({o})/Datastream/Thing", f"Datastreams({d})/Thing/name"],
             "Sensors": [f"Datastreams({d})/Sensor", f"Things({t})/Datastreams({d})/Sensor"], "ObservedProperties": [f"Datastreams({d})/ObservedProperty"],
             "Locations": [f"Things({t})/Locations", f"HistoricalLocations({ids['HistoricalLocations']})/Locations"],
             "Datastreams": [f"Things({t})/Datastreams", f"Sensors({s})/Datastreams", f"ObservedProperties({p})/Datastreams", f"Observations({o})/Datastream"],
             "MultiDatastreams": [f"Things({t})/MultiDatastreams", f"Sensors({s})/MultiDatastreams", f"ObservedProperties({p})/MultiDatastreams",
                                  f"MultiDatastreams({ids['MultiDatastreams']})"],
             "FeaturesOfInterest": [f"Observations({o})/FeatureOfInterest"], "HistoricalLocations": [f"Things({t})/HistoricalLocations"],
             "Observations": [f"Datastreams({d})/Observations", f"FeaturesOfInterest({ids['FeaturesOfInterest']})/Observations"]}
    for name, all_of in paths.items():
        with lab.client(name) as c:
            c.subscribe(*("v1.1/" + x for x in all_of), f"v1.1/Things({t + 1000})/Datastreams")
            send(lab, "PATCH", f"/{name}({ids[name]})", {**CHANGES[name], **({"name": "new"} if name == "Things" else {})}, 200)
            got = dict(told(c, len(all_of)))
            now = ask(lab, f"/{name}({ids[name]})")
            assert got == {"v1.1/" + x: {"name": "new"} if x.endswith("/name") else now for x in all_of}
            c.expect_quiet()


def test_links_that_change(lab):
    ids = make_all(lab)
    d, t = ids["Datastreams"], ids["Things"]
    other, there = send(lab, "POST", "/Sensors", sensor("better")), send(lab, "POST", "/Locations", place("there"))
    with lab.client("x") as c:
        assert c.subscribe(f"v1.1/Datastreams({d})/Sensor", f"v1.1/Things({t})/Locations", f"v1.1/Things({t})/HistoricalLocations?$expand=Locations") == [0] * 3
        send(lab, "PATCH", f"/Datastreams({d})", {"Sensor": {"@iot.id": other}}, 200)
        assert told(c) == [(f"v1.1/Datastreams({d})/Sensor", ask(lab, f"/Sensors({other})"))]
        send(lab, "PATCH", f"/Things({t})", {"Locations": [{"@iot.id": there}]}, 200)
        got = dict(told(c, 2))
        assert got[f"v1.1/Things({t})/Locations"]["name"] == "there"
        assert got[f"v1.1/Things({t})/HistoricalLocations?$expand=Locations"]["Locations"][0]["name"] == "there"
        c.expect_quiet()


def test_deep_insert_and_groups(lab):
    sets = ["Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties", "Observations"]
    whole = thing(Locations=[place()], Datastreams=[stream(Observations=[{"result": 1}])])
    with lab.client("x") as c:
        c.subscribe(*("v1.1/" + x for x in sets))
        send(lab, "POST", "/Things", whole)
        got = {}
        while set(got) != {"v1.1/" + x for x in sets}:
            got.update(told(c))
        for name in sets:
            e = got["v1.1/" + name]
            assert e == ask(lab, f"/{name}({e['@iot.id']})") or name == "Datastreams"
    with lab.client("y") as c:
        c.subscribe("v1.1/Things?$select=name")
        body = {"requests": [{"id": str(k), "method": "post", "url": "Things", "atomicityGroup": "g", "body": thing(f"t{k}" if bad < 0 or k != bad else "kitchen")}
                             for bad in (1,) for k in range(3)]}
        send(lab, "POST", "/$batch", body, 200)
        c.expect_quiet()
        body["requests"][1]["body"] = thing("t1")
        send(lab, "POST", "/$batch", body, 200)
        assert sorted(x["name"] for _, x in told(c, 3)) == ["t0", "t1", "t2"]


def test_what_goes_is_not_told(lab):
    ids = make_all(lab)
    with lab.client("x") as c:
        c.subscribe(f"v1.1/Things({ids['Things']})", "v1.1/Things", "v1.1/Datastreams", "v1.1/Observations")
        send(lab, "DELETE", f"/Observations({ids['Observations']})", None, 200)
        send(lab, "DELETE", f"/Things({ids['Things']})", None, 200)
        c.expect_quiet()


def test_only_to_who_may_read_it(own):
    closed = feed("lab/{thing}", ["any"], decode="senml", sensorthings=True, access="restricted", max_age="0", keep_series="0")
    d = own({**FEEDS, "lab": closed}).start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    key, other = add_key(d, "some"), add_key(d, "other")
    grant(d, "lab", "read,subscribe,publish", identity="some", thing="v-*")
    grant(d, "air", "read,subscribe", identity="other")
    topics = "v1.1/Things?$select=name", "v1.1/Datastreams?$select=name"
    with d.client("some", user="", password=key) as c, d.client("other", user="", password=other) as x:
        assert c.subscribe(*topics) == x.subscribe(*topics) == [0, 0]
        for name in ("w-1", "v-1"):
            body = thing(name, Datastreams=[stream(f"of {name}", Sensor=sensor(name), ObservedProperty=observed(name))])
            a = d.admin("POST", "/sta/v1.1/Things", json.dumps(body), {"Content-Type": "application/json"})
            assert a.status == 201, a.body
        assert sorted(p["name"] for _, p in told(c, 2)) == ["of v-1", "v-1"]
        x.expect_quiet()
        send(d, "POST", "/Things", thing("v-2", Datastreams=[stream("of v-2", Sensor=sensor("2"), ObservedProperty=observed("two"))]), 201, bearer(key))
        assert sorted(p["name"] for _, p in told(c, 2)) == ["of v-2", "v-2"]
        x.expect_quiet()
