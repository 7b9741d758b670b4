"""Refused messages: kept, shown, tried again after the schema was mended."""
import json
import os

import pytest

from kit import city
from kit.daemon import feed, wait_for


@pytest.fixture
def d(own):
    d = own(feeds={"air": feed("city/air/{thing}", ["test-air/2", "test-air/1"], draft=True), "raw": feed("raw/#", ["any"])})
    city.write_schema(d.schemas, "test-air", 2, city.air_schema(maximum=5))
    d.start()
    return d


def reload(d):
    return d.admin("POST", "/v1/_reload", {})


def test_rows_in_order_and_pages(d, name):
    with d.client(name) as c:
        for i in range(25):
            c.publish(f"city/air/{name}", city.air(2000 + i))
    rows, after = [], None
    while True:
        a = d.admin("GET", "/v1/feeds/air/quarantine" + (f"?limit=10&after={after}" if after else "?limit=10")).json()
        assert len(a["rows"]) <= 10
        rows += a["rows"]
        after = a["next"]
        if after is None:
            break
    assert [json.loads(r["payload"])["pm25"] for r in rows] == [2000 + i for i in range(25)]
    assert [r["id"] for r in rows] == sorted({r["id"] for r in rows})
    r = rows[0]
    assert set(r) >= {"id", "time", "topic", "publisher", "qos", "retain", "protocol", "reason", "schema", "pointer",
                      "rule", "size", "payload"}
    assert d.feed("air")["quarantined"] == 25


def test_bytes_that_are_not_text(d, name):
    with d.client(name) as c:
        c.publish(f"city/air/{name}", b"\xff\x00")
    r, = d.quarantine("air")
    assert r["payloadBase64"] == "/wA=" and "payload" not in r


def test_survives_kill(d, name):
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(2000)).reason == 0x99
        assert c.publish("nowhere", "x").reason == 0x90
    before = d.quarantine("air"), d.quarantine()
    d.restart()
    assert (d.quarantine("air"), d.quarantine()) == before
    assert [len(x) for x in before] == [1, 1]


def test_retry_after_a_new_schema_version(d, name):
    """The schema is mended by a new version; what fits now is stored, the rest stays with a new reason."""
    with d.client(name) as c:
        for pm in (1500, 99999, 1600):
            assert c.publish(f"city/air/{name}", city.air(pm)).reason == 0x99
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {}).json()
    assert (a["stored"], a["refused"], a["left"]) == (0, 3, 3), a
    city.write_schema(d.schemas, "test-air", 3, city.air_schema(maximum=2000))
    d.feeds["air"] = feed("city/air/{thing}", ["test-air/3", "test-air/2", "test-air/1"])
    d.write_conf()
    assert reload(d).status == 200
    rows = d.quarantine("air")
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {}).json()
    assert (a["stored"], a["refused"], a["left"]) == (2, 1, 1), a
    assert [(x["id"], x["verdict"]) for x in a["results"]] == list(zip([r["id"] for r in rows], ["stored", "refused", "stored"]))
    assert [x.get("sequence") for x in a["results"]] == [1, None, 2]
    e = d.all_events("air")
    assert [(x["data"]["pm25"], x["type"]) for x in e] == [(1500, "nl.stad.test-air.v3"), (1600, "nl.stad.test-air.v3")]
    left, = d.quarantine("air")
    assert left["payload"] == rows[1]["payload"]
    assert d.admin("POST", "/v1/feeds/air/quarantine/_retry", {}).json()["stored"] == 0, "once only"


def test_retry_by_id(d, name):
    with d.client(name) as c:
        for pm in (1500, 1600):
            c.publish(f"city/air/{name}", city.air(pm))
    city.write_schema(d.schemas, "test-air", 1, city.air_schema(maximum=2000))
    reload(d)
    rows = d.quarantine("air")
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {"ids": [rows[1]["id"]]}).json()
    assert (a["stored"], a["left"]) == (1, 1)
    assert [r["id"] for r in d.quarantine("air")] == [rows[0]["id"]]
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {"ids": [999999]}).json()
    assert a["stored"] == 0


