"""Subscribers over MQTT: which messages come, at which QoS, in which order, and how their flows end."""
import json
import threading
import time

import pytest

from kit import city, daemon, mqtt
from kit.daemon import SLOW, feed

FEEDS = {**daemon.FEEDS, "other": feed("other/{thing}/#", ["any"]), "deep": feed("city/deep/#", ["any"])}

NO_LOCAL, RETAIN_AS_PUBLISHED = 4, 8


@pytest.mark.parametrize("qos_sub", [0, 1, 2])
@pytest.mark.parametrize("qos_pub", [0, 1, 2])
def test_delivery_at_the_lower_qos(broker, name, version, qos_pub, qos_sub):
    """[MQTT-3.8.4-8]; and each flow to its end."""
    with broker.client(name + "s", version) as s, broker.client(name, version) as p:
        assert s.subscribe((f"city/air/{name}", qos_sub)) == [qos_sub]
        payload = city.air()
        p.publish(f"city/air/{name}", payload, qos_pub)
        m = s.expect(mqtt.PUBLISH)
        assert (m.topic, m.payload.decode(), m.retain, m.dup) == (f"city/air/{name}", payload, False, False)
        assert m.qos == min(qos_pub, qos_sub)
        if version == 5:
            assert "user" not in m.props, "the sequence goes only to who asked for it"
        if m.qos == 1:
            s.send(mqtt.ack(mqtt.PUBACK, m.mid))
        if m.qos == 2:
            s.send(mqtt.ack(mqtt.PUBREC, m.mid))
            assert s.expect(mqtt.PUBREL).mid == m.mid
            s.send(mqtt.ack(mqtt.PUBCOMP, m.mid))
        s.ping()


@pytest.mark.parametrize("filter_,topics,others", [
    ("other/{}/+", ["other/{}/x"], ["other/{}/x/y", "other/{}"]),
    ("other/{}/#", ["other/{}/x", "other/{}/x/y/z", "other/{}/"], ["raw/{}/x"]),
    ("other/{}/+/z", ["other/{}/a/z", "other/{}//z"], ["other/{}/a/b/z", "other/{}/a"]),
    ("+/{}/x", ["other/{}/x", "raw/{}/x"], ["other/{}/y"]),
    ("other/{}/a//b", ["other/{}/a//b"], ["other/{}/a/b"]),
    ("/{}", [], ["raw/{}"]),
], ids=str)
def test_filters(broker, name, filter_, topics, others):
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((filter_.format(name), 1))
        for t in [x for pair in zip(others, topics) for x in pair] + topics + others:
            p.publish(t.format(name), "x")
        expected = [t.format(name) for _, t in zip(others, topics)] + [t.format(name) for t in topics]
        got = [s.expect(mqtt.PUBLISH).topic for _ in expected]
        assert sorted(got) == sorted(expected)
        s.expect_quiet(0.1)


def test_order_within_a_feed(broker, name):
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((f"raw/{name}/#", 1))
        for i in range(300):
            p.send(mqtt.publish(f"raw/{name}/{i % 7}", f"{i}", 1, i + 1))
        assert [s.expect(mqtt.PUBLISH).payload for _ in range(300)] == [f"{i}".encode() for i in range(300)]


def test_dollar_topics_are_not_matched_by_a_wildcard(broker, name):
    """[MQTT-4.7.2-1]"""
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe(("#", 0), ("+/verdicts", 0), ("+/+", 0), ("+/#", 0))
        assert p.publish(f"city/air/{name}", city.air(1200)).reason == 0x99
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            try:
                m = s.receive(0.1)
            except TimeoutError:
                continue
            assert not m.topic.startswith("$"), m


def test_no_local(broker, name):
    """[MQTT-3.8.3-3]"""
    with broker.client(name) as a, broker.client(name + "b") as b:
        a.subscribe((f"raw/{name}", 1 | NO_LOCAL))
        a.publish(f"raw/{name}", "mine")
        b.publish(f"raw/{name}", "theirs")
        assert a.expect(mqtt.PUBLISH).payload == b"theirs"
        a.expect_quiet(0.1)


def test_own_messages_come_back_without_no_local(broker, name, version):
    with broker.client(name, version) as a:
        a.subscribe(f"raw/{name}")
        a.send(mqtt.publish(f"raw/{name}", "mine", 1, 9, version=version))
        kinds = {a.receive().kind, a.receive().kind}
        assert kinds == {mqtt.PUBACK, mqtt.PUBLISH}


def test_subscribe_codes(broker, name):
    with broker.client(name) as c:
        assert c.subscribe(("a/b", 0), ("a/+", 1), ("#", 2)) == [0, 1, 2]
        c.ping()


