"""Organisations, identities and grants: who gets in with what, what it may do then, and what ends when a grant does."""
import http.client
import json
import re
import time

import pytest

from kit import certs, city, mqtt, mqttws, web
from kit.access import add_key, audit, basic, bearer, grant, must
from kit.daemon import PUBLIC, SLOW, block, feed, free_ports, wait_for

PASSWORD = "correct horse battery"
FEEDS = {
    "air": feed("city/air/{thing}", access="restricted"),
    "noise": feed("city/noise/{thing}", ["any"], access="restricted"),
    "mine": feed("city/mine/{thing}", ["any"], access="internal", organisation="vendor"),
    "open": feed("city/open/{thing}", ["any"], **PUBLIC),
    "loose": feed("loose/#", ["any"], access="restricted"),
}


@pytest.fixture
def town(own):
    """A daemon with organisations vendor and partner; every listener wants an identity but the plain ones."""
    strict, web_strict = free_ports(2)
    extra = "".join(f'listener "{n}" {{\n\tprotocol = {p}\n\tport = {port}\n\tanonymous = false\n}}\n'
                    for n, p, port in (("strict", "mqtt", strict), ("webstrict", "http", web_strict)))
    d = own(FEEDS, extra=extra)
    d.strict, d.web_strict = strict, web_strict
    d.start()
    for o in ("vendor", "partner"):
        must(d, "organisation", "add", o, "--title", o.title())
    return d


def connack(port, version=5, **options):
    c = mqtt.Client(port, version, timeout=10 * SLOW)
    c.send(mqtt.connect("c", version=version, **options))
    p = c.expect(mqtt.CONNACK)
    if p.reason:
        c.close()
    return p.reason, c


def get(port, path, headers=None, method="GET", body=None):
    return web.request(port, method, path, body, headers, timeout=10 * SLOW)


