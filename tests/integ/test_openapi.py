"""The OpenAPI description held against the broker: each documented status of each operation is provoked, each body is what its
schema says - no member more - and no answer comes that is not described."""
import json
import re

import jsonschema
import pytest
from test_access import basic, must

from kit import city, web
from kit.daemon import PUBLIC, SLOW, feed, wait_for

PASSWORD = "a password of the description"
FEEDS = {
    "air": feed("city/air/{thing}", ["test-air/1", "air-quality-observed/1"], title="Lucht", cadence="10m", keep_messages="7d", **PUBLIC),
    "quick": feed("city/quick/{thing}", title="Quick", cadence="1s"),
    "free": feed("city/free/#", ["any"], title="Free"),
    "made": feed("made/{thing}", ["any"], title="Made", decode="senml", sensorthings=True),
}
THING = {"name": {"nl": "Meter"}, "owner": {"organisation": "Gemeente Test"}, "goal": {"nl": "Weten"}, "legalGround": "Publieke taak",
         "personalData": False, "location": {"latitude": 52.1, "longitude": 4.3}}
FILL = {"feed": "air", "thing": "a", "name": "test-air", "version": "1", "organisation": "vendor", "identity": "ann", "id": "1", "grant": "1", "set": "Things",
        "member": "Datastreams"}
NONE = {"feed": "none", "thing": "none", "name": "none", "version": "9", "organisation": "none", "identity": "none", "id": "999999",
        "grant": "999999", "set": "Nothing", "member": "nothing"}


def concrete(path, fill):
    return re.sub(r"\{(\w+)\}", lambda m: fill[m.group(1)], path)


def of_sensorthings():
    """The first thing that is made has the number 2147483648, and so on."""
    about = {"description": "of the tests"}
    one, made, of = "/sta/v1.1/{set}({id})", "/sta/v1.1/{set}", "/sta/v1.1/{set}({id})/{member}"
    stream = {"name": "s", **about, "observationType": "x", "unitOfMeasurement": {"symbol": "Cel"},
              "Sensor": {"name": "q", **about, "encodingType": "text/plain", "metadata": "x"},
              "ObservedProperty": {"name": "p", **about, "definition": "http://vocabulary.example/p"}}
    first, second, t = 2147483648, 2147483649, {"name": "t", **about}
    yield "POST", made, "/sta/v1.1/Things", t, {}
    yield "POST", made, "/sta/v1.1/Things", t, {}
    yield "POST", made, "/sta/v1.1/Things", {"name": "u", **about}, {}
    yield "POST", made, "/sta/v1.1/Things", {"name": "v", **about, "properties": {"feed": "quick"}}, {}
    yield "POST", of, f"/sta/v1.1/Things({first})/Datastreams", stream, {}
    yield "POST", of, f"/sta/v1.1/Things({first})/Datastreams", stream, {}
    when = {"result": 1, "phenomenonTime": city.now()}
    for datastream in (second + 1, second + 2, second + 3):
        yield "POST", of, f"/sta/v1.1/Datastreams({datastream})/Observations", when, {}
        yield "POST", of, f"/sta/v1.1/Datastreams({datastream})/Observations", when, {}
        yield "POST", made, "/sta/v1.1/Observations", {**when, "Datastream": {"@iot.id": datastream}}, {}
        yield "POST", "/sta/v1.1/CreateObservations", "/sta/v1.1/CreateObservations", [{"Datastream": {"@iot.id": datastream},
                                                                                        "components": ["result"], "dataArray": [[1]]}], {}
    for method, body in (("PUT", t), ("PATCH", {"description": "x"}), ("PATCH", {"name": "u"}), ("PUT", {"name": "u", **about})):
        yield method, one, f"/sta/v1.1/Things({first})", body, {}
    yield "GET", one, f"/sta/v1.1/Things({first})?$expand=Datastreams", None, {}
    yield "GET", made, "/sta/v1.1/Things?$count=true&$top=1", None, {}
    yield "GET", made, "/sta/v1.1/Things?$resultFormat=GeoJSON", None, {}
    yield "GET", of, f"/sta/v1.1/Things({first})/name", None, {}
    yield "GET", of, f"/sta/v1.1/Datastreams({second + 3})/Thing", None, {}
    yield "GET", of, f"/sta/v1.1/Datastreams({second + 3})/resultTime", None, {}
    yield "GET", of, "/sta/v1.1/Things(1)/properties", None, {}
    yield "POST", "/sta/v1.1/$batch", "/sta/v1.1/$batch", {"requests": [{"id": "1", "method": "get", "url": "Things", "atomicityGroup": "g"},
                                                                       {"id": "2", "method": "post", "url": "Things", "body": {}}]}, {}
    for method in ("PUT", "PATCH", "DELETE"):
        yield method, one, f"/sta/v1.1/Things({second})", None if method == "DELETE" else {"name": "x", **about}, {"denied": True}
    yield "DELETE", one, f"/sta/v1.1/Things({second})", None, {}
    for path, filled in ((made, "/sta/v1.1/Things?$top=x"), (one, "/sta/v1.1/Things(1)?$select=x"), (of, "/sta/v1.1/Things(1)/Datastreams?$filter=1")):
        yield "GET", path, filled, None, {}


