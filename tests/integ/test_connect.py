"""Connections: how they begin, how they end, and that one which misbehaves ends alone."""
import socket
import struct
import time

import pytest

from kit import city, mqtt
from kit.daemon import SLOW

CONNECT_OK = {5: mqtt.connect("malformed", 5), 4: mqtt.connect("malformed", 4)}


def test_connack_v5(broker, name):
    """What the broker can do must be said when it differs from the default of the protocol."""
    with broker.client(version=5) as c:
        p = c.open(name)
        assert p.session_present == 0
        assert p.props.get("maximum_qos", 2) == 2
        assert p.props.get("wildcard_available", 1) == 1
        assert p.props.get("receive_maximum", 65535) >= 100, "window 100 must never wait"
        assert "assigned_client_id" not in p.props


def test_connack_v311(broker, name):
    with broker.client(version=4) as c:
        p = c.open(name)
        assert p.body == b"\x00\x00"


def test_assigned_client_id(broker):
    with broker.client(version=5) as a, broker.client(version=5) as b:
        one, two = a.open("").props["assigned_client_id"], b.open("").props["assigned_client_id"]
        assert one and two and one != two
        a.ping()


def test_empty_client_id_v311(broker):
    """[MQTT-3.1.3-7] [MQTT-3.1.3-8]: allowed with a clean session only; else return code 2."""
    with broker.client(version=4) as c:
        c.open("")
    with broker.client(version=4) as c:
        c.send(mqtt.connect("", 4, clean=False))
        assert c.expect(mqtt.CONNACK).reason == 2
        c.expect_closed()


@pytest.mark.parametrize("level,answer,read_as", [(6, 0x84, 5), (3, 1, 4), (0, 1, 4), (127, 0x84, 5)])
def test_unknown_protocol_level(broker, level, answer, read_as):
    """[MQTT-3.1.2-2]: beyond 5 the answer is that of 5, below 4 that of 3.1.1; either, then the connection closes."""
    with broker.client() as c:
        c.send(mqtt.packet(0x10, mqtt.text("MQTT"), bytes([level, 2]), b"\x00\x3c", b"\x00" if level > 4 else b"",
                           mqtt.text("x")))
        c.sock.settimeout(5)
        data = c.sock.recv(100)
        if data:
            assert data[0] == 0x20 and data[3] in (1, 0x84), data.hex()
            assert c.sock.recv(100) == b""


def test_unknown_protocol_level_is_answered(broker):
    """A newer client learns that it should try an older version: 0x84 for one that speaks v5-like, 1 for 3.1."""
    with broker.client() as c:
        c.send(mqtt.packet(0x10, mqtt.text("MQTT"), b"\x06\x02\x00\x3c\x00", mqtt.text("x")))
        assert c.sock.recv(100)[:4].hex()[:2] == "20"
    with broker.client(version=4) as c:
        c.send(mqtt.packet(0x10, mqtt.text("MQIsdp"), b"\x03\x02\x00\x3c", mqtt.text("x")))
        p = c.expect(mqtt.CONNACK)
        assert p.reason == 1
        c.expect_closed()


def connect_raw(flags, rest=b"", version=5, name="MQTT", keepalive=60):
    return mqtt.packet(0x10, mqtt.text(name), bytes([version, flags]), struct.pack(">H", keepalive),
                       b"\x00" if version == 5 else b"", mqtt.text("bad"), rest)


