"""What a publisher is told: the table of verdicts, for both versions of the protocol, byte for byte."""
import json
import re
import time

import pytest

from kit import city, daemon, mqtt
from kit.daemon import feed, wait_for

FEEDS = {**daemon.FEEDS,
         "two": feed("city/two/{thing}", ["test-air/2", "test-air/1"]),
         "window": feed("city/window/{thing}", max_age="1h", max_future="1m"),
         "received": feed("city/received/{thing}", max_age="1h", bad_time="received"),
         "flag": feed("city/flag/{thing}", max_age="1h", bad_time="flag"),
         "broad": feed("city/#", ["any"]),
         "catch": feed("only/{thing}/deep/#", ["any"])}



@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    d = daemon.Daemon(tmp_path_factory.mktemp("broker"), FEEDS)
    city.write_schema(d.schemas, "test-air", 2, city.air_schema(maximum=5))
    d.start()
    try:
        yield d
        d.stop()
    finally:
        d.kill()


def last(broker, name):
    return broker.feed(name)["last"]


def refused(answer, version):
    """MQTT 5 is told 0x99; 3.1.1 cannot be told."""
    assert answer.reason == (0x99 if version == 5 else 0), answer
    return answer.props.get("reason", "") if version == 5 else None


@pytest.mark.parametrize("qos", [1, 2])
def test_stored(broker, name, version, qos):
    with broker.client(name, version) as c:
        before = last(broker, "air")
        payload = city.air(7.25)
        p = c.publish(f"city/air/{name}", payload, qos)
        assert p.reason == 0 and p.props == {}
        assert len(p.body) == 2, "0x00 without properties takes the short form"
        events = broker.all_events("air", before)
        assert [e["data"] for e in events] == [json.loads(payload)]
        assert events[0]["sequence"] == str(before + 1)


def test_qos0_is_stored_without_answer(broker, name, version):
    with broker.client(name, version) as c:
        before = last(broker, "air")
        c.publish(f"city/air/{name}", city.air(), 0)
        c.ping()
        wait_for("the record", lambda: last(broker, "air") == before + 1)
        c.expect_quiet(0.1)


@pytest.mark.parametrize("qos", [1, 2])
def test_duplicate(broker, name, version, qos):
    with broker.client(name, version) as c:
        payload = city.air()
        assert c.publish(f"city/air/{name}", payload, qos).reason == 0
        n = last(broker, "air")
        p = c.publish(f"city/air/{name}", payload, qos)
        assert p.reason == 0
        if version == 5:
            assert p.props == {"reason": f"duplicate of {n}"}
        assert last(broker, "air") == n
        # another thing, another time or another payload is no duplicate
        assert c.publish(f"city/air/{name}-other", payload, qos).props == {}
        assert last(broker, "air") == n + 1


def test_duplicate_within_one_batch(broker, name):
    """Both before the first is on disk: the answer names the sequence that the first will have."""
    with broker.client(name) as c:
        payload = city.air()
        c.send(mqtt.publish(f"city/air/{name}", payload, 1, 1), mqtt.publish(f"city/air/{name}", payload, 1, 2))
        one, two = c.expect(mqtt.PUBACK), c.expect(mqtt.PUBACK)
        assert (one.mid, one.reason, one.props) == (1, 0, {})
        assert (two.mid, two.reason, two.props) == (2, 0, {"reason": f"duplicate of {last(broker, 'air')}"})


def test_duplicates_keep(broker, name):
    with broker.client(name) as c:
        payload = city.air()
        n = last(broker, "keep")
        for _ in range(3):
            assert c.publish(f"city/keep/{name}", payload).props == {}
        assert last(broker, "keep") == n + 3


def test_duplicate_is_remembered_over_a_restart(own, name):
    d = own()
    d.start()
    payload = city.air()
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", payload).props == {}
    d.restart()
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", payload).props == {"reason": "duplicate of 1"}


REFUSALS = [  # payload, pointer, rule, what the text must hold
    (lambda: city.air(1200), "/pm25", "maximum", "1200"),
    (lambda: city.air(-1), "/pm25", "minimum", "-1"),
    (lambda: city.air("high"), "/pm25", "type", "number"),
    (lambda: json.dumps({"dateObserved": city.now()}), "", "required", "pm25"),
    (lambda: city.air(3, colour="red"), None, "additionalProperties", "colour"),
    (lambda: "[1]", "", "type", "object"),
]


