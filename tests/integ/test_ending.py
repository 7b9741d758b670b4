"""The end of an organisation: nobody of it gets in, its things are ended in the register, its data stays, and it is told."""
import json
import os
import re
import time

import pytest

from kit import certs, city, mqtt, web
from kit.access import add_key, audit, bearer, grant, must
from kit.daemon import SLOW, block, feed, free_ports, wait_for

FEEDS = {"air": feed("city/air/{thing}", access="restricted", registration="required"),
         "noise": feed("city/noise/{thing}", ["any"], access="restricted")}
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "Vendor"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}


@pytest.fixture
def d(own):
    d = own(FEEDS).start()
    for o in ("vendor", "partner"):
        must(d, "organisation", "add", o)
    return d


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def register(d, *things, organisation="vendor", **more):
    for t in things:
        a = d.admin("PUT", f"/v1/things/{t}?organisation={organisation}", {**ENTRY, **more})
        assert a.status in (200, 201), a


def thing(d, name, organisation="vendor"):
    return d.admin("GET", f"/v1/things/{name}?organisation={organisation}").json()


def alerts(d):
    return [e["data"] for e in d.all_events("oudp-alerts") if "organisation" in e["data"]]


def test_with_a_date(d):
    """Until then everything goes on, and the things know their date; then sockets close, things have ended, data is there."""
    register(d, "v-1", "v-2")
    soon = at(3)
    register(d, "v-soon", activeUntil=soon)
    register(d, "p-1", organisation="partner")
    key, other = add_key(d, "v"), add_key(d, "p", "partner")
    grant(d, "*", "publish,subscribe", organisation="vendor")
    grant(d, "*", "read", organisation="partner")
    ends = at(6)
    with d.client("v", user="", password=key) as c, \
            web.WebSocket(d.web_port, "/v1/feeds/noise/events", headers=bearer(key), timeout=10 * SLOW) as w:
        web.until_live(w)
        said = must(d, "organisation", "end", "vendor", "--date", ends)
        assert ends[:16] in said, said
        wait_for("the date of its things", lambda: thing(d, "v-1").get("activeUntil"), 4)
        assert thing(d, "v-1")["activeUntil"].startswith(ends[:19]) and thing(d, "v-1")["valid"]
        assert thing(d, "v-soon")["activeUntil"] == soon, "one that ends sooner keeps its date"
        assert "activeUntil" not in thing(d, "p-1", "partner")
        assert c.publish("city/air/v-1", city.air(1)).reason == 0, "until then all goes on"
        assert c.publish("city/noise/v-1", b"kept").reason == 0
        assert w.event()["subject"] == "v-1"
        assert c.expect(mqtt.DISCONNECT, 12 * SLOW).reason == 0x87
        late = time.time() - time.mktime(time.strptime(ends, "%Y-%m-%dT%H:%M:%SZ")) + time.timezone
        assert -0.1 < late < 2 * SLOW, late
        with pytest.raises(web.WsClosed) as e:
            w.event(3 * SLOW)
        assert e.value.code == 1008
    wait_for("the end of its things", lambda: thing(d, "v-2").get("state") == "ended", 5)
    assert thing(d, "v-1")["state"] == "ended" and not thing(d, "v-1")["valid"]
    assert thing(d, "v-1")["changedBy"] == "end of its organisation"
    assert thing(d, "p-1", "partner")["valid"]
    assert web.request(d.web_port, "GET", "/v1/feeds", None, bearer(key)).status == 401
    events = web.request(d.web_port, "GET", "/v1/feeds/noise/events?after=0", None, bearer(other)).json()
    assert [e["subject"] for e in events] == ["v-1"], "its data stays"
    told = wait_for("the event", lambda: alerts(d), 5)
    assert [(a["organisation"], a["ended"], a["things"]) for a in told] == [("vendor", True, 3)]
    lines = wait_for("the line", lambda: [r for r in audit(d) if r["action"] == "organisation.end"], 5)
    assert [(r["object"], r["result"], r["actor"]) for r in lines] == [("o/vendor", "done: 3 things ended", "oudpd")]


def test_it_is_told_once_and_over_a_death(d):
    """A death in the middle: the next start goes on; what was told is not told again; a thing that comes later ends too."""
    register(d, *(f"v-{i}" for i in range(40)))
    must(d, "organisation", "end", "vendor")
    d.restart()
    wait_for("all of them", lambda: all(thing(d, f"v-{i}").get("state") == "ended" for i in range(40)), 10)
    wait_for("the event", lambda: alerts(d), 5)
    d.restart()
    register(d, "v-late")
    wait_for("the late one", lambda: thing(d, "v-late").get("state") == "ended", 5)
    time.sleep(2.5)
    assert len(alerts(d)) == 1 and len([r for r in audit(d) if r["action"] == "organisation.end"]) == 1


def test_every_kind_of_identity_stops(own, tmp_path):
    """Password, key and certificate; an MQTT session of its own is closed within the second."""
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    ca.sign("gateway", san="URI:urn:vendor:gateway:7")
    mqtts = free_ports(1)[0]
    d = own(FEEDS, extra=block("tls", "city", {"certificate": certificate, "key": key, "client-ca": ca.path("ca")})
            + f'listener "s" {{\n\tprotocol = mqtt\n\tport = {mqtts}\n\ttls = "city"\n}}\n').start()
    must(d, "organisation", "add", "vendor")
    api_key = add_key(d, "k")
    must(d, "identity", "add", "w", "--organisation", "vendor", "--password", input="correct horse battery\n")
    must(d, "identity", "add", "gateway", "--organisation", "vendor", "--certificate", "URI:urn:vendor:gateway:7")
    grant(d, "noise", "publish", organisation="vendor")
    shown = {"key": {"user": "", "password": api_key}, "password": {"user": "w", "password": "correct horse battery"},
             "certificate": {}}

    def come(kind):
        c = mqtt.Client(mqtts, timeout=10 * SLOW, tls=ca.context("gateway" if kind == "certificate" else None))
        c.send(mqtt.connect(kind, **shown[kind]))
        return c, c.expect(mqtt.CONNACK).reason
    inside = {}
    for kind in shown:
        inside[kind], reason = come(kind)
        assert reason == 0 and inside[kind].publish("city/noise/1", kind.encode()).reason == 0, kind
    began = time.monotonic()
    must(d, "organisation", "end", "vendor")
    for kind, c in inside.items():
        assert c.expect(mqtt.DISCONNECT, 3 * SLOW).reason == 0x87, kind
        c.close()
    assert time.monotonic() - began < 2 * SLOW
    for kind in shown:
        c, reason = come(kind)
        assert reason == 0x86, (kind, "not let in as anonymous either")
        c.close()
    must(d, "organisation", "list")
    assert re.search(r"^vendor +20", must(d, "organisation", "list"), re.M)
    assert os.path.exists(d.log) and json.dumps(api_key) not in open(d.log, encoding="utf-8").read()
