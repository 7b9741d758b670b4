"""Clients of others, as they are: mosquitto_pub, _sub and _rr, Paho in Python and in C, a Mosquitto that bridges, MQTT.js
from npm. Each speaks 3.1.1 and 5, over TCP and WebSocket where it can."""
import json
import os
import queue
import shutil
import subprocess
import time

import pytest

from kit import daemon, mqtt
from kit.daemon import SLOW

FEEDS = {"air": daemon.feed("city/air/{thing}"),
         "all": {"topics": ["#"], "schemas": ["any"], "duplicates": "keep"}}
PAHO_C = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release", "tools", "paho")
VERSIONS = ["mqttv311", "mqttv5"]


def run(*command, text=None, seconds=20):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds * SLOW, check=False)


class Background:
    """A program that prints lines; ready when its subscription is in force."""

    def __init__(self, broker, *command, subscriptions=1):
        before = subscriptions_of(broker)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10 * SLOW
        while subscriptions_of(broker) < before + subscriptions:
            assert time.monotonic() < deadline and self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def lines(self, seconds=15):
        out, err = self.process.communicate(timeout=seconds * SLOW)
        assert self.process.returncode == 0, err
        return out.splitlines()


def subscriptions_of(broker):
    """From $SYS, as of the last second."""
    with broker.client("counts") as c:
        c.subscribe(("$SYS/broker/subscriptions/count", 0))
        return int(c.expect(mqtt.PUBLISH).payload) - 1


# ---- mosquitto-clients ----
@pytest.mark.parametrize("v", VERSIONS)
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_mosquitto_pub_and_sub(broker, name, v, qos):
    port = str(broker.mqtt_port)
    with Background(broker, "mosquitto_sub", "-p", port, "-V", v, "-i", name + "s", "-t", name + "/+", "-q", "2", "-C", "3", "-W",
                    "30", "-F", "%t %q %p") as sub:
        for i in range(3):
            p = run("mosquitto_pub", "-p", port, "-V", v, "-i", name + "p", "-t", f"{name}/{i}", "-q", qos, "-m", f"m{i}")
            assert (p.returncode, p.stderr) == (0, "")
        assert sub.lines() == [f"{name}/{i} {qos} m{i}" for i in range(3)]


@pytest.mark.parametrize("v", VERSIONS)
def test_mosquitto_pub_of_many_lines(broker, name, v):
    port = str(broker.mqtt_port)
    with Background(broker, "mosquitto_sub", "-p", port, "-V", v, "-i", name + "s", "-t", name, "-q", "1", "-C", "500", "-W", "30") as sub:
        p = run("mosquitto_pub", "-p", port, "-V", v, "-i", name + "p", "-t", name, "-q", "1", "-l",
                text="".join(f"{i}\n" for i in range(500)))
        assert (p.returncode, p.stderr) == (0, "")
        assert sub.lines() == [str(i) for i in range(500)]


@pytest.mark.parametrize("v", VERSIONS)
def test_mosquitto_retained_and_will(broker, name, v):
    port = str(broker.mqtt_port)
    assert run("mosquitto_pub", "-p", port, "-V", v, "-t", name, "-q", "1", "-r", "-m", "kept").returncode == 0
    sub = run("mosquitto_sub", "-p", port, "-V", v, "-t", name, "-C", "1", "-W", "10", "-F", "%r %p")
    assert sub.stdout == "1 kept\n"
    with broker.client(name + "w") as c:
        c.subscribe((name + "/will", 1))
        with Background(broker, "mosquitto_sub", "-p", port, "-V", v, "-t", name + "/x", "--will-topic", name + "/will",
                        "--will-payload", "gone", "--will-qos", "1") as sub:
            sub.process.kill()
        assert c.expect(mqtt.PUBLISH).payload == b"gone"


