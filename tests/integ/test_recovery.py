"""kill -9, cursors that go on, backup and restore: the promises that outlive a process."""
import json
import os
import subprocess
import threading
import time

from kit import city, mqtt
from kit.daemon import CLI, SHORT_LIVED, feed, wait_for
from kit.web import GAP, LIVE, until_live

LOG = {"log": feed("log/{thing}", ["any"]), "air": feed("city/air/{thing}")}


def fill(d, name, n, start=0):
    with d.client(name) as c:
        for at in range(0, n, 1000):
            k = min(1000, n - at)
            c.send(*[mqtt.publish("log/x", f'{{"n":{start + at + i}}}', 1, i + 1) for i in range(k)])
            for _ in range(k):
                assert c.expect(mqtt.PUBACK, 30).reason == 0


def data(e):
    return e["data"]["n"]


class Tail:
    """oudp tail --json, read in a thread; lines[] grows."""

    def __init__(self, d, *arguments):
        env = {**os.environ, "OUDP_URL": f"http://127.0.0.1:{d.web_port}", **SHORT_LIVED}
        self.process = subprocess.Popen([CLI, "tail", "log", "--json", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(json.loads(x) for x in self.process.stdout))
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


def test_a_subscriber_comes_back_after_a_kill(own, name):
    """A subscriber is stopped, 10,000 messages pass, the broker is killed with -9 and started: `oudp tail --after N`
    shows every record once, then `live`, then new ones."""
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 100)
    with Tail(d, "--after", "0") as t:
        wait_for("the first hundred", lambda: len([x for x in t.lines if "sequence" in x]) == 100)
    seen = int([x for x in t.lines if "sequence" in x][-1]["sequence"])
    assert seen == 100
    fill(d, name, 10000, 100)
    d.restart()
    with Tail(d, "--after", str(seen)) as t:
        wait_for("live", lambda: any(x["type"] == LIVE for x in t.lines), 30)
        live = [x["type"] for x in t.lines].index(LIVE)
        assert [int(x["sequence"]) for x in t.lines[:live]] == list(range(101, 10101))
        assert [data(x) for x in t.lines[:live]] == list(range(100, 10100))
        fill(d, name, 50, 10100)
        wait_for("new ones", lambda: len(t.lines) >= live + 51)
        assert [data(x) for x in t.lines[live + 1:] if "sequence" in x] == list(range(10100, 10150))


def test_tail_connects_again(own, name):
    """The same tail outlives the broker's death."""
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 10)
    with Tail(d, "--after", "0") as t:
        wait_for("ten", lambda: len([x for x in t.lines if "sequence" in x]) == 10)
        d.restart()
        fill(d, name, 10, 10)
        wait_for("twenty", lambda: len([x for x in t.lines if "sequence" in x]) == 20, 30)
    assert [data(x) for x in t.lines if "sequence" in x] == list(range(20))


def test_killed_while_it_starts(own, name):
    """A start after a kill looks the store through; killed meanwhile, it leaves nothing behind that hinders the next."""
    d = own(feeds=LOG)
    d.start()
    with d.client(name) as c:
        for _ in range(20):
            c.send(*[mqtt.publish("log/x", "z" * 2000, 1, i + 1) for i in range(1000)])
            for _ in range(1000):
                c.expect(mqtt.PUBACK, 30)
    d.kill()
    for i in range(20):
        d.launch()
        time.sleep(0.002 + 0.003 * i)
        d.kill()
        d.start()
        d.kill()
    d.start()
    assert d.feed("log")["last"] == 20000


def test_numbers_go_on_after_kill(own, name):
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 10)
    before, s = d.feed("log"), d.get("/v1/status").json()
    d.restart()
    after, t = d.feed("log"), d.get("/v1/status").json()
    assert (after["first"], after["last"], after["epoch"]) == (1, 10, before["epoch"])
    assert t["storeId"] == s["storeId"] and t["commit"] >= s["commit"]
    fill(d, name, 1, 10)
    assert d.feed("log")["last"] == 11


def test_an_emptied_log_does_not_start_again(own, name):
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 10)
    assert d.admin("POST", "/v1/feeds/log/_trim", {"keep": 0}).json()["first"] == 11
    d.restart()
    f = d.feed("log")
    assert (f["first"], f["last"], f["records"]) == (11, 10, 0)
    fill(d, name, 1)
    assert d.feed("log")["last"] == 11


def test_stored_time_never_goes_back(own, name):
    d = own(feeds=LOG)
    d.start()
    for _ in range(3):
        fill(d, name, 200)
        d.restart()
    times = [city.parse_time(e["time"]) for e in d.all_events("log")]
    assert len(times) == 600 and times == sorted(times)


