"""Erasing one thing: nobody reads it again, the log stays dense, a death in the middle is no matter, a fresh backup and a
compact store hold none of its bytes, and a restore of an older one erases it again."""
import json
import os
import shutil
import threading
import time

import pytest

from kit import city, mqtt, web
from kit.daemon import SLOW, feed, wait_for

FEEDS = {"air": feed("city/air/{thing}"), "named": feed("named/#", ["test-air/1"]), "raw": feed("raw/#", ["any"])}
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "G"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}


@pytest.fixture
def d(own):
    return own(feeds=FEEDS).start()


def erase(d, thing, reason="asked for", **query):
    a = d.admin("POST", f"/v1/things/{thing}/_erase" + web.query(**query), {"reason": reason})
    assert a.status == 200, a
    return a.json()


def bytes_in(folder, *texts):
    """Files below folder that hold one of the texts."""
    found = []
    for where, _, files in os.walk(folder):
        for f in files:
            path = os.path.join(where, f)
            if os.path.isfile(path):
                with open(path, "rb") as h:
                    data = h.read()
                found += [(path, t) for t in texts if t.encode() in data]
    return found


def fill(d, name, n=10):
    """Messages of "victim" and "other" by turns, refused ones of both, retained ones, an entry of each."""
    with d.client(name) as c:
        for i in range(n):
            for thing in ("victim", "other"):
                assert c.publish(f"city/air/{thing}", city.air(i, note=f"{thing}-note"), retain=i == 0).reason == 0
                assert c.publish("named/x", city.air(i, id=f"urn:x:{thing}", note=f"{thing}-note")).reason == 0
        for thing in ("victim", "other"):
            assert c.publish(f"city/air/{thing}", city.air(2000, note=f"{thing}-note")).reason == 0x99
            assert c.publish("named/x", city.air(2000, id=f"urn:x:{thing}", note=f"{thing}-note")).reason == 0x99
            assert c.publish(f"nowhere/{thing}", "x").reason == 0x90
    for thing in ("victim", "other"):
        assert d.admin("PUT", f"/v1/things/{thing}", {**ENTRY, "note": f"{thing}-entry"}).status == 201
        assert d.admin("PATCH", f"/v1/things/{thing}", {"state": "inactive"}).status == 200


def test_everything_of_it_goes_and_nothing_else(d, name):
    fill(d, name)
    with d.ws("air") as ws, d.ws("air", thing="other") as filtered, web.Events(d.web_port, "/v1/feeds/air/events") as sse:
        assert ws.event()["type"] == "nl.oudp.feed.live.v1"
        assert filtered.event()["type"] == "nl.oudp.feed.live.v1"
        assert sse.event()["type"] == "nl.oudp.feed.live.v1"
        what = erase(d, "victim")
        assert what == {"records": 10, "quarantined": 3, "retained": 1, "versions": 2, "observations": 10}, what
        things = {s["thing"] for s in d.get("/v1/datastreams").json()["datastreams"]}
        assert things == {"other", "urn:x:victim", "urn:x:other"}
        for stream in (ws, sse):
            e = stream.event()
            assert (e["type"], e["data"]) == ("nl.oudp.thing.erased.v1", {
                "feed": "air", "organisation": "gemeente-test", "thing": "victim", "records": 10}), e
            assert "sequence" not in e
        with d.client(name) as c:
            c.publish("city/air/other", city.air(77))
        assert filtered.event()["data"]["pm25"] == 77, "who looks at another thing is not told"
        assert ws.event()["data"]["pm25"] == 77 and sse.event()["data"]["pm25"] == 77
    events = d.all_events("air")
    assert [int(e["sequence"]) for e in events] == [2 * i for i in range(1, 11)] + [21]
    assert {e["subject"] for e in events} == {"other"}
    with d.ws("air", after=0) as ws:
        got = [ws.event() for _ in range(12)]
    assert [e["type"].split(".")[1] for e in got] == ["stad"] * 11 + ["oudp"], "no gap: tombstones are passed over"
    assert d.get("/v1/things/victim").status == 404 and d.get("/v1/things/other").status == 200
    assert d.admin("GET", "/v1/things/victim/versions").status == 404
    assert len(d.quarantine("air")) == 1 and len(d.quarantine()) == 1
    assert d.feed("air")["quarantined"] == 1
    with d.client(name) as c:
        c.subscribe("city/air/+")
        assert c.expect(mqtt.PUBLISH).topic == "city/air/other"
        c.expect_quiet()
    assert d.all_events("named")[0]["subject"] == "urn:x:victim", "a thing of that name is another one"
    what = erase(d, "urn:x:victim")
    assert what["records"] == 10
    d.restart()
    assert {e["subject"] for f in ("air", "named") for e in d.all_events(f)} == {"other", "urn:x:other"}
    with open(os.path.join(d.data_dir, "erased"), encoding="utf-8") as f:
        assert "victim" not in f.read(), "the ledger does not name it"