BAD_CONNECT = {  # packet, reasons that may be answered (None: closed without an answer is right too)
    "reserved flag": (connect_raw(3), {0x81}),
    "will qos 3": (connect_raw(2 | 4 | 24, mqtt.text("w") + mqtt.text("x")), {0x81}),
    "will qos without will": (connect_raw(2 | 8), {0x81}),
    "will retain without will": (connect_raw(2 | 32), {0x81}),
    "client id missing": (mqtt.packet(0x10, mqtt.text("MQTT"), b"\x05\x02\x00\x3c\x00"), {0x81}),
    "bytes after the end": (connect_raw(2, b"junk"), {0x81}),
    "user name missing": (connect_raw(2 | 128), {0x81}),
    "property twice": (mqtt.packet(0x10, mqtt.text("MQTT"), b"\x05\x02\x00\x3c",
                                   b"\x0a\x11\x00\x00\x00\x01\x11\x00\x00\x00\x01", mqtt.text("x")), {0x82, 0x81}),
    "property of another packet": (mqtt.packet(0x10, mqtt.text("MQTT"), b"\x05\x02\x00\x3c", b"\x03\x23\x00\x01",
                                               mqtt.text("x")), {0x81, 0x82}),
    "receive maximum 0": (mqtt.packet(0x10, mqtt.text("MQTT"), b"\x05\x02\x00\x3c", b"\x03\x21\x00\x00",
                                      mqtt.text("x")), {0x82}),
    "maximum packet size 0": (mqtt.packet(0x10, mqtt.text("MQTT"), b"\x05\x02\x00\x3c", b"\x05\x27\x00\x00\x00\x00",
                                          mqtt.text("x")), {0x82}),
    "client id with U+0000": (mqtt.connect("a\0b"), {0x81, 0x85}),
    "client id not UTF-8": (mqtt.connect(b"\xff\xfe"), {0x81, 0x85}),
    "client id with a surrogate": (mqtt.connect(b"\xed\xa0\x80"), {0x81, 0x85}),
    "client id too long": (mqtt.connect("x" * 60000), {0x85}),
    "connect with flags": (b"\x11" + mqtt.connect("x")[1:], {0x81}),
    "will topic with wildcard": (mqtt.connect("x", will=("a/#", "x", 0, False)), {0x90, 0x81, 0x82}),
    "authentication method": (mqtt.connect("x", props={"authentication_method": "unknown"}), {0x8C}),
}


def test_unknown_protocol_name(broker):
    """[MQTT-3.1.2-1]: closed; whatever is answered before is a CONNACK of a refusal, in either version's form."""
    with broker.client() as c:
        c.send(connect_raw(2, name="MQTX"))
        data = c.sock.recv(100)
        assert data == b"" or (data[0] == 0x20 and data[3] in (1, 0x81, 0x84)), data.hex()
        assert data == b"" or c.sock.recv(100) == b""


@pytest.mark.parametrize("case", BAD_CONNECT)
def test_bad_connect(broker, name, case):
    packet, reasons = BAD_CONNECT[case]
    with broker.client(name) as witness, broker.client() as c:
        c.send(packet)
        try:
            p = c.receive()
            assert p.kind == mqtt.CONNACK and p.session_present == 0 and p.reason in reasons, p
            c.expect_closed()
        except mqtt.Closed:
            assert None in reasons, "closed without saying why"
        witness.ping()