def test_password(town):
    """Name and password over MQTT and HTTP; what is wrong is refused, also where anonymous may come in."""
    must(town, "identity", "add", "sensors@vendor", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    for port in (town.mqtt_port, town.strict):
        for version, wrong in ((5, 0x86), (4, 4)):
            reason, c = connack(port, version, user="sensors@vendor", password=PASSWORD)
            assert reason == 0
            c.ping()
            c.close()
            assert connack(port, version, user="sensors@vendor", password="wrong horse battery")[0] == wrong
            assert connack(port, version, user="sensors@vendor")[0] == wrong
            assert connack(port, version, user="nobody", password=PASSWORD)[0] == wrong
            # right again: the failures before it are forgotten
            reason, c = connack(port, version, user="sensors@vendor", password=PASSWORD)
            assert reason == 0
            c.close()
    assert connack(town.strict)[0] == 0x87
    assert connack(town.strict, 4)[0] == 5
    assert get(town.web_strict, "/v1/feeds").status == 401
    assert get(town.web_strict, "/v1/feeds", basic("sensors@vendor", PASSWORD)).status == 200
    a = get(town.web_port, "/v1/feeds", basic("sensors@vendor", "wrong horse battery"))
    assert a.status == 401 and "Basic" in a.headers["www-authenticate"] and "Bearer" in a.headers["www-authenticate"]
    assert get(town.web_port, "/v1/feeds", {"Authorization": "Digest x"}).status == 401
    text = open(town.log, encoding="utf-8").read()
    assert "correct horse" not in text and "wrong horse" not in text
    assert "is shorter than 12" in town.oudp("identity", "add", "x", "--organisation", "vendor", "--password",
                                             input="short\n").stderr


def test_a_wrong_password_over_websocket(town):
    """Not answered before it is verified: 503, and when it comes again what it is; a password that is made right is right."""
    must(town, "identity", "add", "w", "--organisation", "vendor", "--password", input=PASSWORD + "\n")

    def statuses(password, n):
        found = []
        while len(found) < n:
            try:
                with web.WebSocket(town.web_port, "/v1/feeds/open/events", headers=basic("w", password), timeout=10 * SLOW):
                    found.append(101)
            except web.Refused as e:
                if found or e.status != 503:
                    found.append(e.status)
        return found
    assert statuses("wrong horse battery", 3) == [401] * 3
    must(town, "identity", "renew", "w", "--password", input="wrong horse battery\n")
    assert statuses("wrong horse battery", 2) == [101] * 2
    must(town, "identity", "end", "w")
    assert statuses("wrong horse battery", 2) == [401] * 2


def test_key(town):
    """An API key as bearer token and as MQTT password; it is nowhere in the store."""
    key = add_key(town, "partner-key", "partner")
    assert connack(town.strict, user="partner-key", password=key)[0] == 0
    assert connack(town.strict, user="", password=key)[0] == 0
    assert connack(town.strict, user="other", password=key)[0] == 0x86
    assert connack(town.strict, user="", password=key[:-2] + "AA")[0] == 0x86
    assert get(town.web_strict, "/v1/feeds", bearer(key)).status == 200
    assert get(town.web_strict, "/v1/feeds", basic("partner-key", key)).status == 200
    assert get(town.web_strict, "/v1/feeds?access_token=" + key).status == 401, "never from the query string"
    shown = town.admin("GET", "/v1/identities").body.decode()
    assert key not in shown and "secret" not in shown
    town.stop()
    with open(town.data_dir + "/journal/data.mdb", "rb") as f:
        assert key.encode() not in f.read()
    town.start()
    assert connack(town.strict, user="", password=key)[0] == 0, "kept over a restart"
    with town.client("x", user="", password=key) as c:
        new = re.search(r"^oudp_\S+$", must(town, "identity", "renew", "partner-key", "--key"), re.M).group(0)
        assert c.expect(mqtt.DISCONNECT, 3 * SLOW).reason == 0x87
    assert connack(town.strict, user="", password=key)[0] == 0x86
    assert connack(town.strict, user="", password=new)[0] == 0


def test_certificate(own, tmp_path):
    """A name in the client's certificate, on mqtts and https."""
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    ca.sign("gateway", san="URI:urn:vendor:gateway:7")
    ca.sign("plain", cn="plain-device")
    ca.sign("other")
    mqtts, https = free_ports(2)
    extra = block("tls", "city", {"certificate": certificate, "key": key, "client-ca": ca.path("ca")}) + "".join(
        f'listener "{n}" {{\n\tprotocol = {p}\n\tport = {port}\n\ttls = "city"\n\tanonymous = false\n}}\n'
        for n, p, port in (("s", "mqtt", mqtts), ("w", "http", https)))
    d = own(FEEDS, extra=extra)
    d.start()
    must(d, "organisation", "add", "vendor")
    must(d, "identity", "add", "gateway", "--organisation", "vendor", "--certificate", "URI:urn:vendor:gateway:7")
    must(d, "identity", "add", "plain", "--organisation", "vendor", "--certificate", "subject:CN=plain-device")
    for who, reason in (("gateway", 0), ("plain", 0), ("other", 0x87), (None, 0x87)):
        with mqtt.Client(mqtts, timeout=10 * SLOW, tls=ca.context(who)) as c:
            c.send(mqtt.connect("c"))
            assert c.expect(mqtt.CONNACK).reason == reason, who
        h = http.client.HTTPSConnection("localhost", https, timeout=10 * SLOW, context=ca.context(who))
        h.request("GET", "/v1/feeds")
        assert h.getresponse().status == (401 if reason else 200), who
        h.close()
    # their days are told, and the owner of one that ends soon is named
    status = d.admin("GET", "/v1/status").json()["clientCertificates"]
    assert (status["known"], status["ending"]) == (2, 2) and status["daysLeft"] in (19, 20), status
    ends = {i["name"]: i.get("certificateEnds") for i in d.admin("GET", "/v1/identities").json()["identities"]}
    assert ends["gateway"] and ends["plain"]
    metrics = get(d.admin_port, "/metrics").body.decode()
    assert "oudp_tls_client_certificates 2\n" in metrics and "oudp_tls_client_certificates_ending 2\n" in metrics
    assert re.search(r"clients +2 of 2 certificates end within 30 days; first \w+, in (19|20) days", must(d, "status"))
    assert "identity=gateway" in d.wait_error("The certificate of a client ends soon")
    must(d, "identity", "end", "gateway")
    with mqtt.Client(mqtts, timeout=10 * SLOW, tls=ca.context("gateway")) as c:
        c.send(mqtt.connect("c"))
        assert c.expect(mqtt.CONNACK).reason == 0x86, "it is shown, and not good any more"


def test_guessing_is_slowed(town):
    must(town, "identity", "add", "target", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    reasons = [connack(town.strict, user="target", password=f"guess number {i}")[0] for i in range(7)]
    assert reasons[0] == 0x86 and reasons[-1] == 0x9f, reasons
    assert get(town.web_strict, "/v1/feeds", basic("target", "guess number 8")).status == 429
    metrics = get(town.admin_port, "/metrics").body.decode()
    refused = dict(re.findall(r'oudp_logins_refused_total\{why="(\w+)"\} (\d+)', metrics))
    assert int(refused["unknown"]) >= reasons.count(0x86) and int(refused["slowed"]) >= reasons.count(0x9f) + 1
    assert "\noudp_audit_dropped_total 0\n" in metrics and re.search(r"\noudp_audit_lines_total [1-9]", metrics)
    # other names of this address get in
    key = add_key(town, "calm")
    assert connack(town.strict, user="calm", password=key)[0] == 0


def test_what_is_granted(town):
    """Publish, subscribe and read apart; what may not be seen does not exist."""
    key = add_key(town, "s1")
    other = add_key(town, "p1", "partner")
    with town.client("a", user="", password=key) as c:
        assert c.publish("city/air/1", city.air()).reason == 0x87
        assert c.publish("nowhere/1", b"x").reason == 0x87
        assert c.subscribe("city/air/#", "city/mine/#", "city/open/#", "$SYS/#") == [0x87, 0, 0, 0x87]
    assert {f["name"] for f in get(town.web_port, "/v1/feeds", bearer(key)).json()["feeds"]} == {"mine", "open"}
    assert {f["name"] for f in get(town.web_port, "/v1/feeds", bearer(other)).json()["feeds"]} == {"open"}
    assert get(town.web_port, "/v1/feeds/air", bearer(key)).status == 404
    grant(town, "air", "publish", identity="s1")
    grant(town, "air", "subscribe,read", organisation="partner")
    with town.client("a", user="", password=key) as c, town.client("b", user="", password=other) as s:
        assert s.subscribe(("city/air/#", 1)) == [1]
        assert c.subscribe("city/air/#") == [0x87]
        assert c.publish("city/air/1", city.air()).reason == 0
        assert c.publish("nowhere/1", b"x").reason == 0x90, "who may publish is told that no feed takes it"
        assert s.expect(mqtt.PUBLISH).topic == "city/air/1"
        assert s.publish("city/air/1", city.air()).reason == 0x87
    assert get(town.web_port, "/v1/feeds/air/events?after=0", bearer(other)).status == 200
    assert get(town.web_port, "/v1/feeds/air/events?after=0", bearer(key)).status == 403, "it is seen, and not read"
    assert get(town.web_port, "/v1/feeds/air/events?thing=2", bearer(key), "POST", city.air()).status in (201, 415)
    a = get(town.web_port, "/v1/feeds/air/events?thing=3", {**bearer(key), "Content-Type": "application/json"}, "POST",
            city.air())
    assert a.status == 201, a
    a = get(town.web_port, "/v1/feeds/air/events?thing=3", {**bearer(other), "Content-Type": "application/json"}, "POST",
            city.air())
    assert a.status == 403, a
    assert [g["feed"] for g in get(town.web_port, "/v1/grants", bearer(key)).json()["grants"]] == ["air"]
    assert get(town.web_port, "/v1/grants", None).json()["grants"] == []


def test_things_of_its_own(town):
    """A grant for some things: publishing, live over MQTT, WebSocket and pages."""
    key, reader = add_key(town, "s1"), add_key(town, "p1", "partner")
    grant(town, "noise", "publish", identity="s1", thing="v-*")
    grant(town, "noise", "subscribe,read", organisation="partner", thing="v-2")
    with town.client("a", user="", password=key) as c, town.client("b", user="", password=reader) as s, \
            web.WebSocket(town.web_port, "/v1/feeds/noise/events", headers=bearer(reader), timeout=10 * SLOW) as w:
        web.until_live(w)
        assert s.subscribe("city/noise/#") == [0]
        assert c.publish("city/noise/x-1", b"1").reason == 0x87
        for thing in ("v-1", "v-2", "v-3"):
            assert c.publish(f"city/noise/{thing}", thing.encode()).reason == 0
        assert s.expect(mqtt.PUBLISH).payload == b"v-2"
        s.expect_quiet()
        assert w.event()["subject"] == "v-2"
    page = get(town.web_port, "/v1/feeds/noise/events?after=0", bearer(reader)).json()
    assert [e["subject"] for e in page] == ["v-2"]


def test_suspended_while_connected(town):
    """MQTT, WebSocket and a stream are closed within a second; resumed, they may come again."""
    key = add_key(town, "p1", "partner")
    id_ = grant(town, "noise", "subscribe,read,publish", identity="p1", until="2099-01-01", purpose="test", contract="C-1")

    def streams():
        c = town.client("b", user="", password=key)
        c.subscribe("city/noise/#")
        w = web.WebSocket(town.web_port, "/v1/feeds/noise/events", headers=bearer(key), timeout=10 * SLOW)
        web.until_live(w)
        e = web.Events(town.web_port, "/v1/feeds/noise/events", bearer(key))
        assert e.event()["type"] == "nl.oudp.feed.live.v1"
        return c, w, e

    for how, after in (("suspend", "resume"), ("revoke", None)):
        c, w, stream = streams()
        began = time.monotonic()
        must(town, "grant", how, id_)
        assert c.expect(mqtt.DISCONNECT, 3 * SLOW).reason == 0x87
        with pytest.raises(web.WsClosed) as e:
            w.event(3 * SLOW)
        assert e.value.code == 1008
        with pytest.raises((AssertionError, EOFError, OSError, StopIteration)):
            stream.event()
        assert time.monotonic() - began < 2 * SLOW
        assert get(town.web_port, "/v1/feeds/noise", bearer(key)).status == 404
        with town.client("b", user="", password=key) as c:
            assert c.subscribe("city/noise/#") == [0x87]
        if after:
            must(town, "grant", after, id_)
    assert town.oudp("grant", "resume", id_).returncode == 2, "revoked is for good"


def test_a_suspended_grant_closes_within_a_second(town):
    """From the request to the goodbye, over MQTT and WebSocket, each time anew."""
    key = add_key(town, "p1", "partner")
    id_ = grant(town, "noise", "subscribe,publish", identity="p1")
    for _ in range(4):
        with town.client("b", user="", password=key) as c, \
                web.WebSocket(town.web_port, "/v1/feeds/noise/events", headers=bearer(key), timeout=10 * SLOW) as w:
            web.until_live(w)
            began = time.monotonic()
            assert town.admin("PATCH", f"/v1/grants/{id_}", {"state": "suspended"}).status == 200
            assert c.expect(mqtt.DISCONNECT, 3 * SLOW).reason == 0x87
            assert time.monotonic() - began < 1 + 0.2 * SLOW
            with pytest.raises(web.WsClosed) as e:
                w.event(3 * SLOW)
            assert e.value.code == 1008 and time.monotonic() - began < 1 + 0.2 * SLOW
        assert town.admin("PATCH", f"/v1/grants/{id_}", {"state": "active"}).status == 200


def test_a_feed_that_is_no_longer_public(own):
    """A reload closes those who may not read it any more."""
    d = own(FEEDS)
    d.start()
    must(d, "organisation", "add", "partner")
    key = add_key(d, "p1", "partner")
    with web.WebSocket(d.web_port, "/v1/feeds/open/events", headers=bearer(key), timeout=10 * SLOW) as w:
        web.until_live(w)
        d.feeds["open"] = {**d.feeds["open"], "access": "restricted"}
        d.write_conf()
        assert d.admin("POST", "/v1/_reload", {}).status == 200
        with pytest.raises(web.WsClosed) as e:
            w.event(4 * SLOW)
        assert e.value.code == 1008


def test_from_until(town):
    """A grant begins and ends by itself."""
    key = add_key(town, "p1", "partner")
    begin, end = time.time() + 1.5, time.time() + 4
    iso = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t + 0.999))  # noqa: E731
    grant(town, "noise", "subscribe,read", identity="p1", **{"from": iso(begin), "until": iso(end)})
    assert get(town.web_port, "/v1/feeds/noise", bearer(key)).status == 404
    wait_for("the beginning", lambda: get(town.web_port, "/v1/feeds/noise", bearer(key)).status == 200, 5)
    with web.WebSocket(town.web_port, "/v1/feeds/noise/events", headers=bearer(key), timeout=10 * SLOW) as w:
        web.until_live(w)
        with pytest.raises(web.WsClosed) as e:
            w.event(8 * SLOW)
        assert e.value.code == 1008
    assert get(town.web_port, "/v1/feeds/noise", bearer(key)).status == 404


