"""Places of every geometry, from the message to every face: events, series, SensorThings, things, the map, grants, a restart; and
things of which only the register knows where they are."""
import csv
import io
import math
import time
import urllib.parse

import pytest
from test_pages import Page

from kit import city, web
from kit.access import add_key, bearer, grant, must
from kit.daemon import SLOW, Daemon, feed, wait_for

ROAD = [[4.88, 52.36], [4.9, 52.37], [4.91, 52.365]]
BLOCK = [[[4.95, 52.3], [4.97, 52.3], [4.97, 52.32], [4.95, 52.32], [4.95, 52.3]], [[4.955, 52.305], [4.96, 52.305], [4.955, 52.31], [4.955, 52.305]]]
GEOMETRIES = {  # thing: geometry, its box
    "point": ({"type": "Point", "coordinates": [5.1, 52.1]}, [5.1, 52.1, 5.1, 52.1]),
    "road": ({"type": "LineString", "coordinates": ROAD}, [4.88, 52.36, 4.91, 52.37]),
    "block": ({"type": "Polygon", "coordinates": BLOCK}, [4.95, 52.3, 4.97, 52.32]),
    "poles": ({"type": "MultiPoint", "coordinates": [[4.7, 52.2], [4.72, 52.2]]}, [4.7, 52.2, 4.72, 52.2]),
    "roads": ({"type": "MultiLineString", "coordinates": [ROAD, [[4.5, 52], [4.6, 52.1]]]}, [4.5, 52, 4.91, 52.37]),
    "blocks": ({"type": "MultiPolygon", "coordinates": [BLOCK, [[[6, 53], [6.1, 53], [6.1, 53.1], [6, 53]]]]}, [4.95, 52.3, 6.1, 53.1]),
    "both": ({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [3, 51]}, {"type": "LineString", "coordinates": ROAD}]},
             [3, 51, 4.91, 52.37]),
}
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "G"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}