@pytest.mark.parametrize("first", [mqtt.publish("a", "b", 1, 1), mqtt.PING, mqtt.subscribe(1, [("a", 0)]),
                                   mqtt.disconnect(), b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: someone who took the wrong port\r\nAccept: */*\r\n\r\n", b"\x00\x00", b"\xff" * 64],
                         ids=["publish", "ping", "subscribe", "disconnect", "http", "zero", "ones"])
def test_first_packet_is_not_connect(broker, first):
    """[MQTT-3.1.0-1]: closed, without an answer."""
    with broker.client() as c:
        c.send(first)
        c.expect_closed(5)



MALFORMED = {  # after a CONNECT that was accepted; reason of the DISCONNECT to v5
    "connect twice": (CONNECT_OK, {0x82}),
    "type 0": (b"\x00\x00", {0x81}),
    "publish qos 3": (mqtt.packet(0x36, mqtt.text("a"), b"\x00\x01", b"\x00", b"x"), {0x81}),
    "publish qos 0 with dup": (mqtt.packet(0x38, mqtt.text("a"), b"\x00", b"x"), {0x81}),
    "publish id 0": (mqtt.publish("raw/a", "x", 1, 0), {0x81, 0x82}),
    "publish topic with +": (mqtt.publish("raw/+", "x", 1, 1), {0x81, 0x82, 0x90}),
    "publish topic with #": (mqtt.publish("raw/#", "x", 1, 1), {0x81, 0x82, 0x90}),
    "publish topic empty": (mqtt.publish("", "x", 1, 1), {0x81, 0x82, 0x90}),
    "publish topic not UTF-8": (mqtt.publish(b"raw/\xc0\xaf", "x", 1, 1), {0x81, 0x90}),
    "publish topic with U+0000": (mqtt.publish("raw/a\0b", "x", 1, 1), {0x81, 0x82, 0x90}),
    "publish cut short": (b"\x32\x03\x00\x05a", {0x81}),
    "publish alias 0": (mqtt.publish("raw/a", "x", 1, 1, props={"topic_alias": 0}), {0x94}),
    "publish with a subscription identifier": (mqtt.publish("raw/a", "x", 1, 1,
                                                            props={"subscription_identifier": 3}), {0x81, 0x82}),
    "publish property length past the end": (mqtt.packet(0x30, mqtt.text("a"), b"\x20", b"x"), {0x81}),
    "publish unknown property": (mqtt.packet(0x30, mqtt.text("a"), b"\x02\x7f\x00", b"x"), {0x81}),
    "publish response topic with wildcard": (mqtt.publish("raw/a", "x", 1, 1, props={"response_topic": "a/#"}),
                                             {0x81, 0x82, 0x90}),
    "puback with flags": (b"\x41\x02\x00\x01", {0x81}),
    "puback short": (b"\x40\x01\x00", {0x81}),
    "pubrel with flags 0": (b"\x60\x02\x00\x01", {0x81}),
    "pubrel id 0": (b"\x62\x02\x00\x00", {0x81, 0x82}),
    "subscribe with flags 0": (b"\x80" + mqtt.subscribe(1, [("a", 0)])[1:], {0x81}),
    "subscribe without filter": (mqtt.subscribe(1, []), {0x82, 0x81}),
    "subscribe id 0": (mqtt.subscribe(0, [("a", 0)]), {0x81, 0x82}),
    "subscribe qos 3": (mqtt.subscribe(1, [("a", 3)]), {0x81, 0x82}),
    "subscribe reserved bits": (mqtt.subscribe(1, [("a", 0x40)]), {0x81, 0x82}),
    "subscribe retain handling 3": (mqtt.subscribe(1, [("a", 0x30)]), {0x81, 0x82}),
    "subscribe identifier 0": (mqtt.subscribe(1, [("a", 0)], props={"subscription_identifier": 0}), {0x81, 0x82}),
    "unsubscribe without filter": (mqtt.unsubscribe(1, []), {0x82, 0x81}),
    "unsubscribe with flags 0": (b"\xa0" + mqtt.unsubscribe(1, ["a"])[1:], {0x81}),
    "ping with a body": (b"\xc0\x01\x00", {0x81}),
    "ping with flags": (b"\xc1\x00", {0x81}),
    "disconnect with flags": (b"\xe1\x00", {0x81}),
    "disconnect property twice": (b"\xe0\x0c\x00\x0a\x11\x00\x00\x00\x00\x11\x00\x00\x00\x00", {0x81, 0x82}),
    "connack from a client": (b"\x20\x03\x00\x00\x00", {0x82, 0x81}),
    "suback from a client": (b"\x90\x04\x00\x01\x00\x00", {0x82, 0x81}),
    "pingresp from a client": (b"\xd0\x00", {0x82, 0x81}),
    "auth without a method": (b"\xf0\x00", {0x82, 0x81}),
    "length of five bytes": (b"\x30\xff\xff\xff\xff\x01", {0x81, 0x95}),
    "length with needless bytes": (b"\xc0\x80\x00", {0x81}),
}
V311 = {
    "connect twice": CONNECT_OK, "type 0": b"\x00\x00", "type 15": b"\xf0\x00",
    "publish qos 3": mqtt.packet(0x36, mqtt.text("a"), b"\x00\x01x"),
    "publish topic with +": mqtt.publish("raw/+", "x", 1, 1, version=4),
    "publish topic empty": mqtt.publish("", "x", 1, 1, version=4),
    "publish topic not UTF-8": mqtt.publish(b"\xff", "x", 1, 1, version=4),
    "publish cut short": b"\x32\x03\x00\x05a",
    "puback long": b"\x40\x03\x00\x01\x00",
    "pubrel with flags 0": b"\x60\x02\x00\x01",
    "subscribe with flags 0": b"\x80" + mqtt.subscribe(1, [("a", 0)], 4)[1:],
    "subscribe without filter": mqtt.subscribe(1, [], 4),
    "subscribe qos 3": mqtt.subscribe(1, [("a", 3)], 4),
    "subscribe reserved bits": mqtt.subscribe(1, [("a", 4)], 4),
    "unsubscribe without filter": mqtt.unsubscribe(1, [], 4),
    "disconnect with a body": b"\xe0\x01\x00",
    "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_v5(broker, name, case):
    packet, reasons = MALFORMED[case]
    with broker.client(name) as witness, broker.client(name + "m") as c:
        c.send(packet[5] if isinstance(packet, dict) else packet)
        p = c.receive()
        if p.kind == mqtt.PUBACK:  # the topic name as such may be refused instead of the connection
            assert p.reason in reasons & {0x90, 0x99}, p
        else:
            assert p.kind == mqtt.DISCONNECT and p.reason in reasons, p
            c.expect_closed()
        assert witness.publish(f"raw/{name}", "still here").reason == 0


@pytest.mark.parametrize("case", V311)
def test_malformed_v311(broker, name, case):
    packet = V311[case]
    with broker.client(name, 4) as witness, broker.client(name + "m", 4) as c:
        c.send(packet[4] if isinstance(packet, dict) else packet)
        c.expect_closed()
        assert witness.publish(f"raw/{name}", "still here").reason == 0


def test_what_came_before_the_malformed_packet_is_answered(broker, name):
    with broker.client(name) as c:
        c.send(mqtt.publish(f"raw/{name}", "good", 1, 1) + b"\x00\x00" + mqtt.publish(f"raw/{name}", "late", 1, 2))
        seen = []
        try:
            while True:
                seen.append(c.receive())
        except mqtt.Closed:
            pass
        assert [p.kind for p in seen] in ([mqtt.PUBACK, mqtt.DISCONNECT], [mqtt.DISCONNECT]), seen
        if seen[0].kind == mqtt.PUBACK:
            assert (seen[0].mid, seen[0].reason) == (1, 0)


def test_bytes_one_by_one(broker, name, version):
    with broker.client(version=version) as c:
        for b in mqtt.connect(name, version) + mqtt.publish(f"raw/{name}", "slow", 1, 5, version=version) + mqtt.PING:
            c.send(bytes([b]))
            time.sleep(0.001)
        assert c.expect(mqtt.CONNACK).reason == 0
        got = {c.receive().kind, c.receive().kind}  # the ping need not wait for the commit
        assert got == {mqtt.PUBACK, mqtt.PINGRESP}


def test_takeover(broker, name, version):
    """[MQTT-3.1.4-3]: the newer connection wins; the older is told when it can be."""
    with broker.client(name, version) as old, broker.client(name, version) as new:
        if version == 5:
            assert old.expect(mqtt.DISCONNECT).reason == 0x8E
        old.expect_closed()
        new.ping()
        assert new.publish(f"raw/{name}", "x").reason == 0


def test_takeover_with_messages_in_flight(broker, name):
    """What the old connection sent is stored or not, but never acknowledged to the new one."""
    with broker.client(name) as old:
        old.send(*[mqtt.publish(f"raw/{name}", f"m{i}", 1, i + 1) for i in range(50)])
        with broker.client(name) as new:
            new.expect_quiet(0.3)
            new.ping()


def test_keepalive(broker, name, version):
    """[MQTT-3.1.2-22]: closed one and a half times the keep alive after the last packet."""
    with broker.client(name, version, keepalive=1) as c:
        start = time.monotonic()
        if version == 5:
            assert c.expect(mqtt.DISCONNECT, 6).reason == 0x8D
        c.expect_closed(6)
        assert 1.3 < time.monotonic() - start < 3.5 * SLOW


def test_ping_keeps_alive(broker, name):
    with broker.client(name, keepalive=1) as c:
        for _ in range(4):
            time.sleep(0.7)
            c.ping()


def test_a_late_ping_is_in_time(broker, name):
    """Half the keep alive more is the client's by right."""
    with broker.client(name, keepalive=1) as c:
        for _ in range(4):
            time.sleep(1.38)
            c.ping()


def test_keepalive_0_is_never_closed(broker, name):
    with broker.client(name, keepalive=0) as c:
        time.sleep(2)
        c.ping()


def test_ping_is_answered_exactly(broker, name):
    with broker.client(name) as c:
        c.send(mqtt.PING * 3)
        data = b""
        while len(data) < 6:
            data += c.sock.recv(100)
        assert data == b"\xd0\x00" * 3


def test_a_silent_connection_is_closed(broker):
    """Who does not send CONNECT does not keep a place."""
    with broker.client() as c:
        start = time.monotonic()
        c.expect_closed(15)
        assert time.monotonic() - start > 2


def test_disconnect_closes(broker, name, version):
    with broker.client(name, version) as c:
        c.send(mqtt.disconnect())
        c.expect_closed()


def test_receive_maximum_exceeded(broker, name):
    """[MQTT-3.3.4-9]: more unacknowledged QoS > 0 than offered: 0x93. Only QoS 2 without PUBREL can be that many."""
    with broker.client(version=5) as c:
        most = c.open(name).props.get("receive_maximum", 65535)
        assert most < 65535, "without a bound one connection can hold 65,535 packet identifiers"
        c.send(*[mqtt.publish(f"raw/{name}", f"{i}", 2, i + 1) for i in range(most)])
        for _ in range(most):
            assert c.expect(mqtt.PUBREC).reason == 0
        c.send(mqtt.publish(f"raw/{name}", "one more", 2, most + 1))
        assert c.expect(mqtt.DISCONNECT).reason == 0x93
        c.expect_closed()


def test_paho(broker, name, version):
    """An independent client library."""
    from paho.mqtt import client as paho
    got = []
    c = paho.Client(name, protocol=paho.MQTTv5 if version == 5 else paho.MQTTv311)
    c.on_message = lambda _c, _u, m: got.append((m.topic, m.payload))
    c.connect("127.0.0.1", broker.mqtt_port)
    c.loop_start()
    try:
        ready = []
        c.on_subscribe = lambda *_: ready.append(1)
        c.subscribe(f"city/air/{name}", 2)
        end = time.monotonic() + 10
        while not ready and time.monotonic() < end:
            time.sleep(0.01)
        sent = [(f"city/air/{name}", city.air().encode()) for _ in range(30)]
        for i, (topic, payload) in enumerate(sent):
            c.publish(topic, payload, i % 3).wait_for_publish(10)
        while len(got) < 30 and time.monotonic() < end:
            time.sleep(0.01)
        assert got == sent
    finally:
        c.disconnect()
        c.loop_stop()


def test_many_connections_come_and_go(broker, name):
    for round_ in range(3):
        clients = [broker.client(f"{name}-{i}") for i in range(100)]
        for i, c in enumerate(clients):
            c.send(mqtt.publish(f"raw/{name}", f"{round_} {i}", 1, 1))
        for i, c in enumerate(clients):
            assert c.expect(mqtt.PUBACK).reason == 0
            if i % 2:
                c.abort()
            else:
                c.close()


def test_half_a_packet_then_reset(broker, name):
    n = broker.feed("raw")["last"]
    for cut in range(1, 40, 3):
        c = broker.client(name)
        c.send(mqtt.publish(f"raw/{name}", "never whole", 1, 1)[:cut][:-1] or b"\x32")
        c.abort()
    with broker.client(name) as c:
        c.ping()
    assert broker.feed("raw")["last"] == n


def test_random_bytes_touch_nobody(broker, name):
    import random
    r = random.Random(7)
    with broker.client(name) as witness:
        for i in range(200):
            with broker.client() as c:
                c.sock.settimeout(0.02)
                try:
                    if i % 2:
                        c.send(mqtt.connect(f"{name}-{i}"))
                    c.send(bytes(r.randrange(256) for _ in range(r.randrange(1, 200))))
                    c.sock.recv(1000)
                except (socket.timeout, ConnectionError):
                    pass
        witness.ping()
        assert witness.publish(f"raw/{name}", "x").reason == 0