@pytest.mark.parametrize("bad", ["a/b#", "a/+b", "a/#/b", "", "a\0b", b"\xff"], ids=repr)
def test_invalid_filter(broker, name, version, bad):
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2]: refused by itself, or the connection closes; never taken."""
    with broker.client(name, version) as c:
        c.send(mqtt.subscribe(1, [(bad, 0), ("ok", 1)], version))
        try:
            p = c.receive()
            if p.kind == mqtt.SUBACK:
                assert p.codes == [0x8F if version == 5 else 0x80, 1]
                c.ping()
            else:
                assert p.kind == mqtt.DISCONNECT and p.reason in (0x81, 0x82, 0x8F), p
                c.expect_closed()
        except mqtt.Closed:
            assert version == 4


def test_unsubscribe(broker, name, version):
    with broker.client(name + "s", version) as s, broker.client(name, version) as p:
        s.subscribe((f"raw/{name}/a", 1), (f"raw/{name}/b", 1))
        codes = s.unsubscribe(f"raw/{name}/a", f"raw/{name}/never")
        if version == 5:
            assert codes == [0, 0x11]
        else:
            assert codes == []
        p.publish(f"raw/{name}/a", "1")
        p.publish(f"raw/{name}/b", "2")
        assert s.expect(mqtt.PUBLISH).payload == b"2"
        s.expect_quiet(0.1)


def test_resubscribe_replaces(broker, name, version):
    """[MQTT-3.8.4-3]: the same filter again replaces the subscription, here its QoS."""
    with broker.client(name + "s", version) as s, broker.client(name, version) as p:
        s.subscribe((f"raw/{name}", 0))
        s.subscribe((f"raw/{name}", 1))
        p.publish(f"raw/{name}", "once")
        m = s.expect(mqtt.PUBLISH)
        assert m.qos == 1
        s.send(mqtt.ack(mqtt.PUBACK, m.mid))
        s.expect_quiet(0.1)


def test_overlapping_subscriptions(broker, name):
    """[MQTT-3.3.4-2]: at least once, at the highest QoS, with the identifiers of those that match."""
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((f"raw/{name}/#", 0), props={"subscription_identifier": 3})
        s.subscribe((f"raw/{name}/a", 1), props={"subscription_identifier": 200})
        p.publish(f"raw/{name}/a", "x")
        first = s.expect(mqtt.PUBLISH)
        got = [first]
        try:
            while True:
                got.append(s.receive(0.2))
        except TimeoutError:
            pass
        assert sorted(i for m in got for i in m.props["subscription_identifier"]) == [3, 200]
        assert max(m.qos for m in got) == 1


def test_properties_are_passed_on(broker, name):
    """[MQTT-3.3.2-17] [MQTT-3.3.2-18] and their like: unaltered, in order."""
    props = {"payload_format": 1, "content_type": "application/json", "response_topic": "raw/answers",
             "correlation_data": b"\x00\xff", "user": [("b", "2"), ("a", "1"), ("b", "2")]}
    with broker.client(name + "s") as s, broker.client(name) as p, broker.client(name + "4", 4) as old:
        s.subscribe(f"raw/{name}")
        old.subscribe(f"raw/{name}")
        p.publish(f"raw/{name}", "x", props=props)
        assert s.expect(mqtt.PUBLISH).props == props
        assert old.expect(mqtt.PUBLISH).payload == b"x"


def test_message_expiry_counts_down(broker, name):
    """[MQTT-3.3.2-6]"""
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe(f"raw/{name}")
        p.publish(f"raw/{name}", "x", props={"message_expiry": 100})
        assert 95 <= s.expect(mqtt.PUBLISH).props["message_expiry"] <= 100


def test_refused_messages_are_not_passed_on(broker, name):
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((f"city/air/{name}", 1), (f"nowhere/{name}", 1))
        p.publish(f"city/air/{name}", city.air(1200))
        p.publish(f"nowhere/{name}", "x")
        payload = city.air()
        p.publish(f"city/air/{name}", payload)
        p.publish(f"city/air/{name}", payload)  # a duplicate
        assert s.expect(mqtt.PUBLISH).payload.decode() == payload
        s.expect_quiet(0.2)


def test_retained(broker, name, version):
    with broker.client(name + "s", version) as s, broker.client(name, version) as p:
        live = (f"raw/{name}/+", 1)
        s.subscribe(live)
        p.publish(f"raw/{name}/a", "first", retain=True)
        p.publish(f"raw/{name}/a", "second", retain=True)
        p.publish(f"raw/{name}/a", "not retained")
        for text in (b"first", b"second", b"not retained"):
            m = s.expect(mqtt.PUBLISH)
            assert (m.payload, m.retain) == (text, False)  # [MQTT-3.3.1-12]
    with broker.client(name + "late", version) as late:
        late.subscribe((f"raw/{name}/+", 1))
        m = late.expect(mqtt.PUBLISH)
        assert (m.payload, m.retain) == (b"second", True)  # [MQTT-3.3.1-8]
        late.expect_quiet(0.1)
    with broker.client(name, version) as p:
        p.publish(f"raw/{name}/a", b"", retain=True)
    with broker.client(name + "later", version) as later:
        later.subscribe((f"raw/{name}/+", 1))
        later.expect_quiet(0.2)


def test_retain_as_published(broker, name):
    """[MQTT-3.3.1-13]"""
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((f"raw/{name}", 1 | RETAIN_AS_PUBLISHED))
        p.publish(f"raw/{name}", "x", retain=True)
        assert s.expect(mqtt.PUBLISH).retain is True


@pytest.mark.parametrize("handling,again", [(0, True), (1, False), (2, False)])
def test_retain_handling(broker, name, handling, again):
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
    with broker.client(name) as c:
        c.publish(f"raw/{name}", "kept", retain=True)
        c.subscribe((f"raw/{name}", handling << 4))
        if handling < 2:
            assert c.expect(mqtt.PUBLISH).retain is True
        c.subscribe((f"raw/{name}", handling << 4))
        if again:
            assert c.expect(mqtt.PUBLISH).retain is True
        c.expect_quiet(0.1)


def test_retained_survives_kill(own, name):
    d = own()
    d.start()
    with d.client(name) as c:
        c.publish(f"raw/{name}", "kept", retain=True)
    d.restart()
    with d.client(name) as c:
        c.subscribe(f"raw/{name}")
        assert c.expect(mqtt.PUBLISH).payload == b"kept"


def test_window_of_the_subscriber(broker, name):
    """[MQTT-3.3.4-9]: never more unacknowledged than its Receive Maximum; the rest follows."""
    with broker.client(name + "s", props={"receive_maximum": 3}) as s, broker.client(name) as p:
        s.subscribe((f"raw/{name}", 1))
        for i in range(10):
            p.publish(f"raw/{name}", f"{i}")
        got = [s.expect(mqtt.PUBLISH) for _ in range(3)]
        s.expect_quiet(0.2)
        while len(got) < 10:
            s.send(mqtt.ack(mqtt.PUBACK, got[len(got) - 3].mid))
            got.append(s.expect(mqtt.PUBLISH))
        assert [m.payload for m in got] == [f"{i}".encode() for i in range(10)]


def test_maximum_packet_size_of_the_subscriber(broker, name):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]: what is too large is skipped, as if it had been sent."""
    with broker.client(name + "s", props={"maximum_packet_size": 200}) as s, broker.client(name) as p:
        s.subscribe((f"raw/{name}", 1))
        p.publish(f"raw/{name}", "x" * 300)
        p.publish(f"raw/{name}", "small")
        assert s.expect(mqtt.PUBLISH).payload == b"small"


