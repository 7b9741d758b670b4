"""Grants for a piece of the city: publishing, and every way of reading; a thing without a place is outside of it."""
import json

import pytest

from kit import city, mqtt, web
from kit.access import add_key, bearer, grant, must
from kit.daemon import SLOW, feed, wait_for

CENTRE = "4.88,52.36,4.92,52.38"
CENTRE_RD = "POLYGON((120300 486000,123300 486000,123300 488300,120300 488300,120300 486000))"
DAM, ZUID, NOORD = [4.8926, 52.3731], [4.87, 52.34], [4.91, 52.40]
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "G"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}


def at(place, n=None):
    return city.air(n if n is not None else 12, **({"location": {"type": "Point", "coordinates": place}} if place else {}))


@pytest.fixture
def d(own):
    d = own({"air": feed("city/air/{thing}", ["test-place/1"], access="restricted")})
    city.write_schema(d.schemas, "test-place", 1, city.air_schema(location={"type": "object", "x-oudp": {"role": "location"}}))
    d.start()
    for o in ("vendor", "partner"):
        must(d, "organisation", "add", o)
    return d


@pytest.mark.parametrize("area,crs", [(CENTRE, "CRS84"), (CENTRE_RD, "EPSG:28992"), (json.dumps({
    "type": "Polygon", "coordinates": [[[4.88, 52.36], [4.92, 52.36], [4.92, 52.38], [4.88, 52.38], [4.88, 52.36]]]}), "CRS84")])
def test_reading(d, name, area, crs):
    """Live over MQTT, WebSocket and a stream, pages, retained, what was missed, series, SensorThings, things, pages for people."""
    key = add_key(d, "reader", "partner")
    grant(d, "air", "subscribe,read", identity="reader", area=area, **{"area-crs": crs})
    d.admin("PUT", "/v1/things/registered", {**ENTRY, "location": {"latitude": DAM[1], "longitude": DAM[0]}})
    messages = [("dam", at(DAM)), ("zuid", at(ZUID)), ("noord", at(NOORD)), ("nowhere", at(None)), ("registered", at(None)),
                ("roams", at(ZUID)), ("roams", at(DAM))]
    inside = ["dam", "registered", "roams"]
    away = d.client("away", user="", password=key, clean=False, props={"session_expiry": 1000})
    away.subscribe(("city/air/#", 1))
    away.send(mqtt.disconnect())
    away.close()
    with d.client(name) as c, d.client("live", user="", password=key) as s, \
            web.WebSocket(d.web_port, "/v1/feeds/air/events", headers=bearer(key), timeout=10 * SLOW) as w, \
            web.Events(d.web_port, "/v1/feeds/air/events", bearer(key), timeout=10 * SLOW) as stream:
        web.until_live(w)
        assert stream.event()["type"] == "nl.oudp.feed.live.v1"
        assert s.subscribe("city/air/#") == [0]
        for thing, text in messages:
            assert c.publish(f"city/air/{thing}", text, retain=True).reason == 0
        assert [s.expect(mqtt.PUBLISH).topic.rsplit("/")[-1] for _ in inside] == inside
        assert [w.event()["subject"] for _ in inside] == inside
        assert [stream.event()["subject"] for _ in inside] == inside
        s.expect_quiet()
    with d.client("away", user="", password=key, clean=False, props={"session_expiry": 1000}) as s:
        assert [s.expect(mqtt.PUBLISH).topic.rsplit("/")[-1] for _ in inside] == inside
        s.expect_quiet()
    with d.client("retained", user="", password=key) as s:
        s.subscribe("city/air/#")
        assert sorted(s.expect(mqtt.PUBLISH).topic.rsplit("/")[-1] for _ in inside) == inside
        s.expect_quiet()

    def get(path):
        a = web.request(d.web_port, "GET", path, None, bearer(key), timeout=10 * SLOW)
        assert a.status == 200, (path, a)
        return a
    assert [e["subject"] for e in get("/v1/feeds/air/events?after=0").json() if "sequence" in e] == inside
    assert {t["id"] for t in get("/v1/things").json()["things"] if t.get("seen")} == set(inside)
    assert {s["thing"] for s in get("/v1/datastreams").json()["datastreams"]} == set(inside)
    assert {o["thing"] for o in get("/v1/observations").json()["observations"]} == set(inside)
    assert {t["properties"]["thing"] for t in get("/sta/v1.1/Things").json()["value"]} == set(inside)
    html = get("/feeds/air").body.decode()
    assert "dam" in html and "zuid" not in html and "noord" not in html and "nowhere" not in html


