"""SensorThings over MQTT (18-088, clause 14): what changed is told as a GET would answer it, on the topic that was asked for,
to who may read it; and nothing of it is owed."""
import json
import urllib.parse

import pytest

from kit import city, mqtt
from kit.access import add_key, grant, must
from kit.daemon import SLOW, Daemon, feed, wait_for

NO2 = {"type": "number", "x-oudp": {"role": "result", "observedProperty": "http://example.org/no2", "unit": "ug/m3"}}
PLACE = {"type": "object", "x-oudp": {"role": "location"}}
FEEDS = {"air": feed("city/air/{thing}", schemas=["test-pair/1"], duplicates="keep"),
         "closed": feed("city/closed/{thing}", access="restricted", duplicates="keep"),
         "taken": feed("v1.1/taken/#", ["any"])}


@pytest.fixture(scope="module")
def d(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("sta-mqtt"), FEEDS)
    city.write_schema(d.schemas, "test-pair", 1, city.air_schema(location=PLACE, no2=NO2))
    with d:
        for o in ("vendor", "partner"):
            must(d, "organisation", "add", o, "--title", o.title())
        yield d


def ask(d, path):
    a = d.get("/sta/v1.1/" + urllib.parse.quote(path, safe="/()?=&$,';"))
    assert a.status == 200, (path, a.status, a.body[:300])
    return json.loads(a.body)


def send(d, thing, value=None, time=None, feed_name="air", at=None, **more):
    if at:
        more["location"] = {"type": "Point", "coordinates": at}
    with d.client("") as c:
        p = c.publish(f"city/{feed_name}/{thing}", city.air(value, time=time, note=None, **more))
        assert p.reason == 0, p


def stream(d, name):
    return ask(d, f"Datastreams?$filter=name eq '{name}'&$expand=Thing,ObservedProperty,Sensor")["value"][0]


def told(c, n=1):
    return [(p.topic, json.loads(p.payload)) for p in (c.expect(mqtt.PUBLISH, 10 * SLOW) for _ in range(n))]


def test_observations_of_a_datastream(d, name):
    send(d, name, 1)
    s = stream(d, name + " pm25")
    topic = f"v1.1/Datastreams({s['@iot.id']})/Observations"
    with d.client(name) as c:
        assert c.subscribe((topic, 0), (topic + "?$select=result,phenomenonTime", 1)) == [0, 1]
        t = city.now(-3)
        send(d, name, 7.5, time=t)
        send(d, name + "-other", 8)
        got = dict(told(c, 2))
        assert got[topic] == ask(d, f"Observations({got[topic]['@iot.id']})") and got[topic]["result"] == 7.5
        assert got[topic + "?$select=result,phenomenonTime"] == {"result": 7.5, "phenomenonTime": t}
        c.expect_quiet()
        assert c.unsubscribe(topic, topic + "?$select=result,phenomenonTime") == [0, 0]
        send(d, name, 9)
        c.expect_quiet()