def test_it_may_come_back(d, name):
    with d.client(name) as c:
        c.publish("city/air/a", city.air(1, note="same", time="2026-11-30T00:00:00Z"))
        assert "duplicate" in c.publish("city/air/a", city.air(1, note="same", time="2026-11-30T00:00:00Z")).props["reason"]
        erase(d, "a")
        a = c.publish("city/air/a", city.air(1, note="same", time="2026-11-30T00:00:00Z"))
        assert a.reason == 0 and "reason" not in a.props, "no duplicate of what is forgotten"
    assert [e["sequence"] for e in d.all_events("air")] == ["2"]
    assert d.get("/v1/things/a").json()["seen"]["feeds"] == ["air"]


def test_what_is_asked_for_is_checked(d):
    for path, body in (("victim", {}), ("victim", {"reason": ""}), ("victim", {"reason": "x" * 201}), ("victim", {"why": "x"})):
        assert d.admin("POST", f"/v1/things/{path}/_erase", body).status == 400
    assert d.post("/v1/things/victim/_erase", b'{"reason":"x"}', {"Content-Type": "application/json"}).status == 403
    assert erase(d, "never-there") == {"records": 0, "quarantined": 0, "retained": 0, "versions": 0, "observations": 0}
    assert d.oudp("thing", "erase", "victim").returncode == 2
    p = d.oudp("thing", "erase", "victim", "--reason", "inzageverzoek 12")
    assert p.returncode == 0 and "erased: 0 records" in p.stdout, p


def test_another_organisation_has_its_own(d, name):
    with d.client(name) as c:
        c.publish("city/air/a", city.air(1))
    assert erase(d, "a", organisation="someone-else")["records"] == 0
    assert len(d.all_events("air")) == 1


def test_a_session_that_comes_back(d, name):
    """Its backlog holds erased records, in flight and not: it goes on as if they had expired."""
    c = d.client()
    c.open(name, clean=True, props={"session_expiry": 3600, "receive_maximum": 2})
    c.subscribe(("city/air/#", 1))
    with d.client(name + "p") as p:
        for i in range(6):
            p.publish(f"city/air/{'victim' if i % 2 == 0 else 'other'}", city.air(i))
    assert c.expect(mqtt.PUBLISH).topic == "city/air/victim"
    c.abort()
    assert erase(d, "victim")["records"] == 3
    c = d.client()
    ack = c.open(name, clean=False, props={"session_expiry": 3600, "receive_maximum": 10})
    assert ack.session_present if hasattr(ack, "session_present") else True
    got = []
    for _ in range(3):
        p = c.expect(mqtt.PUBLISH)
        got.append(json.loads(p.payload)["pm25"])
        c.send(mqtt.ack(mqtt.PUBACK, p.mid))
    c.expect_quiet()
    assert got == [1, 3, 5]
    c.close()


def publish_many(d, name, n, things):
    with d.client(name) as c:
        for at in range(0, n, 500):
            ids = [c.mid() for _ in range(min(500, n - at))]
            c.send(*[mqtt.publish(f"city/air/{things[i % len(things)]}", city.air(i % 900), 1, ids[i - at])
                     for i in range(at, at + len(ids))])
            for _ in ids:
                assert c.expect(mqtt.PUBACK).reason == 0


