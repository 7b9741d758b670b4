"""The command line as its user meets it: words, JSON, exit status 0, 1, 2 as grep has it."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

from kit import city
from kit.daemon import CLI, SHORT_LIVED, SLOW, TOP, feed


def run(*arguments, **options):
    return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=60 * SLOW,
                          env={**os.environ, **SHORT_LIVED}, **options)


def test_help():
    p = run("help")
    assert p.returncode == 0 and "tail" in p.stdout
    for command in ("check", "validate", "pub", "tail", "feed", "quarantine", "status", "bench", "backup", "restore"):
        p = run("help", command)
        assert p.returncode == 0 and command in p.stdout and not p.stderr, p
    assert run().returncode == 2
    assert run("nosuch").returncode == 2
    assert run("pub", "--nosuch").returncode == 2


def test_pub(broker, name):
    payload = city.air()
    p = broker.oudp("pub", "air", "--thing", name, "-m", payload)
    assert (p.returncode, p.stderr) == (0, ""), p
    p = broker.oudp("pub", "air", "--thing", name, "-m", payload, "--json")
    assert p.returncode == 0 and "duplicate" in p.stdout, p
    p = broker.oudp("pub", "air", "--thing", name, "-l", input="\n".join([city.air(), city.air(1200), city.air()]) + "\n")
    assert p.returncode == 1 and "1200" in p.stdout + p.stderr, p
    p = broker.oudp("pub", "air", "--thing", name, input=city.air())
    assert p.returncode == 0, p
    p = broker.oudp("pub", "nosuch", "-m", "x")
    assert p.returncode == 2 and "nosuch" in p.stderr, p
    assert broker.oudp("pub", "air", "--thing", name, "-q", "2", "-m", city.air()).returncode == 0


def test_pub_without_a_broker(own):
    d = own()
    p = d.oudp("pub", "air", "-m", "{}")
    assert p.returncode == 2 and p.stderr, p


def test_tail(broker, name):
    n = broker.feed("air")["last"]
    for _ in range(3):
        broker.oudp("pub", "air", "--thing", name, "-m", city.air())
    p = broker.oudp("tail", "air", "--after", str(n), "--exit-on-live", "--json")
    assert p.returncode == 0, p
    events = [json.loads(x) for x in p.stdout.splitlines()]
    assert [e["sequence"] for e in events if "sequence" in e] == [str(n + i) for i in (1, 2, 3)]
    p = broker.oudp("tail", "air", "--after", str(n), "--limit", "2")
    assert p.returncode == 0 and len(p.stdout.splitlines()) == 2, p
    p = broker.oudp("tail", "nosuch", "--after", "0", "--exit-on-live")
    assert p.returncode == 2 and "nosuch" in p.stderr, p
    p = broker.oudp("tail", "air", "--after", str(n), "--thing", "nobody", "--exit-on-live", "--json")
    assert not [x for x in p.stdout.splitlines() if "sequence" in json.loads(x)]


def test_feed_list_and_show(broker):
    p = broker.oudp("feed", "list")
    assert p.returncode == 0 and "air" in p.stdout and "raw" in p.stdout, p
    p = broker.oudp("feed", "show", "air", "--json")
    assert p.returncode == 0 and json.loads(p.stdout)["name"] == "air", p
    assert broker.oudp("feed", "show", "nosuch").returncode in (1, 2)


def test_status(broker):
    p = broker.oudp("status")
    assert p.returncode == 0 and "gemeente-test" in p.stdout, p
    p = broker.oudp("status", "--json")
    assert json.loads(p.stdout)["ready"] is True


def test_status_without_a_broker(own):
    p = own().oudp("status")
    assert p.returncode == 2 and p.stderr, p


def test_check(own, tmp_path):
    d = own()
    p = d.oudp("check", d.conf)
    assert p.returncode == 0, p
    d.write_conf("nosuch = 1\n")
    p = d.oudp("check", d.conf)
    assert p.returncode == 1 and f"{d.conf}:1: " in p.stdout + p.stderr, p
    p = run("check", os.path.join(TOP, "schemas"))
    assert p.returncode == 0, p
    assert run("check", "/nonexistent").returncode == 2
    city.write_schema(tmp_path, "slow", 1, {"anyOf": [{"minimum": 1}, {"pattern": "^a"}]})
    p = run("check", "-v", str(tmp_path))
    assert p.returncode == 0 and ": checked the slow way for 2 branches of anyOf, oneOf, not or if that are tried; 1 pattern\n" in p.stdout, p
    p = run("check", "-v", os.path.join(TOP, "schemas", "device-measurement", "1", "schema.json"))
    assert p.returncode == 0 and "checked the quick way" in p.stdout, p


def test_validate(own, tmp_path):
    d = own()
    schema = os.path.join(d.schemas, "test-air", "1", "schema.json")
    p = run("validate", schema, input=city.air())
    assert p.returncode == 0, p
    p = run("validate", schema, input=city.air(1200))
    assert p.returncode == 1 and "/pm25" in p.stdout + p.stderr and "1200" in p.stdout + p.stderr, p
    p = run("validate", "test-air/1", "--schemas", d.schemas, "-l", input=city.air() + "\n" + city.air(1200) + "\n")
    assert p.returncode == 1, p
    assert run("validate", "nosuch/1", input="{}").returncode == 2


def test_bench_ends_by_itself(broker):
    p = broker.oudp("bench", "-p", str(broker.mqtt_port), "-c", "5", "-d", "1", "--warm", "0", "--topic", "raw/b-{n}", "--json")
    assert p.returncode == 0, p
    assert json.loads(p.stdout)


def test_schema_check_against_a_feed(own, tmp_path, name):
    d = own()
    d.start()
    with d.client(name) as c:
        for i in range(30):
            assert c.publish(f"city/air/t{i % 3}", city.air(100 * (i % 3) + i)).reason == 0
    city.write_schema(tmp_path, "test-air", 2, city.air_schema(200, no2={"type": "number"}))
    new = os.path.join(tmp_path, "test-air", "2", "schema.json")
    p = d.oudp("schema", "check", new, "--against", "air", "--json")
    assert p.returncode == 1 and not p.stderr, p
    r = json.loads(p.stdout)
    assert (r["messages"], r["first"], r["last"], r["refused"]) == (30, 1, 30, 10), r
    assert r["refusals"] == [{"count": 10, "sequence": 3, "things": 1, "examples": ["t2"], "rule": "maximum", "pointer": "/pm25",
                              "detail": "test-air/2: /pm25: 202 is more than maximum 200"}], r
    assert r["comparedWith"] == "test-air/1" and r["compatible"] is False, r
    assert {(c["pointer"], c["rule"], c["compatible"]) for c in r["changes"]} == {
        ("/pm25", "maximum", False), ("/no2", "properties", True)}, r
    p = d.oudp("check", os.path.dirname(new), "--against", "air", "--last", "4")
    assert p.returncode == 1 and "of 4 messages (27 to 30)" in p.stdout, p
    assert "incompatible  /pm25: maximum: is 200, was 1000" in p.stdout, p
    city.write_schema(tmp_path, "test-air", 2, city.air_schema(1000, no2={"type": "number"}))
    p = d.oudp("schema", "check", new, "--against", "air")
    assert p.returncode == 0 and "would refuse 0" in p.stdout and ": compatible" in p.stdout, p
    assert d.oudp("schema", "check", new, "--against", "nosuch").returncode == 2
    assert d.oudp("schema", "check", new).returncode == 2
    assert d.oudp("check", new, "--last", "4").returncode == 2


def on_a_terminal(broker, *arguments, both=False, columns=100, **environment):
    """What the command writes on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "OUDP_URL": f"http://127.0.0.1:{broker.web_port}", "OUDP_SOCKET": broker.socket_path, "TERM": "xterm",
           "STATE_DIRECTORY": broker.data_dir, **SHORT_LIVED, "NO_COLOR": "", **environment}
    with subprocess.Popen([CLI, *arguments], stdin=subprocess.DEVNULL, stdout=theirs,
                          stderr=theirs if both else subprocess.DEVNULL, env=env) as p:
        os.close(theirs)
        out = b""
        try:
            while more := os.read(ours, 65536):
                out += more
        except OSError:  # EIO: the other side is closed
            pass
        assert p.wait(20) == 0
    os.close(ours)
    return out.decode()


