"""MultiDatastreams that nobody wrote: the datastreams of a thing that has several, side by side."""
import json
import random
import urllib.parse

import pytest

from kit import city, mqtt
from kit.daemon import SLOW, Daemon, feed

START = city.parse_time(city.now(-7200)) // 60 * 60
NO2 = {"type": "number", "x-oudp": {"role": "result", "observedProperty": "http://example.org/no2", "unit": "ug/m3"}}
STATE = {"type": "string", "x-oudp": {"role": "result", "observedProperty": "http://example.org/state", "unit": "1"}}
PLACE = {"type": "object", "x-oudp": {"role": "location"}}
ORDER = ("pm25", "no2", "state")  # as they came first


def when(k):
    return city.datetime.datetime.fromtimestamp(START + 60 * k, city.datetime.timezone.utc).isoformat(
        timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("multi"), {"air": feed("city/air/{thing}", schemas=["test-three/1"], duplicates="keep"),
                                                  "one": feed("city/one/{thing}", duplicates="keep")})
    city.write_schema(d.schemas, "test-three", 1, city.air_schema(no2=NO2, state=STATE, location=PLACE))
    r, model = random.Random(3), {}
    with d:
        with d.client("multi") as c:
            for t in range(3):
                rows = model.setdefault(f"pole-{t}", [])
                for k in range(60):
                    m = {"pm25": k + t / 4}
                    if k == 0 or r.random() < .5:
                        m["no2"] = 2 * k
                    if k == 0 or r.random() < .3:
                        m["state"] = r.choice(["on", "off"])
                    rows.append((when(k), [m.get(x) for x in ORDER]))
                    more = {"location": {"type": "Point", "coordinates": [4 + t, 52]}} if k == 0 else {}
                    assert c.publish(f"city/air/pole-{t}", json.dumps({"dateObserved": when(k), **m, **more})).reason == 0
            assert c.publish("city/one/single", city.air(1, time=when(1))).reason == 0
        yield d, model


def ask(d, path, status=200):
    a = d.get("/sta/v1.1" + urllib.parse.quote(path, safe="/()?=&$,';:-"), timeout=15 * SLOW)
    assert a.status == status, (path, a.status, a.body[:300])
    return json.loads(a.body)


def follow(d, url):
    a = d.get(url[url.index("/sta/"):])
    assert a.status == 200, (url, a.body[:300])
    return json.loads(a.body)


def every(d, path):
    a = ask(d, path)
    out = list(a["value"])
    while "@iot.nextLink" in a:
        a = follow(d, a["@iot.nextLink"])
        out += a["value"]
    return out


def multi(d, name):
    found = ask(d, f"/MultiDatastreams?$filter=name eq '{name}'&$expand=Thing,Sensor,ObservedProperties")["value"]
    assert len(found) == 1
    return found[0]


def test_what_it_says(town):
    d, _ = town
    assert "MultiDatastreams" in {v["name"] for v in ask(d, "")["value"]}
    all_ = every(d, "/MultiDatastreams?$top=2")
    assert [m["name"] for m in all_] == ["pole-0", "pole-1", "pole-2"], "a thing with one datastream has none"
    m = multi(d, "pole-1")
    assert m["observationType"].endswith("OM_ComplexObservation")
    assert [x.rsplit("/", 1)[1] for x in m["multiObservationDataTypes"]] == ["OM_Measurement", "OM_Measurement", "OM_CategoryObservation"]
    assert [u["symbol"] for u in m["unitOfMeasurements"]] == ["ug/m3", "ug/m3", "1"]
    assert [p["name"] for p in m["ObservedProperties"]] == list(ORDER)
    assert m["properties"] == {"feed": "air", "thing": "pole-1", "organisation": "gemeente-test", "members": list(ORDER)}
    assert m["Thing"]["name"] == "pole-1" and m["phenomenonTime"] == f"{when(0)}/{when(59)}"
    assert m["observedArea"]["coordinates"] == [5, 52]
    assert ask(d, f"/MultiDatastreams({m['@iot.id']})/unitOfMeasurements") == {"unitOfMeasurements": m["unitOfMeasurements"]}