def test_sets_paths_and_properties(d, name):
    send(d, name, 1, time=city.now(-60), at=[4.1, 52])
    s = stream(d, name + " pm25")
    i, t = s["@iot.id"], s["Thing"]["@iot.id"]
    topics = ["v1.1/Observations?$filter=Datastream/id eq %d" % i, f"v1.1/Things({t})", f"v1.1/Datastreams({i})/Thing",
              f"v1.1/Things({t})/Datastreams({i})/Observations?$expand=Datastream($select=name)", f"v1.1/Datastreams({i})/observedArea",
              f"v1.1/Datastreams({i})/phenomenonTime", f"v1.1/Things({t})/Locations", f"v1.1/Things({t})/HistoricalLocations",
              f"v1.1/FeaturesOfInterest({t})/Observations?$select=result", f"v1.1/Sensors({t})/Datastreams?$select=name",
              f"v1.1/Things({t})/Datastreams({i})/ObservedProperty", f"v1.1/Things({t + 1000})/Datastreams"]
    with d.client(name) as c:
        assert c.subscribe(*topics) == [0] * len(topics)
        when = city.now(-2)
        send(d, name, 2, time=when, at=[4.2, 52])
        got = dict(told(c, 10))
        c.expect_quiet()
        assert set(got) == set(topics[:-2])
        assert got[topics[0]]["result"] == 2 and got[topics[0]]["phenomenonTime"] == when
        assert got[topics[1]] == got[topics[2]] == ask(d, f"Things({t})")
        assert got[topics[3]]["Datastream"] == {"name": name + " pm25"}
        assert got[topics[4]] == {"observedArea": {"type": "Point", "coordinates": [4.2, 52]}}
        assert got[topics[5]]["phenomenonTime"].endswith("/" + when)
        assert got[topics[6]]["location"]["coordinates"] == [4.2, 52]
        assert got[topics[7]]["time"] == when
        assert got[topics[8]] == {"result": 2}
        # it stays where it is: what did not change is not told
        send(d, name, 3, at=[4.2, 52])
        assert {x for x, _ in told(c, 6)} == set(topics) - {topics[4], topics[6], topics[7], topics[9], topics[10], topics[11]}
        c.expect_quiet()


def test_several_results_of_one_message(d, name):
    send(d, name, 1, no2=2)
    t = stream(d, name + " pm25")["Thing"]["@iot.id"]
    with d.client(name) as c:
        assert c.subscribe(f"v1.1/Things({t})/Datastreams?$select=name", f"v1.1/FeaturesOfInterest({t})/Observations?$select=result") == [0, 0]
        send(d, name, 11, no2=12)
        got = told(c, 4)
        assert sorted(x["result"] for _, x in got if "result" in x) == [11, 12]
        assert sorted(x["name"] for _, x in got if "name" in x) == [name + " no2", name + " pm25"]


def test_the_first_observation_of_a_thing(d, name):
    """Things, Datastreams and Sensors come to be with it."""
    with d.client(name) as c:
        assert c.subscribe("v1.1/Sensors", "v1.1/Datastreams?$select=name", "v1.1/Things?$select=name") == [0, 0, 0]
        send(d, name, 1)
        got = dict(told(c, 3))
        assert got["v1.1/Sensors"]["name"] == "sensor of " + name
        assert got["v1.1/Datastreams?$select=name"] == {"name": name + " pm25"} and got["v1.1/Things?$select=name"] == {"name": name}


@pytest.mark.parametrize("topic, code", [
    ("v1.1/Nothing", 0x8F), ("v1.1/Datastreams(1)/Nothing", 0x8F), ("v1.1/Observations?$select=nothing", 0x8F), ("v1.1/Observations?$top=1", 0x8F),
    ("v1.1/Observations?$orderby=result", 0x8F), ("v1.1/Observations?$filter=result gt", 0x8F), ("v1.1/", 0), ("v1.1", 0), ("v1.1/#", 0), ("v1.1/taken/x", 0),
    ("$share/g/v1.1/Observations", 0), ("v1.1/Observations", 0), ("v1.1/Datastreams(999999)/Observations", 0)])
def test_what_can_be_asked(d, topic, code):
    with d.client("") as c:
        assert c.subscribe(topic) == [code]
    with d.client("", version=4) as c:
        assert c.subscribe(topic) == [0x80 if code else 0]


def test_a_feed_below_v1_1_stays_a_feed(d, name):
    with d.client(name) as c:
        assert c.subscribe("v1.1/#", "#") == [0, 0]
        assert c.publish("v1.1/taken/x", b"x").reason == 0
        assert c.expect(mqtt.PUBLISH).payload == b"x"
        with d.client(name + "-2") as other:
            assert other.subscribe("v1.1/Observations") == [0]
            send(d, name, 1)
            assert told(other)[0][1]["result"] == 1
        assert c.expect(mqtt.PUBLISH).topic == f"city/air/{name}"
        c.expect_quiet()  # wildcards take messages, not what others asked