def meets(a, b):
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def geometry(box):
    w, s, e, n = box
    if w == e and s == n:
        return {"type": "Point", "coordinates": [w, s]}
    if w == e or s == n:
        return {"type": "LineString", "bbox": box, "coordinates": [[w, s], [e, n]]}
    return {"type": "Polygon", "bbox": box, "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}


def write_schema(d):
    city.write_schema(d.schemas, "test-place", 1, city.air_schema(location={"type": "object", "x-oudp": {"role": "location"}}))
    return d


def send_all(d):
    with d.client("sender") as c:
        for thing, (g, _) in GEOMETRIES.items():
            assert c.publish(f"city/air/{thing}", city.air(3, location=g)).reason == 0


@pytest.fixture(scope="module")
def d(tmp_path_factory):
    with write_schema(Daemon(tmp_path_factory.mktemp("geometries"), {"air": feed("city/air/{thing}", ["test-place/1"])})) as d:
        send_all(d)
        yield d


def things(d, what, query):
    a = d.get(f"/v1/{what}?{query}&limit=100", timeout=10 * SLOW)
    assert a.status == 200, a
    return sorted(x["id" if what == "things" else "thing"] for x in a.json()[what])


def rows(d, query):
    """Things of the map's table, with their feed."""
    found = Page(d.get(f"/map?{query}&lang=en").body.decode()).find("tr")
    return sorted((r["data-thing"], r["data-feed"]) for r in found if "data-thing" in r)


def sent(names):
    """Those of the beginning: other tests have left theirs."""
    return sorted(n for n in names if n in GEOMETRIES)


def in_bbox(text):
    w, s, e, n = map(float, text.split(","))
    parts = [[w, s, e, n]] if w <= e else [[w, s, 180, n], [-180, s, e, n]]
    return sorted(t for t, (_, box) in GEOMETRIES.items() if any(meets(p, box) for p in parts))


BOXES = ["4.89,52.361,4.9,52.362", "5,52,5.2,52.2", "3.5,51.5,3.6,51.6", "4.91,52.37,5,53", "0,0,1,1", "-180,-90,180,90", "4.71,52.2,4.71,52.2", "5,52,4.6,53"]


@pytest.mark.parametrize("text", BOXES)
def test_bbox(d, text):
    expected = in_bbox(text)
    assert sent(things(d, "datastreams", "bbox=" + text)) == expected
    assert sent(things(d, "things", "bbox=" + text)) == expected
    assert sent(o["thing"] for o in d.get(f"/v1/observations?bbox={text}").json()["observations"]) == expected
    assert sent(e["subject"] for e in d.get(f"/v1/feeds/air/events?after=0&bbox={text}").json() if "sequence" in e) == expected
    assert sent(thing for thing, _ in rows(d, "bbox=" + text)) == expected


@pytest.mark.parametrize("lon,lat,metres,near", [(4.94, 52.31, 700, ["block", "blocks"]), (4.94, 52.31, 600, []), (5.1, 52.1, 1, ["point"]),
                                                 (4.71, 52.21, 1120, ["poles", "roads", "both"]), (4.71, 52.21, 1, ["roads", "both"]),
                                                 (4.895, 52.3745, 510, ["road", "roads", "both"])])
def test_radius(d, lon, lat, metres, near):
    assert sent(things(d, "datastreams", f"radius={lon},{lat},{metres}")) == sorted(near)
    assert sent(things(d, "things", f"radius={lon},{lat},{metres}")) == sorted(near)
    assert sent(thing for thing, _ in rows(d, f"near={lat},{lon}&radius={metres}")) == sorted(near)


def test_what_is_answered(d):
    listed = {s["thing"]: s for s in d.get("/v1/datastreams?limit=100").json()["datastreams"]}
    features = {f["properties"]["thing"]: f for f in d.get("/v1/datastreams?format=geojson").json()["features"]}
    observed = {f["properties"]["thing"]: f for f in d.get("/v1/observations?format=geojson").json()["features"]}
    table = {r["thing"]: r for r in csv.DictReader(io.StringIO(d.get("/v1/datastreams?format=csv").body.decode()))}
    sta = {t["properties"]["thing"]: t for t in d.get("/sta/v1.1/Things?$expand=Locations,Datastreams").json()["value"]}
    for thing, (_, box) in GEOMETRIES.items():
        expected = geometry(box)
        assert listed[thing]["location"] == features[thing]["geometry"] == observed[thing]["geometry"] == expected, thing
        middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
        row = table[thing]
        assert [float(row["x"]), float(row["y"])] == pytest.approx(middle, abs=1e-7)
        assert [float(x) for x in row["bbox"].split(",") if x] == (pytest.approx(box) if box[:2] != box[2:] else [])
        assert sta[thing]["Locations"][0]["location"] == sta[thing]["Datastreams"][0]["observedArea"] == expected
        seen = d.get(f"/v1/things/{thing}").json()["seen"]["location"]
        assert [seen["longitude"], seen["latitude"]] == pytest.approx(middle)
        assert seen.get("bbox") == (box if box[:2] != box[2:] else None)
    # SensorThings reckons with them
    area = "geography'POLYGON((4.94 52.29,4.98 52.29,4.98 52.33,4.94 52.33,4.94 52.29))'"
    a = d.get("/sta/v1.1/Things?$filter=" + urllib.parse.quote(f"st_within(Locations/location,{area})")).json()["value"]
    assert [t["properties"]["thing"] for t in a] == ["block"]


def test_rd(d):
    """The corners are those of the box in degrees, within a decimetre of what the radius in RD finds."""
    listed = {s["thing"]: s for s in d.get("/v1/datastreams?crs=EPSG:28992").json()["datastreams"]}
    ring = listed["block"]["location"]["coordinates"][0]
    assert len(ring) == 5 and ring[0] == ring[4] and listed["block"]["crs"].endswith("28992")
    w, s, e, n = listed["block"]["location"]["bbox"]
    assert w == min(x for x, _ in ring) and n == max(y for _, y in ring)
    assert 1300 < e - w < 1450 and 2200 < n - s < 2300
    (x0, y0), (x1, y1) = ring[0], ring[1]
    assert math.hypot(x1 - x0, y1 - y0) == pytest.approx(1364, abs=5)
    found = d.get(f"/v1/datastreams?crs=EPSG:28992&radius={x0 - 30},{y0},31").json()["datastreams"]
    assert {"block", "blocks"} <= {t["thing"] for t in found}
    found = d.get(f"/v1/datastreams?crs=EPSG:28992&radius={x0 - 30},{y0},29").json()["datastreams"]
    assert "block" not in {t["thing"] for t in found}
    row = next(r for r in csv.DictReader(io.StringIO(d.get("/v1/datastreams?crs=EPSG:28992&format=csv").body.decode())) if r["thing"] == "block")
    assert [float(v) for v in row["bbox"].split(",")] == pytest.approx([w, s, e, n], abs=0.01)


def test_the_map_draws_it(d):
    page = Page(d.get("/map?lang=en").body.decode())
    assert len([r for r in page.find("rect") if r.get("class") == "extent"]) == len(GEOMETRIES) - 1
    row = next(r for r in page.find("tr") if r.get("data-thing") == "block")
    assert [float(v) for v in row["data-bbox"].split(",")] == pytest.approx([4.95, 52.3, 4.97, 52.32])


def test_what_is_wrong_is_refused(d, name):
    with d.client(name) as c:
        for g in ({"type": "LineString", "coordinates": [[4, 52], [4, 91]]}, {"type": "Polygon", "coordinates": [[[4, 52], [181, 52], [4, 52]]]},
                  {"type": "LineString", "coordinates": [[4, 52]] * 20001}):
            p = c.publish(f"city/air/{name}", city.air(3, location=g))
            assert p.reason == 0x99
        assert "more than 20000 positions" in p.props["reason"], p.props
        assert c.publish(f"city/air/{name}", city.air(3, location={"type": "LineString", "coordinates": []})).reason == 0
    assert d.get(f"/v1/datastreams?thing={name}").json()["datastreams"][0]["location"] is None


def test_where_the_register_has_it(d, name):
    """Found by the series once there is data, by the list of things and the map before; what it tells itself comes before that."""
    told, quiet = name + "-told", name + "-quiet"
    for thing in (told, quiet):
        assert d.admin("PUT", f"/v1/things/{thing}", {**ENTRY, "location": {"longitude": 5.8, "latitude": 51.8}}).status == 201
    here, there = "bbox=5.79,51.79,5.81,51.81", "bbox=5.89,51.89,5.91,51.91"
    assert things(d, "things", here) == sorted([told, quiet])
    assert things(d, "datastreams", here) == []
    assert rows(d, here) == sorted([(told, ""), (quiet, "")])
    with d.client(name) as c:
        assert c.publish(f"city/air/{told}", city.air(3)).reason == 0
        assert things(d, "datastreams", here) == [told]
        assert things(d, "datastreams", "radius=5.8,51.8,10") == [told]
        s = d.get(f"/v1/datastreams?thing={told}").json()["datastreams"][0]
        assert s["location"] == {"type": "Point", "coordinates": [5.8, 51.8]}
        assert rows(d, here) == sorted([(told, "air"), (quiet, "")])
        # the entry moves
        assert d.admin("PUT", f"/v1/things/{told}", {**ENTRY, "location": {"longitude": 5.9, "latitude": 51.9}}).status == 200
        assert things(d, "datastreams", here) == [] and things(d, "datastreams", there) == [told] and things(d, "things", there) == [told]
        # and is taken out
        assert d.admin("DELETE", f"/v1/things/{told}").status == 204
        assert things(d, "datastreams", there) == [] and things(d, "things", there) == []
        assert d.admin("PUT", f"/v1/things/{told}", {**ENTRY, "location": {"longitude": 5.8, "latitude": 51.8}}).status == 200
        assert things(d, "datastreams", here) == [told]
        # it tells a place of its own
        assert c.publish(f"city/air/{told}", city.air(4, location={"type": "LineString", "coordinates": [[5.9, 51.9], [5.9, 51.95]]})).reason == 0
        assert things(d, "datastreams", there) == [told] and things(d, "datastreams", here) == []
    assert d.oudp("thing", "erase", told, "--reason", "test").returncode == 0
    wait_for("erased", lambda: things(d, "datastreams", there) == [])


def test_where_it_was(d, name):
    """By observed time, each place that it was not at before; in pages, in every format, and after a late message."""
    begin = int(time.time()) // 60 * 60 - 3600
    told = {0: "point", 10: "road", 20: "block"}

    def stamp(minute):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + 60 * minute))

    def put(minute, g):
        with d.client(name) as c:
            assert c.publish(f"city/air/{name}", city.air(3, time=stamp(minute), location=GEOMETRIES[g][0])).reason == 0
    for minute, g in [*told.items(), (30, "block")]:
        put(minute, g)
    put(15, "poles")
    told[15] = "poles"
    expected = [("air", stamp(m), geometry(GEOMETRIES[told[m]][1])) for m in sorted(told)]
    path = f"/v1/things/{name}/places"

    def get(query=""):
        a = d.get(path + query)
        assert a.status == 200, a
        return a

    def told_by(places):
        return [(p["feed"], p["time"][:19] + "Z", p["location"]) for p in places]
    whole = get().json()
    assert whole["thing"] == name and whole["next"] is None and told_by(whole["places"]) == expected
    assert {p["owner"] for p in whole["places"]} == {"gemeente-test"}
    pages, cursor = [], ""
    while cursor is not None:
        a = get("?limit=1" + cursor).json()
        assert len(a["places"]) <= 1
        pages += a["places"]
        cursor = a["next"] and "&cursor=" + a["next"]
    assert told_by(pages) == expected
    assert told_by(get(f"?from={stamp(10)}&to={stamp(20)}").json()["places"]) == expected[1:3]
    assert get("?feed=air&last=PT1S").json()["places"] == [] and get().headers["etag"]
    assert [f["geometry"] for f in get("?format=geojson").json()["features"]] == [g for _, _, g in expected]
    assert len(get("?format=ndjson").body.splitlines()) == 4
    table = list(csv.DictReader(io.StringIO(get("?format=csv").body.decode())))
    assert [bool(r["bbox"]) for r in table] == [False, True, True, True] and table[0]["x"] == "5.1000000" and table[0]["feed"] == "air"
    assert float(list(csv.DictReader(io.StringIO(get("?format=csv&crs=EPSG:28992").body.decode())))[0]["x"]) > 10000
    assert d.get("/v1/things/nobody/places").json()["places"] == []
    for bad in ("?limit=all", "?limit=0", "?bbox=1,2,3,4", "?from=x"):
        assert d.get(path + bad).status == 400, bad


