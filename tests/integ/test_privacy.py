"""Privacy steps: what they remove is in no file of the data directory, in no log and no metric; what is left is what an
oracle written from the manual makes of the same payload."""
import datetime
import hashlib
import hmac
import json
import math
import os
import random
import re

import pytest

from kit import city, mqtt
from kit.daemon import feed, wait_for

KEY = b"k" * 32
SECRET = "Zx9SecretPlate"


def number(maximum=None):
    return {"type": "number", **({"maximum": maximum} if maximum else {})}


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["when"],
    "properties": {
        "id": {"type": "string", "x-oudp": {"role": "thing"}},
        "when": {"type": "string", "format": "date-time", "x-oudp": {"role": "time", "time": "rfc3339"}},
        "location": {"type": "object", "x-oudp": {"role": "location"}},
        "plate": {"type": "string"}, "owner": {"type": "object"}, "weight": number(10000), "count": number(),
        "zones": {"type": "array", "items": {"type": "object"}}, "note": {"type": "string"},
        "speed": {**number(300), "x-oudp": {"role": "result", "observedProperty": "http://example.org/speed", "unit": "km/h"}},
    },
}


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "id.key"
    path.write_bytes(KEY)
    path.chmod(0o400)
    return str(path)


@pytest.fixture
def make(own, key):
    def made(*steps, topics="cars/{thing}", schemas=("car/1",), **more):
        d = own(feeds={"cars": feed(topics, list(schemas), privacy=[s.replace("KEY", key) for s in steps], max_age="0", **more),
                       "plain": feed("plain/{thing}", ["any"])})
        city.write_schema(d.schemas, "car", 1, SCHEMA)
        return d
    return made


def pseudonym(text, period=0, key=KEY):
    k = hmac.new(key, f"oudp pseudonym {period}".encode(), hashlib.sha256).digest()
    return hmac.new(k, text.encode(), hashlib.sha256).hexdigest()[:32]


def everything(d):
    """(name, bytes) of every file of the data directory, the log, and what the admin listener tells."""
    from kit import web
    for folder, _, files in os.walk(d.data_dir):
        for f in files:
            path = os.path.join(folder, f)
            if os.path.isfile(path):
                with open(path, "rb") as h:
                    yield path, h.read()
    with open(d.log, "rb") as h:
        yield d.log, h.read()
    yield "metrics", web.request(d.admin_port, "GET", "/metrics").body
    yield "status", d.get("/v1/status").body


def nowhere(d, *secrets):
    for path, data in everything(d):
        for s in secrets:
            for form in (s.encode(), s.encode("utf-16-le"), s.encode().hex().encode()):
                assert form not in data, f"{s} is in {path} at {data.find(form)}"


def car(**members):
    return json.dumps({"when": city.now(), **members})


def test_removed_bytes_are_nowhere(make, name):
    d = make("drop /owner", "pseudonymise /plate KEY", "round /weight 100", "coarsen-time 15m", "blur 500m",
             "suppress-below /count 5", "pseudonymise {thing} KEY")
    d.start()
    thing, user = "Thing" + SECRET, "User" + SECRET
    with d.client(name) as c:
        for qos in (0, 1, 2):
            p = car(plate=SECRET, owner={"name": "Jan" + SECRET}, weight=1234.5678, count=3, speed=50 + qos,
                    location={"type": "Point", "coordinates": [4.8951234, 52.3701234]})
            a = c.publish(f"cars/{thing}", p, qos, retain=qos == 1, props={"user": [("driver", user)], "content_type": user})
            assert qos == 0 or a.reason == 0, a
        # refused in every way: not JSON, not the schema, not what a step takes
        for bad in (f"{{\"plate\": \"{SECRET}\"", car(plate=SECRET, weight=99999.5), car(weight=SECRET),
                    car(plate={"x": SECRET}), car(plate=SECRET, **{"owner": "Jan" + SECRET, "speed": SECRET}),
                    car(owner={"name": SECRET}, location="Brugstraat" + SECRET),
                    json.dumps({"when": SECRET, "plate": SECRET})):
            a = c.publish(f"cars/{thing}", bad)
            assert a.reason == 0x99 and SECRET not in a.props["reason"], a
    assert d.post(f"/v1/feeds/cars/events?thing={thing}", car(plate=SECRET, speed=999),
                  {"Content-Type": "application/json"}).status == 400
    events = d.all_events("cars")
    assert len(events) == 3
    e = events[0]
    assert e["subject"] == pseudonym(thing) and e["data"]["plate"] == pseudonym(SECRET), e
    assert e["data"]["weight"] == 1200 and "count" not in e["data"] and "owner" not in e["data"]
    assert re.fullmatch(r".*:(00|15|30|45):00Z", e["data"]["when"]) and e["observedtime"][:19] == e["data"]["when"][:19]
    assert e["data"]["location"]["coordinates"] != [4.8951234, 52.3701234]
    with d.client(name + "s") as c:
        c.subscribe("cars/#")
        p = c.expect(mqtt.PUBLISH)
        assert p.topic == "cars/" + pseudonym(thing) and p.props.get("user") is None
    rows = d.quarantine("cars")
    assert len(rows) == 8 and all("payload" not in r and len(r["sha256"]) == 64 and r["size"] > 0 for r in rows), rows
    assert rows[0]["topic"] == "cars/" + pseudonym(thing)
    a = d.admin("POST", "/v1/feeds/cars/quarantine/_retry", {}).json()
    assert (a["stored"], a["refused"], a["left"]) == (0, 8, 8) and "not kept" in a["results"][0]["reason"]
    assert "not kept" in d.oudp("quarantine", "show", str(rows[0]["id"])).stdout
    nowhere(d, SECRET, thing, user, "1234.5678", "4.8951234", "52.3701234", "99999.5")
    d.restart()
    assert d.get("/v1/things").json()["things"][0]["id"] == pseudonym(thing)
    nowhere(d, SECRET, thing, user, "1234.5678")


