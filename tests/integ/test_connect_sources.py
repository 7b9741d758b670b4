"""Sources that send by themselves: another MQTT broker, a WebSocket, a feed of our own. What one of them may forget
is forgotten after the broker has answered, and not before; what nobody holds waits on disk or is a hole that is told."""
import asyncio
import base64
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest
import websockets

from kit import mqtt, web
from kit.connect import TIME, Connector, kill_in_turn
from kit.daemon import MOSQUITTO, feed, free_ports, wait_for

MAPPING = ('{topic: ("city/air/" + (.s // "s")), payload: {dateObserved: .t, pm25: .v, note: .n}}')
NAMED = '{topic: "city/air/s", payload: {dateObserved: .t, pm25: .v, note: (.n + "/" + (input | .topic))}}'
JSON = {"Content-Type": "application/json"}
FEEDS = {"air": feed("city/air/{thing}"), "raw": feed("raw/{thing}/#", ["any"]), "short": feed("short/{thing}", ["any"])}


def row(note, **more):
    return json.dumps({"s": "s", "t": TIME, "v": 10, "n": note, **more}).encode()


@pytest.fixture
def connector(tmp_path):
    made = []

    def make(port, mapping=MAPPING, **options):
        made.append(Connector(tmp_path / f"c{len(made)}", port, mapping, **{"records": [], **options}))
        return made[-1]

    yield make
    for c in made:
        c.stop(signal.SIGKILL)


def notes(broker, feed_name="air"):
    return [e["data"]["note"] for e in broker.all_events(feed_name)]


class OtherBroker:
    """Plays a broker of MQTT 3.1.1, byte by byte: one client, messages of QoS 1 until they are acknowledged."""

    def __init__(self, present=False):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.present, self.session, self.acknowledged, self.open = present, {}, [], None
        self.connections, self.next, self.lock = 0, 1, threading.Lock()
        self.client_ids = []
        threading.Thread(target=self.run, daemon=True).start()

    url = property(lambda self: f"mqtt://127.0.0.1:{self.port}")

    def run(self):
        while True:
            try:
                self.talk(self.server.accept()[0])
            except OSError:
                if self.server.fileno() < 0:
                    return

    def talk(self, s):
        data = b""
        while True:
            got = s.recv(65536)
            if not got:
                self.open = None
                return
            data += got
            while len(data) >= 2 and len(data) >= 2 + data[1]:
                kind, body, data = data[0] >> 4, data[2:2 + data[1]], data[2 + data[1]:]
                self.answer(s, kind, body)

    def answer(self, s, kind, body):
        if kind == mqtt.CONNECT:
            n = int.from_bytes(body[10:12], "big")
            self.client_ids.append(body[12:12 + n].decode())
            s.sendall(bytes([0x20, 2, 1 if self.present else 0, 0]))
            self.present = True
        elif kind == mqtt.SUBSCRIBE:
            s.sendall(bytes([0x90, 3]) + body[:2] + b"\x01")
            with self.lock:
                self.open, self.connections = s, self.connections + 1
                for mid, (topic, payload) in self.session.items():
                    s.sendall(self.bytes_of(mid, topic, payload, True))
        elif kind == mqtt.PINGREQ:
            s.sendall(b"\xd0\x00")
        elif kind == mqtt.PUBACK:
            mid = int.from_bytes(body[:2], "big")
            with self.lock:
                self.session.pop(mid, None)
                self.acknowledged.append(mid)

    @staticmethod
    def bytes_of(mid, topic, payload, again=False):
        return mqtt.packet(0x3A if again else 0x32, mqtt.text(topic), mid.to_bytes(2, "big"), payload)

    def send(self, topic, payload):
        with self.lock:
            mid, self.next = self.next, self.next + 1
            self.session[mid] = (topic, payload)
            if self.open:
                try:
                    self.open.sendall(self.bytes_of(mid, topic, payload))
                except OSError:
                    pass
        return mid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()


def subscribed(other, n=1):
    wait_for("the subscription", lambda: other.connections >= n)