def test_who_may_read(d, name):
    """Each subscriber is told what it may subscribe to; a grant for some things is one for those."""
    writer, reader, nobody = add_key(d, name + "w"), add_key(d, name + "r", "partner"), add_key(d, name + "n", "partner")
    grant(d, "closed", "publish", identity=name + "w")
    grant(d, "closed", "subscribe", identity=name + "r", thing=name + "-1")
    topic = "v1.1/Observations?$select=result"
    with d.client("w" + name, user="", password=writer) as w, d.client("r" + name, user="", password=reader) as r, \
            d.client("n" + name, user="", password=nobody) as n:
        assert r.subscribe(topic) == n.subscribe(topic) == [0]
        for k in (2, 1):
            assert w.publish(f"city/closed/{name}-{k}", city.air(k, note=None)).reason == 0
        assert told(r) == [(topic, {"result": 1})]
        r.expect_quiet()
        n.expect_quiet()


def test_sessions_that_come_back(d, name):
    """Its subscription is kept, what was told meanwhile is not; after a restart too."""
    topic = "v1.1/Observations?$select=result&$filter=Datastream/name eq '%s pm25'" % name
    c = d.client(version=4)
    c.open(name, clean=False)
    assert c.subscribe((topic, 1)) == [1]
    send(d, name, 1)
    assert told(c) == [(topic, {"result": 1})]
    c.close()
    send(d, name, 2)
    for restart in (False, True):
        if restart:
            d.restart()
        with d.client(version=4) as c:
            c.open(name, clean=False)
            c.expect_quiet()
            send(d, name, 3 + restart)
            assert told(c) == [(topic, {"result": 3 + restart})]


def test_how_it_is_sent(d, name):
    """QoS 0, not retained, with the subscription's identifier."""
    send(d, name, 1)
    topic = f"v1.1/Datastreams({stream(d, name + ' pm25')['@iot.id']})/Observations"
    with d.client(name) as c:
        assert c.subscribe((topic, 2), props={"subscription_identifier": 7}) == [2]
        send(d, name, 2)
        p = c.expect(mqtt.PUBLISH)
        assert (p.topic, p.qos, p.retain, p.props["subscription_identifier"]) == (topic, 0, False, [7])


def test_many_are_bounded(d, name):
    """A flood is told in part, and nothing waits for it: publishers are acknowledged as ever."""
    topic = "v1.1/Observations?$select=result"
    with d.client(name) as c, d.client(name + "-p") as p:
        assert c.subscribe(topic) == [0]
        for k in range(3000):
            p.send(mqtt.publish(f"city/air/{name}", city.air(k % 900, time=city.now(-20 + k / 1000), note=None), 1, p.mid()))
            if k % 500 == 499:
                for _ in range(500):
                    assert p.expect(mqtt.PUBACK).reason == 0
        told(c, 100)
    d.alive()


# ---- creating by publishing ----

@pytest.mark.parametrize("version, qos", [(5, 1), (5, 2), (4, 1), (4, 2), (5, 0)])
def test_an_observation_is_published(d, name, version, qos):
    """What PUBACK says is kept is there, as a message of the feed too; subscribers are told."""
    name += f"-{version}{qos}"
    send(d, name, 1)
    i = stream(d, name + " pm25")["@iot.id"]
    topic, t = f"v1.1/Datastreams({i})/Observations", city.now(-9)
    with d.client(name, version=version) as c, d.client("s" + name) as s:
        assert s.subscribe(topic, f"city/air/{name}") == [0, 0]
        p = c.publish(topic, json.dumps({"phenomenonTime": t, "result": 21.5}), qos)
        assert qos == 0 or p.reason == 0, p
        got = {p.topic: json.loads(p.payload) for p in (s.expect(mqtt.PUBLISH), s.expect(mqtt.PUBLISH))}
        assert got[f"city/air/{name}"] == {"dateObserved": t, "pm25": 21.5}
        assert got[topic]["result"] == 21.5 and got[topic]["phenomenonTime"] == t
        assert ask(d, f"Datastreams({i})/Observations?$filter=result eq 21.5")["value"] == [got[topic]]
        # without a time it is that of receipt
        p = c.publish("v1.1/Observations", json.dumps({"result": 22, "Datastream": {"@iot.id": i}}), qos)
        assert qos == 0 or p.reason == 0, p
        got = {p.topic: json.loads(p.payload) for p in (s.expect(mqtt.PUBLISH), s.expect(mqtt.PUBLISH))}
        assert got[topic]["result"] == 22