def test_the_registers_place(d):
    """A thing that tells no place is where the register has it, from the moment that this changes, also for subscriptions that are open.
    What a thing tells comes first: for its message, and for lists and series the place that it told last."""
    key = add_key(d, "reader", "partner")
    grant(d, "air", "subscribe,read", identity="reader", area=CENTRE, **{"area-crs": "CRS84"})

    def put(thing, place):
        entry = {**ENTRY, **({"location": {"latitude": place[1], "longitude": place[0]}} if place else {})}
        assert d.admin("PUT", "/v1/things/" + thing, entry).status in (200, 201)

    def get(path):
        return web.request(d.web_port, "GET", path, None, bearer(key), timeout=10 * SLOW)

    def seen():
        """What each face lists."""
        html = get("/feeds/air").body.decode()
        things = {t["id"] for t in get("/v1/things").json()["things"] if t.get("seen")}
        faces = [things, {t for t in ("pole", "tram") if f"/{t}" in html},
                 {s["thing"] for s in get("/v1/datastreams").json()["datastreams"]},
                 {s["thing"] for s in get("/v1/observations").json()["observations"]},
                 {t["properties"]["thing"] for t in get("/sta/v1.1/Things").json()["value"]},
                 {t for t in ("pole", "tram") if get(f"/v1/things/{t}/freshness").status != 404}]
        return faces
    put("pole", NOORD)
    put("tram", DAM)
    with d.client("c") as c, d.client("live", user="", password=key) as s, \
            web.WebSocket(d.web_port, "/v1/feeds/air/events", headers=bearer(key), timeout=10 * SLOW) as w:
        web.until_live(w)
        assert s.subscribe("city/air/#") == [0]

        def said(n, *messages):
            """The messages of those that reach the subscribers."""
            for thing, place in messages:
                assert c.publish(f"city/air/{thing}", at(place, n)).reason == 0
                n += 1
            assert c.publish("city/air/end", at(DAM, n)).reason == 0
            got = []
            while not got or got[-1] != "end":
                got.append(s.expect(mqtt.PUBLISH).topic.rsplit("/")[-1])
                assert w.event()["subject"] == got[-1]
            return got[:-1]
        assert said(10, ("pole", None), ("tram", ZUID)) == []
        assert seen() == [{"end"}, set(), {"end"}, {"end"}, {"end"}, set()]
        put("pole", DAM)
        assert said(20, ("pole", None), ("tram", None)) == ["pole", "tram"]
        assert seen() == [{"end", "pole"}, {"pole"}, {"end", "pole"}, {"end", "pole"}, {"end", "pole"}, {"pole"}]
        put("pole", None)
        assert said(30, ("pole", None)) == []
        put("pole", ZUID)
        assert said(40, ("pole", None), ("pole", DAM)) == ["pole"]
        assert said(50, ("tram", DAM)) == ["tram"] and seen()[2:] == [{"end", "pole", "tram"}] * 3 + [{"pole", "tram"}]


def test_publishing(d):
    """A message from outside is refused, whatever it says else; so is one that tells no place of a thing that has none."""
    key = add_key(d, "sender")
    grant(d, "air", "publish", identity="sender", area=CENTRE, **{"area-crs": "CRS84"})
    d.admin("PUT", "/v1/things/known?organisation=vendor", {**ENTRY, "location": {"latitude": DAM[1], "longitude": DAM[0]}})
    with d.client("s", user="", password=key) as c:
        assert c.publish("city/air/a", at(DAM)).reason == 0
        assert c.publish("city/air/b", at(ZUID)).reason == 0x87
        assert c.publish("city/air/c", at(None)).reason == 0x87
        assert c.publish("city/air/known", at(None)).reason == 0, "the register says where it is"
        assert c.publish("city/air/known", at(NOORD)).reason == 0x87, "what the message says comes first"
        assert c.publish("city/air/a", at(None)).reason == 0, "where it was last"
    for place, status in ((DAM, 201), (ZUID, 403)):
        a = web.request(d.web_port, "POST", "/v1/feeds/air/events?thing=x", at(place), {**bearer(key), "Content-Type": "application/json"})
        assert a.status == status, a
    assert [e["subject"] for e in d.all_events("air")] == ["a", "known", "a", "x"]


def test_with_a_thing_and_with_others(d):
    """Thing and area of one grant both count; of several grants one is enough; a grant changes and is kept over a restart."""
    key = add_key(d, "sender")
    grant(d, "air", "publish", identity="sender", thing="v-*", area=CENTRE, **{"area-crs": "CRS84"})
    id_ = grant(d, "air", "publish", identity="sender", thing="z-*", area="4.86,52.33,4.88,52.35", **{"area-crs": "CRS84"})

    def tries():
        with d.client("s", user="", password=key) as c:
            return [c.publish(f"city/air/{t}", at(p)).reason for t, p in
                    (("v-1", DAM), ("v-1", ZUID), ("z-1", ZUID), ("z-1", DAM), ("x", DAM))]
    assert tries() == [0, 0x87, 0, 0x87, 0x87]
    d.restart()
    assert tries() == [0, 0x87, 0, 0x87, 0x87]
    assert d.admin("PATCH", f"/v1/grants/{id_}", {"area": None}).json().get("area") is None
    assert tries() == [0, 0x87, 0, 0, 0x87]