def test_rate_size_quota(town):
    key = add_key(town, "s1")
    grant(town, "noise", "publish", identity="s1", rate=10)
    grant(town, "open", "publish", identity="s1", size=100)
    grant(town, "loose", "publish", identity="s1", quota=3)
    with town.client("a", user="", password=key) as c:
        began = time.monotonic()
        for i in range(35):
            assert c.publish("city/noise/1", b"%d" % i).reason == 0
        assert time.monotonic() - began > 2, "slowed, not refused"
        for i in range(3):
            assert c.publish("loose/1", b"%d" % i).reason == 0
        assert c.publish("loose/1", b"3").reason == 0x97
        assert c.publish("city/open/1", b"x" * 100).reason == 0
        c.send(mqtt.publish("city/open/1", b"x" * 101, 1, 999))
        assert c.expect(mqtt.DISCONNECT).reason == 0x95
    json = {**bearer(key), "Content-Type": "text/plain"}
    assert get(town.web_port, "/v1/feeds/open/events?thing=1", json, "POST", "x" * 101).status == 413
    assert get(town.web_port, "/v1/feeds/loose/events?topic=loose/1", json, "POST", "y").status == 429
    wait_for("its use on disk", lambda: True, 1)
    time.sleep(1.5)
    town.kill()
    town.start()
    with town.client("a", user="", password=key) as c:
        assert c.publish("loose/1", b"4").reason == 0x97, "the quota stands over a death"


