"""SensorThings from the outside: entities of what was published, links that lead on, queries against a plain model."""
import json
import random
import urllib.parse

import pytest

from kit import city
from kit.daemon import Daemon, feed

START = city.parse_time(city.now(-7200)) // 60 * 60
THINGS, EACH = 5, 30
FEEDS = {"air": feed("city/air/{thing}", duplicates="keep"),
         "raw": feed("raw/#", ["any"])}
PLACE = {"type": "object", "x-oudp": {"role": "location"}}


@pytest.fixture(scope="module")
def sta(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("sta"), FEEDS)
    city.write_schema(d.schemas, "test-air", 1, city.air_schema(location=PLACE))
    d.start()
    with d.client("sta") as c:
        for t in range(THINGS):
            for k in range(EACH):
                p = c.publish(f"city/air/pole-{t}", city.air(t + k / 10, time=when(k), note=None, location={
                    "type": "Point", "coordinates": [4 + t / 10, 52]}))
                assert p.reason == 0, p
    try:
        yield d
        d.stop()
    finally:
        d.kill()


def when(k):
    return city.datetime.datetime.fromtimestamp(START + 60 * k, city.datetime.timezone.utc).isoformat(
        timespec="milliseconds").replace("+00:00", "Z")


def ask(d, path, status=200, **options):
    query = "&".join(f"{'$' + k}={urllib.parse.quote(str(v), safe='')}" for k, v in options.items())
    a = d.get("/sta/v1.1" + path + ("?" + query if query else ""))
    assert a.status == status, (path, options, a.status, a.body[:400])
    if status != 200:
        assert a.headers["content-type"].startswith("application/problem+json")
    return json.loads(a.body)


def follow(d, url):
    a = d.get(url[url.index("/sta/"):])
    assert a.status == 200, (url, a.body[:400])
    return json.loads(a.body)


def every(d, answer):
    out = list(answer["value"])
    while "@iot.nextLink" in answer:
        answer = follow(d, answer["@iot.nextLink"])
        out += answer["value"]
    return out


def test_landing_page(sta):
    a = ask(sta, "")
    assert {v["name"] for v in a["value"]} >= {"Things", "Datastreams", "Observations", "FeaturesOfInterest"}
    for v in a["value"]:
        assert "value" in follow(sta, v["url"])
    assert any(c.endswith("/request-data") for c in a["serverSettings"]["conformance"])


def test_every_link_leads_on(sta):
    """From each kind of entity over each of its links, and back to itself."""
    seen = set()
    todo = [ask(sta, "")["value"][0]["url"]]
    while todo:
        a = follow(sta, todo.pop())
        for e in a.get("value", [a])[:1]:
            me = follow(sta, e["@iot.selfLink"])
            assert me["@iot.id"] == e["@iot.id"]
            for k, url in e.items():
                kind = (e["@iot.selfLink"].split("(")[0], k)
                if k.endswith("@iot.navigationLink") and kind not in seen:
                    seen.add(kind)
                    todo.append(url)
    assert len(seen) == 19, seen


def test_entities(sta):
    s, = ask(sta, "/Datastreams", filter="name eq 'pole-3 pm25'", expand="Thing,Sensor,ObservedProperty")["value"]
    assert s["unitOfMeasurement"]["symbol"] == "ug/m3" and s["observationType"].endswith("OM_Measurement")
    assert s["ObservedProperty"]["definition"] == city.PM25 and s["Thing"]["name"] == "pole-3"
    assert s["Thing"]["properties"]["feed"] == "air" and s["properties"]["schema"].endswith("/v1/schemas/test-air/1")
    assert s["phenomenonTime"] == f"{when(0)}/{when(EACH - 1)}"
    assert s["observedArea"] == {"type": "Point", "coordinates": [4.3, 52]}
    o = ask(sta, f"/Datastreams({s['@iot.id']})/Observations", orderby="phenomenonTime desc", top=1, count="true")
    assert o["@iot.count"] == EACH and o["value"][0]["result"] == 3 + (EACH - 1) / 10 and o["value"][0]["phenomenonTime"] == when(EACH - 1)
    where = ask(sta, f"/Things({s['Thing']['@iot.id']})/HistoricalLocations", expand="Locations")["value"]
    assert where and where[0]["Locations"][0]["location"]["coordinates"] == [4.3, 52]