def test_slow_subscriber_loses_nothing_and_costs_no_memory(own, name):
    """It reads nothing while 40 MB pass; then it gets all of them, from disk. The others do not wait for it."""
    d = own()
    d.start()
    n, body = 20000, b"x" * 2000
    with d.client(name + "s") as s, d.client(name + "f") as fast, d.client(name) as p:
        s.subscribe((f"raw/{name}", 0))
        fast.subscribe((f"raw/{name}", 0))
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(fast.expect(mqtt.PUBLISH, 60) for _ in range(n)))
        reader.start()
        before, at = d.memory_kb(), 0
        for start in range(0, n, 500):
            p.send(*[mqtt.publish(f"raw/{name}", b"%07d" % (start + i) + body, 1, i + 1) for i in range(500)])
            for _ in range(500):
                p.expect(mqtt.PUBACK, 30)
            at = max(at, d.memory_kb())
        reader.join(60)
        assert len(seen) == n
        if SLOW == 1:
            assert at - before < 64 << 10, f"{at - before} KB more while a subscriber was slow"
        for i in range(n):
            assert s.expect(mqtt.PUBLISH, 30).payload[:7] == b"%07d" % i


def test_sequence_on_request(broker, name):
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe(f"raw/{name}", props={"user": [("oudp-sequence", "1")]})
        p.publish(f"raw/{name}", "x")
        f = broker.feed("raw")
        assert s.expect(mqtt.PUBLISH).props["user"] == [("sequence", f"raw:{f['epoch']}:{f['last']}")]