def test_organisation_ends(town):
    key, other = add_key(town, "s1"), add_key(town, "p1", "partner")
    grant(town, "noise", "publish", organisation="vendor")
    grant(town, "noise", "read", organisation="partner")
    with town.client("a", user="", password=key) as c:
        assert c.publish("city/noise/1", b"kept").reason == 0
        must(town, "organisation", "end", "vendor")
        assert c.expect(mqtt.DISCONNECT, 3 * SLOW).reason == 0x87
    assert connack(town.mqtt_port, user="", password=key)[0] == 0x86
    assert get(town.web_port, "/v1/feeds", bearer(key)).status == 401
    assert len(get(town.web_port, "/v1/feeds/noise/events?after=0", bearer(other)).json()) == 1, "its data stays"
    rows = town.admin("GET", "/v1/identities?organisation=vendor").json()["identities"]
    assert [r["active"] for r in rows] == [False]


def test_two_organisations_one_client_id(town):
    """Sessions are their organisation's."""
    a, b = add_key(town, "s1"), add_key(town, "p1", "partner")
    with town.client("same", user="", password=a) as c, town.client("same", user="", password=b) as s:
        c.ping()
        s.ping()


def test_feed_administrator(town):
    """The right admin on one feed: its quarantine and its grants, and nobody else's."""
    key = add_key(town, "boss")
    grant(town, "air", "admin,read", identity="boss")
    auth = bearer(key)
    body = {"organisation": "partner", "feed": "air", "rights": ["read"]}
    a = get(town.web_port, "/v1/grants", auth, "POST", body)
    assert a.status == 201, a
    id_ = a.json()["id"]
    assert get(town.web_port, "/v1/grants", auth, "POST", {**body, "feed": "noise"}).status == 403
    assert get(town.web_port, "/v1/grants", auth, "POST", {**body, "feed": "*"}).status == 403
    assert get(town.web_port, "/v1/grants", auth, "POST", {**body, "rights": ["admin"]}).status == 403
    assert get(town.web_port, f"/v1/grants/{id_}", auth, "PATCH", {"state": "suspended"}).json()["inForce"] is False
    assert get(town.web_port, f"/v1/grants/{id_}", auth, "PATCH", {"feed": "noise"}).status == 403
    assert get(town.web_port, f"/v1/grants/{id_}", auth, "DELETE").json()["state"] == "revoked"
    assert get(town.web_port, "/v1/organisations", auth).status == 403
    assert get(town.web_port, "/v1/identities", auth).status == 403
    assert get(town.web_port, "/v1/feeds/air/quarantine", auth).status == 200
    assert get(town.web_port, "/v1/feeds/open/quarantine", auth).status == 403
    assert get(town.web_port, "/v1/feeds/noise/quarantine", auth).status == 404