def test_mosquitto_properties(broker, name):
    port = str(broker.mqtt_port)
    with Background(broker, "mosquitto_sub", "-p", port, "-V", "mqttv5", "-t", name, "-C", "1", "-W", "20", "-F",
                    "%C|%D|%E|%F|%P|%R") as sub:
        p = run("mosquitto_pub", "-p", port, "-V", "mqttv5", "-t", name, "-q", "1", "-m", "x", "-D", "PUBLISH", "content-type",
                "text/plain", "-D", "PUBLISH", "correlation-data", "c1", "-D", "PUBLISH", "message-expiry-interval", "600", "-D",
                "PUBLISH", "payload-format-indicator", "1", "-D", "PUBLISH", "response-topic", "r/1", "-D", "PUBLISH",
                "user-property", "a", "b")
        assert (p.returncode, p.stderr) == (0, "")
        content, correlation, expiry, form, user, response = sub.lines()[0].split("|")
        assert (content, correlation, form, user, response) == ("text/plain", "c1", "1", "a:b", "r/1")
        assert 590 <= int(expiry) <= 600


def test_mosquitto_topic_alias(broker, name):
    """mosquitto_pub numbers its topics when it is told to, and repeats the topic by its alias."""
    port = str(broker.mqtt_port)
    with broker.client(name) as c:
        c.subscribe((name + "/#", 0))
        p = run("mosquitto_pub", "-p", port, "-V", "mqttv5", "-t", name + "/a", "-q", "1", "-m", "x", "--repeat", "3", "-D", "PUBLISH",
                "topic-alias", "4")
        assert (p.returncode, p.stderr) == (0, "")
        assert [c.expect(mqtt.PUBLISH).topic for _ in range(3)] == [name + "/a"] * 3


def test_mosquitto_pub_is_told_of_a_refusal(broker, name):
    p = run("mosquitto_pub", "-p", str(broker.mqtt_port), "-V", "mqttv5", "-t", f"city/air/{name}", "-q", "1", "-m", '{"pm25": 1}')
    assert "Payload format invalid" in p.stdout + p.stderr


def test_mosquitto_of_mqtt_3_1(broker):
    p = run("mosquitto_pub", "-p", str(broker.mqtt_port), "-V", "mqttv31", "-t", "x", "-m", "x")
    assert p.returncode != 0 and "protocol" in p.stderr


def test_mosquitto_rr(broker, name):
    """A request with a response topic is answered there."""
    with broker.client(name + "r") as responder:
        responder.subscribe((name + "/ask", 1))
        p = subprocess.Popen(["mosquitto_rr", "-p", str(broker.mqtt_port), "-V", "mqttv5", "-t", name + "/ask", "-e", name + "/answer",
                              "-m", "question", "-q", "1", "-W", "20"], stdout=subprocess.PIPE, text=True)
        m = responder.expect(mqtt.PUBLISH, 15 * SLOW)
        assert m.payload == b"question" and m.props["response_topic"] == name + "/answer"
        responder.publish(m.props["response_topic"], "answer", props={
            k: v for k, v in m.props.items() if k == "correlation_data"})
        assert p.communicate(timeout=20 * SLOW)[0] == "answer\n"