def test_a_hash_tells_what_was_refused(make, name):
    d = make("drop /owner")
    d.start()
    bad = car(speed="fast")
    with d.client(name) as c:
        c.publish("cars/a", bad)
    r, = d.quarantine("cars")
    assert (r["size"], r["sha256"]) == (len(bad), hashlib.sha256(bad.encode()).hexdigest())
    assert (r["pointer"], r["rule"], r["reason"]) == ("/speed", "type", "car/1: /speed: does not fit: type")


def test_a_retained_message_is_cleared_by_its_own_topic(make, name):
    d = make("pseudonymise {thing} KEY")
    d.start()
    with d.client(name) as c, d.client(name + "s") as s:
        c.publish("cars/x1", car(speed=5), retain=True)
        s.subscribe("cars/+")
        assert s.expect(mqtt.PUBLISH).topic == "cars/" + pseudonym("x1")
        c.publish("cars/x1", b"", retain=True)
        s.expect(mqtt.PUBLISH)
    with d.client(name + "t") as s:
        s.subscribe("cars/+")
        s.expect_quiet()
    nowhere(d, "cars/x1")


def test_a_will_is_not_written_as_it_came(make, name):
    d = make("drop /owner", "pseudonymise {thing} KEY")
    d.start()
    c = d.client()
    c.open(name, will=(f"cars/Will{SECRET}", car(owner={"n": SECRET}, speed=7).encode(), 1, False),
           props={"session_expiry": 3600})
    nowhere(d, SECRET)
    c.abort()
    wait_for("the will", lambda: d.all_events("cars"))
    e, = d.all_events("cars")
    assert e["subject"] == pseudonym("Will" + SECRET) and "owner" not in e["data"]
    nowhere(d, SECRET)


def test_guards(make, name):
    """Steps that leave a way around themselves refuse messages instead."""
    d = make("pseudonymise /id KEY", "coarsen-time 1h", "blur 1000m")
    d.start()
    with d.client(name) as c:
        a = c.publish("cars/a1", car(id="a1"))
        assert a.reason == 0x99 and "the topic still names the thing" in a.props["reason"], a
    d.feeds["cars"]["privacy"] = ["pseudonymise {thing} " + d.feeds["cars"]["privacy"][0].split()[-1]]
    d.write_conf()
    assert d.admin("POST", "/v1/_reload", {}).status == 200
    with d.client(name) as c:
        a = c.publish("cars/a1", car(id="urn:x:a1"))
        assert a.reason == 0x99 and "the payload still names the thing" in a.props["reason"], a
    assert d.all_events("cars") == []


def test_thing_from_the_payload(make, name):
    d = make("pseudonymise /id KEY", topics="cars/#")
    d.start()
    with d.client(name) as c:
        assert c.publish("cars/x", car(id="a1")).reason == 0
    e, = d.all_events("cars")
    assert e["subject"] == e["data"]["id"] == pseudonym("a1")


def test_rotation(make, name):
    d = make("pseudonymise /plate KEY rotate 100y")
    d.start()
    with d.client(name) as c:
        c.publish("cars/a", car(plate="p"))
    assert d.all_events("cars")[0]["data"]["plate"] == pseudonym("p")