def test_relations_lead_both_ways(town):
    d, _ = town
    m = multi(d, "pole-2")
    for link in ("Thing", "Sensor"):
        back = ask(d, f"/MultiDatastreams({m['@iot.id']})/{link}?$expand=MultiDatastreams($select=id)")
        assert back["MultiDatastreams"] == [{"@iot.id": m["@iot.id"]}]
    p = m["ObservedProperties"][2]["@iot.id"]
    assert [x["name"] for x in ask(d, f"/ObservedProperties({p})/MultiDatastreams")["value"]] == ["pole-0", "pole-1", "pole-2"]
    o = ask(d, f"/MultiDatastreams({m['@iot.id']})/Observations?$top=1")["value"][0]
    assert o["@iot.id"] < 0 and "Datastream@iot.navigationLink" not in o
    assert follow(d, o["@iot.selfLink"]) == o and follow(d, o["MultiDatastream@iot.navigationLink"])["name"] == "pole-2"
    assert follow(d, o["FeatureOfInterest@iot.navigationLink"])["feature"]["coordinates"] == [6, 52]
    assert ask(d, f"/MultiDatastreams({m['@iot.id']})/Observations({o['@iot.id']})") == o
    assert ask(d, f"/Things({m['@iot.id']})/MultiDatastreams({m['@iot.id']})/Thing")["name"] == "pole-2"
    single = ask(d, "/Observations?$top=1")["value"][0]
    assert "MultiDatastream@iot.navigationLink" not in single and single["@iot.id"] > 0
    ask(d, f"/Observations({single['@iot.id']})/MultiDatastream", 404)
    ask(d, f"/Observations({o['@iot.id']})/Datastream", 404)
    t = ask(d, "/Things?$filter=name eq 'single'&$expand=MultiDatastreams")["value"][0]
    assert t["MultiDatastreams"] == []
    for bad in ("/MultiDatastreams(999)", f"/MultiDatastreams({t['@iot.id']})", "/Observations(-1)", "/Observations(-9223372036854775807)",
                f"/MultiDatastreams({t['@iot.id']})/Observations"):
        ask(d, bad, 404)


@pytest.mark.parametrize("options, back", [("", False), ("&$orderby=phenomenonTime desc", True), ("&$orderby=phenomenonTime", False)])
@pytest.mark.parametrize("top", [1, 7, 1000])
def test_observations_side_by_side(town, options, back, top):
    d, model = town
    for name, rows in model.items():
        i = multi(d, name)["@iot.id"]
        got = every(d, f"/MultiDatastreams({i})/Observations?$top={top}{options}")
        assert [(o["phenomenonTime"], o["result"]) for o in got] == (rows[::-1] if back else rows)


def test_questions_about_them(town):
    d, model = town
    i = multi(d, "pole-0")["@iot.id"]
    a = ask(d, f"/MultiDatastreams({i})/Observations?$filter=phenomenonTime ge {when(10)} and phenomenonTime lt {when(20)} and result/0 gt 14&$count=true")
    assert a["@iot.count"] == 5 and [o["result"] for o in a["value"]] == [v for _, v in model["pole-0"][15:20]]
    assert ask(d, f"/MultiDatastreams({i})/Observations?$count=true&$top=0")["@iot.count"] == 60
    a = ask(d, f"/MultiDatastreams({i})/Observations?$filter='on' in result")
    assert [o["result"] for o in a["value"]] == [v for _, v in model["pole-0"] if v[2] == "on"]
    a = ask(d, f"/MultiDatastreams({i})/Observations?$resultFormat=dataArray&$top=3&$select=phenomenonTime,result")["value"][0]
    assert a["MultiDatastream@iot.navigationLink"].endswith(f"/MultiDatastreams({i})") and a["dataArray"] == [[t, v] for t, v in model["pole-0"][:3]]
    newest = ask(d, "/Things?$filter=startswith(name,'pole')&$select=name&$expand=MultiDatastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))")
    for t in newest["value"]:
        assert t["MultiDatastreams"][0]["Observations"][0]["result"] == model[t["name"]][-1][1]


def test_told_over_mqtt(town):
    d, _ = town
    m = multi(d, "pole-0")["@iot.id"]
    topic = f"v1.1/MultiDatastreams({m})/Observations?$select=result,phenomenonTime"
    with d.client("told") as s, d.client("tells") as c:
        assert s.subscribe(topic) == [0]
        t = city.now(-1)
        assert c.publish("city/air/pole-2", json.dumps({"dateObserved": t, "pm25": 1, "no2": 1})).reason == 0
        assert c.publish("city/air/pole-0", json.dumps({"dateObserved": t, "pm25": 7, "state": "on"})).reason == 0
        p = s.expect(mqtt.PUBLISH)
        assert (p.topic, json.loads(p.payload)) == (topic, {"result": [7, None, "on"], "phenomenonTime": t})
        s.expect_quiet()
