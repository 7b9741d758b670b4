"""Data directories of every format number, as former versions left them, are opened and answer as they did.

tests/fixtures/journal-N-series-M.tar.xz holds journal/, series/ and expected.json. With a new number of either format, before
it is merged: FORMATS_MAKE=1 OUDPD_BIN=<the last build of the former one> pytest tests/integ/test_formats.py -k make"""
import csv
import io
import json
import os
import re
import tarfile

import pytest

from kit import city, web
from kit.daemon import TOP, Daemon, feed

FIXTURES = os.path.join(TOP, "tests", "fixtures")
KNOWN = sorted(f for f in os.listdir(FIXTURES) if f.endswith(".tar.xz"))
FEEDS = {"air": feed("city/air/{thing}", ["test-place/1"], max_age="0s", max_future="100d", keep_messages="0s"),
         "all": feed("city/all/{thing}", ["test-place/1"], max_age="0s", max_future="100d", duplicates="keep", keep_messages="0s")}


SHAPES = [{"type": "LineString", "coordinates": [[5, 52], [5.1, 52.2]]}, {"type": "Polygon", "coordinates": [[[5, 52], [5.3, 52], [5, 52.1], [5, 52]]]},
          {"type": "Point", "coordinates": [5, 52]}, {"type": "MultiLineString", "coordinates": [[[4, 52], [5.1, 52.2]], [[5, 51], [6, 51]]]}]


