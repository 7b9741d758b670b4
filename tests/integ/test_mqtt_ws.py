"""MQTT over WebSocket: the same sessions as over TCP, whatever the frames look like. [MQTT-6.0.0-1] to [MQTT-6.0.0-4]"""
import os
import random
import signal
import struct
import time

import pytest

from kit import mqtt, mqttws, web
from kit.daemon import SLOW

FEEDS = {"all": {"topics": ["#"], "schemas": ["any"], "duplicates": "keep"}}


def over_ws(broker, version=5, **options):
    return mqttws.Client(broker.web_port, version, timeout=10 * SLOW, **options)


def pieces(rng, most):
    """Cuts a stream into frames of 1 to `most` bytes; some messages are fragmented, empty fragments among them."""
    def cut(data):
        at, begins = 0, True
        while at < len(data):
            n = rng.randint(0 if not begins else 1, most)
            ends = rng.random() < 0.6 or at + n >= len(data)
            yield data[at:at + n], begins, ends
            at, begins = at + n, ends
    return cut


def test_all_qos(broker, name, version):
    with over_ws(broker, version) as s, over_ws(broker, version) as p:
        assert s.ws.protocol == "mqtt"
        s.open(name + "s")
        p.open(name + "p")
        assert s.subscribe((name + "/#", 2)) == [2]
        for qos in range(3):
            p.publish(name + "/x", f"q{qos}", qos)
            m = s.expect(mqtt.PUBLISH)
            assert (m.topic, m.payload, m.qos) == (name + "/x", f"q{qos}".encode(), qos)
        s.ping()


def test_from_tcp_and_back(broker, name):
    with broker.client(name + "t") as t, over_ws(broker) as w:
        w.open(name + "w")
        t.subscribe(name + "/up")
        w.subscribe(name + "/down")
        w.publish(name + "/up", "1")
        assert t.expect(mqtt.PUBLISH).payload == b"1"
        t.publish(name + "/down", "2")
        assert w.expect(mqtt.PUBLISH).payload == b"2"


def test_takeover(broker, name):
    with broker.client(name) as t, over_ws(broker) as w:
        w.open(name)
        assert t.expect(mqtt.DISCONNECT).reason == 0x8E
        with broker.client(name):
            assert w.expect(mqtt.DISCONNECT).reason == 0x8E
            assert w.closed_with() == 1000


@pytest.mark.parametrize("protocols", [(), ("mqttv3.1",), ("MQTT",), ("cloudevents.json",)])
def test_without_the_subprotocol(broker, protocols):
    with pytest.raises(web.Refused) as e:
        over_ws(broker, protocols=protocols)
    assert e.value.status == 400
    assert e.value.headers["content-type"] == "application/problem+json"


def test_subprotocol_among_others(broker, name):
    """Each path has its own subprotocols, in whatever order they are offered."""
    with over_ws(broker, protocols=("cloudevents.json", "mqttv3.1", "mqtt")) as c:
        assert c.ws.protocol == "mqtt"
        c.open(name)
    with web.WebSocket(broker.web_port, "/v1/feeds/all/events", ("mqtt", "cloudevents.json")) as ws:
        assert ws.protocol == "cloudevents.json"
        assert ws.event()["type"] == web.LIVE
    with over_ws(broker) as c:
        c.open(name)


@pytest.mark.parametrize("path", ["/mqtt/", "/mqtt/x", "/MQTT", "/v1/mqtt"])
def test_other_paths(broker, path):
    with pytest.raises(web.Refused) as e:
        web.WebSocket(broker.web_port, path, ("mqtt",))
    assert e.value.status == 404


def test_not_on_the_admin_listener(broker):
    with pytest.raises(web.Refused):
        web.WebSocket(broker.admin_port, "/mqtt", ("mqtt",))


def test_text_frame(broker, name):
    """[MQTT-6.0.0-1]: a text frame closes, as if the connection was lost."""
    with broker.client(name + "s") as s, over_ws(broker) as w:
        s.subscribe(name + "/will")
        w.open(name, will=(name + "/will", "gone", 0, False))
        w.ws.send("\x00")
        assert w.closed_with() == 1003
        assert s.expect(mqtt.PUBLISH).payload == b"gone"