def test_what_a_start_refuses(make, key):
    d = make("drop /when")
    path = os.path.join(d.schemas, "car", "1", "valid")
    os.makedirs(path)
    with open(os.path.join(path, "one.json"), "w", encoding="utf-8") as f:
        f.write(car(speed=4))
    import subprocess

    def check(*steps, **more):
        d.feeds["cars"]["privacy"] = list(steps)
        d.feeds["cars"].update(more)
        d.write_conf()
        p = subprocess.run([d.binary, "-n", "-f", d.conf], capture_output=True, text=True, timeout=60)
        return p.returncode, p.stderr
    code, said = check("drop /speed")
    assert code == 0, said
    status, text = check("drop /when")
    assert status == 1 and "after its privacy steps valid/one.json of car/1 does not fit any more" in text, text
    status, text = check("shred /id")
    assert status == 1 and 'feed "cars": privacy: "shred /id": there is no such step' in text, text
    assert "cannot read the key file" in check("pseudonymise /id /no/such.key")[1]
    os.chmod(key, 0o644)
    assert "chmod 400" in check("pseudonymise /id " + key)[1]
    os.chmod(key, 0o400)
    status, text = check("pseudonymise {thing} " + key, topics=["cars/#"])
    assert status == 1 and "no topic of it has a level {thing}" in text


def test_report(make, name):
    d = make("drop /owner", "round /weight 100", personal_data=True, purpose="Drukte meten", legal_ground="Publieke taak",
             dpia="https://example.org/dpia", keep_messages="7d")
    d.start()
    with d.client(name) as c:
        c.publish("cars/a", car(speed=1))
        c.publish("cars/a", car(speed="x"))
    p = d.oudp("feed", "report", "cars", "--privacy")
    assert p.returncode == 0, p
    for text in ("Drukte meten", "Publieke taak", "https://example.org/dpia", "7 d", "drop /owner", "round /weight 100",
                 "1 refused messages", "without what was sent", "1 published here lately; 0 are registered"):
        assert text in p.stdout, p.stdout
    assert json.loads(d.oudp("feed", "report", "plain", "--privacy", "--json").stdout)["quarantine"]["keepsPayload"] is True
    assert d.get("/v1/feeds/cars/privacy").status == 403
    assert d.oudp("feed", "report", "cars").returncode == 2


# ---- the oracle ----

def children(v):
    return list(v.items()) if isinstance(v, dict) else [(str(i), x) for i, x in enumerate(v)] if isinstance(v, list) else []


def change(v, levels, f):
    """v with f applied where the pointer leads; f gives (keep, value)."""
    if not levels:
        return f(v)
    out, kept = [], False
    for k, x in children(v):
        if levels[0] in ("*", k):
            kept, x2 = change(x, levels[1:], f)
            if not kept:
                continue
            x = x2
        out.append((k, x))
    if isinstance(v, dict):
        return True, dict(out)
    return True, [x for _, x in out] if isinstance(v, list) else v