def schema():
    def result(name, kind="number"):
        return {"type": kind, "x-oudp": {"role": "result", "observedProperty": f"http://example.org/{name}", "unit": "1"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["id", "time"],
            "properties": {"id": {"type": "string", "x-oudp": {"role": "thing"}},
                           "time": {"type": "string", "format": "date-time", "x-oudp": {"role": "time"}},
                           "pm25": result("pm25"), "state": result("state", "string"), "open": result("open", "boolean"),
                           "location": {"type": "object", "x-oudp": {"role": "location"}}}}


def daemon(folder):
    d = Daemon(folder, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, schema())
    return d


def answers(d, boxes=True):
    """What must stay the same, but for what counts from now."""
    out = {}
    for path in ("/v1/datastreams?limit=1000&format=csv", "/v1/observations?from=2026-01-01&to=2027-01-01&format=csv&limit=all",
                 "/v1/observations?from=2026-01-01&to=2027-01-01&format=csv&limit=all&original=true&rejected=true",
                 "/v1/observations?from=2026-01-01&to=2027-01-01&format=csv&limit=all&stored=true",  # known since series 4
                 "/v1/observations?from=2026-01-01&to=2027-01-01&format=csv&limit=all&aggregate=mean,min,max,count&interval=P1D"):
        a = d.get(path, timeout=60)
        assert a.status == 200, a
        out[path] = re.sub(r",(true|false),", ",FRESH,", a.body.decode())
        if path.startswith("/v1/datastreams") and not boxes:  # a column that came later
            out[path] = re.sub(r'(,bbox|,|,"[^"]*")\r\n', "\r\n", out[path])
    path = "/sta/v1.1/Observations?$select=phenomenonTime,result,resultTime,parameters&$filter=resultTime%20ne%20null"
    out[path] = d.get(path).json().get("value")
    for name in FEEDS:
        out[name] = [{k: v for k, v in e.items() if k != "dataschema"} for e in d.all_events(name)]  # that one names a port
    return json.loads(json.dumps(out))


def check_stored(d, series):
    """When each was stored is known since series 4; before, all of a piece of which something was stored since is told."""
    def table(more):
        path = "/v1/observations?from=2026-01-01&to=2027-01-01&format=csv&limit=all&stored=true" + more
        return list(csv.DictReader(io.StringIO(d.get(path, timeout=60).body.decode())))
    all_ = table("")
    newest = max(s["lastStored"] for s in d.get("/v1/datastreams?limit=1000").json()["datastreams"])
    assert len(all_) > 1000 and all(bool(r["stored"]) == (series >= 4) for r in all_)
    assert table("&stored-since=2026-01-01T00:00:00Z") == all_
    assert table("&stored-since=2027-01-01T00:00:00Z") == []
    since = table("&stored-since=" + newest)
    assert since and (series < 4 or all(r["stored"][:19] == newest[:19] for r in since))


@pytest.mark.parametrize("name", KNOWN)
def test_is_opened(tmp_path, name):
    d = daemon(tmp_path)
    with tarfile.open(os.path.join(FIXTURES, name)) as t:
        t.extractall(d.data_dir)
    with open(os.path.join(d.data_dir, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    for _ in range(2):  # as it was left, and as this version leaves it
        with d:
            got = answers(d, ",bbox" in json.dumps(expected))
            for what, value in expected.items():
                assert got[what] == value, what
            check_stored(d, int(re.search(r"series-(\d+)", name)[1]))
    with d:
        r = d.oudp("rebuild")
        assert r.returncode == 0 and ", 0 put back" in r.stdout, r
        body = {"id": "b-1", "time": "2026-11-01T00:00:00Z", "pm25": 3.5}
        assert d.post("/v1/feeds/air/events?thing=b-1", body).status == 201
        assert "b-1" in d.get("/v1/datastreams?limit=1000&format=csv").body.decode()


def test_the_newest_is_there():
    """What this version writes has its fixture."""
    numbers = {}
    for header, name in (("store.h", "STORE_FORMAT"), ("side.h", "SIDE_FORMAT")):
        with open(os.path.join(TOP, "broker", "store", header), encoding="utf-8") as f:
            numbers[name] = re.search(rf"\b{name} = (\d+)", f.read())[1]
    assert f"journal-{numbers['STORE_FORMAT']}-series-{numbers['SIDE_FORMAT']}.tar.xz" in KNOWN


def make(tmp_path):
    name = os.environ["FORMATS_MAKE"]
    d = daemon(tmp_path)
    with d:
        for f in FEEDS:
            for i in range(8):
                lines = [{"id": f"t-{i}", "time": f"2026-10-{1 + k // 24:02}T{k % 24:02}:{k % 60:02}:00Z", "pm25": k * i % 97 / 10,
                          "state": ["open", "closed", "é"][k % 3], "open": k % 2 == 0,
                          "location": {"type": "Point", "coordinates": [5 + i / 100, 52 + k // 100 / 10]}} for k in range(240)]
                body = "\n".join(map(json.dumps, lines + lines[:5])).encode()
                a = d.post(f"/v1/feeds/{f}/events?thing=t-{i}", body, {"Content-Type": "application/x-ndjson"})
                assert a.status == 200, a
        for f in FEEDS:  # lines and surfaces: since journal 2, series 4
            lines = [{"id": "area", "time": f"2026-10-0{k + 1}T00:00:00Z", "pm25": k, "location": shape} for k, shape in enumerate(SHAPES)]
            body = "\n".join(map(json.dumps, lines)).encode()
            assert d.post(f"/v1/feeds/{f}/events?thing=area", body, {"Content-Type": "application/x-ndjson"}).status == 200
        with d.client("details") as c:
            for i in range(4):
                line = {"id": "t-1", "time": f"2026-10-20T00:{i:02}:00Z", "pm25": i}
                detail = {"resultTime": f"2026-10-21T00:{i:02}:00Z", "parameters": {"i": i}}
                assert c.publish("city/air/t-1", json.dumps(line), props={"user": [("sensorthings", json.dumps(detail))]}).reason == 0
        i = d.get("/sta/v1.1/Observations?$filter=resultTime%20ne%20null").json()["value"][1]["@iot.id"]
        assert d.admin("PATCH", f"/sta/v1.1/Observations({i})", {"parameters": {"changed": True}}).status == 200
        span = ["--feed", "air", "--from", "2026-10-02", "--to", "2026-10-03"]
        answers(d)
        assert d.oudp("series", "correct", "--thing", "t-1", "--property", "pm25", *span, "--factor", "2", "--reason", "x").returncode == 0
        assert d.oudp("series", "reject", "--thing", "t-2", *span, "--reason", "x").returncode == 0
    with d:
        expected = answers(d)
    with open(os.path.join(d.data_dir, "expected.json"), "w", encoding="utf-8") as f:
        json.dump(expected, f)
    with tarfile.open(os.path.join(FIXTURES, name + ".tar.xz"), "w:xz", preset=9) as t:
        for part in ("journal", "series", "expected.json"):
            t.add(os.path.join(d.data_dir, part), part, filter=lambda i: None if i.name.endswith("lock.mdb") else i)


if os.environ.get("FORMATS_MAKE"):
    test_make = make