def test_text_frame_at_once(broker):
    with over_ws(broker) as w:
        w.ws.send("hello")
        assert w.closed_with() == 1003


def test_lost_connection_leaves_the_will(broker, name):
    with broker.client(name + "s") as s:
        s.subscribe(name + "/will")
        w = over_ws(broker)
        w.open(name, will=(name + "/will", "gone", 1, False))
        w.close()
        assert s.expect(mqtt.PUBLISH).payload == b"gone"


def test_disconnect_closes(broker, name, version):
    with over_ws(broker, version) as w:
        w.open(name)
        w.send(mqtt.disconnect())
        assert w.closed_with() == 1000


def test_websocket_close_frame(broker, name):
    w = over_ws(broker)
    w.open(name)
    assert w.ws.close(1000) == 1000


def test_bad_packet_is_told(broker, name):
    with over_ws(broker) as w:
        w.open(name)
        w.send(b"\x00\x00")
        assert w.expect(mqtt.DISCONNECT).reason == 0x81
        assert w.closed_with() == 1000


def test_keep_alive(broker, name):
    with over_ws(broker) as w:
        w.open(name, keepalive=1)
        start = time.monotonic()
        assert w.expect(mqtt.DISCONNECT).reason == 0x8D
        assert time.monotonic() - start > 1.4
        assert w.closed_with() == 1000


def test_no_connect(broker):
    with over_ws(broker) as w:
        assert w.closed_with(20 * SLOW) == 1000


def test_websocket_pings_are_answered(broker, name):
    with over_ws(broker) as w:
        w.open(name)
        w.ws.send(b"x", 9)
        w.ping()


@pytest.mark.parametrize("most", [1, 3, 100, 5000])
def test_packets_in_any_frames(broker, name, most):
    """[MQTT-6.0.0-2]: packets span frames and frames hold many packets; the seed is in the message."""
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    with over_ws(broker) as s, over_ws(broker, cut=pieces(rng, most)) as p:
        s.open(name + "s")
        s.subscribe((name + "/#", 1))
        n = 30 if most > 1 else 6
        payloads = [bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 125, 126, 127, 2000]) if most > 1 else 9))
                    for _ in range(n)]
        p.send(mqtt.connect(name + "p"), *[mqtt.publish(f"{name}/{i}", b, 1, i + 1) for i, b in enumerate(payloads)],
               mqtt.PING)
        assert p.expect(mqtt.CONNACK).reason == 0, seed
        kinds = [p.receive() for _ in range(n + 1)]
        assert [k.mid for k in kinds if k.kind == mqtt.PUBACK] == list(range(1, n + 1)), seed
        for i, b in enumerate(payloads):
            m = s.expect(mqtt.PUBLISH)
            assert (m.topic, m.payload) == (f"{name}/{i}", b), seed
            s.send(mqtt.ack(mqtt.PUBACK, m.mid))


def test_large_packets(broker, name):
    big = os.urandom(1000_000)
    with over_ws(broker) as w:
        w.open(name)
        w.subscribe((name + "/big", 1))
        w.publish(name + "/big", big, 1)
        m = w.expect(mqtt.PUBLISH)
        assert m.payload == big


def test_too_large_a_packet(broker, name):
    with over_ws(broker) as w:
        w.open(name)
        w.send(mqtt.publish(name, bytes(1 << 20))[:1000])  # its length is enough
        assert w.expect(mqtt.DISCONNECT).reason == 0x95
        assert w.closed_with() == 1000


