"""What the broker says of itself over MQTT: $SYS and $oudp/verdicts. Scenarios in tests/replay/sys and verdicts have the rest."""
import json
import time

from kit import city, mqtt
from kit.daemon import SLOW


def collect(c, until, seconds):
    """topic -> payload of what comes until a topic has been seen."""
    out, deadline = {}, time.monotonic() + seconds * SLOW
    while until not in out and time.monotonic() < deadline:
        p = c.expect(mqtt.PUBLISH, deadline - time.monotonic())
        out[p.topic] = p.payload.decode()
    return out


def test_sys_has_numbers(own, name):
    b = own()
    b.start()
    with b.client(name) as c, b.client(name + "p") as p:
        p.publish("nowhere/at/all", "x")
        c.subscribe(("$SYS/#", 0))
        got = collect(c, f"$SYS/oudp/feeds/{list(b.feeds)[-1]}/refused", 5)
        assert got["$SYS/broker/version"].startswith("oudpd version ")
        assert got["$SYS/broker/uptime"].endswith(" seconds")
        assert got["$SYS/broker/clients/connected"] == "2"
        assert got["$SYS/broker/subscriptions/count"] == "1"
        assert got["$SYS/broker/publish/messages/received"] == "1"
        assert int(got["$SYS/broker/bytes/received"]) > 20
        assert got["$SYS/oudp/messages/unrouted"] == "1"
        assert got["$SYS/oudp/ready"] == "true"
        assert int(got["$SYS/oudp/store/used-bytes"]) > 0
        p.publish("nowhere/at/all", "x")
        again = collect(c, "$SYS/oudp/messages/unrouted", 15)
        assert again["$SYS/oudp/messages/unrouted"] == "2", "they come again"


def test_sys_is_not_stored(own, name):
    b = own({"all": {"topics": ["#"], "schemas": ["any"]}})
    b.start()
    with b.client(name) as c:
        c.subscribe(("#", 0), ("$SYS/broker/version", 0))
        assert c.expect(mqtt.PUBLISH).topic == "$SYS/broker/version"
        c.expect_quiet(1.5)
    assert b.get("/v1/feeds/all").json()["last"] == 0


def test_a_verdict_is_json(own, name):
    b = own()
    b.start()
    with b.client(name, version=4) as c, b.client(name + "o") as other:
        c.subscribe(("$oudp/verdicts", 0))
        other.subscribe(("$oudp/verdicts/+", 0))
        topic = f"city/air/{name}"
        c.send(mqtt.publish(topic, city.air("much"), 1, 9, version=4))
        assert c.expect(mqtt.PUBACK).mid == 9
        v = json.loads(c.expect(mqtt.PUBLISH).payload)
        assert (v["client"], v["topic"], v["verdict"]) == (name, topic, "refused")
        assert v["pointer"] == "/pm25" and v["rule"] == "type" and v["schema"] == "test-air/1"
        assert "/pm25" in v["reason"] and (v["qos"], v["packetId"]) == (1, 9)
        p = other.expect(mqtt.PUBLISH)
        assert p.topic == "$oudp/verdicts/" + name and json.loads(p.payload)["verdict"] == "refused"


def test_a_listener_that_does_not_read_holds_nobody_up(own, name):
    """Ten thousand verdicts for somebody who reads none: lost on him, and the memory stays."""
    b = own()
    b.start()
    with b.client(name + "s") as s, b.client(name) as p:
        s.subscribe(("$oudp/verdicts/+", 0))
        for _ in range(100):
            p.send(*[mqtt.publish("no/where/" + "x" * 200, "x", 1, i + 1) for i in range(100)])
            for _ in range(100):
                p.expect(mqtt.PUBACK)
        got = 0
        s.send(mqtt.PING)
        while s.receive().kind == mqtt.PUBLISH:
            got += 1
        assert 0 < got <= 10000
