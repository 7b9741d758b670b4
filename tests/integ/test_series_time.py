"""The time series and time itself: when an observation was stored, and when it goes."""
import csv
import io
import json
import pathlib
import random
import threading
import time
import urllib.parse

import pytest

from kit import city
from kit.daemon import Daemon, feed, wait_for
from test_series_http import FEEDS, FIGURES, T0, parse, payload, place_schema, post_lines, rfc, rows, stream


def alike(got, wanted):
    """But for the order in which a sum was made."""
    return len(got) == len(wanted) and all(
        g.keys() == w.keys() and all(g[k] == (pytest.approx(v) if k in ("sum", "mean") else v) for k, v in w.items())
        for g, w in zip(got, wanted))


def test_hours_stay_when_observations_go(tmp_path):
    """Aggregates of what keep-series has deleted are those of before, and say the same of what is present; smaller pieces
    are gone."""
    d = Daemon(tmp_path, {"air": feed("city/air/{thing}", ["test-place/1"], cadence="10m", max_age="0s", keep_series="10y")})
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    rng, now = random.Random(7), int(time.time()) // 3600 * 3600000
    d.start()
    post_lines(d, "air", [payload("a", now - 20 * 86400000 + i * 600000 + rng.randrange(1000), round(rng.random() * 50, 1))
                          for i in range(20 * 144) if rng.random() < 0.9])
    id_ = stream(d, "a")["id"]

    def ask(interval, zone="Europe/Amsterdam"):
        return rows(d, f"/v1/datastreams/{id_}/observations", aggregate=FIGURES + ",present", interval=interval, tz=zone,
                    **{"from": rfc(now - 30 * 86400000), "limit": 10000})
    asked = [(i, z) for i in ("PT1H", "PT6H", "P1D", "P1W", "P1M") for z in ("Europe/Amsterdam", "UTC")]
    before = {a: ask(*a) for a in asked}
    together = {"feed": "air", "together": "true", "aggregate": "mean,count", "interval": "P1D", "from": rfc(now - 30 * 86400000),
                "to": rfc(now)}
    whole = rows(d, "/v1/observations", **together)
    assert len(before["P1D", "UTC"]) in (20, 21) and len(whole) >= 20
    d.feeds["air"]["keep-series"] = "5d"
    d.write_conf()
    d.reload()  # a shorter time begins at once
    wait_for("the end of observations", lambda: stream(d, "a")["count"] < 7 * 144, 20)
    for again in range(2):  # what it knows of them is known after a start too
        if again:
            d.start()
        for a in asked:
            assert alike(ask(*a), before[a]), a
        assert alike(rows(d, "/v1/observations", **together), whole)
        short = ask("PT1M")
        assert min(parse(r["time"]) for r in short if r["until"] and parse(r["until"]) - parse(r["time"]) == 60000 and r["count"] == 1) \
            >= now - 6 * 86400000
        assert d.get(f"/v1/datastreams/{id_}/chart.svg?from={rfc(now - 20 * 86400000)}&to={rfc(now)}").status == 200
        d.stop()


def test_what_is_too_old_is_gone_for_good(tmp_path):
    """No read returns it, a fresh backup holds none of its bytes, nor does a compact store; the report says how much went."""
    d = Daemon(tmp_path, {"air": feed("city/air/{thing}", ["test-place/1"], max_age="0s", keep_series="10y")})
    city.write_schema(d.schemas, "test-place", 1, place_schema())
    now = int(time.time()) * 1000
    with d:
        post_lines(d, "air", [{"id": "a", "time": rfc(now - (20 - i) * 86400000 + 3600000), "pm25": i, "state": f"SECRET-{i:02}-{'x' * 20}"} for i in range(20)])
        d.feeds["air"]["keep-series"] = "5d"
        d.write_conf()
        d.reload()
        id_ = next(s["id"] for s in d.get("/v1/datastreams?property=state").json()["datastreams"])
        path = f"/v1/datastreams/{id_}/observations"
        wait_for("the end of observations", lambda: d.get(f"/v1/datastreams/{id_}").json()["count"] == 5, 20)
        assert [r["value"][:9] for r in rows(d, path)] == [f"SECRET-{i}" for i in range(15, 20)]
        assert rows(d, path, original="true", rejected="true", **{"stored-since": rfc(now - 86400000)}) == rows(d, path)
        assert d.oudp("feed", "trim", "air", "--keep", "5").returncode == 0
        assert d.oudp("feed", "export", "air", str(tmp_path / "export")).returncode == 0
        observed = list(csv.DictReader(open(tmp_path / "export" / "observations.csv", newline="", encoding="utf-8")))
        assert [r["value"][:9] for r in observed if r["property"] == "state"] == [f"SECRET-{i}" for i in range(15, 20)]
        assert all(abs(parse(r["stored"]) - now) < 60000 for r in observed)
        hours = list(csv.DictReader(open(tmp_path / "export" / "hours.csv", newline="", encoding="utf-8")))
        assert sorted(float(r["sum"]) for r in hours if r["property"] == "pm25") == list(range(20))  # also of the others
        report = d.oudp("feed", "report", "air", "--privacy").stdout
        assert "15 messages, 30 observations (the last 20" in report, report
        backup = tmp_path / "backup"
        assert d.oudp("backup", str(backup)).returncode == 0
    assert d.oudp("compact").returncode == 0
    for folder in (backup, d.data_dir):
        held = b"".join(p.read_bytes() for p in pathlib.Path(folder).rglob("*") if p.is_file())
        assert b"SECRET-15" in held and not any(b"SECRET-%02d" % i in held for i in range(15)), folder
    with d:  # and it is said after a start, too
        assert d.admin("GET", "/v1/feeds/air/privacy").json()["deleted"]["observations"] == 30


