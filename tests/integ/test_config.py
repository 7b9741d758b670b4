"""Configuration: checking, reloading, refusing to start; and the orderly end."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from kit import city, daemon, mqtt, web
from kit.daemon import BIN, SLOW, TOP, feed, wait_for


def check(*arguments):
    return subprocess.run([BIN, *arguments], capture_output=True, text=True, timeout=20 * SLOW,
                          env={**os.environ, "NOTIFY_SOCKET": "", **daemon.SHORT_LIVED})


def test_n_is_content(own):
    d = own()
    p = check("-n", "-f", d.conf)
    assert p.returncode == 0, p
    assert not os.path.exists(d.data_dir), "-n touches nothing"


def test_n_tells_all_errors_at_once(own):
    d = own()
    d.write_conf(f"""organisation = "gemeente-test"
oin = "123"
data-dir = "{d.data_dir}"
schema-dirs = {{ "{d.schemas}" }}
listener "web" {{
	protocol = http
	port = 70000
}}
feed "Bad Name" {{
	topics = {{ "a/{{thing}}" }}
	schemas = {{ "any" }}
}}
feed "air" {{
	topics = {{ "a/#/b" }}
	schemas = {{ "nosuch/1" }}
	keep-messages = "14 fortnights"
	priority = hasty
}}
""")
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1, p
    lines = set(int(m.group(1)) for m in re.finditer(rf"^.*{re.escape(d.conf)}:(\d+): ", p.stderr, re.M))
    wanted = {2, 7, 9, 16, 17}
    assert wanted <= lines, f"no word about line(s) {sorted(wanted - lines)} in:\n{p.stderr}"


@pytest.mark.parametrize("text,line,word", [
    ("nosuch = 1\n", 1, "nosuch"),
    ('organisation = "x"\nfeed "a" { topic = { "x" } }\n', 2, "topic"),
    ('organisation = "x"\nfeed "a" {\n', None, None),
    ('listener "a" { protocol = smtp port = 25 }\n', 1, "smtp"),
])
def test_n_names_file_and_line(own, text, line, word):
    d = own()
    d.write_conf(text)
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1
    if line:
        assert re.search(rf"{re.escape(d.conf)}:{line}: .*{word}", p.stderr), p.stderr
    else:
        assert re.search(rf"{re.escape(d.conf)}:\d+: ", p.stderr), p.stderr


def test_n_finds_what_only_the_whole_shows(own):
    """Topics that tie between feeds, and schemas that do not exist or do not load."""
    d = own(feeds={"a": feed("x/{thing}", ["any"]), "b": feed("x/{thing}", ["any"])})
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1 and "x/{thing}" in p.stderr, p
    d.feeds = {"a": feed("x/{thing}", ["nosuch/1"])}
    d.write_conf()
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1 and "nosuch/1" in p.stderr, p
    d.feeds = {"a": feed("x/{thing}")}
    d.write_conf()
    city.write_schema(d.schemas, "broken", 1, {"type": "object", "properties": {"x": {"maximum": "high"}}})
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1 and "broken/1/schema.json" in p.stderr and "/properties/x/maximum" in p.stderr, p


def test_a_result_without_unit_does_not_load(own):
    """Comparability is the point."""
    d = own()
    schema = city.air_schema()
    del schema["properties"]["pm25"]["x-oudp"]["unit"]
    city.write_schema(d.schemas, "nounit", 1, schema)
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1 and "nounit/1/schema.json" in p.stderr and "unit" in p.stderr, p


def test_missing_file():
    p = check("-n", "-f", "/nonexistent/oudpd.conf")
    assert p.returncode == 1 and "/nonexistent/oudpd.conf" in p.stderr


def test_include(own):
    d = own()
    os.mkdir(os.path.join(d.folder, "feeds.d"))
    with open(os.path.join(d.folder, "feeds.d", "a.conf"), "w", encoding="utf-8") as f:
        f.write(daemon.block("feed", "included", feed("included/{thing}", ["any"])))
    d.write_conf(d.conf_text() + f'include("{d.folder}/feeds.d/*.conf")\n')
    d.start()
    assert d.feed("included")["topics"] == ["included/{thing}"]
    with open(os.path.join(d.folder, "feeds.d", "b.conf"), "w", encoding="utf-8") as f:
        f.write('feed "bad" {\n\ttopics = { "bad/#" }\n\tschemas = { "any" }\n\tprice = 3\n}\n')
    p = check("-n", "-f", d.conf)
    assert re.search(r"feeds\.d/b\.conf:4: .*price", p.stderr), p.stderr


@pytest.mark.parametrize("sample", ["oudpd.conf", "oudpd-minimal.conf"])
def test_samples_are_right(sample):
    path = os.path.join(TOP, "conf", sample)
    assert os.path.exists(path)
    with open(path, encoding="utf-8") as f:
        text = f.read().replace("/usr/share/oudp/schemas", os.path.join(TOP, "schemas"))
    import tempfile
    with tempfile.TemporaryDirectory() as t:
        conf = os.path.join(t, sample)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        p = check("-n", "-f", conf)
    assert p.returncode == 0, p.stderr


def test_beyond_loopback_needs_tls(own):
    d = own()
    d.write_conf(d.conf_text().replace("127.0.0.1", "0.0.0.0", 1))
    p = check("-n", "-f", d.conf)
    assert p.returncode == 1 and "tls" in p.stderr.lower(), p


def test_version():
    p = check("--version")
    assert p.returncode == 0 and re.search(r"\d+\.\d+", p.stdout + p.stderr), p


def test_reload_adds_a_feed(own, name):
    """SIGHUP: a new feed takes messages on connections that were there before; none is dropped."""
    d = own()
    d.start()
    with d.client(name) as c, d.client(name + "s") as s, d.ws("raw") as ws:
        s.subscribe(("new/#", 1), ("raw/#", 1))
        ws.event()
        assert c.publish(f"new/{name}", "x").reason == 0x90
        d.feeds["new"] = feed("new/{thing}", ["any"])
        d.write_conf()
        d.reload()
        wait_for("the new feed", lambda: d.get("/v1/feeds/new").status == 200)
        assert c.publish(f"new/{name}", "y").reason == 0
        assert s.expect(mqtt.PUBLISH).payload == b"y"
        assert c.publish(f"raw/{name}", "z").reason == 0
        assert s.expect(mqtt.PUBLISH).payload == b"z"
        assert ws.event()["sequence"] == "1"


def test_reload_ends_and_changes_feeds(own, name):
    d = own()
    d.start()
    with d.client(name) as c:
        assert c.publish(f"raw/{name}", "x").reason == 0
        assert c.publish(f"city/air/{name}", "opaque").reason == 0x99
        del d.feeds["raw"]
        d.feeds["air"] = feed("city/air/{thing}", ["any"], title="Opaque air", keep_messages="7d")
        d.write_conf()
        a = d.admin("POST", "/v1/_reload", {})
        assert a.status == 200, a
        changed = " ".join(a.json()["changed"])
        assert "raw" in changed and "air" in changed
        assert d.get("/v1/feeds/raw").status == 404
        assert c.publish(f"raw/{name}", "x").reason == 0x90
        assert c.publish(f"city/air/{name}", "opaque").reason == 0
        assert d.feed("air")["title"] == "Opaque air"
        # the feed comes back with its log
        d.feeds["raw"] = feed("raw/#", ["any"])
        d.write_conf()
        assert d.admin("POST", "/v1/_reload", {}).status == 200
        assert d.feed("raw")["last"] == 1
        assert c.publish(f"raw/{name}", "x2").reason == 0
        assert d.feed("raw")["last"] == 2


@pytest.mark.parametrize("how", ["signal", "http"])
def test_a_bad_file_keeps_the_old(own, name, how):
    d = own()
    d.start()
    with d.client(name) as c:
        d.write_conf(d.conf_text().replace('title = "Air"', "title = \"Air\"\n\tnosuch = 1"))
        if how == "signal":
            d.reload()
            d.wait_error("nosuch")
        else:
            a = d.admin("POST", "/v1/_reload", {})
            assert a.status == 400 and any("nosuch" in e and ".conf:" in e for e in a.json()["errors"]), a
        d.alive()
        assert d.feed("air")["title"] == "Air"
        assert c.publish(f"city/air/{name}", city.air()).reason == 0


def test_a_bad_schema_keeps_the_old(own, name):
    d = own()
    d.start()
    with open(os.path.join(d.schemas, "test-air", "1", "schema.json"), "w", encoding="utf-8") as f:
        f.write('{"type": "obj')
    a = d.admin("POST", "/v1/_reload", {})
    assert a.status == 400 and any("test-air/1/schema.json" in e for e in a.json()["errors"]), a
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air()).reason == 0
        assert c.publish(f"city/air/{name}", city.air(1200)).reason == 0x99


def test_reload_under_load(own, name):
    d = own()
    d.start()
    stop, answered = threading.Event(), []

    def load():
        with d.client(name) as c:
            while not stop.is_set():
                c.send(*[mqtt.publish(f"city/air/{name}", city.air(), 1, i + 1) for i in range(50)])
                answered.extend(c.expect(mqtt.PUBACK).reason for _ in range(50))
    t = threading.Thread(target=load)
    t.start()
    for i in range(30):
        d.feeds["air"] = feed("city/air/{thing}", title=f"Air {i}")
        d.write_conf()
        assert d.admin("POST", "/v1/_reload", {}).status == 200
    stop.set()
    t.join()
    assert len(answered) > 100 and set(answered) == {0}
    assert d.feed("air")["last"] == len(answered) and d.feed("air")["title"] == "Air 29"


@pytest.mark.parametrize("version", [5, 4], ids=["v5", "v311"])
def test_sigterm_under_load(own, name, version):
    """What was acknowledged is there; v5 is told 0x8B, after its last acknowledgement; then status 0."""
    d = own()
    d.start()
    acknowledged, problems, told = set(), [], []

    def load(k):
        try:
            with d.client(f"{name}-{k}", version) as c:
                sent, outstanding, sending = 0, {}, True
                while True:
                    while len(outstanding) < 100 and sending:
                        sent += 1
                        outstanding[sent] = f"{k}-{sent}"
                        try:
                            c.send(mqtt.publish(f"raw/{name}", outstanding[sent], 1, sent, version=version))
                        except ConnectionError:
                            sending = False  # what it still has to say can be read all the same
                    p = c.receive()
                    if p.kind == mqtt.DISCONNECT:
                        told.append(p.reason)
                        c.expect_closed()
                        return
                    acknowledged.add(outstanding.pop(p.mid))
        except (mqtt.Closed, ConnectionError):
            pass
        except Exception as e:  # pylint: disable=broad-except
            problems.append(e)
    threads = [threading.Thread(target=load, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.7)
    start = time.monotonic()
    d.stop()
    assert time.monotonic() - start < 10 * SLOW
    for t in threads:
        t.join(20)
    assert not problems, problems[0]
    if version == 5:
        assert told and set(told) == {0x8B}
    d.start()
    import base64
    kept = [base64.b64decode(e["data_base64"]).decode() if "data_base64" in e else str(e["data"]) for e in d.all_events("raw")]
    assert len(acknowledged) > 100
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))


def test_sigterm_tells_subscribers(own):
    d = own()
    d.start()
    with d.ws("raw") as ws, web.Events(d.web_port, "/v1/feeds/raw/events?after=0") as sse:
        ws.event()
        sse.next()
        d.stop()
        with pytest.raises(web.WsClosed) as e:
            ws.receive()
        assert e.value.code == 1001
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                sse.next()


def test_sigterm_with_idle_connections(own):
    """Silent peers do not hold the end up."""
    d = own()
    d.start()
    idle = [d.client(f"i{i}") for i in range(20)] + [d.client() for _ in range(5)]
    socks = [socket.create_connection(("127.0.0.1", d.web_port)) for _ in range(5)]
    start = time.monotonic()
    d.stop()
    assert time.monotonic() - start < 8 * SLOW
    for c in idle:
        c.close()
    for s in socks:
        s.close()


def test_sigint_is_sigterm(own):
    d = own()
    d.start()
    d.process.send_signal(signal.SIGINT)
    assert d.process.wait(10 * SLOW) == 0
    d.process = None


def test_two_daemons_on_one_directory(own):
    """The second says so and leaves the first alone."""
    d = own()
    d.start()
    other = own(data_dir=d.data_dir)
    with pytest.raises(AssertionError) as e:
        other.start()
    other.process = None
    assert "ended with 1" in str(e.value) and d.data_dir in str(e.value)
    d.alive()
    assert d.admin("GET", "/v1/feeds").status == 200


def test_port_in_use(own):
    d = own()
    with socket.socket() as s:
        s.bind(("127.0.0.1", d.mqtt_port))
        s.listen()
        with pytest.raises(AssertionError) as e:
            d.start()
        d.process = None
        assert "ended with 1" in str(e.value) and str(d.mqtt_port) in str(e.value)


def test_a_stale_socket_is_no_hindrance(own):
    d = own()
    d.start()
    d.kill()
    assert os.path.exists(d.socket_path)
    d.start()
    assert d.admin("GET", "/v1/feeds").status == 200


def test_sd_notify(own, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(10 * SLOW)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            d = own()
            d.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert b"READY=1" in s.recv(1000)


def test_log_lines_hold_no_payload(own, name):
    d = own()
    d.start()
    with d.client(name) as c:
        c.publish(f"city/air/{name}", '{"secret": "s3cr3t-payload"}')
        c.publish(f"city/air/{name}", city.air(5, note="s3cr3t-payload"))
        c.publish("nowhere", "s3cr3t-payload")
    assert "s3cr3t-payload" not in d.errors()