def test_bad_bodies(town):
    """All that is wrong at once, by member."""
    a = town.admin("POST", "/v1/grants", {"organisation": "none", "feed": "*x", "rights": ["fly"], "rate": -1, "more": 1})
    assert a.status == 400
    assert {e.get("parameter") for e in a.json()["errors"]} >= {"organisation", "feed", "rights", "rate", "more"}
    assert town.admin("POST", "/v1/grants", "{").status == 400
    assert town.admin("POST", "/v1/organisations", {"name": "vendor"}).status == 409
    assert town.admin("POST", "/v1/organisations", {"name": "Not A Name"}).status == 400
    assert town.admin("PATCH", "/v1/organisations/nobody", {}).status == 404
    assert town.admin("PATCH", "/v1/grants/77", {"state": "active"}).status == 404
    assert town.admin("DELETE", "/v1/organisations/vendor").status == 405


def test_will_of_an_identity(town):
    """It is published with the rights of its identity, also after a restart; not when those are gone."""
    key, reader = add_key(town, "s1"), add_key(town, "p1", "partner")
    grant(town, "noise", "publish", identity="s1")
    grant(town, "noise", "subscribe,read", organisation="partner")
    will = ("city/noise/w", b"gone", 1, False)
    c = town.client("a", user="", password=key, will=will, props={"session_expiry": 1000})
    town.kill()
    c.close()
    town.start()
    wait_for("the will", lambda: [e for e in get(town.web_port, "/v1/feeds/noise/events?after=0", bearer(reader)).json()
                                  if e.get("subject") == "w"], 5)