def test_retention_by_size(own, name):
    """keep-messages-max bounds the log; what goes is the oldest; a reader is told."""
    d = own(feeds={"log": feed("log/{thing}", ["any"], keep_messages_max="1MiB")})
    d.start()
    with d.client(name) as c:
        for at in range(0, 4000, 500):
            c.send(*[mqtt.publish("log/x", json.dumps({"n": at + i, "b": "x" * 1000}), 1, i + 1) for i in range(500)])
            for _ in range(500):
                c.expect(mqtt.PUBACK, 30)
    f = wait_for("the bound", lambda: (lambda f: f if f["bytes"] < 2 << 20 else None)(d.feed("log")), 30)
    assert f["last"] == 4000 and f["first"] > 1 and f["records"] > 100
    with d.ws("log", after=0) as ws:
        assert ws.event()["type"] == GAP


def test_retention_by_age(own, name):
    d = own(feeds={"log": feed("log/{thing}", ["any"], keep_messages="2s")})
    d.start()
    fill(d, name, 100)
    assert d.feed("log")["records"] == 100
    wait_for("the end of their time", lambda: d.feed("log")["records"] == 0, 15)
    assert d.feed("log")["first"] == 101


def test_backup_hot_restore_rewound(own, name, tmp_path):
    """A backup under load holds a point in time; a subscriber that saw more than the restored log is told `rewound`."""
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 500)
    bad = city.air(1200)
    with d.client(name) as c:
        c.publish("city/air/x", bad)
    stop = threading.Event()
    sent = []

    def load():
        n = 500
        while not stop.is_set():
            fill(d, name + "l", 200, n)
            n += 200
            sent.append(n)
    t = threading.Thread(target=load)
    t.start()
    wait_for("load", lambda: sent)
    backup = str(tmp_path / "backup")
    p = d.oudp("backup", backup, "--data-dir", d.data_dir)
    stop.set()
    t.join()
    assert p.returncode == 0, p
    fill(d, name, 100, sent[-1])
    total, epoch = d.feed("log")["last"], d.feed("log")["epoch"]
    assert total == sent[-1] + 100
    d.stop()

    other = own(feeds=LOG)
    p = other.oudp("restore", backup, "--data-dir", other.data_dir)
    assert p.returncode == 0, p
    other.start()
    f = other.feed("log")
    assert 500 <= f["last"] < total
    assert [data(e) for e in other.all_events("log")] == list(range(f["last"])), "a prefix, whole and in order"
    assert [r["payload"] for r in other.quarantine("air")] == [bad]
    with other.ws("log", after=f"{epoch}:{total}") as ws:
        gap = ws.event()
        assert gap["type"] == GAP and gap["data"]["reason"] == "rewound", gap
        fill(other, name, 5, 7000000)
        got = []
        while len(got) < 5:
            e = ws.event()
            if "sequence" in e:
                got.append(e)
        assert [data(e) for e in got] == list(range(7000000, 7000005)), "what is new comes, whatever its number"
    with other.ws("log", after=f"{epoch}:100") as ws:
        assert int(until_live(ws)[0]["sequence"]) == 101, "who had not seen more goes on without a gap"
    ids = {e["id"].split(":")[1] for e in other.all_events("log") if data(e) >= 7000000}
    assert ids and str(epoch) not in ids, "new records stand in a new epoch"


def test_restore_refuses_a_directory_in_use(own, name, tmp_path):
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 5)
    backup = str(tmp_path / "backup")
    assert d.oudp("backup", backup, "--data-dir", d.data_dir).returncode == 0
    p = d.oudp("backup", backup, "--data-dir", d.data_dir)
    assert p.returncode == 2 and backup in p.stderr, "a backup is not written over another"
    p = d.oudp("restore", backup, "--data-dir", d.data_dir)
    assert p.returncode == 2, p
    assert d.feed("log")["last"] == 5


def test_readers_do_not_grow_the_file(own, name):
    """Slow readers and long histories never hold a transaction: pages are used again after trim."""
    d = own(feeds={"log": feed("log/{thing}", ["any"])})
    d.start()
    path = None
    sizes = []
    with d.ws("log", after=0) as ws:
        for _ in range(6):
            with d.client(name) as c:
                for at in range(0, 3000, 500):
                    c.send(*[mqtt.publish("log/x", "z" * 1000, 1, i + 1) for i in range(500)])
                    for _ in range(500):
                        c.expect(mqtt.PUBACK, 30)
            d.admin("POST", "/v1/feeds/log/_trim", {"keep": 10})
            if path is None:
                path = os.path.join(d.data_dir, "journal", "data.mdb")
            sizes.append(os.stat(path).st_blocks * 512)
        assert ws
    assert sizes[-1] < sizes[0] * 3, sizes


def test_trim_by_command(own, name):
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 100)
    p = d.oudp("feed", "trim", "log", "--keep", "30")
    assert p.returncode == 0 and "70" in p.stdout, p
    assert d.feed("log")["first"] == 71
    p = d.oudp("feed", "trim", "log", "--before", "91")
    assert p.returncode == 0, p
    assert d.feed("log")["first"] == 91
    p = d.oudp("feed", "trim", "nosuch", "--keep", "1")
    assert p.returncode in (1, 2) and "nosuch" in p.stderr


def test_oudpd_verify(own, name):
    d = own(feeds=LOG)
    d.start()
    fill(d, name, 1000)
    d.stop()
    d.arguments = ["--verify"]
    d.start(30)
    assert d.feed("log")["last"] == 1000