# ---- mqtt ----
def test_the_acknowledgement_waits_for_ours(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        connector(d.mqtt_port, NAMED, source="mqtt", url=[other.url], topics=["up/#"], protocol="3.1.1").start()
        subscribed(other)
        first = other.send("up/a", row("one"))
        wait_for("its acknowledgement", lambda: first in other.acknowledged)
        assert notes(d) == ["one/up/a"]
        d.process.send_signal(signal.SIGSTOP)
        try:
            second = other.send("up/b", row("two"))
            time.sleep(1.5)
            assert second not in other.acknowledged, "acknowledged and not stored"
        finally:
            d.process.send_signal(signal.SIGCONT)
        wait_for("its acknowledgement", lambda: second in other.acknowledged)
        assert notes(d) == ["one/up/a", "two/up/b"]
        assert other.connections == 1


def test_a_killed_connector_gets_it_again_and_a_name_that_stays(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        c = connector(d.mqtt_port, source="mqtt", url=[other.url], topics=["up"], protocol="3.1.1").start()
        subscribed(other)
        d.process.send_signal(signal.SIGSTOP)
        held = [other.send("up", row(f"r{i}")) for i in range(20)]
        time.sleep(0.5)
        c.stop(signal.SIGKILL)
        assert not other.acknowledged
        d.process.send_signal(signal.SIGCONT)
        c.start()
        wait_for("all acknowledgements", lambda: set(held) <= set(other.acknowledged))
        assert sorted(notes(d)) == sorted(f"r{i}" for i in range(20))
        assert other.client_ids[0] == other.client_ids[1] and other.client_ids[0].startswith("oudp-c-")


def test_a_long_absence_goes_to_disk_and_comes_in_order(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        c = connector(d.mqtt_port, source="mqtt", url=[other.url], topics=["up"], protocol="3.1.1").start()
        subscribed(other)
        d.kill()
        mids = [other.send("up", row(f"r{i:03}")) for i in range(300)]
        wait_for("all are safe", lambda: set(mids) <= set(other.acknowledged), timeout=20)
        assert os.path.getsize(os.path.join(c.state, "c.spool")) > 300 * 50
        c.stop(signal.SIGKILL)
        c.start()
        d.start()
        wait_for("all are stored", lambda: len(notes(d)) >= 300, timeout=90)
        assert notes(d) == [f"r{i:03}" for i in range(300)]
        wait_for("an empty spool", lambda: os.path.getsize(os.path.join(c.state, "c.spool")) == 0)
        last = other.send("up", row("last"))
        wait_for("live again", lambda: last in other.acknowledged)
        assert notes(d)[-1] == "last"


def test_a_full_spool_leaves_the_source_alone(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        c = connector(d.mqtt_port, source="mqtt", url=[other.url], topics=["up"], protocol="3.1.1", spool="1kB").start()
        subscribed(other)
        d.kill()
        mids = [other.send("up", row(f"r{i}")) for i in range(100)]
        wait_for("it is left alone", lambda: "left alone" in c.logged(), timeout=20)
        assert not set(mids) & set(other.acknowledged)
        d.start()
        wait_for("all", lambda: set(mids) <= set(other.acknowledged), timeout=90)
        assert sorted(notes(d)) == sorted(f"r{i}" for i in range(100))


def test_a_session_that_was_forgotten_is_a_hole(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        c = connector(d.mqtt_port, source="mqtt", url=[other.url], topics=["up"], protocol="3.1.1").start()
        subscribed(other)
        c.stop()
        other.present = False
        c.start()
        subscribed(other, 2)
        wait_for("the hole", lambda: "has forgotten our session" in c.logged())


def test_refusals_do_not_stop_the_flow(own, connector):
    d = own(FEEDS).start()
    with OtherBroker() as other:
        c = connector(d.mqtt_port, source="mqtt", url=[other.url], topics=["up"], protocol="3.1.1").start()
        subscribed(other)
        mids = [other.send("up", p) for p in (row("a"), row("b", v=5000), b"not JSON", row("c", n=7), row("d"))]
        wait_for("all are answered", lambda: set(mids) <= set(other.acknowledged))
        assert notes(d) == ["a", "d"]
        assert "reason=0x99" in c.logged() and "cannot be decoded" in c.logged()


@pytest.fixture
def mosquitto(tmp_path):
    port, = free_ports(1)
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {folder}/users\n"
                                 "max_queued_messages 100000\nmax_inflight_messages 100\nuser root\n")
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(folder / "users"), "city", "secret"], check=True, capture_output=True)
    (folder / "users").chmod(0o644)
    (folder / "word").write_text("secret\n")
    p = subprocess.Popen([MOSQUITTO, "-c", str(folder / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def there():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for("mosquitto", there)
        yield port, str(folder / "word")
    finally:
        p.kill()
        p.wait()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_mosquitto_with_kills_at_random(own, connector, mosquitto, protocol):
    """A real broker as the source; our broker and the connector die; each message is stored once."""
    port, word = mosquitto
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    d = own(FEEDS).start()
    c = connector(d.mqtt_port, source="mqtt", url=[f"mqtt://127.0.0.1:{port}"], topics=["up/+", "down/#"], protocol=protocol,
                  user="city", password_file=word).start()
    wait_for("the subscription", lambda: "connected to source" in c.logged())
    n, sent = 3000, 0
    with mqtt.Client(port, 4, timeout=20) as pub:
        pub.open("pub", user="city", password="secret")
        for round_ in range(6):
            for _ in range(n // 6):
                pub.publish(f"up/{sent % 5}", row(f"r{sent}", s=f"s{sent % 5}"), 1)
                sent += 1
            if round_ % 2:
                d.restart()
            else:
                c.stop(signal.SIGKILL)
                time.sleep(dice.uniform(0, 0.3))
                c.start()
    wait_for("all", lambda: d.feed("air")["records"] >= n, timeout=60)
    time.sleep(0.5)
    got = notes(d)
    assert len(got) == n and set(got) == {f"r{i}" for i in range(n)}


def test_what_a_source_refuses_is_said(connector, mosquitto):
    port, _ = mosquitto
    c = connector(1, source="mqtt", url=[f"mqtt://127.0.0.1:{port}"], topics=["up"])
    status, t, log = c.once()
    assert status == 2 and t["failures"] >= 1 and "refuses the connection" in log
    assert "secret" not in log


# ---- websocket ----
class WebSocketServer:
    """Sends what it is told to each client that comes; keeps what clients said and their headers."""

    def __init__(self, port=None):
        self.port, self.said, self.headers, self.clients = port or free_ports(1)[0], [], [], set()
        self.loop = asyncio.new_event_loop()
        self.stopping = self.loop.create_future()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.main(),), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    url = property(lambda self: f"ws://127.0.0.1:{self.port}/stream?key=a")

    async def on_client(self, client, *_):
        self.headers.append({k.lower(): v for k, v in client.request_headers.raw_items()})
        self.clients.add(client)
        try:
            async for text in client:
                self.said.append(text)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.clients.discard(client)

    async def main(self):
        async with websockets.serve(self.on_client, "127.0.0.1", self.port):
            self.ready.set()
            await self.stopping

    def send(self, *messages):
        async def all_of_them():
            for m in messages:
                for c in list(self.clients):
                    await c.send(m)
        asyncio.run_coroutine_threadsafe(all_of_them(), self.loop).result(20)

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopping.set_result, None)
            self.thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def test_a_websocket(own, connector, tmp_path):
    d = own(FEEDS).start()
    (tmp_path / "key").write_text("Authorization: Bearer very-secret\n")
    with WebSocketServer() as s:
        c = connector(d.mqtt_port, source="websocket", url=[s.url], body='{"subscribe":"all"}', header=["X-City: Delft"],
                      header_file=str(tmp_path / "key")).start()
        wait_for("the subscription", lambda: s.said == ['{"subscribe":"all"}'])
        assert s.headers[0]["authorization"] == "Bearer very-secret" and s.headers[0]["x-city"] == "Delft"
        long = row("x" * 200000)
        s.send(row("a").decode(), row("b"), iter([row("c")[:20].decode(), row("c")[20:].decode()]), long, row("e"))
        wait_for("all", lambda: len(notes(d)) >= 5)
        assert notes(d) == ["a", "b", "c", "x" * 200000, "e"]
        assert "very-secret" not in c.logged()


def test_a_websocket_that_goes_is_a_hole_and_a_broker_that_goes_is_none(own, connector):
    d = own(FEEDS).start()
    with WebSocketServer() as s:
        c = connector(d.mqtt_port, source="websocket", url=[s.url]).start()
        wait_for("it has come", lambda: s.clients)
        s.send(row("before"))
        wait_for("it is stored", lambda: notes(d) == ["before"])
        d.kill()
        for i in range(50):
            s.send(row(f"r{i:02}"))
        wait_for("they are on disk", lambda: os.path.getsize(os.path.join(c.state, "c.spool")) > 50 * 50, timeout=20)
        d.start()
        wait_for("all", lambda: len(notes(d)) >= 51, timeout=90)
        assert notes(d) == ["before"] + [f"r{i:02}" for i in range(50)]
        assert "hole" not in c.logged()
    with WebSocketServer(s.port) as s:
        wait_for("it comes again", lambda: s.clients, timeout=20)
        wait_for("the hole is told", lambda: "hole connector=c missing=1" in c.logged())


# ---- feed ----
def feed_url(d, name="raw"):
    return [f"http://127.0.0.1:{d.web_port}/v1/feeds/{name}"]


def test_a_feed_is_mapped_by_cursor(own, connector):
    d = own(FEEDS).start()
    mapping = ('if type == "string" then {topic: "city/air/text", payload: (split(";") | {dateObserved: .[0], pm25: (.[1] | tonumber), note: .[2]})} '
               'else {topic: ("city/air/" + (input | .thing)), payload: {dateObserved: .t, pm25: .v, note: .n}} end')
    c = connector(d.mqtt_port, mapping, source="feed", url=feed_url(d))
    with d.client("vendor") as v:
        for i in range(1200):
            v.publish(f"raw/dev{i % 3}/up", row(f"r{i}"), 1)
    status, t, log = c.once()
    assert (status, t["stored"], t["records"]) == (0, 1200, 1200), log
    assert c.once()[1]["records"] == 0
    assert d.post("/v1/feeds/raw/events?topic=raw/dev9/x", row("posted"), JSON).status == 201
    c.start()
    wait_for("the posted one", lambda: "posted" in notes(d))
    assert d.post("/v1/feeds/raw/events?topic=raw/dev9/x", row("live"), JSON).status == 201
    wait_for("the live one", lambda: "live" in notes(d), timeout=3)
    assert notes(d)[:1200] == [f"r{i}" for i in range(1200)]


def test_what_is_no_json_in_a_feed(own, connector):
    d = own(FEEDS).start()
    mapping = 'split(";") | {topic: "city/air/text", payload: {dateObserved: .[0], pm25: (.[1] | tonumber), note: .[2]}}'
    for decoder in ("text",):
        c = connector(d.mqtt_port, mapping, source="feed", url=feed_url(d), decoder=decoder)
        for i in range(4):  # each length of padding
            assert d.post("/v1/feeds/raw/events?topic=raw/a/b", f"{TIME};{i};{'n' * i}".encode(),
                          {"Content-Type": "application/octet-stream"}).status == 201
        assert c.once()[1]["stored"] == 4
        assert notes(d) == ["", "n", "nn", "nnn"]


def test_a_gap_of_a_feed_is_counted(own, connector):
    d = own({**FEEDS, "raw": feed("raw/{thing}/#", ["any"])}).start()
    c = connector(d.mqtt_port, source="feed", url=feed_url(d))
    with d.client("vendor") as v:
        v.publish("raw/a/up", row("first"), 1)
        assert c.once()[1]["stored"] == 1
        for i in range(10):
            v.publish("raw/a/up", row(f"gone{i}"), 1)
    p = d.oudp("feed", "trim", "raw", "--before", "12")
    assert p.returncode == 0, p.stderr
    status, t, log = c.once()
    assert t["holes"] == 10, (t, log)
    assert c.once()[1]["holes"] == 0, "told once"


def test_the_verdict_reaches_who_published_the_raw_message(own, connector):
    """Two vendors; the second one's message maps to what its schema refuses: the second is told, the first is not."""
    d = own(FEEDS).start()
    c = connector(d.mqtt_port, source="feed", url=feed_url(d)).start()
    wait_for("it runs", lambda: "connected" in c.logged())
    with d.client("vendor-a") as a, d.client("vendor-b") as b:
        for v in (a, b):
            v.subscribe("$oudp/verdicts")
        a.publish("raw/x/up", row("fine"), 1)
        b.publish("raw/y/up", row("bad", v=5000), 1)
        p = b.expect(mqtt.PUBLISH)
        told = json.loads(p.payload)
        assert p.topic == "$oudp/verdicts" and told["verdict"] == "refused" and "/pm25" in told["reason"], told
        assert told["origin"] == f"raw:{d.feed('raw')['epoch']}:2" and told["feed"] == "air" and told["topic"] == "city/air/s"
        a.expect_quiet()
    assert notes(d) == ["fine"]
    assert [r["reason"] for r in d.quarantine("air")]


def test_a_thing_of_others_is_not_to_be_had_by_mapping(own, connector):
    d = own(FEEDS).start()
    c = connector(d.mqtt_port, source="feed", url=feed_url(d), bind_thing=True)
    with d.client("vendor") as v:
        v.publish("raw/s1/up", row("mine", s="s1"), 1)
        v.publish("raw/s1/up", row("theirs", s="s2"), 1)
        v.publish("raw/s1/up", row("nearly", s="s11"), 1)
    status, t, log = c.once()
    assert (status, t["stored"], t["refused"]) == (1, 1, 2) and "does not name the thing" in log
    assert notes(d) == ["mine"]


def test_a_feed_with_kills_at_random(own, connector):
    d = own(FEEDS).start()
    dice = random.Random(os.environ.get("CONNECT_SEED", "7"))
    n = 4000
    with d.client("vendor") as v:
        for i in range(n):
            v.publish("raw/a/up", row(f"r{i}", s=f"s{i % 9}"), 1)
    c = connector(d.mqtt_port, source="feed", url=feed_url(d)).start()
    kill_in_turn(c, d, dice, 6, 0.02, 0.3)
    wait_for("all", lambda: d.feed("air")["records"] >= n, timeout=60)
    time.sleep(0.5)
    assert sorted(notes(d)) == sorted(f"r{i}" for i in range(n))


# ---- how it is ----
def metric(port, name, **labels):
    a = web.request(port, "GET", "/metrics")
    want = name + "{" + ",".join(f'{k}="{v}"' for k, v in {"connector": "c", **labels}.items()) + "} "
    return next(float(x[len(want):]) for x in a.body.decode().splitlines() if x.startswith(want))


def test_metrics_and_readiness(own, connector):
    d = own(FEEDS).start()
    port, = free_ports(1)
    c = connector(d.mqtt_port, source="feed", url=feed_url(d), top=f'listen = "127.0.0.1:{port}"\n').start()
    wait_for("ready", lambda: web.request(port, "GET", "/readyz").status == 200 if c.process.poll() is None and
             "connected" in c.logged() else False)
    with d.client("vendor") as v:
        for p in (row("a"), row("b", v=5000), row("a"), b"no json"):
            v.publish("raw/x/up", p, 1)
    wait_for("all four", lambda: metric(port, "oudp_connect_fetched_total") >= 4)
    wait_for("answers", lambda: metric(port, "oudp_connect_in_flight") == 0)
    assert metric(port, "oudp_connect_stored_total") == 1 and metric(port, "oudp_connect_mapped_total") == 3
    assert metric(port, "oudp_connect_duplicates_total") == 1 and metric(port, "oudp_connect_undecodable_total") == 1
    assert metric(port, "oudp_connect_refused_total", reason="schema") == 1
    assert abs(metric(port, "oudp_connect_last_stored_seconds") - time.time()) < 60
    assert web.request(port, "GET", "/livez").status == 200 and web.request(port, "GET", "/x").status == 404
    assert web.request(port, "POST", "/metrics", b"x" * 100000).status == 405
    d.kill()
    a = wait_for("not ready", lambda: (lambda a: a if a.status == 503 else None)(web.request(port, "GET", "/readyz")))
    assert b"c: the broker is away" in a.body
    d.start()
    wait_for("ready again", lambda: web.request(port, "GET", "/readyz").status == 200, timeout=20)


def test_one_process_per_position(own, connector):
    d = own(FEEDS).start()
    c = connector(d.mqtt_port, source="feed", url=feed_url(d)).start()
    wait_for("it runs", lambda: "connected" in c.logged())
    p = c.run("--once")
    assert p.returncode == 2 and "another process runs it" in p.stderr, p


@pytest.mark.parametrize("options,words", [
    ({"source": "mqtt", "url": ["mqtt://a:1"]}, "needs topics"), ({"source": "mqtt", "url": ["http://a"], "topics": ["x"]}, "not a URL of source mqtt"),
    ({"source": "mqtt", "url": ["mqtt://a"], "topics": ["a/#/b"]}, "no topic filter"), ({"source": "feed", "url": ["http://a/b"]}, "not the URL of a feed"),
    ({"source": "websocket", "url": ["wss://user:word@a/"]}, "no user and password"), ({"source": "mqtt", "url": ["mqtt://a"], "topics": ["x"], "qos": 2}, "qos is 0 or 1"),
    ({"source": "websocket", "url": ["ws://a/"], "top": 'listen = "0.0.0.0:9884"\n'}, "this machine alone"),
])
def test_configuration_is_checked(connector, options, words):
    p = connector(1, **options).run("-n")
    assert p.returncode == 2 and words in p.stderr, p