class Refused(Exception):
    pass


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def oracle(step, doc):
    verb, *words = step.split()
    pointer = [x.replace("~1", "/").replace("~0", "~") for x in words[0][1:].split("/")]

    def f(x):
        if verb == "drop":
            return False, None
        if verb == "suppress-below":
            return x is None or (is_number(x) and x >= int(words[1])), x
        if x is None:
            return True, x
        if verb == "round":
            if not is_number(x):
                raise Refused
            digits = len(words[1].partition(".")[2])
            unit = int(words[1].replace(".", ""))
            n = math.floor(x / (unit / 10 ** digits) + 0.5) * unit
            return True, n if digits == 0 else float(f"{'-' if n < 0 else ''}{abs(n) // 10 ** digits}.{abs(n) % 10 ** digits:0{digits}d}")
        if verb == "coarsen-time":
            span = int(words[1][:-1]) * {"m": 60, "h": 3600, "d": 86400}[words[1][-1]]
            if is_number(x):
                return True, math.floor(x) // span * span if abs(x) < 1e11 else math.floor(x) // (span * 1000) * span * 1000
            if not isinstance(x, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", x):
                raise Refused
            t = datetime.datetime.fromisoformat(x[:19] + "+00:00").timestamp()
            return True, datetime.datetime.fromtimestamp(t // span * span, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if verb == "pseudonymise":
            if isinstance(x, bool) or not isinstance(x, (str, int)):
                raise Refused
            return True, pseudonym(str(x))
        raise AssertionError(step)
    return change(doc, pointer, f)[1]


def test_as_the_oracle_has_it(own, key, name):
    """Random payloads through random steps; the answers must agree, message by message."""
    rng = random.Random(20261130)
    steps = ["drop /a", "drop /l/*/x", "drop /o/*", "round /n 0.25", "round /l/*/n 10", "suppress-below /c 5",
             "suppress-below /o/* 3", "coarsen-time /t 15m", "coarsen-time /l/*/t 1d", "pseudonymise /s KEY",
             "pseudonymise /l/*/s KEY", "drop /l/1", "round /o/n 0.001"]
    lists = [rng.sample(steps, rng.randint(1, 5)) for _ in range(25)]
    d = own(feeds={f"f{i}": feed(f"f{i}/#", ["any"], privacy=[s.replace("KEY", key) for s in l], duplicates="keep")
                   for i, l in enumerate(lists)})
    d.start()

    def value(kind):
        return {"n": lambda: rng.choice([rng.uniform(-1000, 1000), rng.randint(-50, 50), None]),
                "c": lambda: rng.choice([rng.randint(0, 9), 4.5, None, "3"]),
                "t": lambda: rng.choice([f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:07Z",
                                         rng.randint(0, 2 * 10 ** 9), rng.randint(10 ** 12, 2 * 10 ** 12), None]),
                "s": lambda: rng.choice(["Jan", "é\"\\", "", 17, None]),
                "x": lambda: rng.choice([[], {}, [1, [2]], {"y": {"z": 0}}, "}", True]),
                "a": lambda: rng.choice([1, "]", {"b": []}])}[kind]()

    def thing():
        return {k: value(k) for k in rng.sample(["n", "t", "s", "x"], rng.randint(0, 4))}

    def document():
        doc = {k: value(k) for k in rng.sample(["n", "c", "t", "s", "x", "a"], rng.randint(0, 6))}
        doc["l"] = [thing() for _ in range(rng.randint(0, 3))]
        doc["o"] = {**({"n": rng.uniform(0, 9)} if rng.random() < .8 else {}), **{str(i): value("c") for i in range(rng.randint(0, 3))}}
        return dict(rng.sample(list(doc.items()), len(doc)))

    expected = {i: [] for i in range(len(lists))}
    with d.client(name) as c:
        for i, steps in enumerate(lists):
            for _ in range(40):
                doc = document()
                text = json.dumps(doc, indent=rng.choice([None, 1]), ensure_ascii=rng.random() < .5)
                try:
                    want = doc
                    for s in steps:
                        want = oracle(s, want)
                except Refused:
                    want = None
                a = c.publish(f"f{i}/x", text)
                assert (a.reason == 0) == (want is not None), (steps, text, a)
                if want is not None:
                    expected[i].append(want)
    for i, steps in enumerate(lists):
        got = [e["data"] for e in d.all_events(f"f{i}")]
        assert got == expected[i], (steps, next((g, w) for g, w in zip(got, expected[i]) if g != w))


def rd_to_wgs84(x, y):
    """Schreutelkamp and Strang van Hees: within half a metre on land."""
    dx, dy = (x - 155000) * 1e-5, (y - 463000) * 1e-5
    k = [(0, 1, 3235.65389), (2, 0, -32.58297), (0, 2, -0.24750), (2, 1, -0.84978), (0, 3, -0.06550), (2, 2, -0.01709),
         (1, 0, -0.00738), (4, 0, 0.00530), (2, 3, -0.00039), (4, 1, 0.00033), (1, 1, -0.00012)]
    m = [(1, 0, 5260.52916), (1, 1, 105.94684), (1, 2, 2.45656), (3, 0, -0.81885), (1, 3, 0.05594), (3, 1, -0.05607),
         (0, 1, 0.01199), (3, 2, -0.00256), (1, 4, 0.00128), (0, 2, 0.00022), (2, 0, -0.00022), (5, 0, 0.00026)]
    return (5.38720621 + sum(c * dx ** p * dy ** q for p, q, c in m) / 3600,
            52.15517440 + sum(c * dx ** p * dy ** q for p, q, c in k) / 3600)


def test_squares_of_the_dutch_grid(make, name):
    d = make("blur 100m", topics="cars/#", schemas=("any",), duplicates="keep")
    d.start()
    rng, cells = random.Random(7), []
    with d.client(name) as c:
        for _ in range(60):
            x, y = rng.randrange(20000, 270000, 100) + 50, rng.randrange(320000, 600000, 100) + 50
            lon, lat = rd_to_wgs84(x + rng.uniform(-45, 45), y + rng.uniform(-45, 45))
            assert c.publish("cars/x", json.dumps({"location": {"type": "Point", "coordinates": [lon, lat]}})).reason == 0
            cells.append(rd_to_wgs84(x, y))
    got = [e["data"]["location"]["coordinates"] for e in d.all_events("cars")]
    for (lon, lat), (lon2, lat2) in zip(got, cells):
        assert abs(lon - lon2) * 68000 < 1 and abs(lat - lat2) * 111000 < 1, "the middle of its square, within a metre"