def test_killed_in_the_middle(own, name):
    d = own(feeds=FEEDS).start()
    n = 12000
    publish_many(d, name, n, ["victim", "other", "third"])
    for cut in (0.01, 0.03, 0.06):
        def ask():
            try:
                d.admin("POST", "/v1/things/victim/_erase", {"reason": "x"})
            except OSError:
                pass
        t = threading.Thread(target=ask)
        t.start()
        time.sleep(cut * SLOW)
        d.kill()
        t.join()
        d.start()
    erase(d, "victim")
    events = d.all_events("air")
    assert {e["subject"] for e in events} == {"other", "third"} and len(events) == n * 2 // 3
    assert d.oudp("status").returncode == 0
    d.stop()
    d.arguments = ["--verify"]
    d.start()


def test_a_killed_one_goes_on_by_itself(own, name):
    d = own(feeds=FEEDS).start()
    publish_many(d, name, 9000, ["victim", "other"])
    ledger = os.path.join(d.data_dir, "erased")

    def ask():
        try:
            d.admin("POST", "/v1/things/victim/_erase", {"reason": "x"})
        except OSError:
            pass
    t = threading.Thread(target=ask)
    t.start()
    wait_for("the ledger", lambda: os.path.exists(ledger) and os.path.getsize(ledger))
    d.kill()
    t.join()
    d.start()
    wait_for("what was begun", lambda: {e["subject"] for e in d.all_events("air")} == {"other"}, 30)


def test_beside_publishers(d, name):
    stop, refused = threading.Event(), []

    def load():
        with d.client(name + "l") as c:
            i = 0
            while not stop.is_set():
                a = c.publish(f"city/air/{('victim', 'other')[i % 2]}", city.air(i % 900))
                refused.extend([a] if a.reason else [])
                i += 1
    t = threading.Thread(target=load)
    t.start()
    try:
        for _ in range(5):
            time.sleep(0.1)
            last = d.feed("air")["last"]
            erase(d, "victim")
            assert not [e for e in d.all_events("air") if e["subject"] == "victim" and int(e["sequence"]) <= last]
    finally:
        stop.set()
        t.join()
    assert not refused
    events = d.all_events("air")
    assert [e["sequence"] for e in events if e["subject"] == "other"] == [str(2 * i) for i in range(1, len([e for e in events if e["subject"] == "other"]) + 1)]


def test_backup_compact_restore(own, name, tmp_path):
    d = own(feeds=FEEDS).start()
    fill(d, name)
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    assert d.oudp("backup", old).returncode == 0
    assert bytes_in(old, "victim-note")
    erase(d, "victim")
    erase(d, "urn:x:victim")
    assert d.oudp("backup", new).returncode == 0
    assert not bytes_in(new, "victim"), "a fresh backup holds none of its bytes"
    assert bytes_in(new, "other-note")
    assert d.oudp("compact").returncode == 2, "not while it runs"
    before = d.all_events("air")
    d.stop()
    assert d.oudp("compact").returncode == 0
    journal = os.path.join(d.data_dir, "journal")
    assert not bytes_in(d.data_dir, "victim"), "nor does a compact store"
    assert os.listdir(d.data_dir).count("compact") == 0
    d.start()
    assert d.all_events("air") == before
    d.stop()
    # a disaster: the journal is lost, the ledger in the data directory is not
    shutil.rmtree(os.path.join(d.data_dir, "journal"))
    shutil.rmtree(os.path.join(d.data_dir, "series"), ignore_errors=True)
    p = d.oudp("restore", old)
    assert p.returncode == 0, p
    assert bytes_in(journal, "victim-note")
    d.start()
    wait_for("erasing again", lambda: not [e for f in ("air", "named") for e in d.all_events(f) if "victim" in e["subject"]], 20)
    wait_for("the register", lambda: d.get("/v1/things/victim").status == 404)
    wait_for("quarantine", lambda: len(d.quarantine("air")) == 1 and len(d.quarantine()) == 1)
    d.stop()
    # the whole directory is lost, and the ledger was kept elsewhere
    shutil.copy(os.path.join(d.data_dir, "erased"), tmp_path / "kept")
    shutil.rmtree(d.data_dir)
    assert d.oudp("restore", old, "--ledger", str(tmp_path / "kept")).returncode == 0
    d.start()
    wait_for("erasing again", lambda: not [e for f in ("air", "named") for e in d.all_events(f) if "victim" in e["subject"]], 20)
    assert d.oudp("restore", old, "--ledger", "/no/such").returncode == 2
