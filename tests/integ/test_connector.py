"""oudp-connect from outside: a local server plays the source, a real broker is the target."""
import json
import os
import random
import signal
import time

import pytest

from kit.connect import MAPPING, Connector, Source, body, kill_in_turn, rows
from kit.daemon import feed, wait_for



@pytest.fixture
def connector(broker, tmp_path):
    made = []

    def make(mapping=MAPPING, port=None, **options):
        made.append(Connector(tmp_path / f"c{len(made)}", port or broker.mqtt_port, mapping, **options))
        return made[-1]

    yield make
    for c in made:
        c.stop(signal.SIGKILL)


def notes(broker, feed_name="air"):
    return [e["data"]["note"] for e in broker.all_events(feed_name)]


def ours(broker, prefix):
    return sorted(n for n in notes(broker) if n.startswith(prefix))


# ---- mappings ----
@pytest.mark.parametrize("decoder,options,text,expected", [
    ("json", {"records": []}, '\ufeff{"a":1} [2]\n"x"', [{"a": 1}, [2], "x"]),
    ("json", {"records": ["d.items"]}, '{"x":[1,{"items":9}],"d":{"items":[{"s":"]}\\""},2,"t"],"y":3}}', [{"s": ']}"'}, 2, "t"]),
    ("json", {"records": ["."]}, "[1,[2],{\"a\":[]}]", [1, [2], {"a": []}]),
    ("ndjson", {"records": []}, '{"a":1}\r\n\nnope\n[2]', [{"a": 1}, [2]]),
    ("csv", {"records": [], "separator": ";"}, 'a;b;a\n1;"x;""y""\nz";3\n\n;;\n',
     [{"a": "1", "b": 'x;"y"\nz', "a_2": "3"}, {"a": "", "b": "", "a_2": ""}]),
    ("csv", {"records": [], "header_row": False}, "1,2\n3", [["1", "2"], ["3"]]),
    ("xml", {"records": ["site"]}, '<x:p xmlns:x="u"><x:site id="1"><v>1</v><v>2</v> t </x:site><site>&lt;b</site></x:p>',
     [{"@element": "site", "@id": "1", "v": ["1", "2"], "#text": "t"}, "<b"]),
    ("senml", {"records": []}, '[{"bn":"urn:a:","bt":1.7e9,"bu":"Cel","n":"t","v":20,"t":-5},{"n":"h","u":"%RH","vs":"x"}]',
     [[{"n": "urn:a:t", "u": "Cel", "v": 20, "t": 1699999995}, {"n": "urn:a:h", "u": "%RH", "vs": "x", "t": 1700000000}]]),
    ("text", {"records": []}, "21.5", ["21.5"]),
], ids=["json", "path", "root", "ndjson", "csv", "csv-rows", "xml", "senml", "text"])
def test_decoders(connector, decoder, options, text, expected):
    c = connector('{topic: "x", payload: [.]}', decoder=decoder, url=["http://127.0.0.1:1/"], **options)
    p = c.run("--filter", "c", input=text)
    assert [json.loads(x)["payload"][0] for x in p.stdout.splitlines()] == expected, p.stderr


@pytest.mark.parametrize("decoder,options,text", [
    ("json", {"records": []}, '{"a":'), ("json", {"records": ["d"]}, '{"d":[{"a":1}'), ("csv", {"records": []}, 'a\n"x'),
    ("xml", {"records": ["s"]}, "<a><s>1</a>"), ("senml", {"records": []}, '[{"n":"a","v":1,"x_":1}]'),
    ("xml", {"records": ["s"]}, "<a><t>1</t></a>"), ("xml", {"records": ["s", "u"]}, "<a/>"),
    ("xml", {"records": ["s"]}, '<!DOCTYPE a [<!ENTITY b "bb">]><a><s>&b;</s></a>'), ("senml", {"records": []}, '[{"n":"a b","v":1}]'),
])
def test_what_is_no_document_is_said(connector, decoder, options, text):
    c = connector('{topic: "x", payload: .}', decoder=decoder, url=["http://127.0.0.1:1/"], **options)
    p = c.run("--filter", "c", input=text)
    assert p.returncode == 1 and "cannot be decoded" in p.stderr, p