@pytest.mark.parametrize("payload,pointer,rule,holds", REFUSALS, ids=[r[2] + str(i) for i, r in enumerate(REFUSALS)])
def test_does_not_fit(broker, name, version, payload, pointer, rule, holds):
    payload = payload()
    with broker.client(name, version) as c:
        before = last(broker, "air")
        text = refused(c.publish(f"city/air/{name}", payload), version)
        if version == 5:
            assert text.startswith("test-air/1: "), text
            assert holds in text, text
            if pointer:
                assert f": {pointer}: " in text, text
        assert last(broker, "air") == before
        row = [r for r in broker.quarantine("air", limit=1000) if r["publisher"] == name][-1]
        assert row["payload"] == payload
        assert row["topic"] == f"city/air/{name}"
        assert row["schema"] == "test-air/1"
        assert row["rule"] == rule
        assert row["qos"] == 1 and row["retain"] is False
        assert row["protocol"] == ("mqtt5" if version == 5 else "mqtt311")
        if pointer is not None:
            assert row["pointer"] == pointer
        if version == 5:
            assert row["reason"] == text


def test_the_reason_string_is_exact(broker, name):
    with broker.client(name) as c:
        p = c.publish(f"city/air/{name}", city.air(1200))
        assert (p.reason, p.props) == (0x99, {"reason": "test-air/1: /pm25: 1200 is more than maximum 1000"})


@pytest.mark.parametrize("payload", [b"{", b'{"pm25":1}x', b"", b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b"{'a':1}", b"\x00"])
def test_not_json(broker, name, version, payload):
    with broker.client(name, version) as c:
        text = refused(c.publish(f"city/air/{name}", payload), version)
        if version == 5:
            assert text, "a refusal says why"
        row = [r for r in broker.quarantine("air", limit=1000) if r["publisher"] == name][-1]
        assert row["size"] == len(payload)
        assert row["rule"] == "json"


def test_the_first_schema_that_fits(broker, name):
    with broker.client(name) as c:
        n = last(broker, "two")
        assert c.publish(f"city/two/{name}", city.air(3)).reason == 0
        assert c.publish(f"city/two/{name}", city.air(30)).reason == 0
        assert c.publish(f"city/two/{name}", city.air(3000)).reason == 0x99
        assert [e["type"] for e in broker.all_events("two", n)] == ["nl.stad.test-air.v2", "nl.stad.test-air.v1"]


def test_time_out_of_window(broker, name, version):
    with broker.client(name, version) as c:
        for offset in (-7200, 600):
            n = last(broker, "window")
            text = refused(c.publish(f"city/window/{name}", city.air(time=city.now(offset))), version)
            if version == 5:
                assert text.startswith("test-air/1: /dateObserved: "), text
            assert last(broker, "window") == n
            row = [r for r in broker.quarantine("window", limit=1000) if r["publisher"] == name][-1]
            assert row["rule"] == "time"
        assert c.publish(f"city/window/{name}", city.air(time=city.now(-1800))).reason == 0


def test_bad_time_received_and_flag(broker, name):
    with broker.client(name) as c:
        old = city.now(-7200)
        n, m = last(broker, "received"), last(broker, "flag")
        assert c.publish(f"city/received/{name}", city.air(time=old)).reason == 0
        assert c.publish(f"city/flag/{name}", city.air(time=old)).reason == 0
        e = broker.all_events("received", n)[0]
        assert abs(city.parse_time(e["observedtime"]) - time.time()) < 60
        e = broker.all_events("flag", m)[0]
        assert abs(city.parse_time(e["observedtime"]) - city.parse_time(old)) < 0.001


def test_thing_contradiction(broker, name):
    with broker.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(id=name)).reason == 0
        p = c.publish(f"city/air/{name}", city.air(id="someone-else"))
        assert p.reason == 0x99 and "someone-else" in p.props["reason"], p


def test_no_feed_takes_it(own, name, version):
    d = own()
    d.start()
    with d.client(name, version) as c:
        p = c.publish("city/aer/x", '{"mistyped": true}')
        assert p.reason == (0x90 if version == 5 else 0)
        rows = d.quarantine()
        assert [(r["topic"], r["payload"], r["publisher"]) for r in rows] == [("city/aer/x", '{"mistyped": true}', name)]
        assert c.publish("city/air", "{}", 2).reason == (0x90 if version == 5 else 0)
        assert c.publish("city/air/x/y", "{}").reason == (0x90 if version == 5 else 0)
        assert len(d.quarantine()) == 3
        assert d.feed("air")["last"] == 0


def test_most_specific_topic_wins(broker, name):
    with broker.client(name) as c:
        n = last(broker, "broad")
        assert c.publish(f"city/other/{name}", "opaque \x01").reason == 0
        assert c.publish(f"city/air/{name}", "opaque").reason == 0x99
        assert last(broker, "broad") == n + 1
        assert c.publish(f"only/{name}/deep/a/b", b"\xff\x00").reason == 0
        e = broker.all_events("catch")[-1]
        assert e["subject"] == name and e["data_base64"] == "/wA="