def test_newest_of_each(sta):
    a = ask(sta, "/Datastreams", expand="Observations($top=1;$orderby=phenomenonTime desc)", top=1000)
    assert [len(s["Observations"]) for s in a["value"]] == [1] * THINGS
    assert all(s["Observations"][0]["phenomenonTime"] == when(EACH - 1) for s in a["value"])


def test_spatial(sta):
    area = "geography'POLYGON((4.05 51, 4.25 51, 4.25 53, 4.05 53, 4.05 51))'"
    a = ask(sta, "/Things", filter=f"st_within(Locations/location,{area})", orderby="name")
    assert [t["name"] for t in a["value"]] == ["pole-1", "pole-2"]
    g = sta.get("/sta/v1.1/Locations?$resultFormat=GeoJSON")
    assert g.headers["content-type"] == "application/geo+json" and len(json.loads(g.body)["features"]) == THINGS


def test_what_was_acknowledged_is_seen(sta, name):
    with sta.client(name) as c:
        for k in range(20):
            assert c.publish(f"city/air/{name}", city.air(k)).reason == 0
            s, = ask(sta, "/Datastreams", filter=f"name eq '{name} pm25'", expand="Observations($count=true;$top=0)")["value"]
            assert s["Observations@iot.count"] == k + 1


def model(sta):
    out = []
    for s in ask(sta, "/Datastreams", filter="startswith(name,'pole-')")["value"]:
        t = int(s["name"][5])
        out += [{"stream": s["@iot.id"], "thing": f"pole-{t}", "time": when(k), "result": t + k / 10} for k in range(EACH)]
    return sorted(out, key=lambda o: (o["stream"], o["time"]))


def condition(r):
    """A random condition, as text and as a function of the model."""
    kind = r.randrange(7)
    if kind == 0:
        v = round(r.uniform(0, 8), 1)
        op, f = r.choice([("lt", lambda a, b: a < b), ("ge", lambda a, b: a >= b), ("eq", lambda a, b: a == b), ("ne", lambda a, b: a != b)])
        return f"result {op} {v}", lambda o: f(o["result"], v)
    if kind == 1:
        t = when(r.randrange(EACH))
        op, f = r.choice([("lt", lambda a, b: a < b), ("le", lambda a, b: a <= b), ("gt", lambda a, b: a > b), ("ge", lambda a, b: a >= b)])
        return f"phenomenonTime {op} {t}", lambda o: f(o["time"], t)
    if kind == 2:
        thing = f"pole-{r.randrange(THINGS)}"
        return f"Datastream/Thing/name eq '{thing}'", lambda o: o["thing"] == thing
    if kind == 3:
        v = r.randrange(1, 4)
        return f"result mul 2 sub {v} gt 5", lambda o: o["result"] * 2 - v > 5
    if kind == 4:
        a, f = condition(r)
        return f"not ({a})", lambda o: not f(o)
    a, f = condition(r)
    b, g = condition(r)
    if kind == 5:
        return f"({a}) and ({b})", lambda o: f(o) and g(o)
    return f"({a}) or ({b})", lambda o: f(o) or g(o)


@pytest.mark.parametrize("seed", range(12))
def test_queries_against_a_model(sta, seed):
    r = random.Random(seed)
    everything = model(sta)
    for _ in range(6):
        text, f = condition(r)
        text = f"startswith(Datastream/Thing/name,'pole-') and ({text})"
        want = [(o["time"], o["result"]) for o in everything if f(o)]
        options = {"filter": text, "top": r.choice([3, 20, 1000])}
        order = r.choice([None, "result", "result desc,phenomenonTime desc,id desc"])
        if order:
            options["orderby"] = order
            want.sort(key=lambda o: (o[1], o[0]), reverse="desc" in order)
        a = ask(sta, "/Observations", **options)
        assert len(a["value"]) <= options["top"]
        got = [(o["phenomenonTime"], o["result"]) for o in every(sta, a)]
        if order == "result":
            got.sort(key=lambda o: (o[1], o[0]))
        assert got == want, options