def more(d):
    """(method, path, filled path, body, headers): what the general requests below do not provoke, in this order."""
    plain = {"Content-Type": "text/plain"}
    yield "PUT", "/v1/things/{thing}", "/v1/things/new", THING, {}
    yield "PUT", "/v1/things/{thing}", "/v1/things/new", THING, {}
    yield "POST", "/v1/series/_correct", "/v1/series/_correct", {"thing": "none", "property": "pm25", "from": "2026-01-01", "to": "2099-01-01",
                                                                 "what": "flag", "reason": "test"}, {}
    yield "PUT", "/v1/things/{thing}", "/v1/things/new", {"name": 1}, {}
    yield "PATCH", "/v1/things/{thing}", "/v1/things/new", {"type": "meter"}, {}
    yield "GET", "/v1/things/{thing}/versions", "/v1/things/new/versions", None, {}
    yield "GET", "/v1/things/{thing}", "/v1/things/new", None, {}
    yield "GET", "/v1/things", "/v1/things?limit=1", None, {}
    yield "GET", "/v1/things", "/v1/things", None, {}
    yield "DELETE", "/v1/things/{thing}", "/v1/things/new", None, {}
    yield "POST", "/v1/things/{thing}/_erase", "/v1/things/gone/_erase", {"reason": "test"}, {}
    yield "POST", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?thing=a", json.loads(city.air(3)), {}
    yield "POST", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?thing=a", json.loads(city.air(2000)), {}
    yield "POST", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?thing=a", "x", plain
    same = city.air(4)
    yield "POST", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?thing=a", json.loads(same), {}
    yield "POST", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?thing=a", json.loads(same), {}
    yield "GET", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?after=0", None, {}
    yield "GET", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?after=0&thing=a&withTopic=true", None, {}
    yield "GET", "/v1/feeds/{feed}/events", "/v1/feeds/air/events?after=999999", None, {}
    yield "POST", "/v1/feeds/{feed}/quarantine/_retry", "/v1/feeds/air/quarantine/_retry", {}, {}
    yield "POST", "/v1/unrouted/_retry", "/v1/unrouted/_retry", {}, {}
    yield "POST", "/v1/feeds/{feed}/_trim", "/v1/feeds/air/_trim", {"before": 2}, {}
    yield "POST", "/v1/_reload", "/v1/_reload", {}, {}
    yield "POST", "/v1/series/_correct", "/v1/series/_correct", {"thing": "a", "property": "pm25", "from": "2026-01-01", "to": "2099-01-01",
                                                                 "what": "correct", "factor": 2, "reason": "test"}, {}
    yield "POST", "/v1/organisations", "/v1/organisations", {"name": "other", "title": "Other"}, {}
    yield "POST", "/v1/organisations", "/v1/organisations", {"name": "other"}, {}
    yield "PATCH", "/v1/organisations/{organisation}", "/v1/organisations/other", {"title": "Others"}, {}
    yield "POST", "/v1/identities", "/v1/identities", {"name": "key", "organisation": "other", "kind": "key"}, {}
    yield "POST", "/v1/identities", "/v1/identities", {"name": "key", "organisation": "other", "kind": "key"}, {}
    yield "PATCH", "/v1/identities/{identity}", "/v1/identities/key", {"ends": "2099-01-01T00:00:00Z"}, {}
    yield "POST", "/v1/grants", "/v1/grants", {"feed": "air", "organisation": "other", "rights": ["read"], "quota": 10, "rate": 5,
                                               "size": 100, "until": "2099-01-01T00:00:00Z", "thing": "a*", "purpose": "Tests"}, {}
    yield "GET", "/v1/grants", "/v1/grants", None, {}
    yield "PATCH", "/v1/grants/{grant}", "/v1/grants/2", {"state": "suspended"}, {}
    yield "DELETE", "/v1/grants/{grant}", "/v1/grants/2", None, {}
    yield "PATCH", "/v1/grants/{grant}", "/v1/grants/2", {"state": "active"}, {}
    yield "POST", "/v1/tickets", "/v1/tickets", "", {"web": True, **basic("ann", PASSWORD)}
    for kind in ("", "&format=csv", "&format=ndjson", "&format=geojson"):
        yield "GET", "/v1/datastreams", "/v1/datastreams?limit=5" + kind, None, {}
        yield "GET", "/v1/things/{thing}/datastreams", "/v1/things/a/datastreams?limit=5" + kind, None, {}
        yield "GET", "/v1/things/{thing}/places", "/v1/things/road/places?limit=5" + kind, None, {}
        yield "GET", "/v1/observations", "/v1/observations?limit=5" + kind, None, {}
        yield "GET", "/v1/observations", "/v1/observations?last=P30D&aggregate=mean,min,max,sum,count,first,last,present&interval=P1D" + kind, None, {}
        yield "GET", "/v1/datastreams/{id}/observations", "/v1/datastreams/1/observations?last=P30D" + kind, None, {}
        yield "GET", "/v1/datastreams/{id}/observations", "/v1/datastreams/1/observations?last=P30D&aggregate=mean,count&interval=PT1H" + kind, None, {}
    yield from of_sensorthings()
    for path in ("/v1/datastreams", "/v1/observations", "/v1/things/{thing}/datastreams", "/v1/things/{thing}/places", "/v1/datastreams/{id}",
                 "/v1/datastreams/{id}/observations", "/v1/datastreams/{id}/chart.svg"):
        filled = concrete(path, FILL) + ("?from=2026-01-01&to=2026-02-01" if "observ" in path or "chart" in path else "")
        tag = d.get(filled).headers.get("etag")
        yield "GET", path, filled, None, {"If-None-Match": tag or "-"}