def rss(broker):
    with open(f"/proc/{broker.process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_subscriber_that_does_not_read(own, name):
    """30 MB for somebody who does not read: they wait in the log, not in memory; then all come, in order."""
    b = own(FEEDS)
    b.start()
    with over_ws(b) as s, b.client(name + "p") as p:
        s.open(name + "s")
        s.subscribe((name + "/#", 0))
        payload, n = bytes(30000), 1000
        p.publish(name + "/0", "warm")
        before = rss(b)
        for at in range(0, n, 50):
            for i in range(at, at + 50):
                p.send(mqtt.publish(f"{name}/{i}", payload, 1, i + 1))
            for i in range(50):
                p.expect(mqtt.PUBACK)
        if SLOW == 1:
            assert rss(b) - before < 48 << 20, "16 MB of it are the ring"
        s.expect(mqtt.PUBLISH)
        for i in range(n):
            assert s.expect(mqtt.PUBLISH).topic == f"{name}/{i}"
        p.publish(name + "/last", "live again")
        assert s.expect(mqtt.PUBLISH).payload == b"live again"


def test_a_client_that_does_not_read_its_answers(own, name):
    """Its requests are not read any more, and what they ask for does not fill the memory."""
    b = own(FEEDS)
    b.start()
    with over_ws(b) as c:
        c.open(name, keepalive=0)
        c.ws.sock.settimeout(1.0)
        sent = 0
        request = mqtt.subscribe(7, [(f"{name}/{i}", 0) for i in range(900)])
        try:
            while sent < 20000:
                c.ws.send(request)
                sent += 1
        except TimeoutError:
            pass
        with b.client(name + "o") as other:  # not before: the above may outlast its keep-alive on a busy machine
            other.ping()
        assert sent < 20000, "the server read without end"
        assert rss(b) < (300 << 20) * (4 if SLOW > 1 else 1)


def test_the_store_is_slow(broker, name):
    """Many publishers over WebSocket at once: each gets all its answers, in order."""
    clients = [over_ws(broker) for _ in range(20)]
    for i, c in enumerate(clients):
        c.open(f"{name}-{i}")
    for c in clients:
        c.send(*[mqtt.publish(name, b"x" * 200, 1, mid) for mid in range(1, 301)])
    for c in clients:
        assert [c.expect(mqtt.PUBACK).mid for _ in range(300)] == list(range(1, 301))
        c.close()


def test_stop(own, name):
    """At the end clients get DISCONNECT 0x8B and the WebSocket 1001; who connects meanwhile is refused."""
    b = own(FEEDS)
    b.start()
    w, old, idle = over_ws(b), over_ws(b, 4), over_ws(b)
    w.open(name)
    old.open(name + "4")
    b.process.send_signal(signal.SIGTERM)
    assert w.expect(mqtt.DISCONNECT).reason == 0x8B
    for c in (w, old, idle):
        assert c.closed_with() == 1001
    assert b.process.wait(20 * SLOW) == 0
    b.process = None
    b.no_report()


def test_metrics_count_them(own, name):
    b = own(FEEDS)
    b.start()
    with over_ws(b) as w:
        w.open(name)
        text = web.request(b.admin_port, "GET", "/metrics").body.decode()
        assert 'oudp_connections{protocol="mqtt"} 1' in text
        assert 'oudp_connections{protocol="websocket"} 0' in text


def test_random_frames(broker, name):
    """Whatever comes in frames of whatever kind, the broker serves others; the seed is in the message."""
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    with broker.client(name) as other:
        for _ in range(30):
            w = over_ws(broker)
            if rng.random() < 0.7:
                w.open(f"{name}-{rng.randrange(5)}")
            try:
                for _ in range(rng.randint(1, 12)):
                    data = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 2, 10, 200])))
                    if rng.random() < 0.5:
                        good = mqtt.publish("a/b", data, 1, rng.randint(1, 9)) + mqtt.PING
                        data = good[:rng.randint(0, len(good))]
                    w.ws.send(data, rng.choice([0, 1, 2, 2, 2, 2, 3, 8, 9, 10, 15]), rng.random() < 0.8)
            except (BrokenPipeError, ConnectionResetError):
                pass
            w.close()
        other.ping()
        assert seed is not None


def test_a_close_in_the_middle_of_a_packet(broker, name):
    with broker.client(name) as other:
        w = over_ws(broker)
        w.open(name + "w")
        w.ws.send(mqtt.publish(name, b"x" * 100, 1, 1)[:50])
        w.ws.send(struct.pack(">H", 1000), 8)
        assert w.closed_with() == 1000
        other.ping()
