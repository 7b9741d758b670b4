"""The time series over HTTP and on the command line: lists, observations, aggregates, pages, formats, places, charts,
freshness, alerts, import and export. Answers are held against a model in Python of what was published."""
import csv
import datetime
import io
import json
import math
import os
import random
import stat
import time
import xml.dom.minidom
import zoneinfo

import pytest

from kit import city, mqtt, web
from kit.daemon import TOP, Daemon, feed, wait_for

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
T0 = int(datetime.datetime(2026, 10, 24, tzinfo=UTC).timestamp() * 1000)  # the clocks go back on the 25th
FIGURES = "mean,min,max,sum,count,first,last"


def rfc(ms, zone=UTC):
    t = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(zone)
    return t.isoformat(timespec="milliseconds" if ms % 1000 else "seconds").replace("+00:00", "Z")


def parse(text):
    delta = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return delta // datetime.timedelta(milliseconds=1)


def schema():
    return city.air_schema()


def payload(thing, ms, value, lon=None, lat=None):
    body = {"id": thing, "time": rfc(ms), "pm25": value}
    if lon is not None:
        body["location"] = {"type": "Point", "coordinates": [lon, lat]}
    return body


FEEDS = {
    "air": feed("city/air/{thing}", schemas=["test-place/1"], title="Lucht", max_age="0s", max_future="100d", cadence="10m",
                licence="http://creativecommons.org/publicdomain/zero/1.0/", contact="mailto:lucht@voorbeeld.nl"),
    "secret": feed("city/secret/{thing}", schemas=["test-place/1"], max_age="0s", max_future="100d"),
}


def place_schema():
    s = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "place", "type": "object",
        "required": ["id", "time"],
        "properties": {
            "id": {"type": "string", "x-oudp": {"role": "thing"}},
            "time": {"type": "string", "format": "date-time", "x-oudp": {"role": "time"}},
            "pm25": {"type": "number", "maximum": 1000,
                     "x-oudp": {"role": "result", "observedProperty": "http://example.org/pm25", "unit": "ug/m3"}},
            "no2": {"type": "number",
                    "x-oudp": {"role": "result", "observedProperty": "http://example.org/no2", "unit": "ug/m3"}},
            "state": {"type": "string",
                      "x-oudp": {"role": "result", "observedProperty": "http://example.org/state", "unit": "1"}},
            "location": {"type": "object", "x-oudp": {"role": "location"}},
        },
    }
    return s


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("series"), FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        d.model = fill(d)
        yield d


def post_lines(d, name, lines):
    body = "".join(json.dumps({"subject": p["id"], "data": p}) + "\n" for p in lines)
    a = d.post(f"/v1/feeds/{name}/events?lines=events", body, {"Content-Type": "application/x-ndjson"}, timeout=60)
    assert a.status == 200, a
    out = [json.loads(x) for x in a.body.splitlines()]
    assert len(out) == len(lines)
    return out


def fill(d):
    """Three days of two things, out of order and with a hole; the model is thing -> sorted (ms, value)."""
    rng = random.Random(3)
    model, lines = {"ams-01": [], "ams-02": []}, []
    for n, thing in enumerate(model):
        for i in range(3 * 24 * 6):
            if 100 < i < 140:
                continue
            ms, value = T0 + i * 600000 + rng.randrange(5000), round(20 + 10 * math.sin(i / 30) + rng.random(), 1)
            model[thing].append((ms, value))
            lines.append(payload(thing, ms, value, 4.9 + n * 0.1, 52.37))
    rng.shuffle(lines)
    assert all(r["status"] == 201 for r in post_lines(d, "air", lines))
    post_lines(d, "secret", [payload("hidden", T0, 1)])
    return {k: sorted(v) for k, v in model.items()}


def stream(d, thing, member="pm25", name="air"):
    a = d.get(f"/v1/datastreams?feed={name}&thing={thing}&property={member}")
    assert a.status == 200, a
    found = a.json()["datastreams"]
    assert len(found) == 1, found
    return found[0]


def rows(d, path, **q):
    a = d.get(path + web.query(**q), timeout=60)
    assert a.status == 200, a
    return a.json()["observations"]