@pytest.mark.parametrize("topic, body, reason, says", [
    ("v1.1/Datastreams({i})/Observations", {"result": 1200}, 0x99, "1200 is more than maximum 1000"),
    ("v1.1/Datastreams({i})/Observations", {}, 0x99, "no result"), ("v1.1/Datastreams({i})/Observations", [], 0x99, "not a JSON object"),
    ("v1.1/Datastreams({i})/Observations", {"result": 1, "phenomenonTime": "yesterday"}, 0x99, "phenomenonTime"),
    ("v1.1/Datastreams({i})/Observations", {"result": 1, "validTime": "2026-01-01T00:00:00Z"}, 0x99, "validTime"),
    ("v1.1/Datastreams({i})/Observations", {"result": 1, "FeatureOfInterest": {"@iot.id": 999999}}, 0x99, "no such FeatureOfInterest"),
    ("v1.1/Datastreams({i})/Observations", {"result": 1, "FeatureOfInterest": {"name": "x"}}, 0x99, "neither a link nor complete"),
    ("v1.1/Observations", {"result": 1}, 0x99, "say which"), ("v1.1/Observations", {"result": 1, "Datastream": {"@iot.id": 999999}}, 0x87, "no such Datastream"),
    ("v1.1/Datastreams(999999)/Observations", {"result": 1}, 0x87, "no such Datastream"),
    ("v1.1/Things(1)/Observations", {"result": 1}, 0x90, "publish to"), ("v1.1/Nothing", {"result": 1}, 0x90, ""),
])
def test_what_is_no_observation(d, name, topic, body, reason, says):
    send(d, name, 1)
    i = stream(d, name + " pm25")["@iot.id"]
    for qos in (1, 2):
        with d.client(name + str(qos)) as c:
            p = c.publish(topic.format(i=i), json.dumps(body), qos)
            assert p.reason == reason and says in p.props.get("reason", ""), p
            c.ping()
        with d.client(name + str(qos), version=4) as c:
            assert c.publish(topic.format(i=i), json.dumps(body), qos).reason == 0
    assert ask(d, f"Datastreams({i})/Observations?$count=true")["@iot.count"] == 1


def test_who_may_publish(d, name):
    writer, other = add_key(d, name + "w"), add_key(d, name + "o", "partner")
    grant(d, "closed", "publish", identity=name + "w", thing=name)
    with d.client("w" + name, user="", password=writer) as w, d.client("o" + name, user="", password=other) as o:
        assert w.publish(f"city/closed/{name}", city.air(1, note=None)).reason == 0
        i = ask(d, f"Datastreams?$filter=name eq '{name} pm25'")["value"][0]["@iot.id"]
        body = json.dumps({"result": 2})
        assert w.publish(f"v1.1/Datastreams({i})/Observations", body).reason == 0
        p = o.publish(f"v1.1/Datastreams({i})/Observations", body)
        assert p.reason == 0x87 and "no such Datastream" in p.props["reason"], "what may not be seen does not exist"


def test_what_was_published_is_there_after_a_kill(d, name):
    send(d, name, 1)
    i = stream(d, name + " pm25")["@iot.id"]
    with d.client(name) as c:
        for k in range(50):
            assert c.publish(f"v1.1/Datastreams({i})/Observations", json.dumps({"phenomenonTime": city.now(-60 + k), "result": 100 + k})).reason == 0
    d.restart()
    assert ask(d, f"Datastreams({i})/Observations?$filter=result ge 100&$count=true")["@iot.count"] == 50