@pytest.mark.parametrize("version", [5, 4], ids=["v5", "v311"])
def test_too_large(broker, name, version):
    with broker.client(name) as c5:
        pass
    with broker.client(version=5) as probe:
        limit = probe.open(name + "p").props.get("maximum_packet_size", 1 << 20)
    with broker.client(name + "w") as witness, broker.client(name, version) as c:
        topic = f"raw/{name}"
        fits = limit - len(mqtt.publish(topic, b"", 1, 1, version=version)) - 3
        n = last(broker, "raw")
        assert c.publish(topic, b"x" * fits).reason == 0
        assert last(broker, "raw") == n + 1
        try:
            c.send(mqtt.publish(topic, b"x" * (fits + 10), 1, 9, version=version))
        except (ConnectionResetError, BrokenPipeError):
            pass
        if version == 5:
            assert c.expect(mqtt.DISCONNECT).reason == 0x95
        c.expect_closed()
        assert last(broker, "raw") == n + 1
        witness.ping()


def test_a_length_beyond_all_limits_closes_at_once(broker, name):
    """The answer comes when the length is known, not after the bytes."""
    with broker.client(name) as c:
        c.send(b"\x32\xff\xff\xff\x7f\x00\x04")
        assert c.expect(mqtt.DISCONNECT, 3).reason == 0x95
        c.expect_closed(3)


def test_empty_retained_payload_clears(broker, name, version):
    with broker.client(name, version) as c:
        payload = city.air()
        assert c.publish(f"city/air/{name}", payload, retain=True).reason == 0
        p = c.publish(f"city/air/{name}", b"", retain=True)
        assert p.reason == 0 and p.props == {}
        assert [r for r in broker.quarantine("air", limit=1000) if r["publisher"] == name] == []
    with broker.client(name, version) as c:
        c.subscribe(f"city/air/{name}")
        c.expect_quiet(0.2)


def mixed(name, i):
    kind = i % 5
    if kind == 0:
        return f"city/air/{name}", city.air(i % 900), 0
    if kind == 1:
        return f"city/air/{name}", city.air(2000 + i), 0x99
    if kind == 2:
        return f"nowhere/{name}", "{}", 0x90
    if kind == 3:
        return f"raw/{name}", f"{i}", 0
    return f"city/air/{name}", "not json", 0x99


@pytest.mark.parametrize("qos", [1, 2])
def test_answers_come_in_the_order_of_the_connection(broker, name, version, qos):
    n = 500
    with broker.client(name, version) as c:
        if version == 5:
            codes = [mixed(name, i)[2] for i in range(n)]
        else:
            codes = [0] * n
        c.send(*[mqtt.publish(*mixed(name, i)[:2], qos, i + 1, version=version) for i in range(n)])
        answers = [c.expect(mqtt.PUBACK if qos == 1 else mqtt.PUBREC) for _ in range(n)]
        assert [a.mid for a in answers] == list(range(1, n + 1))
        assert [a.reason for a in answers] == codes
        if qos == 2:
            ok = [a.mid for a in answers if a.reason < 0x80]
            c.send(*[mqtt.ack(mqtt.PUBREL, m) for m in ok])
            assert [c.expect(mqtt.PUBCOMP).mid for _ in ok] == ok


def test_mixed_qos_keeps_order(broker, name):
    """[MQTT-4.6.0-2] [MQTT-4.6.0-3]: acknowledgements in the order in which the messages came, whatever their QoS."""
    with broker.client(name) as c:
        c.send(*[mqtt.publish(*mixed(name, i)[:2], 1 + i % 2, i + 1) for i in range(100)])
        got = [c.receive() for _ in range(100)]
        assert [p.mid for p in got] == list(range(1, 101))
        assert [p.kind for p in got] == [mqtt.PUBACK if i % 2 == 0 else mqtt.PUBREC for i in range(100)]


def test_request_problem_information_0(broker, name):
    """[MQTT-3.1.2-29]: no reason string and no user property but on PUBLISH, CONNACK and DISCONNECT."""
    with broker.client(name, props={"request_problem": 0}) as c:
        payload = city.air()
        for p, code in ((payload, 0), (payload, 0), (city.air(1200), 0x99), ("x", 0x99)):
            a = c.publish(f"city/air/{name}", p)
            assert (a.reason, a.props) == (code, {})
        assert c.publish(f"nowhere/{name}", "x").props == {}


def test_reason_string_respects_the_clients_packet_size(broker, name):
    """[MQTT-3.4.2-2]: a reason string that would make the packet too large for the client is cut, or left out."""
    with broker.client(name, props={"maximum_packet_size": 30}) as c:
        a = c.publish(f"city/air/{name}", city.air(1200))
        assert a.reason == 0x99
        reason = a.props.get("reason", "")
        # fixed header, packet id, code, property length, property id, string length: 9 bytes
        assert len(reason) + 9 <= 30 and "test-air/1: /pm25: 1200 is more than maximum 1000".startswith(reason)