def test_who_pays(d):
    """A message is charged to the grant that allows it; when that is used up, another that allows it takes it; a refused one is not free."""
    key = add_key(d, "sender")
    first = grant(d, "air", "publish", identity="sender", area="4.86,52.33,4.88,52.35", quota=2, rate=1000, **{"area-crs": "CRS84"})
    second = grant(d, "air", "publish", identity="sender", area=CENTRE, quota=2, **{"area-crs": "CRS84"})
    third = grant(d, "air", "publish", identity="sender", thing="v-*", quota=1)

    def used():
        by_id = {g["id"]: g["used"] for g in d.admin("GET", "/v1/grants").json()["grants"]}
        return [by_id[int(i)] for i in (first, second, third)]
    with d.client("s", user="", password=key) as c:
        def reasons(*messages):
            return [c.publish(f"city/air/{t}", at(p)).reason for t, p in messages]
        assert reasons(("x", DAM), ("x", DAM), ("x", DAM)) == [0, 0, 0x97] and used() == [0, 2, 0]
        assert reasons(("v-1", DAM), ("v-1", NOORD)) == [0, 0x97] and used() == [0, 2, 1]
        assert reasons(("y", NOORD)) == [0x87] and used() == [1, 2, 1], "refused: charged to the first that it might have been of"
        assert c.publish("city/air/y", "{}").reason == 0x99 and used() == [2, 2, 1]
        assert reasons(("x", ZUID)) == [0x97] and used() == [2, 2, 1]
    a = web.request(d.web_port, "POST", "/v1/feeds/air/events?thing=x", at(DAM), {**bearer(key), "Content-Type": "application/json"})
    assert a.status == 429, a


def test_what_is_no_area(d, tmp_path):
    add_key(d, "sender")
    for area, crs, words in ((CENTRE, None, "areaCrs: is needed"), (CENTRE, "WGS84", "areaCrs: is none of"), ("POINT(1 2)", "CRS84", "neither POLYGON"),
                             ("POLYGON((0 0,1 1,1 0,0 1,0 0))", "CRS84", "cross"), (CENTRE, "EPSG:28992", "outside of the Dutch grid")):
        done = d.oudp("grant", "add", "air", "--identity", "sender", "--rights", "publish", "--area", area,
                      *(["--area-crs", crs] if crs else []))
        assert done.returncode == 2 and words in done.stderr, done
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": {
        "type": "Polygon", "coordinates": [[[4.88, 52.36], [4.92, 52.36], [4.92, 52.38], [4.88, 52.36]]]}}, indent=1))
    grant(d, "air", "publish", identity="sender", area=f"@{path}", **{"area-crs": "CRS84"})
    wait_for("the grant", lambda: d.admin("GET", "/v1/grants").json()["grants"], 5)
    assert d.oudp("grant", "add", "air", "--identity", "sender", "--rights", "publish", "--area", "@/nothing").returncode == 2


def test_a_place_is_its_feeds(own):
    """What a thing told of its place to a restricted feed is not shown to who reads another feed of it, nor found by it."""
    d = own({"exact": feed("exact/{thing}", ["test-place/1"], access="restricted"), "open": feed("open/{thing}", access="restricted")})
    city.write_schema(d.schemas, "test-place", 1, city.air_schema(location={"type": "object", "x-oudp": {"role": "location"}}))
    d.start()
    must(d, "organisation", "add", "partner")
    some, all_ = (add_key(d, n, "partner") for n in ("some", "all"))
    grant(d, "open", "read", identity="some")
    grant(d, "*", "read", identity="all")
    with d.client("c") as c:
        assert c.publish("exact/pole", at(DAM)).reason == 0 and c.publish("open/pole", city.air(3)).reason == 0
    for key, shown in ((some, False), (all_, True)):
        def get(path, k=key):
            return web.request(d.web_port, "GET", path, None, bearer(k), timeout=10 * SLOW).json()
        assert ("location" in get("/v1/things/pole?organisation=gemeente-test")["seen"]) == shown
        assert [t["id"] for t in get("/v1/things?bbox=" + CENTRE)["things"]] == (["pole"] if shown else [])
        assert [t["id"] for t in get("/v1/things")["things"]] == ["pole"]