# ---- Paho, Python ----
class Paho:
    """A Paho client whose callbacks go to a queue."""

    def __init__(self, broker, client_id, version, transport, **options):
        paho = pytest.importorskip("paho.mqtt.client", reason="python3-paho-mqtt is not installed")
        self.paho, self.got, self.version = paho, queue.Queue(), version
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        c = self.client = paho.Client(client_id=client_id, protocol=protocol, transport=transport)
        if transport == "websockets":
            c.ws_set_options(path="/mqtt")
        if "will" in options:
            c.will_set(*options["will"])
        c.on_connect = lambda *a: self.got.put(("connect", a[3]))
        c.on_subscribe = lambda *a: self.got.put(("subscribe", a[3]))
        c.on_message = lambda _c, _u, m: self.got.put(("message", m))
        c.on_disconnect = lambda *a: self.got.put(("disconnect", a[2]))
        c.connect("127.0.0.1", broker.web_port if transport == "websockets" else broker.mqtt_port)
        c.loop_start()
        assert self.next("connect") == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def next(self, kind):
        got, value = self.got.get(timeout=15 * SLOW)
        assert got == kind, (got, value)
        return value

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        return [int(str(c.value if hasattr(c, "value") else c)) for c in self.next("subscribe")]


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_paho_python(broker, name, version, transport):
    with Paho(broker, name + "s", version, transport) as s, Paho(broker, name + "p", version, transport) as p:
        assert s.subscribe(name + "/#", 2) == [2]
        for qos in range(3):
            info = p.client.publish(f"{name}/{qos}", f"q{qos}" * 1000, qos)
            info.wait_for_publish(15 * SLOW)
            assert info.is_published()
        for qos in range(3):
            m = s.next("message")
            assert (m.topic, m.qos, m.payload) == (f"{name}/{qos}", qos, b"q%d" % qos * 1000)


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_paho_python_window(broker, name, version, transport):
    """Two hundred messages without waiting, as sensors' gateways send them."""
    with Paho(broker, name + "s", version, transport) as s, Paho(broker, name + "p", version, transport) as p:
        s.subscribe(name, 1)
        p.client.max_inflight_messages_set(100)
        sent = [p.client.publish(name, str(i), 1) for i in range(200)]
        for info in sent:
            info.wait_for_publish(15 * SLOW)
        assert [s.next("message").payload for _ in sent] == [str(i).encode() for i in range(200)]


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_paho_python_properties(broker, name, transport):
    properties = pytest.importorskip("paho.mqtt.properties")
    types = pytest.importorskip("paho.mqtt.packettypes")
    with Paho(broker, name, 5, transport) as c:
        c.subscribe(name, 1)
        p = properties.Properties(types.PacketTypes.PUBLISH)
        p.UserProperty = [("a", "1"), ("b", "2"), ("a", "3")]
        p.ContentType, p.ResponseTopic, p.CorrelationData, p.MessageExpiryInterval = "t", "r", b"\x00\x01", 60
        c.client.publish(name, "x", 1, properties=p)
        got = c.next("message").properties
        assert got.UserProperty == [("a", "1"), ("b", "2"), ("a", "3")]
        assert (got.ContentType, got.ResponseTopic, got.CorrelationData) == ("t", "r", b"\x00\x01")
        assert 50 <= got.MessageExpiryInterval <= 60


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_paho_python_will_and_stop(own, name, transport):
    """The broker's end reaches Paho as a disconnect."""
    b = own(FEEDS)
    b.start()
    with Paho(b, name, 5, transport, will=(name + "/will", "gone", 1)) as c:
        b.stop()
        b.process = None
        c.next("disconnect")


# ---- Paho, C ----
@pytest.mark.parametrize("uri", ["tcp", "ws"])
def test_paho_c(broker, name, version, uri):
    if not os.path.exists(PAHO_C):
        pytest.skip("build/release/tools/paho is not built")
    where = f"ws://127.0.0.1:{broker.web_port}/mqtt" if uri == "ws" else f"tcp://127.0.0.1:{broker.mqtt_port}"
    p = run(PAHO_C, where, str(version), name)
    assert p.returncode == 0, p.stdout + p.stderr