def ticket(d, key):
    a = get(d.web_port, "/v1/tickets", {**bearer(key), "Content-Length": "0"}, "POST")
    assert a.status == 201 and a.json()["expiresIn"] <= 60, a
    assert len(a.json()["ticket"]) <= 100
    return a.json()["ticket"]


def test_tickets(town):
    """Good once, within seconds, for events and for MQTT; they carry the rights of who asked."""
    key, other = add_key(town, "p1", "partner"), add_key(town, "p2", "partner")
    grant(town, "noise", "subscribe,publish", identity="p1")
    t = ticket(town, key)
    with web.WebSocket(town.web_port, "/v1/feeds/noise/events", ("cloudevents.json", t), timeout=10 * SLOW) as w:
        assert w.protocol == "cloudevents.json", "the ticket is not said back"
        web.until_live(w)
        with pytest.raises(web.Refused) as e:
            web.WebSocket(town.web_port, "/v1/feeds/noise/events", ("cloudevents.json", t), timeout=10 * SLOW)
        assert e.value.status == 401
        with mqttws.Client(town.web_strict, protocols=("mqtt", ticket(town, key)), timeout=10 * SLOW) as c:
            c.open("browser")
            assert c.publish("city/noise/1", b"x").reason == 0
            assert c.publish("city/air/1", b"x").reason == 0x87
        assert w.event()["subject"] == "1"
        must(town, "identity", "end", "p1")
        with pytest.raises(web.WsClosed) as closed:
            w.event(3 * SLOW)
        assert closed.value.code == 1008
    with pytest.raises(web.Refused) as e:
        web.WebSocket(town.web_port, "/v1/feeds/noise/events", (ticket(town, other), "cloudevents.json"), timeout=10 * SLOW)
    assert e.value.status == 404
    with pytest.raises(web.Refused) as e:
        web.WebSocket(town.web_port, "/v1/feeds/noise/events", ("cloudevents.json", "oudp-ticket." + "A" * 43), timeout=10 * SLOW)
    assert e.value.status == 401
    assert get(town.web_port, "/v1/tickets", {"Content-Length": "0"}, "POST").status == 401
    late = add_key(town, "late", "partner")
    t = ticket(town, late)
    must(town, "identity", "end", "late")
    with pytest.raises(web.Refused) as e:
        web.WebSocket(town.web_port, "/v1/feeds/open/events", ("cloudevents.json", t), timeout=10 * SLOW)
    assert e.value.status == 401
    for _ in range(50):
        ticket(town, other)
    assert get(town.web_port, "/v1/tickets", {**bearer(other), "Content-Length": "0"}, "POST").status == 503