# ---- what there is ----
def test_datastreams(broker):
    s = stream(broker, "ams-01")
    model = broker.model["ams-01"]
    assert s["count"] == len(model)
    assert (s["feed"], s["owner"], s["unit"], s["observedProperty"]) == ("air", "gemeente-test", "ug/m3",
                                                                        "http://example.org/pm25")
    assert s["licence"].endswith("/zero/1.0/") and s["contact"] == "mailto:lucht@voorbeeld.nl" and s["fresh"] is True
    assert (parse(s["first"]), parse(s["last"])) == (model[0][0], model[-1][0])
    assert (parse(s["latest"]["time"]), s["latest"]["value"]) == model[-1]
    assert s["location"] == {"type": "Point", "coordinates": [4.9, 52.37]}
    one = broker.get(f"/v1/datastreams/{s['id']}")
    assert one.json() == s and one.headers["etag"]
    again = broker.get(f"/v1/datastreams/{s['id']}", {"If-None-Match": one.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert broker.get("/v1/things/ams-01/datastreams").json()["datastreams"] == [s]
    for path in ("/v1/datastreams/999999", "/v1/datastreams/0", "/v1/datastreams/x/observations"):
        assert broker.get(path).status == 404
    everything = broker.get("/v1/datastreams").json()["datastreams"]
    pages, path = [], "/v1/datastreams?limit=1"
    while path:
        a = broker.get(path)
        pages += a.json()["datastreams"]
        path = web.link_next(a)
    assert pages == everything and len(pages) == 3


def test_by_place(broker):
    def things(**q):
        a = broker.get("/v1/datastreams" + web.query(**q))
        assert a.status == 200, a
        return sorted(s["thing"] for s in a.json()["datastreams"])

    assert things(bbox="4.85,52.3,4.95,52.4") == ["ams-01"]
    assert things(radius="5,52.37,500") == ["ams-02"]
    assert things(radius="4.95,52.37,10000") == ["ams-01", "ams-02"]
    assert things(feed="air", bbox="1,1,2,2") == []
    # the same in RD: Amsterdam's Dam is about 121.4, 487.4 km
    assert things(bbox="121000,485000,123000,489000", crs="EPSG:28992") == ["ams-01"]


def test_coordinates_in_rd(broker):
    uri = "http://www.opengis.net/def/crs/EPSG/0/28992"
    for a in (broker.get("/v1/datastreams?thing=ams-01&crs=EPSG:28992"),
              broker.get("/v1/datastreams?thing=ams-01", {"Accept-Crs": uri})):
        assert a.status == 200 and a.headers["content-crs"] == f"<{uri}>", a
        s = a.json()["datastreams"][0]
        x, y = s["location"]["coordinates"]
        assert abs(x - 121817) < 10 and abs(y - 487018) < 10, (x, y)  # by an independent calculation
        assert s["crs"] == uri and s["crsAccuracy"] == 0.25
    assert broker.get("/v1/datastreams", {"Accept-Crs": "EPSG:4326"}).status == 406
    plain = broker.get("/v1/datastreams?thing=ams-01")
    assert plain.headers["content-crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"


# ---- observations ----
def test_raw(broker):
    s, model = stream(broker, "ams-01"), broker.model["ams-01"]
    path = f"/v1/datastreams/{s['id']}/observations"
    got = [(parse(r["time"]), r["value"]) for r in rows(broker, path)]
    assert got == model
    got = [(parse(r["time"]), r["value"]) for r in rows(broker, path, order="desc", limit=10)]
    assert got == model[::-1][:10]
    a, b = T0 + 86400000, T0 + 2 * 86400000
    got = [(parse(r["time"]), r["value"]) for r in rows(broker, path, **{"from": rfc(a), "to": rfc(b)})]
    assert got == [p for p in model if a <= p[0] < b]
    local = rows(broker, path, **{"from": "2026-10-25", "to": "2026-10-26", "tz": "Europe/Amsterdam"})
    assert [parse(r["time"]) for r in local] == [ms for ms, _ in model if T0 + 22 * 3600000 <= ms < T0 + 47 * 3600000]
    assert local[0]["time"].endswith("+02:00") and local[-1]["time"].endswith("+01:00")


def test_pages_follow_each_other(broker):
    s, model = stream(broker, "ams-02"), broker.model["ams-02"]
    for order in ("asc", "desc"):
        got, path = [], f"/v1/datastreams/{s['id']}/observations?limit=7&order={order}"
        while path:
            a = broker.get(path)
            page = a.json()
            got += [(parse(r["time"]), r["value"]) for r in page["observations"]]
            path = web.link_next(a)
            assert bool(path) == bool(page["next"])
        assert got == (model if order == "asc" else model[::-1])
    got, path = [], "/v1/observations?feed=air&from=2026-10-24&limit=100"
    while path:
        a = broker.get(path)
        got += [(r["thing"], parse(r["time"]), r["value"]) for r in a.json()["observations"]]
        path = web.link_next(a)
    both = broker.model
    ids = sorted(both, key=lambda t: stream(broker, t)["id"])
    assert got == [(t, ms, v) for t in ids for ms, v in both[t]]


def local_edges(first, last, period):
    """Naive: every piece of local time that has something, as (begin, end)."""
    step = {"PT1H": datetime.timedelta(hours=1), "PT6H": datetime.timedelta(hours=6), "P1D": datetime.timedelta(days=1)}[period]
    t = datetime.datetime(2026, 10, 23)
    edges = []
    while True:
        ms = int((t.replace(tzinfo=AMSTERDAM).astimezone(UTC) - EPOCH) / datetime.timedelta(milliseconds=1))
        edges.append(ms)
        if period == "PT1H":
            nxt = (t.replace(tzinfo=AMSTERDAM).astimezone(UTC) + step)  # elapsed time: an hour is an hour
            edges[-1:] = [edges[-1]]
        if ms > last:
            return edges
        t += step


@pytest.mark.parametrize("period", ["PT15M", "PT1H", "PT6H", "P1D", "P1W", "P1M"])
def test_aggregates(broker, period):
    s, model = stream(broker, "ams-01"), broker.model["ams-01"]
    got = rows(broker, f"/v1/datastreams/{s['id']}/observations", aggregate=FIGURES + ",present", interval=period, tz="Europe/Amsterdam",
               limit=10000)
    assert got
    seen, before = 0, None
    for r in got:
        a, b = parse(r["time"]), parse(r["until"])
        assert before is None or a >= before
        before = b
        values = [v for ms, v in model if a <= ms < b]
        assert values, r
        seen += len(values)
        assert r["count"] == len(values) and (r["min"], r["max"]) == (min(values), max(values))
        assert (r["first"], r["last"]) == (values[0], values[-1])
        assert r["sum"] == pytest.approx(sum(values)) and r["mean"] == pytest.approx(sum(values) / len(values))
        assert r["present"] == pytest.approx(min(1, len(values) * 600000 / (b - a)), abs=1e-4)  # the feed's cadence is 10 minutes
        local = datetime.datetime.fromisoformat(r["time"])
        if period in ("P1D", "P1W", "P1M", "PT6H"):
            assert (local.hour % (6 if period == "PT6H" else 24), local.minute) == (0, 0), r
        if period == "P1W":
            assert local.weekday() == 0
        if period == "P1M":
            assert local.day == 1
    assert seen == len(model)
    if period == "P1D":
        assert [(parse(r["until"]) - parse(r["time"])) // 3600000 for r in got if r["time"].startswith("2026-10-25")] == [25]


def test_aggregate_pages_and_present(broker):
    s = stream(broker, "ams-01")
    path = f"/v1/datastreams/{s['id']}/observations"
    whole = rows(broker, path, aggregate="mean,present", interval="PT1H", limit=10000)
    assert max(r["present"] for r in whole) == 1 and min(r["present"] for r in whole) < 1
    got, at = [], path + "?aggregate=mean,present&interval=PT1H&limit=7"
    while at:
        a = broker.get(at)
        got += a.json()["observations"]
        at = web.link_next(a)
    assert got == whole
    a = broker.get(path + "?aggregate=mean&interval=PT1S&from=2020-01-01")
    assert a.status == 200  # begins where the data does
    many = broker.get("/v1/observations?feed=air&aggregate=mean&interval=P1D&limit=all").json()["observations"]
    assert {r["thing"] for r in many} == {"ams-01", "ams-02"}


def test_latest_of_all(broker):
    got = {r["thing"]: (parse(r["time"]), r["value"]) for r in rows(broker, "/v1/observations", feed="air")}
    assert got == {t: m[-1] for t, m in broker.model.items()}


def test_formats(broker):
    s, model = stream(broker, "ams-01"), broker.model["ams-01"]
    path = f"/v1/datastreams/{s['id']}/observations?limit=all"
    a = broker.get(path, {"Accept": "text/csv"})
    assert a.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(a.body.decode())))
    assert [(parse(r["time"]), float(r["value"])) for r in table] == model
    a = broker.get(path, {"Accept": "application/x-ndjson"})
    assert [(parse(r["time"]), r["value"]) for r in map(json.loads, a.body.splitlines())] == model
    a = broker.get(path + "&format=geojson")
    geo = a.json()
    assert a.headers["content-type"] == "application/geo+json" and geo["type"] == "FeatureCollection"
    assert len(geo["features"]) == len(model)
    assert geo["features"][0]["geometry"] == {"type": "Point", "coordinates": [4.9, 52.37]}
    assert broker.get(path, {"Accept": "image/png"}).status == 406
    geo = broker.get("/v1/datastreams?feed=air&format=geojson").json()
    assert [f["geometry"]["coordinates"] for f in geo["features"]] == [[4.9, 52.37], [5, 52.37]]
    table = list(csv.DictReader(io.StringIO(broker.get("/v1/datastreams?feed=air&format=csv").body.decode())))
    assert [r["thing"] for r in table] == ["ams-01", "ams-02"] and table[0]["unit"] == "ug/m3"
    head = web.request(broker.web_port, "HEAD", path.replace("all", "10"))
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 100


def test_a_long_answer_comes_as_a_stream(broker):
    lines = [payload("long", T0 + i * 1000, i % 1000) for i in range(20000)]
    for i in range(0, len(lines), 5000):
        post_lines(broker, "air", lines[i:i + 5000])
    s = stream(broker, "long")
    a = broker.get(f"/v1/datastreams/{s['id']}/observations?limit=all&format=csv", timeout=60)
    assert a.status == 200 and a.headers.get("transfer-encoding") == "chunked"
    table = list(csv.reader(io.StringIO(a.body.decode())))[1:]
    assert len(table) == 20000 and [float(r[1]) for r in table] == [i % 1000 for i in range(20000)]
    a = broker.get(f"/v1/datastreams/{s['id']}/observations?limit=all", timeout=60)
    assert len(a.json()["observations"]) == 20000


def test_wrong_questions(broker):
    a = broker.get("/v1/observations?from=yesterday&limit=0&nope=1")
    assert a.status == 400
    assert sorted(e["parameter"] for e in a.json()["errors"]) == ["from", "limit", "nope"]
    assert broker.get("/v1/observations?aggregate=mean&interval=PT1S&from=1970-01-01&cursor=1:0:0").status in (200, 400)
    assert broker.get("/v1/openapi.json").json()["paths"]["/v1/observations"]["get"]["responses"]["200"]["content"].keys() == {
        "application/json", "text/csv", "application/x-ndjson", "application/geo+json"}


# ---- charts ----
def test_chart(broker):
    s = stream(broker, "ams-01")
    a = broker.get(f"/v1/datastreams/{s['id']}/chart.svg?from=2026-10-24&to=2026-10-27&tz=Europe/Amsterdam&lang=nl")
    assert a.status == 200 and a.headers["content-type"].startswith("image/svg+xml"), a
    assert "style-src 'unsafe-inline'" in a.headers["content-security-policy"]
    svg = xml.dom.minidom.parseString(a.body).documentElement
    assert svg.getAttribute("lang") == "nl" and svg.getAttribute("role") == "img"
    titles = {t.getAttribute("lang"): t.firstChild.data for t in svg.getElementsByTagName("title")}
    assert titles == {"nl": "ams-01: fijnstof PM2,5", "en": "ams-01: fine dust PM2.5"}
    text = a.body.decode()
    assert "Onderbrekingen: 1." in text and "prefers-color-scheme" in text and "25 okt" in text
    assert text.count('class="line"') == 2
    empty = broker.get(f"/v1/datastreams/{s['id']}/chart.svg?from=2020-01-01&to=2020-01-02&lang=en")
    assert empty.status == 200 and b"no observations" in empty.body
    english = broker.get(f"/v1/datastreams/{s['id']}/chart.svg", {"Accept-Language": "en-GB,en"})
    assert b'lang="en" aria' in english.body
    assert broker.get("/v1/datastreams/99999/chart.svg").status == 404


# ---- freshness ----
def test_freshness_and_alerts(tmp_path):
    told = tmp_path / "told"
    program = tmp_path / "alert"
    program.write_text(f'#!/bin/sh\necho "$1|$2|$3|$4" >> {told}\n')
    os.chmod(program, stat.S_IRWXU)
    feeds = {"air": feed("city/air/{thing}", cadence="1s"), "raw": feed("raw/{thing}")}
    d = Daemon(tmp_path, feeds, alert_command=str(program))
    with d:
        assert d.get("/v1/things/pole/freshness").status == 404

        def publish():
            a = d.post("/v1/feeds/air/events?thing=pole", json.loads(city.air()))
            assert a.status == 201, a

        publish()
        a = d.get("/v1/things/pole/freshness")
        assert a.status == 200 and a.json()["fresh"] is True, a
        assert a.json()["feeds"][0]["cadence"] == 1
        silent = wait_for("503", lambda: next(iter([a for a in [d.get("/v1/things/pole/freshness")] if a.status == 503]), None))
        assert "pole" in silent.json()["detail"] and silent.headers["content-type"] == "application/problem+json"
        alerts = wait_for("an alert", lambda: d.all_events("oudp-alerts"))
        assert alerts[0]["subject"] == "pole" and alerts[0]["data"]["silent"] is True and alerts[0]["data"]["feed"] == "air"
        with d.client("someone") as c:  # only the broker tells here
            assert c.publish("oudp/alerts/pole", "{}").reason == 0x87
        wait_for("the program", lambda: told.exists() and "silent|air|pole|" in told.read_text())
        publish()
        back = wait_for("the second alert", lambda: [e for e in d.all_events("oudp-alerts") if not e["data"]["silent"]])
        assert back[0]["subject"] == "pole"
        wait_for("the program again", lambda: "back|air|pole|" in told.read_text())
        wait_for("silent again", lambda: len(d.all_events("oudp-alerts")) == 3)
    with d:  # what was told is not told again
        time.sleep(4)
        assert len(d.all_events("oudp-alerts")) == 3
        d.post("/v1/feeds/air/events?thing=pole", json.loads(city.air()))
        wait_for("back after the restart", lambda: len(d.all_events("oudp-alerts")) >= 4)
        assert d.all_events("oudp-alerts")[3]["data"]["silent"] is False


# ---- the command line ----
def test_oudp_series(broker):
    r = broker.oudp("series", "list", "--feed", "air")
    assert r.returncode == 0 and "ams-01" in r.stdout and "pm25" in r.stdout, r
    r = broker.oudp("series", "query", "ams-01", "pm25", "--limit", "3")
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 4, r
    r = broker.oudp("series", "query", "ams-01", "--csv", "--from", "2026-10-24", "--to", "2026-10-25")
    expected = [p for p in broker.model["ams-01"] if p[0] < T0 + 86400000]
    table = list(csv.DictReader(io.StringIO(r.stdout)))
    assert [(parse(x["time"]), float(x["value"])) for x in table] == expected
    r = broker.oudp("series", "query", "ams-01", "--chart", "--from", "2026-10-24T00:00:00Z", "--to", "2026-10-27T00:00:00Z")
    assert r.returncode == 0 and "\u2588" in r.stdout and len(r.stdout.splitlines()) == 14, r
    for given in (["--from", "2026-10-24", "--to", "2026-10-27"], ["--from", "2026-10-24T00:00:01Z", "--to", "2026-10-24T00:10:00Z"]):
        r = broker.oudp("series", "query", "ams-01", "--chart", *given)
        assert r.returncode == 0 and "\u2588" in r.stdout, (given, r)
    r = broker.oudp("series", "query", "ams-01", "--chart", "--last", "PT1H", "--from", "2026-10-24")
    assert r.returncode == 2 and "--last goes without" in r.stderr
    r = broker.oudp("series", "query", "nothing")
    assert r.returncode == 2 and "no such datastream" in r.stderr
    r = broker.oudp("series", "query", "ams-01", "--aggregate", "mean", "--interval", "P1D", "--json")
    assert len(json.loads(r.stdout)["observations"]) == 3


def test_import_and_export(tmp_path):
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        table = tmp_path / "lucht.csv"
        table.write_text("sensor;id;time;pm25;state\n"
                         + "".join(f"p{i % 7};p{i % 7};{rfc(T0 + i * 1000)};{i},5;\"a;\"\"b\"\"\"\n" for i in range(5000))
                         + f"p1;p1;{rfc(T0)};2000;x\n")
        r = d.oudp("feed", "import", "air", str(table), "--thing-column", "sensor", "--decimal-comma", timeout=60)
        assert r.returncode == 1, r
        assert "lucht.csv:5002: test-place/1: /pm25:" in r.stdout
        assert "stored 1000, duplicates 0, refused 4001" in r.stdout  # above 1000 does not fit
        r = d.oudp("feed", "import", "air", str(table), "--thing-column", "sensor", "--decimal-comma", "--json", timeout=60)
        results = [json.loads(x) for x in r.stdout.splitlines()]
        assert [x["line"] for x in results] == list(range(2, 5003)) and sum(x["status"] == 200 for x in results) == 1000
        out = tmp_path / "export"
        r = d.oudp("feed", "export", "air", str(out))
        assert r.returncode == 0, r
        assert sorted(os.listdir(out)) == ["datastreams.csv", "events.ndjson", "feed.json", "hours.csv", "observations.csv", "things.ndjson"]
        events = [json.loads(x) for x in (out / "events.ndjson").read_text().splitlines()]
        assert len(events) == 1000 and events[3]["data"]["pm25"] == 3.5 and events[3]["data"]["state"] == 'a;"b"'
        observed = list(csv.DictReader(open(out / "observations.csv", newline="", encoding="utf-8")))
        assert sum(x["property"] == "pm25" for x in observed) == 1000
    other = Daemon(tmp_path / "other", FEEDS)
    city.write_schema(other.schemas, "test-place", 1, place_schema())
    with other:  # an export is an import
        r = other.oudp("feed", "import", "air", str(out / "events.ndjson"))
        assert r.returncode == 0 and "stored 1000" in r.stdout, r
        assert [e["data"] for e in other.all_events("air")] == [e["data"] for e in events]


def test_more_datastreams_than_a_page(tmp_path):
    """limit=all of the list, and an export, have every one of them."""
    n = 1200
    d = Daemon(tmp_path, {"air-of-all": FEEDS["air"]})
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        table = tmp_path / "many.csv"
        table.write_text("sensor;id;time;pm25\n" + "".join(f"m{i};m{i};{rfc(T0)};1\n" for i in range(n)))
        r = d.oudp("feed", "import", "air-of-all", str(table), "--thing-column", "sensor", timeout=60)
        assert r.returncode == 0, r
        a = d.get("/v1/datastreams?limit=all&format=csv&feed=air-of-all")
        assert len({x["thing"] for x in csv.DictReader(a.body.decode().splitlines())}) == n
        out = tmp_path / "export"
        assert d.oudp("feed", "export", "air-of-all", str(out)).returncode == 0
        rows = list(csv.DictReader(open(out / "datastreams.csv", newline="", encoding="utf-8")))
        assert len({x["thing"] for x in rows}) == n
        assert [json.loads(x)["sequence"] for x in open(out / "events.ndjson", encoding="utf-8")] == [str(i + 1) for i in range(n)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_end_among_observations_of_one_time(tmp_path, newest_first):
    """Nothing is told twice or left out, in /v1 and in SensorThings, although more of that time come meanwhile."""
    d = Daemon(tmp_path, {"all": feed("all/{thing}", schemas=["test-place/1"], max_age="0s", max_future="100d", duplicates="keep")})
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    n, more = 37, iter(range(100, 999))
    with d:
        def put(values, ms=T0):
            assert all(r["status"] == 201 for r in post_lines(d, "all", [payload("a", ms, v) for v in values]))

        def v1(cursor):
            a = d.get(path + web.query(limit=5, order="desc" if newest_first else "asc", cursor=cursor)).json()
            return [x["value"] for x in a["observations"]], a.get("next")

        def sta(link):
            first = f"/sta/v1.1/Datastreams({s})/Observations?$top=5&$orderby=phenomenonTime%20{'desc' if newest_first else 'asc'}"
            a = d.get(link[link.index("/sta/"):] if link else first).json()
            return [x["result"] for x in a["value"]], a.get("@iot.nextLink")

        put([-1], T0 - 1000)
        put(range(n))
        put([-2], T0 + 1000)
        s = stream(d, "a", name="all")["id"]
        path = f"/v1/datastreams/{s}/observations"
        known = [-1] + list(range(n)) + [-2]
        for ask in (v1, sta):
            got, at, came = [], None, []
            while True:
                page, at = ask(at)
                got += page
                if not at:
                    break
                if -2 not in got or newest_first:  # later ones of that time still have their turn, oldest first
                    came.append(next(more))
                    put(came[-1:])
            assert got == (known[::-1] if newest_first else known[:-1] + came + known[-1:])
            known = known[:-1] + came + known[-1:]


def test_correcting(tmp_path):
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        post_lines(d, "air", [payload("ams-01", T0 + i * 3600000, i) for i in range(10)])
        span = ["--thing", "ams-01", "--from", rfc(T0 + 2 * 3600000), "--to", rfc(T0 + 5 * 3600000)]
        r = d.oudp("series", "correct", *span, "--factor", "10", "--offset", "1", "--reason", "in the wrong unit")
        assert r.returncode == 0 and "3 observations of 1 datastream\n" in r.stdout, r
        r = d.oudp("series", "reject", "--thing", "ams-01", "--from", rfc(T0), "--to", rfc(T0 + 3600000), "--reason", "rain")
        assert r.returncode == 0, r
        path = f"/v1/datastreams/{stream(d, 'ams-01')['id']}/observations"
        assert [x["value"] for x in rows(d, path)] == [1, 21, 31, 41, 5, 6, 7, 8, 9]
        assert [x.get("quality") for x in rows(d, path)][:3] == [None, ["corrected"], ["corrected"]]
        assert [x["value"] for x in rows(d, path, original="true")] == list(range(10))
        assert rows(d, path, aggregate="max", interval="P1M")[0]["max"] == 41
        assert d.post("/v1/series/_correct", {"what": "reject"}).status == 403
        r = d.oudp("series", "correct", *span, "--reason", "x")
        assert r.returncode == 2 and "--factor" in r.stderr
        a = d.admin("POST", "/v1/series/_correct", {"what": "mend", "from": "x", "nope": 1})
        assert a.status == 400 and {e["parameter"] for e in a.json()["errors"]} == {"what", "from", "nope", "to", "reason", "thing"}


def test_a_correction_is_told(tmp_path):
    """Subscribers get an event, the audit who did it and what became of it."""
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        post_lines(d, "air", [payload(t, T0 + i * 3600000, i) for t in ("ams-01", "ams-02") for i in range(10)])
        with d.ws("air") as ws, d.ws("air", thing="ams-02") as other, web.Events(d.web_port, "/v1/feeds/air/events") as sse, \
                d.client("hears") as hears, d.client("other") as elsewhere:
            assert hears.subscribe("$oudp/corrected/+") == [0] and elsewhere.subscribe("$oudp/corrected/else", "$oudp/erased/+") == [0, 0]
            for s in (ws, other, sse):
                assert s.event()["type"] == "nl.oudp.feed.live.v1"
            span = ["--thing", "ams-01", "--property", "pm25", "--from", rfc(T0), "--to", rfc(T0 + 5 * 3600000)]
            r = d.oudp("series", "correct", *span, "--factor", "0.001", "--reason", "sent in \"nanograms\"")
            assert r.returncode == 0, r
            for s in (ws, sse):
                e = s.event()
                assert e["type"] == "nl.oudp.series.corrected.v1" and "sequence" not in e and e["id"].startswith("air:"), e
                assert e["data"] == {
                    "feed": "air", "organisation": "gemeente-test", "thing": "ams-01", "property": "pm25", "what": "correct",
                    "correction": 1, "from": rfc(T0).replace("Z", ".000Z"), "to": rfc(T0 + 5 * 3600000).replace("Z", ".000Z"),
                    "factor": 0.001, "offset": 0, "reason": "sent in \"nanograms\"", "observations": 5}
                told = e
            assert told["dataschema"].endswith("/v1/schemas/series-corrected/1")
            p = hears.expect(mqtt.PUBLISH)
            assert p.topic == "$oudp/corrected/air" and p.qos == 0 and json.loads(p.payload)["data"] == told["data"]
            assert d.get("/v1/schemas/series-corrected/1").json()["title"] == "Series corrected"
            with open(os.path.join(d.folder, "told.json"), "w", encoding="utf-8") as f:
                json.dump(told["data"], f)
            r = d.oudp("validate", "--schemas", os.path.join(TOP, "schemas"), "series-corrected/1", f.name)
            assert r.returncode == 0, r
            r = d.oudp("series", "reject", "--thing", "ams-02", "--from", rfc(T0), "--to", rfc(T0 + 3600000), "--reason", "rain")
            assert r.returncode == 0, r
            e = other.event()
            assert e["data"]["what"] == "reject" and "factor" not in e["data"] and e["data"]["correction"] == 2
            assert json.loads(hears.expect(mqtt.PUBLISH).payload)["data"] == e["data"]
            elsewhere.expect_quiet()
        def lines():
            return [x for x in map(json.loads, d.oudp("audit", "list", "--json").stdout.splitlines()) if x["action"].startswith("series.")]
        said = wait_for("the audit", lambda: lines() if len(lines()) == 2 else None)
        assert said[0]["action"] == "series.correct" and "air ams-01 pm25 2026-" in said[0]["object"], said
        assert said[0]["result"] == "done: correction 1 of 5 observations" and said[0]["origin"] and said[0]["actor"]
        assert said[1]["action"] == "series.reject" and said[1]["result"].startswith("done: correction 2")


def test_rebuild(tmp_path):
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        post_lines(d, "air", [payload("ams-01", T0 + i * 60000, i % 900) for i in range(3000)])
        path = f"/v1/datastreams/{stream(d, 'ams-01')['id']}/observations"
        before = d.get(path + "?limit=all&format=csv").body
        assert d.admin("GET", "/v1/series/_rebuild").json() == {
            "running": False, "records": 0, "of": 0, "observations": 0, "restored": 0, "places": 0, "replaced": 0,
            "unreadable": 0}
        r = d.oudp("rebuild")
        assert r.returncode == 0 and r.stdout == "rebuilt: 3000 records read, 3000 observations compared, 0 put back\n", r
        r = d.oudp("rebuild", "--json")
        assert r.returncode == 0 and json.loads(r.stdout)["restored"] == 0 and json.loads(r.stdout)["ended"], r
        assert d.oudp("rebuild", "now").returncode == 2
        assert d.get(path + "?limit=all&format=csv").body == before
    # a flipped bit in a piece: it is missing, then it is back
    data = tmp_path / "data" / "series" / "data.mdb"
    data = data if data.exists() else next(tmp_path.rglob("series/data.mdb"))
    raw = bytearray(data.read_bytes())
    at = next(i for i in range(len(raw) - 1) if raw[i] == 2 and raw[i + 1] & 0x9f == 1 and raw[i + 2:i + 4] == b"\x00\x00"
              and int.from_bytes(raw[i + 8:i + 10], "little") > 1000)
    raw[at + 200] ^= 8
    data.write_bytes(raw)
    with d:
        assert d.get(path + "?limit=all&format=csv").body != before
        r = d.oudp("rebuild")
        assert r.returncode == 0 and "were replaced" in r.stdout, r
        assert d.get(path + "?limit=all&format=csv").body == before
        assert d.oudp("rebuild").stdout.endswith("0 put back\n")


def test_odd_values_are_told(tmp_path):
    told = tmp_path / "told"
    program = tmp_path / "alert"
    program.write_text(f'#!/bin/sh\necho "$1|$2|$3|$5" >> {told}\n')
    os.chmod(program, stat.S_IRWXU)
    s = place_schema()
    s["properties"]["pm25"]["x-oudp"].update(plausible=[0, 500], spike=50)
    d = Daemon(tmp_path, FEEDS, alert_command=str(program))
    city.write_schema(d.schemas, "test-place", 1, s)
    with d:
        post_lines(d, "air", [payload("ams-01", T0 + i * 60000, 510 if i % 2 else 490) for i in range(40)])
        post_lines(d, "air", [payload("ams-02", T0 + i * 60000, 10 if i < 20 else 300) for i in range(40)])
        events = wait_for("two alerts", lambda: (lambda e: e if len(e) >= 2 else None)(d.all_events("oudp-alerts")))
        by = {e["subject"]: e["data"] for e in events}
        assert by["ams-01"]["quality"] == "implausible" and by["ams-01"]["share"] == 0.25 and by["ams-01"]["property"] == "pm25"
        assert by["ams-02"]["quality"] == "jump" and by["ams-02"]["value"] == 300 and "300" in by["ams-02"]["message"]
        wait_for("the program", lambda: told.exists() and len(told.read_text().splitlines()) == 2)
        assert {tuple(x.split("|")[:3]) for x in told.read_text().splitlines()} == {
            ("implausible", "air", "ams-01"), ("jump", "air", "ams-02")}
        a = d.get("/v1/datastreams?thing=ams-02").json()
        path = f"/v1/datastreams/{stream(d, 'ams-02')['id']}/observations"
        assert [x.get("quality") for x in rows(d, path)][19:22] == [None, ["spike"], None], a
        metrics = d.metrics() if hasattr(d, "metrics") else {}
        assert not metrics or metrics["oudp_alerts_total"] == 2


def test_together(tmp_path):
    """Aggregates of many as if they were one, held against a sum by hand; one unit, bounded."""
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    with d:
        rng = random.Random(5)
        sent = [(f"t{i}", T0 + i * 7000 + k * 600000 + (i % 3) * 86400000, rng.randrange(1000)) for i in range(12) for k in range(200)]
        post_lines(d, "air", [payload(t, ms, v) for t, ms, v in sent])
        q = {"feed": "air", "from": rfc(T0), "to": rfc(T0 + 5 * 86400000), "tz": "Europe/Amsterdam", "together": "true"}
        for interval, hours in (("PT1H", 1), ("P1D", 24)):
            want = {}
            for _, ms, v in sent:
                local = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(AMSTERDAM)
                local = local.replace(minute=0, second=0, microsecond=0, **({"hour": 0} if hours == 24 else {}))
                want.setdefault(local.astimezone(UTC) if hours == 1 else local.date(), []).append((ms, v))
            got = rows(d, "/v1/observations", **q, interval=interval, aggregate="mean,min,max,sum,count,first,last")
            assert len(got) == len(want)
            for row, (_, w) in zip(got, sorted(want.items())):
                w.sort()
                values = [v for _, v in w]
                assert (row["min"], row["max"], row["sum"], row["count"]) == (min(values), max(values), sum(values), len(values)), row
                assert abs(row["mean"] - sum(values) / len(values)) < 1e-6
                assert (row["first"], row["last"]) == (values[0], values[-1])
                assert "thing" not in row and "datastream" not in row
        text = d.get("/v1/observations" + web.query(**q, aggregate="mean", interval="P1D", format="csv", limit="all")).body
        assert text.startswith(b"time,until,mean\r\n"), text
        for more, name in (({"aggregate": "present", "interval": "P1D"}, "aggregate"), ({}, "together"),
                           ({"aggregate": "mean", "interval": "P1D", "cursor": "1"}, "cursor")):
            a = d.get("/v1/observations" + web.query(**{**q, **more}))
            assert a.status == 400 and name in {e["parameter"] for e in a.json()["errors"]}, a
        a = d.get("/v1/observations" + web.query(**q, aggregate="mean", interval="PT10S"))
        assert a.status == 400 and "10000 pieces" in a.json()["detail"], a
        assert d.get("/v1/datastreams/1/observations?together=true").status == 400