# ---- a Mosquitto that bridges ----
class Mosquitto:
    """A broker of theirs that bridges to ours: out/# goes there, in/# comes from there."""

    def __init__(self, folder, ours, version):
        self.port = daemon.free_ports(1)[0]
        path = os.path.join(str(folder), "mosquitto.conf")
        self.log_path = os.path.join(str(folder), "mosquitto.log")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest file {self.log_path}\nlog_type all\n"
                    f"user {os.environ.get('USER', 'root')}\n"
                    f"connection city\naddress 127.0.0.1:{ours.mqtt_port}\nbridge_protocol_version {version}\n"
                    "cleansession true\nrestart_timeout 1\ntopic out/# out 1\ntopic in/# in 2\ntopic both/# both 1\n")
        self.process = subprocess.Popen([daemon.MOSQUITTO, "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def client(self, client_id):
        deadline = time.monotonic() + 10 * SLOW
        while True:
            try:
                c = mqtt.Client(self.port)
                break
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.05)
        c.open(client_id)
        return c

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


@pytest.mark.parametrize("v", ["mqttv311", "mqttv50"])
def test_mosquitto_bridge(own, tmp_path, v):
    b = own(FEEDS)
    b.start()
    theirs = Mosquitto(tmp_path, b, v)
    try:
        with theirs.client("far") as far, b.client("near") as near:
            deadline = time.monotonic() + 20 * SLOW
            while subscriptions_of(b) < 2:  # the bridge's two
                assert time.monotonic() < deadline, theirs.log()
                time.sleep(0.2)
            far.subscribe(("in/#", 2))
            near.subscribe(("out/#", 2))
            for qos in range(3):
                far.publish(f"out/{qos}", f"there {qos}", qos)
                m = near.expect(mqtt.PUBLISH)
                assert (m.topic, m.payload, m.qos) == (f"out/{qos}", b"there %d" % qos, min(qos, 1))
                if m.qos:
                    near.send(mqtt.ack(mqtt.PUBACK, m.mid))
                near.publish(f"in/{qos}", f"back {qos}", qos)
                m = far.expect(mqtt.PUBLISH)
                assert (m.topic, m.payload, m.qos) == (f"in/{qos}", b"back %d" % qos, qos)
                if m.qos == 1:
                    far.send(mqtt.ack(mqtt.PUBACK, m.mid))
            # no loop of what goes both ways, beyond the one echo that a broker without knowledge of bridges gives
            near.publish("both/x", "once", 1)
            time.sleep(1)
            assert b.feed("all")["last"] <= 8, theirs.log()
            assert b.get("/v1/status").json()["counters"]["unrouted"] == 0, "the bridge's state is no message"
    finally:
        theirs.stop()


def test_mosquitto_bridge_comes_back(own, tmp_path):
    """When our end stops and starts, the bridge is there again by itself."""
    b = own(FEEDS)
    b.start()
    theirs = Mosquitto(tmp_path, b, "mqttv311")
    try:
        with theirs.client("far") as far:
            for i in range(2):
                deadline = time.monotonic() + 30 * SLOW
                while subscriptions_of(b) < 2:
                    assert time.monotonic() < deadline, theirs.log()
                    time.sleep(0.2)
                with b.client("near") as near:
                    near.subscribe(("out/#", 1))
                    far.publish("out/x", str(i), 1)
                    assert near.expect(mqtt.PUBLISH, 10 * SLOW).payload == str(i).encode()
                if i == 0:
                    b.stop()
                    b.start()
    finally:
        theirs.stop()


# ---- MQTT.js ----
JS_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "mqtt-js")
JS_BEGIN = """
const mqtt = require('mqtt');
const [url, version, topic] = process.argv.slice(1);
const v5 = version === '5';
function come(options) {
  const c = mqtt.connect(url, {protocolVersion: Number(version), reconnectPeriod: 0, ...options});
  c.on('error', e => { console.error(e); process.exit(1); });
  return c;
}
function done(c, got) { console.log(JSON.stringify(got)); c.end(false, {}, () => process.exit(0)); }
"""
JS_QOS = """
const c = come({}), got = [];
c.on('connect', () => c.subscribe(topic + '/#', {qos: 2}, () => {
  for (const qos of [0, 1, 2]) c.publish(topic + '/x', 'qos ' + qos, {qos});
}));
c.on('message', (t, m, p) => { got.push([p.qos, m.toString()]); if (got.length === 3) done(c, got); });
"""
JS_SESSION = """
const kept = {clientId: topic, clean: false, ...(v5 ? {properties: {sessionExpiryInterval: 300}} : {})};
const first = come(kept);
first.on('connect', () => first.subscribe(topic + '/#', {qos: 1}, () => first.end(false, {}, () => {
  const p = come({});
  p.on('connect', () => p.publish(topic + '/x', 'while away', {qos: 1}, () => p.end(false, {}, () => {
    const again = come(kept);
    let present;
    again.on('packetreceive', q => { if (q.cmd === 'connack') present = q.sessionPresent; });
    again.on('message', (t, m) => done(again, [present, m.toString()]));
  })));
})));
"""
JS_LARGE = """
const c = come({}), large = Buffer.alloc(700000, 'x');
c.on('connect', () => c.subscribe(topic, {qos: 1}, () => c.publish(topic, large, {qos: 1, retain: true}, () => {
  c.publish(topic, '', {qos: 1, retain: true});
})));
c.on('message', (t, m) => { if (m.length) done(c, [m.length, m.equals(large)]); });
"""
JS_PROPERTIES = """
const c = come({properties: {topicAliasMaximum: 10, receiveMaximum: 5}, autoUseTopicAlias: true, autoAssignTopicAlias: true});
const got = [];
c.on('connect', () => c.subscribe('$share/g/' + topic + '/#', {qos: 1, properties: {subscriptionIdentifier: 7}}, () => {
  const properties = {contentType: 'text/plain', responseTopic: 'r', correlationData: Buffer.from('c'),
                      userProperties: {a: ['1', '2']}, messageExpiryInterval: 100, payloadFormatIndicator: true};
  for (let i = 0; i < 8; i++) c.publish(topic + '/x', String(i), {qos: 1, properties});
}));
c.on('message', (t, m, p) => {
  const q = p.properties;
  got.push([t === topic + '/x', m.toString(), q.contentType, q.responseTopic, q.correlationData.toString(), q.userProperties.a,
            q.subscriptionIdentifier]);
  if (got.length === 8) done(c, got);
});
"""