def test_subscription_that_starts_in_the_past(broker, name):
    with broker.client(name) as p:
        start = broker.feed("other")["last"]
        for i in range(50):
            p.publish(f"other/{name}/x", f"{i}")
    with broker.client(name + "s") as s, broker.client(name) as p:
        s.subscribe((f"other/{name}/#", 1), props={"user": [("oudp-after", f"other:{start}")]})
        p.publish(f"other/{name}/x", "live")
        f, got = broker.feed("other"), [s.expect(mqtt.PUBLISH) for _ in range(51)]
        assert [m.payload for m in got] == [f"{i}".encode() for i in range(50)] + [b"live"]
        assert [m.props["user"] for m in got] == [[("sequence", f"other:{f['epoch']}:{start + 1 + i}")] for i in range(51)]


def test_subscription_since(broker, name):
    with broker.client(name) as p:
        p.publish(f"other/{name}/x", "old")
        time.sleep(1.1)
        since = city.now(-0.5)
        p.publish(f"other/{name}/x", "new")
    with broker.client(name + "s") as s:
        s.subscribe((f"other/{name}/#", 1), props={"user": [("oudp-since", since)]})
        assert s.expect(mqtt.PUBLISH).payload == b"new"
        s.expect_quiet(0.1)


def test_will_on_abnormal_close(broker, name, version):
    with broker.client(name + "s", version) as s:
        s.subscribe((f"raw/{name}/will", 1))
        for how in ("abort", "close", "malformed"):
            c = broker.client(name, version, will=(f"raw/{name}/will", how, 1, False))
            if how == "abort":
                c.abort()
            elif how == "malformed":
                c.send(b"\x00\x00")
            c.close()
            m = s.expect(mqtt.PUBLISH)
            assert m.payload.decode() == how
            s.send(mqtt.ack(mqtt.PUBACK, m.mid))


def test_no_will_after_disconnect(broker, name, version):
    """[MQTT-3.14.4-3]; with reason 0x04 a v5 client asks for it all the same."""
    with broker.client(name + "s", version) as s:
        s.subscribe((f"raw/{name}/will", 1))
        c = broker.client(name, version, will=(f"raw/{name}/will", "no", 1, False))
        c.send(mqtt.disconnect())
        c.expect_closed()
        s.expect_quiet(0.2)
        if version == 5:
            c = broker.client(name, version, will=(f"raw/{name}/will", "yes", 1, False))
            c.send(mqtt.disconnect(4))
            c.expect_closed()
            assert s.expect(mqtt.PUBLISH).payload == b"yes"


def test_will_is_checked_as_any_message(broker, name):
    n = broker.feed("air")["last"]
    c = broker.client(name, will=(f"city/air/{name}", city.air(1200), 1, False))
    c.abort()
    daemon.wait_for("the will in quarantine",
                    lambda: [r for r in broker.quarantine("air", limit=1000) if r["publisher"] == name])
    assert broker.feed("air")["last"] == n


def test_will_on_keepalive_and_takeover(broker, name):
    with broker.client(name + "s") as s:
        s.subscribe(f"raw/{name}/will")
        with broker.client(name, keepalive=1, will=(f"raw/{name}/will", "keepalive", 0, False)):
            assert s.expect(mqtt.PUBLISH, 6).payload == b"keepalive"
        with broker.client(name, will=(f"raw/{name}/will", "takeover", 0, False)):
            with broker.client(name):
                assert s.expect(mqtt.PUBLISH).payload == b"takeover"


def test_subscriber_over_http_sees_what_came_over_mqtt(broker, name):
    payload = city.air()
    with broker.client(name) as p, broker.ws("air", thing=name) as ws:
        ws.event()
        p.publish(f"city/air/{name}", payload)
        e = ws.event()
        while "data" not in e:
            e = ws.event()
        assert e["data"] == json.loads(payload)


def test_many_subscribers(broker, name):
    """One message to 200 connections, once each."""
    clients = [broker.client(f"{name}-{i}", 5 if i % 2 else 4) for i in range(200)]
    try:
        for c in clients:
            c.subscribe((f"raw/{name}", 1))
        with broker.client(name) as p:
            for i in range(20):
                p.publish(f"raw/{name}", f"{i}")
        for c in clients:
            assert [c.expect(mqtt.PUBLISH).payload for _ in range(20)] == [f"{i}".encode() for i in range(20)]
    finally:
        for c in clients:
            c.close()