def test_qos2_resend_before_pubrel_is_not_stored_twice(broker, name, version):
    """[MQTT-4.3.3-10]"""
    with broker.client(name, version) as c:
        n = last(broker, "keep")
        payload = city.air()
        for dup in (False, True, True):
            c.send(mqtt.publish(f"city/keep/{name}", payload, 2, 7, dup=dup, version=version))
            p = c.expect(mqtt.PUBREC)
            assert (p.mid, p.reason) == (7, 0)
        c.send(mqtt.ack(mqtt.PUBREL, 7))
        assert c.expect(mqtt.PUBCOMP).mid == 7
        assert last(broker, "keep") == n + 1
        # after PUBREL the identifier is free: the same number is a new message
        c.send(mqtt.publish(f"city/keep/{name}", payload, 2, 7, version=version))
        assert c.expect(mqtt.PUBREC).mid == 7
        assert last(broker, "keep") == n + 2


def test_qos2_resend_keeps_order(broker, name, version):
    """The second PUBREC for one message comes no sooner than the first: after the commit, in the order of the packets."""
    with broker.client(name, version) as c:
        n, payload = last(broker, "keep"), city.air()
        c.send(mqtt.publish(f"raw/{name}", "a", 1, 1, version=version),
               mqtt.publish(f"city/keep/{name}", payload, 2, 7, version=version),
               mqtt.publish(f"city/keep/{name}", payload, 2, 7, dup=True, version=version),
               mqtt.publish(f"raw/{name}", "b", 1, 2, version=version))
        got = [c.receive() for _ in range(4)]
        assert [(p.kind, p.mid) for p in got] == [(mqtt.PUBACK, 1), (mqtt.PUBREC, 7), (mqtt.PUBREC, 7), (mqtt.PUBACK, 2)]
        assert last(broker, "keep") == n + 1


def test_qos2_refused_frees_the_identifier(broker, name):
    """A PUBREC of 0x80 or more ends the flow: PUBREL for it is unknown, the identifier may be used again."""
    with broker.client(name) as c:
        c.send(mqtt.publish(f"city/air/{name}", city.air(1200), 2, 7))
        assert c.expect(mqtt.PUBREC).reason == 0x99
        c.send(mqtt.ack(mqtt.PUBREL, 7))
        assert c.expect(mqtt.PUBCOMP).reason == 0x92
        c.send(mqtt.publish(f"city/air/{name}", city.air(), 2, 7))
        assert c.expect(mqtt.PUBREC).reason == 0


def test_pubrel_for_an_unknown_id(broker, name, version):
    with broker.client(name, version) as c:
        c.send(mqtt.ack(mqtt.PUBREL, 4711))
        p = c.expect(mqtt.PUBCOMP)
        assert (p.mid, p.reason) == (4711, 0x92 if version == 5 else 0)


def test_an_answer_is_readable_at_once(broker, name):
    """PUBACK 0x00 leaves after the record can be read from its feed."""
    with broker.client(name) as c:
        for _ in range(20):
            payload = city.air()
            assert c.publish(f"city/air/{name}", payload).reason == 0
            n = last(broker, "air")
            assert broker.page("air", after=n - 1).json()[-1]["data"] == json.loads(payload)


def test_topic_alias(broker, name):
    """[MQTT-3.3.2-8] to [MQTT-3.3.2-12]: as far as the broker offers them."""
    with broker.client(version=5) as c:
        most = c.open(name).props.get("topic_alias_maximum", 0)
        if most:
            n = last(broker, "raw")
            assert c.publish(f"raw/{name}", b"\x01", props={"topic_alias": 1}).reason == 0
            assert c.publish("", b"\x02", props={"topic_alias": 1}).reason == 0
            assert [e["data_base64"] for e in broker.all_events("raw", n)] == ["AQ==", "Ag=="]
        c.send(mqtt.publish(f"raw/{name}", b"3", 1, 9, props={"topic_alias": most + 1}))
        assert c.expect(mqtt.DISCONNECT).reason == 0x94
        c.expect_closed()


def test_every_stored_sequence_is_dense(broker):
    for name in FEEDS:
        f = broker.feed(name)
        sequences = [int(e["sequence"]) for e in broker.all_events(name)]
        assert sequences == list(range(f["first"], f["last"] + 1)), name
        ids = [e["id"] for e in broker.all_events(name)]
        assert all(re.fullmatch(rf"{name}:\d+:{s}", i) for s, i in zip(sequences, ids))