def test_retry_with_the_time_it_was_received(own, name):
    d = own(feeds={"air": feed("city/air/{thing}", max_age="1h")})
    d.start()
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(time=city.now(-86400))).reason == 0x99
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {}).json()
    assert a["stored"] == 0
    a = d.admin("POST", "/v1/feeds/air/quarantine/_retry", {"time": "received"}).json()
    assert a["stored"] == 1, a
    e, = d.all_events("air")
    assert abs(city.parse_time(e["observedtime"]) - city.parse_time(city.now())) < 60


def test_unrouted_retry_after_a_feed_was_added(d, name):
    with d.client(name) as c:
        for i in range(3):
            assert c.publish(f"new/{name}", f"{i}").reason == 0x90
        c.publish(f"mistyped/{name}", "x")
        d.feeds["new"] = feed("new/{thing}", ["any"])
        d.write_conf()
        assert reload(d).status == 200
        c.ping()
        a = d.admin("POST", "/v1/unrouted/_retry", {}).json()
        assert (a["stored"], a["left"]) == (3, 1), a
        assert [r["topic"] for r in d.quarantine()] == [f"mistyped/{name}"]
        assert d.feed("new")["last"] == 3
        assert c.publish(f"new/{name}", "direct").reason == 0


def test_bounded(own, name):
    """The oldest rows go first."""
    d = own(feeds={"air": feed("city/air/{thing}", quarantine_max=10)})
    d.start()
    with d.client(name) as c:
        for i in range(40):
            c.publish(f"city/air/{name}", city.air(2000 + i))
    wait_for("the bound", lambda: len(d.quarantine("air", limit=1000)) <= 10, 20)
    assert json.loads(d.quarantine("air", limit=1000)[-1]["payload"])["pm25"] == 2039


def test_command_line(d, name):
    """The third point of the issue, as a newcomer does it."""
    p = d.oudp("pub", "air", "--thing", name, "-m", city.air(3))
    assert p.returncode == 0, p
    bad = city.air(1200)
    p = d.oudp("pub", "air", "--thing", name, "-m", bad)
    assert p.returncode == 1, p
    assert "/pm25" in p.stdout + p.stderr and "1200" in p.stdout + p.stderr and "maximum" in p.stdout + p.stderr
    p = d.oudp("pub", "--topic", "city/aer/x", "-m", bad)
    assert p.returncode == 1, p
    p = d.oudp("quarantine", "list", "air", "--json")
    assert p.returncode == 0, p
    assert bad in p.stdout or json.dumps(bad) in p.stdout
    p = d.oudp("quarantine", "list", "air")
    assert p.returncode == 0 and "/pm25" in p.stdout, p
    p = d.oudp("quarantine", "list", "--unrouted")
    assert p.returncode == 0 and "city/aer/x" in p.stdout, p
    row = d.quarantine("air")[0]["id"]
    p = d.oudp("quarantine", "show", str(row))
    assert p.returncode == 0 and "1200" in p.stdout, p
    p = d.oudp("quarantine", "show", str(row), "--payload")
    assert p.stdout.rstrip("\n") == bad
    assert d.oudp("quarantine", "show", "99999").returncode == 1
    p = d.oudp("quarantine", "retry", "air")
    assert p.returncode == 1, "nothing was stored"
    city.write_schema(d.schemas, "test-air", 3, city.air_schema(maximum=2000))
    d.feeds["air"] = feed("city/air/{thing}", ["test-air/3", "test-air/2", "test-air/1"])
    d.write_conf()
    p = d.oudp("reload")
    assert p.returncode == 0, p
    p = d.oudp("quarantine", "retry", "air")
    assert p.returncode == 0, p
    assert d.quarantine("air") == []
    assert json.dumps(d.all_events("air")[-1]["data"]) == json.dumps(json.loads(bad))
    os.stat(d.socket_path)