@pytest.mark.parametrize("wall,utc", [
    ("2026-07-01 12:00:00", "10:00:00"), ("2026-01-01 12:00", "11:00:00"), ("2026-03-29 01:59:00", "00:59:00"),
    ("2026-03-29 03:00:00", "01:00:00"), ("2026-10-25 02:30:00", "00:30:00"), ("2026-10-25 03:00:00", "02:00:00"),
    ("2026-07-01T12:00:00.25+01:00", "11:00:00"), ("2026-07-01T12:00:00Z", "12:00:00"), ("24 november", None),
])
def test_wall_clocks(connector, wall, utc):
    """The zone of the block, both changes of the clocks; what cannot be read is no time."""
    c = connector('include "oudp"; {topic: "x", payload: [. | utc_time]}', zone="Europe/Amsterdam", records=[],
                  url=["http://127.0.0.1:1/"])
    p = c.run("--filter", "c", input=json.dumps(wall))
    got = json.loads(p.stdout)["payload"]
    assert got == ([] if utc is None else [f"{wall[:10]}T{utc}Z"]), p


def test_a_record_that_never_ends(connector):
    c = connector("def f: f; f", records=[], url=["http://127.0.0.1:1/"])
    p = c.run("--filter", "c", input="1", timeout=240)  # ten seconds of CPU, on a machine that has other work
    assert p.returncode == 75 and "took too long" in p.stderr


# ---- configuration ----
@pytest.mark.parametrize("options,words", [
    ({"source": "ftp"}, "source of connector"), ({"zone": "Mars/Base"}, "no such time zone"), ({"mapping_name": "gone.jq"}, "no such mapping"),
    ({"url": ["ftp://x/"]}, "not a URL of source http"), ({"interval": "soon"}, "no duration"), ({"colour": "red"}, "colour"),
])
def test_configuration_is_checked(connector, options, words):
    c = connector(**{"url": ["http://127.0.0.1:1/"], **options})
    p = c.run("-n")
    assert p.returncode == 2 and words in p.stderr and f"{c.conf}:" in p.stderr, p


def test_mappings_are_compiled(connector):
    p = connector("{topic: ", url=["http://127.0.0.1:1/"]).run("-n")
    assert p.returncode == 2 and "map.jq: " in p.stderr and "does not compile" in p.stderr


# ---- http ----
@pytest.mark.parametrize("argument, words", [
    ("DL-PR21 pmin=0", "pmax"), ("DL-AC no2_we=256", "no2_s"), ("DL-NONE", "must name one of its models"), ("", "must name one of its models"),
    ("DL-PR21 pmin=0 pmax=much", "a number in pmax"), ("DL-PR21 pmin=0 pmax", "a number in pmax"),
    ("DL-PR21 pmin=0 pmax=1", None), ("dl-ctd10", None)])
def test_a_decoder_without_its_calibration_is_said(connector, argument, words):
    p = connector(".", url=["http://127.0.0.1:1/"], device_decoders=[f"well-*=decentlab {argument}".strip()]).run("-n")
    assert p.returncode == (2 if words else 0), p.stderr
    assert not words or (words in p.stderr and 'connector "' in p.stderr and "well-*" in p.stderr and "decentlab" in p.stderr)


@pytest.mark.parametrize("rule", ["*=dragino LHT99", "*=yobiiq", "*=dragino"])
def test_a_decoder_of_no_such_model_is_said(connector, rule):
    p = connector(".", url=["http://127.0.0.1:1/"], device_decoders=["a=cayenne", "b=elsys", "c=milesight", "d=bosch-parking", rule]).run("-n")
    assert p.returncode == 2 and "the argument must be" in p.stderr, p.stderr


def test_stored_refused_unmappable(broker, connector, name):
    items = [dict(r, n=f"{name}-{r['n']}") for r in rows(5)] + [dict(rows(1)[0], v=5000, n=name), {"bad": True}]
    with Source((200, {}, body(*items))) as s:
        status, t, log = connector(url=[s.url]).once()
    assert (status, t["stored"], t["refused"], t["unmappable"], t["records"]) == (1, 5, 1, 1, 7), log
    assert len(ours(broker, name)) == 5
    assert "reason=0x99" in log and "/pm25" in log and "no such shape" in log


def test_conditional_requests_and_same_bytes(broker, connector, name):
    a = body(*[dict(r, n=f"{name}-{r['n']}") for r in rows(3)])
    with Source((200, {"ETag": '"1"'}, a), (304, {}, b""), (200, {}, a)) as s:
        c = connector(url=[s.url])
        first, second, third = c.once(), c.once(), c.once()
        assert [h.get("if-none-match") for _, h, _ in s.requests] == [None, '"1"', '"1"']
    assert first[1]["stored"] == 3 and second[1]["records"] == third[1]["records"] == 0
    assert second[1]["unchanged"] == third[1]["unchanged"] == 1