@pytest.fixture(scope="module")
def seen(broker):
    """{(method, path): [answer]} of every request of this module; the first ones are the same for all operations."""
    d = broker
    must(d, "organisation", "add", "vendor", "--title", "Vendor")
    must(d, "identity", "add", "ann", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    for name in ("air", "made"):
        must(d, "grant", "add", name, "--identity", "ann", "--rights", "read,subscribe")
    with d.client("described") as c:
        point, road = {"type": "Point", "coordinates": [4.3, 52.1]}, {"type": "LineString", "coordinates": [[4.3, 52.1], [4.4, 52.2]]}
        for thing, place in (("a", point), ("gone", point), ("road", road)):
            payload = {"dateObserved": city.now(), "pm25": 5, "location": place}
            assert c.publish(f"city/air/{thing}", json.dumps(payload)).reason == 0
        assert c.publish("city/quick/late", city.air(5)).reason == 0
        assert c.publish("city/air/a", city.air(5000)).reason == 0x99
        assert c.publish("nowhere", "x").reason == 0x90
    with d.client("behind", clean=False, props={"session_expiry": 600}) as c:
        c.subscribe(("city/air/#", 1))
    with d.client("described") as c:
        assert c.publish("city/air/a", city.air(6)).reason == 0
    wait_for("the series", lambda: len(d.get("/v1/datastreams").json()["datastreams"]) >= 3)
    wait_for("the session", lambda: d.admin("GET", "/v1/subscribers").json()["subscribers"])
    paths = d.get("/v1/openapi.json").json()["paths"]
    out = {}

    def ask(method, path, filled, body=None, headers=None, where=None):
        headers = dict(headers or {})
        if headers.pop("denied", False):
            headers, where = basic("ann", PASSWORD), d.web_port
        where = d.web_port if headers.pop("web", False) else where or d.socket_path
        a = web.request(where, method, filled, body, headers, timeout=30 * SLOW)
        a.asked = f"{method} {filled}"
        out.setdefault((method, path), []).append(a)

    for path, operations in paths.items():
        for method in (m.upper() for m in operations):
            body = {} if method in ("POST", "PUT", "PATCH") else None
            if method == "GET":
                ask(method, path, concrete(path, FILL), body)
            ask(method, path, concrete(path, FILL) + "?neverHeardOf=1", body)
            ask(method, path, concrete(path, FILL), body, basic("ann", "wrong"), d.web_port)
            ask(method, path, concrete(path, FILL), body, None, d.web_port) if method != "GET" else None
            ask(method, path, concrete(path, FILL), body, basic("ann", PASSWORD), d.web_port)
            ask(method, path, concrete(path, NONE), body)
            if body is not None:
                ask(method, path, concrete(path, FILL), "{", {"Content-Type": "application/json"})
    for one in more(d):
        ask(*one)
    wait_for("late to be late", lambda: d.admin("GET", "/v1/things/late/freshness").status == 503)
    ask("GET", "/v1/things/{thing}/freshness", "/v1/things/late/freshness")
    return out


@pytest.fixture(scope="module")
def described(broker):
    return broker.get("/v1/openapi.json").json()


def operations(document):
    return {(m.upper(), p): o for p, ways in document["paths"].items() for m, o in ways.items()}


def test_each_status_that_is_described_comes_and_no_other(seen, described):
    wrong = []
    for which, operation in operations(described).items():
        if which == ("POST", "/v1/series/_rebuild"):
            seen[which] = [a for a in seen[which] if a.status != 409] or seen[which]  # only while one runs, which is short
            operation["responses"].pop("409")
        said = {s for s in operation["responses"] if s != "default"}
        came = {str(a.status) for a in seen[which]}
        if said != came:
            wrong.append((which, "described only:", said - came, "came only:", {s: next(a.asked for a in seen[which] if str(a.status) == s)
                                                                                for s in came - said}))
    assert not wrong, "\n".join(map(str, wrong))


def test_each_body_is_what_its_schema_says(seen, described):
    n, types = 0, set()
    for which, operation in operations(described).items():
        for a in seen[which]:
            response = operation["responses"].get(str(a.status), operation["responses"]["default"])
            if not a.body:
                assert "content" not in response, (which, a.status)
                continue
            kind = a.headers["content-type"].split(";")[0]
            assert kind in response["content"], (a.asked, a.status, kind)
            schema = response["content"][kind].get("schema")
            types.add(kind)
            if not schema:
                assert kind in ("text/csv", "application/x-ndjson", "image/svg+xml"), (which, kind)
                continue
            try:
                jsonschema.Draft202012Validator({**schema, "components": described["components"]}).validate(a.json())
            except jsonschema.ValidationError as e:
                raise AssertionError(f"{a.asked}: {a.status}: at {list(e.absolute_path)}: {e.message[:400]}") from None
            n += 1
    assert n > 250 and {"application/geo+json", "application/cloudevents-batch+json", "application/ld+json"} <= types


def test_no_schema_is_idle(described):
    used = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(described)))
    assert used == set(described["components"]["schemas"])