def test_colour_on_a_terminal_only(broker, name):
    with broker.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(3)).reason == 0
    after = str(broker.feed("air")["last"] - 1)
    tail, status = ("tail", "air", "--after", after, "--limit", "1"), ("status",)
    for words, sign in ((tail, f"\x1b[1m{name}\x1b[0m"), (status, "\x1b[32mready\x1b[0m")):
        assert sign in on_a_terminal(broker, *words)
        assert "\x1b" not in on_a_terminal(broker, *words, NO_COLOR="1")
        assert "\x1b" not in on_a_terminal(broker, *words, TERM="dumb")
        assert "\x1b" not in broker.oudp(*words).stdout
    day, line = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(broker, *tail)).strip().splitlines()
    assert re.fullmatch(r"-- \d{4}-\d\d-\d\d, \S+", day), day
    assert re.match(rf"\d\d:\d\d:\d\d  (just now|\d+ s   ) *  {name} ", line) and len(line) <= 100, line
    assert re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  {name} ", broker.oudp(*tail).stdout), "a machine gets the whole time"


def test_status_fits_the_terminal(own):
    d = own({"a-feed-with-a-name-as-long-as-anybody-writes": feed("a/#", ["any"], title="A title that is as long as anybody writes, too")})
    d.start()
    for columns in (80, 100, 200):
        lines = on_a_terminal(d, "status", columns=columns, NO_COLOR="1").splitlines()
        assert max(len(x) for x in lines) <= columns, lines


def test_bars_on_a_terminal_only(own, tmp_path):
    """backup, restore and compact show how far they are, and say what to do next; a machine gets its line alone."""
    d = own()
    d.start()
    with d.client("bars") as c:
        for n in range(50):
            assert c.publish(f"city/air/t{n}", city.air(n)).reason == 0
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    shown = on_a_terminal(d, "backup", one, both=True)
    assert "100 %" in shown and re.search(r"(\d+) of \1 messages", shown) and "next: " in shown, shown
    plain = d.oudp("backup", two)
    assert plain.returncode == 0 and plain.stderr == "" and "next: " in plain.stdout
    d.stop()
    shown = on_a_terminal(d, "compact", both=True)
    assert "100 %" in shown and "next: start oudpd" in shown, shown
    shown = on_a_terminal(d, "restore", one, "--data-dir", str(tmp_path / "three"), both=True)
    assert "100 %" in shown and "next: " in shown, shown
