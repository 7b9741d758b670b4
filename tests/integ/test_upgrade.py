"""Data directories of earlier versions are opened, and what they hold is all there. tests/upgrade/ has one for each format that was:
    OUDP_KEEP_FIXTURE=journal-1 /usr/bin/python3 -m pytest tests/integ/test_upgrade.py
makes one of what this version writes. A fixture is never made again: it is what the old version wrote."""
import base64
import glob
import json
import os
import tarfile

import pytest
from test_access import must

from kit import mqtt
from kit.daemon import SLOW, TOP, feed

FOLDER = os.path.join(TOP, "tests", "upgrade")
KEPT = {"keep_messages": "0", "keep_messages_max": "0"}
FEEDS = {"air": feed("city/air/{thing}", max_age="0", bad_time="flag", **KEPT), "log": feed("log/#", ["any"], duplicates="keep", **KEPT)}
OPTIONS = {"max_session_expiry": "0", "journal_size": "256MB"}
PASSWORD = "a password of the fixture"
FOREVER = {"session_expiry": 0xFFFFFFFF}
THING = {"name": {"nl": "Meter op de markt"}, "owner": {"organisation": "Gemeente Test"}, "goal": {"nl": "Weten"},
         "legalGround": "Publieke taak", "personalData": False}


def away(d, name, *filters, version=5, **options):
    c = mqtt.Client(d.mqtt_port, version, timeout=10 * SLOW)
    ack = c.open(name, clean=False, **({"props": FOREVER} if version == 5 else {}), **options)
    if filters:
        c.subscribe(*filters)
    return c, ack


def basic(name):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()}


def fill(d):
    must(d, "organisation", "add", "vendor", "--title", "Vendor B.V.")
    must(d, "identity", "add", "ann", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    must(d, "grant", "add", "air", "--identity", "ann", "--rights", "publish,read", "--quota", "100")
    assert d.admin("PUT", "/v1/things/markt", THING).status == 201
    c, _ = away(d, "one", ("log/#", 1))
    c.abort()
    c, _ = away(d, "old", ("log/#", 1), version=4)
    c.abort()
    c, _ = away(d, "member", ("$share/g/log/#", 1))
    c.abort()
    twice, _ = away(d, "twice", ("log/#", 2))
    with d.client("sender") as p:
        for n in range(20):
            assert p.publish("city/air/markt", json.dumps({"dateObserved": f"2026-11-24T12:{n:02}:00Z", "pm25": n})).reason == 0
        for n in range(8):
            assert p.publish("log/x", f"n{n}", qos=2, retain=n == 7).reason == 0
        assert p.publish("city/air/markt", json.dumps({"dateObserved": "2026-11-24T13:00:00Z", "pm25": 5000})).reason == 0x99
        assert p.publish("nowhere", "lost").reason == 0x90
    first = twice.expect(mqtt.PUBLISH)
    twice.send(mqtt.ack(mqtt.PUBREC, first.mid))
    assert first.payload == b"n0"
    while twice.receive().kind != mqtt.PUBREL:
        pass
    twice.abort()
    d.stop()


def plain(i):
    """What goes into a fixture: no socket, no series (which have a fixture of their own), nobody's names."""
    i.uid = i.gid = 0
    i.uname = i.gname = ""
    return i if (i.isfile() or i.isdir()) and not i.name.startswith(("data/series", "data/reserve")) else None


def check(d):
    """All that fill() put in."""
    events = d.all_events("air")
    assert [e["data"]["pm25"] for e in events] == list(range(20)) and {e["subject"] for e in events} == {"markt"}
    assert [base64.b64decode(e["data_base64"]).decode() for e in d.all_events("log")] == [f"n{n}" for n in range(8)]
    row, = d.quarantine("air")
    assert row["rule"] == "maximum" and row["pointer"] == "/pm25"
    assert d.quarantine()[0]["topic"] == "nowhere"
    entry = d.admin("GET", "/v1/things/markt").json()
    assert entry["name"] == THING["name"] and entry["version"] == 1
    assert d.get("/v1/feeds", basic("ann")).status == 200
    grant, = d.admin("GET", "/v1/grants").json()["grants"]
    assert grant["rights"] == ["publish", "read"] and grant["quota"] == 100 and grant["identity"] == "ann"
    for name, version in (("one", 5), ("old", 4), ("member", 5)):
        c, ack = away(d, name, version=version)
        assert ack.session_present, name
        got = []
        for _ in range(8):
            p = c.expect(mqtt.PUBLISH)
            c.send(mqtt.ack(mqtt.PUBACK, p.mid))
            got.append(p.payload.decode())
        assert sorted(got) == [f"n{n}" for n in range(8)], name
        c.close()
    c, ack = away(d, "twice")
    assert ack.session_present
    got = []
    while len(got) < 7:
        p = c.receive()
        if p.kind == mqtt.PUBLISH:
            got.append(p.payload.decode())
            c.send(mqtt.ack(mqtt.PUBREC, p.mid))
        elif p.kind == mqtt.PUBREL:
            c.send(mqtt.ack(mqtt.PUBCOMP, p.mid))
        else:
            c.send(mqtt.ack(mqtt.PUBREL, p.mid))
    assert got == [f"n{n}" for n in range(1, 8)], "0 was received before the stop, and does not come again"
    c.close()
    with d.client("late") as c:
        c.subscribe(("log/x", 0))
        p = c.expect(mqtt.PUBLISH)
        assert p.payload == b"n7" and p.retain
        assert c.publish("city/air/haven", json.dumps({"dateObserved": "2026-11-24T13:00:00Z", "pm25": 3})).reason == 0
    assert d.all_events("air")[-1]["sequence"] == "21" or int(d.all_events("air")[-1]["sequence"]) == 21


def test_what_this_version_writes_it_reads(own):
    d = own(FEEDS, **OPTIONS)
    d.start()
    fill(d)
    name = os.environ.get("OUDP_KEEP_FIXTURE")
    if name:
        path = os.path.join(FOLDER, name + ".tar.xz")
        assert not os.path.exists(path), "a fixture is never made again"
        os.makedirs(FOLDER, exist_ok=True)
        with tarfile.open(path, "w:xz") as t:
            t.add(d.data_dir, "data", filter=plain)
    d.start()
    check(d)


@pytest.mark.parametrize("path", sorted(os.path.basename(p) for p in glob.glob(os.path.join(FOLDER, "journal-*.tar.xz"))))
def test_an_earlier_data_directory(own, path):
    d = own(FEEDS, **OPTIONS)
    with tarfile.open(os.path.join(FOLDER, path)) as t:
        t.extractall(d.folder, filter="data") if hasattr(tarfile, "data_filter") else t.extractall(d.folder)
    os.chmod(d.data_dir, 0o700)
    d.start()
    check(d)
    streams = d.get("/v1/datastreams").json()["datastreams"]
    assert {s["thing"] for s in streams} >= {"markt"}, "the series are made from the journal"