def test_when_it_was_stored(tmp_path):
    """stored=true shows it, to the second; stored-since= tells exactly what came since, in memory and on disk."""
    d = Daemon(tmp_path, FEEDS)
    city.write_schema(d.schemas, "test-place", 1, place_schema())

    def second():
        return int(time.time() * 1000) // 1000 * 1000
    with d:
        before = second()
        post_lines(d, "air", [payload("a", T0 + i * 60000, i) for i in range(100)])
        path = f"/v1/datastreams/{stream(d, 'a')['id']}/observations"
    with d:  # the first hundred are on disk
        while second() < before + 2000:
            time.sleep(0.1)
        middle = second()
        post_lines(d, "air", [payload("a", T0 + i * 60000 + 30000, i) for i in range(100)])  # among them
        for _ in range(2):
            got = rows(d, path, stored="true")
            assert len(got) == 200 and all("stored" in r for r in got)
            for r in got:
                late = parse(r["time"]) % 60000 == 30000
                assert (middle if late else before) <= parse(r["stored"]) <= (second() if late else middle), r
            assert "stored" not in rows(d, path)[0]
            since = rows(d, path, **{"stored-since": rfc(middle), "limit": 7, "order": "desc"})
            assert [parse(r["time"]) for r in since] == [T0 + i * 60000 + 30000 for i in range(99, 92, -1)]
            since = rows(d, path, **{"stored-since": rfc(middle), "limit": 1000})
            assert [parse(r["time"]) for r in since] == [T0 + i * 60000 + 30000 for i in range(100)]
            assert rows(d, path, **{"stored-since": rfc(second() + 2000)}) == []
            table = list(csv.DictReader(io.StringIO(d.get(path + "?stored=true&format=csv").body.decode())))
            assert [parse(r["stored"]) for r in table] == [parse(r["stored"]) for r in got]
            a = d.get("/sta/v1.1/Observations?$top=1&$filter=" + urllib.parse.quote(f"storedTime ge {rfc(middle)}")).json()["value"]
            assert parse(a[0]["phenomenonTime"]) == T0 + 30000 and parse(a[0]["storedTime"]) >= middle
            many = rows(d, "/v1/observations", **{"stored-since": rfc(middle), "stored": "true"})
            assert len(many) == 100 and many[0]["stored"]
            d.stop()
            d.start()
        r = d.oudp("series", "query", "a", "--stored-since", rfc(middle), "--stored", "--limit", "3")
        assert r.returncode == 0 and len(r.stdout.splitlines()) == 4 and "stored" in r.stdout.splitlines()[0], r
        assert r.stdout.splitlines()[1].split()[0] == rfc(T0 + 30000), r
        latest = rows(d, "/v1/observations", stored="true")[0]
        assert parse(latest["stored"]) // 1000 * 1000 >= middle
        assert d.get(path + "?stored=true&aggregate=mean&interval=PT1H").status == 400


def test_a_backup_under_load_is_a_prefix(tmp_path):
    """Series first, journal second: a restored copy opens, and its series have each of its records once, in order."""
    d = Daemon(tmp_path / "from", FEEDS)
    other = Daemon(tmp_path / "to", FEEDS)
    for x in (d, other):
        city.write_schema(x.schemas, "test-place", 1, place_schema())
    stop, sent = threading.Event(), [0]

    def load():
        while not stop.is_set():
            n = sent[0]
            post_lines(d, "air", [payload(f"t{k % 5}", T0 + (n + k) * 1000, (n + k) % 900) for k in range(500)])
            sent[0] = n + 500
    with d:
        t = threading.Thread(target=load)
        t.start()
        try:
            for i in range(3):
                wait_for("more of it", lambda at=sent[0]: sent[0] > at + 1000)
                before = sent[0]
                assert d.oudp("backup", str(tmp_path / f"b{i}")).returncode == 0
        finally:
            stop.set()
            t.join()
    assert other.oudp("restore", str(tmp_path / "b2"), "--data-dir", other.data_dir).returncode == 0
    with other:
        last = other.feed("air")["last"]
        assert before <= last <= sent[0]
        for k in range(5):
            path = f"/v1/datastreams/{stream(other, f't{k}')['id']}/observations"
            got = [(parse(r["time"]) - T0) // 1000 for r in
                   (json.loads(x) for x in other.get(path + "?limit=all&format=ndjson").body.splitlines())]
            assert got == list(range(k, last, 5))