def test_origins(own):
    """Pages of other sites open no WebSocket, unless they are named; programs send no Origin."""
    d = own(FEEDS, allowed_origins=["https://dashboard.voorbeeld.nl"])
    d.start()
    good = [None, f"http://127.0.0.1:{d.web_port}", "https://dashboard.voorbeeld.nl"]
    bad = ["https://evil.example", "null", "https://dashboard.voorbeeld.nl.evil.example", "http://dashboard.voorbeeld.nl",
           f"http://127.0.0.1:{d.web_port + 1}", "http://127.0.0.1"]
    for path, protocol in (("/v1/feeds/open/events", "cloudevents.json"), ("/mqtt", "mqtt")):
        for origin in good:
            headers = {"Origin": origin} if origin else {}
            with web.WebSocket(d.web_port, path, (protocol,), headers=headers, timeout=10 * SLOW) as w:
                assert w.protocol == protocol
        for origin in bad:
            with pytest.raises(web.Refused) as e:
                web.WebSocket(d.web_port, path, (protocol,), headers={"Origin": origin}, timeout=10 * SLOW)
            assert e.value.status == 403, origin
        with pytest.raises(web.Refused) as e:  # headers that a link brings with it
            web.WebSocket(d.web_port, f"{path}?%0D%0AOrigin:%20{good[1]}%0D%0AX:%20", (protocol,), timeout=10 * SLOW)
        assert e.value.status == 400
    # a ticket is a WebSocket to be, whatever is shown for it
    must(d, "organisation", "add", "partner")
    key = add_key(d, "p1", "partner")
    for shown in (bearer(key), basic("p1", key)):
        for origin in good + bad:
            headers = {**shown, "Content-Length": "0", **({"Origin": origin} if origin else {})}
            assert get(d.web_port, "/v1/tickets", headers, "POST").status == (201 if origin in good else 403), origin
    headers = {**basic("p1", key), "Origin": good[2]}
    assert get(d.web_port, "/v1/feeds/open/events?thing=1", headers, "POST", "x").status == 403, "for WebSockets only"


def test_audit(town):
    """Changes, refusals and logins that failed, chained; a record that is changed or gone shows."""
    key = add_key(town, "s1")
    id_ = grant(town, "noise", "publish", identity="s1")
    must(town, "grant", "suspend", id_)
    with town.client("a", user="", password=key) as c:
        for _ in range(20):
            assert c.publish("city/noise/1", b"x").reason == 0x87
        c.subscribe("city/air/#")
    assert get(town.web_port, "/v1/feeds/air", bearer(key)).status == 404
    assert connack(town.strict, user="s1", password="wrong wrong wrong")[0] == 0x86
    assert town.admin("POST", "/v1/_reload", {}).status == 200
    wait_for("the lines", lambda: len(audit(town)) >= 9, 5)
    rows = audit(town)
    said = [(r["action"], r["object"], r["result"]) for r in rows]
    assert ("access.change", "o/vendor", "done") in said and ("access.change", "i/s1", "done") in said
    assert sum(a == "access.change" and o.startswith("g/") for a, o, _ in said) == 2
    assert said.count(("publish", "noise", "refused")) == 1, "once a minute"
    assert ("subscribe", "air", "refused") in said and ("use", "air", "refused") in said
    assert ("reload", "configuration", "done") in said
    assert [r["actor"] for r in rows if r["action"] == "login"] == ["s1"]
    assert {r["origin"] for r in rows if r["action"] == "access.change"} == {"socket"}
    assert key not in str(rows) and "wrong wrong" not in str(rows)
    for who in (None, bearer(key)):
        assert get(town.web_port, "/v1/feeds/oudp-audit", who).status == 404
        assert get(town.web_port, "/v1/feeds/oudp-audit/events?after=0", who).status == 404
    assert "oudp-audit" not in get(town.web_port, "/v1/feeds").body.decode()
    with town.client("x") as c:
        assert c.publish("oudp/audit", b"{}").reason == 0x87
        assert c.subscribe("oudp/audit") == [0x87]
    assert "is whole" in must(town, "audit", "verify")
    town.kill()
    town.start()
    must(town, "grant", "revoke", id_)
    wait_for("the line", lambda: len(audit(town)) > len(rows), 5)
    verified = web.json.loads(must(town, "audit", "verify", "--json"))
    assert verified["wrong"] == 0 and verified["records"] == verified["last"]