def test_after_a_restart(own):
    """Rows and records, as they were; and what only the register knows."""
    d = write_schema(own({"air": feed("city/air/{thing}", ["test-place/1"])}))
    d.start()
    send_all(d)
    with d.client("quiet") as c:
        assert c.publish("city/air/quiet", city.air(3)).reason == 0
    assert d.admin("PUT", "/v1/things/quiet", {**ENTRY, "location": {"longitude": 5.8, "latitude": 51.8}}).status == 201
    before = {s["thing"]: s["location"] for s in d.get("/v1/datastreams").json()["datastreams"]}
    assert before["quiet"]["type"] == "Point"
    for end in (d.restart, d.kill):
        end()
        if end == d.kill:
            d.start()
        assert {s["thing"]: s["location"] for s in d.get("/v1/datastreams").json()["datastreams"]} == before
        for text in BOXES:
            assert sent(things(d, "datastreams", "bbox=" + text)) == in_bbox(text), text
        assert things(d, "datastreams", "radius=5.8,51.8,1") == ["quiet"]
    r = d.oudp("rebuild")
    assert r.returncode == 0 and ", 0 put back" in r.stdout, r


def test_a_grant_for_an_area(own):
    """The whole box must lie in it."""
    d = write_schema(own({"air": feed("city/air/{thing}", ["test-place/1"], access="restricted")}))
    d.start()
    must(d, "organisation", "add", "vendor")
    key = add_key(d, "sensor", "vendor")
    grant(d, "air", "publish,read", identity="sensor", area="4.87,52.35,4.92,52.38", **{"area-crs": "CRS84"})
    with d.client("c", user="", password=key) as c:
        for g, reason in ((GEOMETRIES["road"][0], 0), (GEOMETRIES["roads"][0], 0x87), (GEOMETRIES["block"][0], 0x87),
                          ({"type": "Polygon", "coordinates": [[[4, 52], [6, 52], [6, 53], [4, 52]]]}, 0x87)):
            assert c.publish("city/air/x", city.air(3, location=g)).reason == reason, g
    with d.client("admin") as c:
        for thing in ("road", "roads", "block"):
            assert c.publish(f"city/air/{thing}", city.air(3, location=GEOMETRIES[thing][0])).reason == 0
    a = web.request(d.web_port, "GET", "/v1/datastreams", None, bearer(key), timeout=10 * SLOW).json()
    assert sorted(s["thing"] for s in a["datastreams"]) == ["road", "x"]
    with d.client("admin") as c:  # it was elsewhere before
        assert c.publish("city/air/road", city.air(3, time=city.now(-600), location=GEOMETRIES["block"][0])).reason == 0
    a = web.request(d.web_port, "GET", "/v1/things/road/places", None, bearer(key), timeout=10 * SLOW).json()
    assert [p["location"] for p in a["places"]] == [geometry(GEOMETRIES["road"][1])]
    a = web.request(d.web_port, "GET", "/v1/things/block/places", None, bearer(key), timeout=10 * SLOW).json()
    assert a["places"] == []
    a = web.request(d.web_port, "GET", "/v1/feeds/air/events?after=0", None, bearer(key), timeout=10 * SLOW).json()
    assert sorted(e["subject"] for e in a if "sequence" in e) == ["road", "x"]