@pytest.fixture(scope="module", name="js")
def mqtt_js():
    """A function that runs a script with MQTT.js; the package is installed once, below build/."""
    there = os.path.join(JS_FOLDER, "node_modules", "mqtt", "package.json")
    if not shutil.which("node") or not (os.path.exists(there) or shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    if not os.path.exists(there):
        os.makedirs(JS_FOLDER, exist_ok=True)
        p = subprocess.run(["npm", "install", "--prefix", JS_FOLDER, "--no-audit", "--no-fund", "--ignore-scripts", "mqtt@5"],
                           capture_output=True, text=True, timeout=120, check=False)
        if p.returncode:
            pytest.skip(f"MQTT.js could not be installed: {p.stderr.strip()[-200:]}")

    def script(text, broker, scheme, version, topic):
        url = f"ws://127.0.0.1:{broker.web_port}/mqtt" if scheme == "ws" else f"mqtt://127.0.0.1:{broker.mqtt_port}"
        p = subprocess.run(["node", "-e", JS_BEGIN + text, "--", url, str(version), topic], cwd=JS_FOLDER,
                           capture_output=True, text=True, timeout=20 * SLOW, check=False)
        assert p.returncode == 0, p.stdout + p.stderr
        return json.loads(p.stdout)

    return script


SCHEMES = pytest.mark.parametrize("scheme", ["mqtt", "ws"])


@SCHEMES
def test_mqtt_js(js, broker, name, version, scheme):
    assert sorted(js(JS_QOS, broker, scheme, version, name)) == [[q, f"qos {q}"] for q in range(3)]


@SCHEMES
def test_mqtt_js_session(js, broker, name, version, scheme):
    assert js(JS_SESSION, broker, scheme, version, name) == [True, "while away"]


@SCHEMES
def test_mqtt_js_large(js, broker, name, version, scheme):
    assert js(JS_LARGE, broker, scheme, version, name) == [700000, True]


@SCHEMES
def test_mqtt_js_properties(js, broker, name, scheme):
    got = js(JS_PROPERTIES, broker, scheme, 5, name)
    assert got == [[True, str(i), "text/plain", "r", "c", ["1", "2"], 7] for i in range(8)]