def test_reads_of_personal_data_are_told(own):
    d = own({**FEEDS, "people": feed("people/{thing}", ["any"], personal_data=True, purpose="p", legal_ground="g",
                                     dpia="https://voorbeeld.nl/dpia", keep_messages="1d")})
    d.start()
    must(d, "organisation", "add", "partner")
    key = add_key(d, "p1", "partner")
    grant(d, "people", "read,subscribe", identity="p1")
    assert get(d.web_port, "/v1/feeds/people/events?after=0", bearer(key)).status == 200
    assert get(d.web_port, "/v1/feeds/open/events?after=0", bearer(key)).status == 200
    with d.client("x", user="", password=key) as c:
        c.subscribe("people/#")
    wait_for("the lines", lambda: {(r["action"], r["actor"]) for r in audit(d) if r["object"] == "people"}
             == {("read", "p1"), ("subscribe", "p1")}, 5)
    assert not [r for r in audit(d) if r["object"] == "open"]


def test_who_is_behind(town):
    """A session that is away, what it is owed, and the days left before the first of it is deleted."""
    key = add_key(town, "p1", "partner")
    grant(town, "noise", "subscribe,publish", identity="p1")
    with town.client("away", user="", password=key, clean=False, props={"session_expiry": 10000}) as c:
        c.subscribe(("city/noise/#", 1))
    with town.client("b", user="", password=key) as c:
        for i in range(3):
            assert c.publish("city/noise/1", b"%d" % i).reason == 0
    rows = wait_for("the row", lambda: town.admin("GET", "/v1/subscribers").json()["subscribers"], 5)
    assert [(r["client"], r["identity"], r["feed"], r["behind"], r["connected"]) for r in rows] == \
        [("away", "p1", "noise", 3, False)]
    assert 13.9 < rows[0]["daysLeft"] <= 14
    shown = must(town, "status")
    assert re.search(r"noise +partner/p1 +away +away +3 +14\.0", shown), shown


def test_some_things_of_a_feed_in_the_series(town):
    """A grant for some things shows those only, whoever asks for the series: /v1 and SensorThings."""
    partner = bearer(add_key(town, "reader", "partner"))
    grant(town, "air", "read", organisation="partner", thing="pole-1*")
    with town.client("c") as c:
        for thing in ("pole-1", "pole-17", "pole-2"):
            assert c.publish(f"city/air/{thing}", city.air()).reason == 0

    def names(path, member):
        a = get(town.web_strict, path, partner)
        assert a.status == 200, a
        return {x[member] for x in json.loads(a.body).get("value") or json.loads(a.body)["datastreams"]}
    assert names("/sta/v1.1/Things", "name") == {"pole-1", "pole-17"}
    assert names("/sta/v1.1/Datastreams", "name") == {"pole-1 pm25", "pole-17 pm25"}
    assert names("/v1/datastreams", "thing") == {"pole-1", "pole-17"}
    a = get(town.web_strict, "/sta/v1.1/Observations?$count=true", partner)
    assert json.loads(a.body)["@iot.count"] == 2, a
    all_things = json.loads(get(town.web_port, "/sta/v1.1/Things").body)["value"]
    hidden = next(t["@iot.id"] for t in all_things if t["name"] == "pole-2")
    assert get(town.web_strict, f"/sta/v1.1/Things({hidden})", partner).status == 404
    assert get(town.web_strict, f"/sta/v1.1/Things({hidden})/Datastreams", partner).status == 404