def test_pages_are_followed(broker, connector, name):
    page = [body(*[dict(r, n=f"{name}-{r['n']}") for r in rows(2, 2 * i)]) for i in range(3)]
    with Source(*[(200, {}, p) for p in page]) as s:
        n = '($url | capture("page=(?<p>[0-9]+)$").p | tonumber) as $p | if $p < 3 then ($url | sub("[0-9]+$"; $p + 1 | tostring)) else empty end'
        status, t, _ = connector(url=[s.url], next=n, gap="0").once()
        assert [p for p, _, _ in s.requests] == ["/data?page=1", "/data?page=2", "/data?page=3"]
    assert (status, t["stored"]) == (0, 6) and len(ours(broker, name)) == 6


@pytest.mark.parametrize("answer", [(500, {}, b"no"), (200, {}, body(*rows(50)), "cut"), (404, {}, b"")], ids=["500", "cut", "404"])
def test_failures_publish_nothing(connector, answer):
    with Source(answer) as s:
        status, t, _ = connector(url=[s.url]).once()
    assert (status, t["stored"], t["failures"]) == (2, 0, 1)


def test_retry_after_is_obeyed(broker, connector, name):
    ok = body(dict(rows(1)[0], n=name))
    with Source((429, {"Retry-After": "3"}, b""), (200, {}, ok)) as s:
        c = connector(url=[s.url]).start()
        wait_for("what the second request brings", lambda: ours(broker, name) == [name])
        c.stop()
        assert s.requests[1][2] - s.requests[0][2] >= 3


def test_dry_run_keeps_nothing(broker, connector, name):
    with Source((200, {}, body(dict(rows(1)[0], n=name)))) as s:
        c = connector(url=[s.url])
        p = c.run("--once", "--dry-run")
    assert json.loads(p.stdout)["payload"]["note"] == name
    assert ours(broker, name) == [] and not os.path.exists(c.state)


# ---- file ----
def test_a_directory_and_a_file_that_grows(broker, connector, name, tmp_path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.json").write_text("".join(json.dumps(dict(r, n=f"{name}-{r['n']}")) + "\n" for r in rows(3)))
    (inbox / "other.txt").write_text("nothing for us")
    c = connector(source="file", path=str(inbox), pattern="*.json", decoder="ndjson", records=[])
    assert c.once()[1]["stored"] == 3
    assert c.once()[1]["records"] == 0
    with open(inbox / "a.json", "a", encoding="utf-8") as f:
        f.write(json.dumps(dict(rows(1, 3)[0], n=f"{name}-r3")) + "\n")
    status, t, log = c.once()
    assert (status, t["stored"], t["records"]) == (0, 1, 1), log
    assert len(ours(broker, name)) == 4


# ---- ends of either side ----
def test_kill_of_either_loses_nothing_and_stores_nothing_twice(own, connector, tmp_path):
    """A large file, a connector and a broker killed at random: each row is in the feed once."""
    n, seed = 30000, random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows(n)))
    d = own({"air": feed("city/air/{thing}")}).start()
    c = connector(source="file", path=str(path), decoder="ndjson", records=[], port=d.mqtt_port).start()
    kill_in_turn(c, d, dice, 6, 0.05, 0.4)
    wait_for("all rows", lambda: d.feed("air")["records"] >= n, timeout=60)
    c.stop()
    got = notes(d)
    assert len(got) == n and set(got) == {f"r{i}" for i in range(n)}
    assert c.once()[1]["records"] == 0, "all of it is behind the position"


def test_an_address_with_kills_at_random(own, connector):
    """The source answers with new rows each time; connector and broker die while they are fetched and published."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice, size, pages = random.Random(seed), 1500, 6
    d = own({"air": feed("city/air/{thing}")}).start()
    answers = [(200, {"ETag": f'"{i}"'}, body(*rows(size * (i + 1)))) for i in range(pages)]
    with Source(*answers) as source:
        c = connector(url=[source.url], port=d.mqtt_port).start()
        kill_in_turn(c, d, dice, 8, 0.05, 0.6)
        wait_for("all rows", lambda: d.feed("air")["records"] >= size * pages, timeout=60)
        c.stop()
    got = notes(d)
    assert len(got) == size * pages and set(got) == {f"r{i}" for i in range(size * pages)}