def test_pages_while_data_arrives(sta, name):
    """Newest first: what comes meanwhile repeats and hides nothing."""
    with sta.client(name) as c:
        for k in range(40):
            assert c.publish(f"city/air/{name}", city.air(k, time=when(k))).reason == 0
        s, = ask(sta, "/Datastreams", filter=f"name eq '{name} pm25'")["value"]
        for order in ("phenomenonTime desc", "result desc"):
            a = ask(sta, f"/Datastreams({s['@iot.id']})/Observations", orderby=order, top=7, filter="result lt 40")
            got, k = list(a["value"]), 0
            while "@iot.nextLink" in a:
                k += 1
                assert c.publish(f"city/air/{name}", city.air(100 + k, time=when(60 + k))).reason == 0
                a = follow(sta, a["@iot.nextLink"])
                got += a["value"]
            assert [o["result"] for o in got] == list(range(39, -1, -1)), order


@pytest.mark.parametrize("path, options, status, says", [
    ("/Nothing", {}, 404, "Nothing"),
    ("/Things(999999)", {}, 404, "no such entity"),
    ("/Things", {"filter": "name eq"}, 400, "character"),
    ("/Things", {"filter": "nothing eq 1"}, 400, "nothing"),
    ("/Things", {"top": "x"}, 400, "$top"),
    ("/Things", {"skiptoken": "w00"}, 400, "none of ours"),
])
def test_refusals_say_where(sta, path, options, status, says):
    assert says in ask(sta, path, status, **options)["detail"]


def post(d, path, body, status):
    a = d.post("/sta/v1.1" + path, json.dumps(body), {"Content-Type": "application/json"})
    assert a.status == status, (path, body, a.status, a.body[:300])
    return a


def test_an_observation_is_a_message_of_its_feed(sta, name):
    with sta.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(1)).reason == 0
    s, = ask(sta, "/Datastreams", filter=f"name eq '{name} pm25'")["value"]
    t = city.now(-30)
    a = post(sta, f"/Datastreams({s['@iot.id']})/Observations", {"phenomenonTime": t, "result": 21.5, "resultTime": None}, 201)
    o = follow(sta, a.headers["location"])
    assert o["result"] == 21.5 and o["phenomenonTime"] == t
    e = sta.all_events("air")[-1]
    assert (e["subject"], e["data"], e["sequence"]) == (name, {"dateObserved": t, "pm25": 21.5}, str(json.loads(a.body)["sequence"]))
    a = post(sta, "/Observations", {"result": 22, "Datastream": {"@iot.id": s["@iot.id"]}}, 201)
    assert follow(sta, a.headers["location"])["result"] == 22
    a = post(sta, f"/Datastreams({s['@iot.id']})/Observations", {"result": 1200}, 400)
    assert "1200 is more than maximum 1000" in json.loads(a.body)["detail"]
    assert ask(sta, f"/Datastreams({s['@iot.id']})/Observations", count="true")["@iot.count"] == 3


@pytest.mark.parametrize("path, body, status, says", [
    ("/Datastreams(1)/Observations", {}, 400, "no result"),
    ("/Datastreams(1)/Observations", {"result": 1, "phenomenonTime": "yesterday"}, 400, "phenomenonTime"),
    ("/Datastreams(1)/Observations", {"result": 1, "parameters": [1]}, 400, "an object of names"),
    ("/Datastreams(1)/Observations", [], 400, "not a JSON object"),
    ("/Datastreams(999999)/Observations", {"result": 1}, 404, "no such Datastream"),
    ("/Observations", {"result": 1}, 400, "say which"),
    ("/Things", {"result": 1, "name": "x"}, 400, "no such member"),
    ("/Nothing", {"result": 1}, 404, "Nothing"),
])
def test_what_cannot_be_written(sta, path, body, status, says):
    assert says in json.loads(post(sta, path, body, status).body)["detail"]
