"""SensorThings against a plain model: generated entities, generated questions over relations with $expand, and pages that are
followed while others write."""
import json
import random
import threading
import urllib.parse

import pytest

from kit import city
from kit.daemon import SLOW, Daemon, feed

START = city.parse_time(city.now(-7200)) // 60 * 60
NO2 = {"type": "number", "x-oudp": {"role": "result", "observedProperty": "http://example.org/no2", "unit": "ug/m3"}}
STATE = {"type": "string", "x-oudp": {"role": "result", "observedProperty": "http://example.org/state", "unit": "1"}}
MEMBERS = ("pm25", "no2", "state")


def when(k):
    return city.datetime.datetime.fromtimestamp(START + 60 * k, city.datetime.timezone.utc).isoformat(
        timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The daemon, and the same as lists: things with streams with observations."""
    r = random.Random(8)
    d = Daemon(tmp_path_factory.mktemp("model"), {"air": feed("city/air/{thing}", schemas=["test-many/1"], duplicates="keep"),
                                                  "late": feed("city/late/{thing}", duplicates="keep")})
    city.write_schema(d.schemas, "test-many", 1, city.air_schema(no2=NO2, state=STATE))
    things = {}
    with d:
        with d.client("model") as c:
            for t in range(12):
                name = f"{r.choice(['pole', 'mast', 'Ärm'])}-{t}"
                things[name] = {}
                for k in sorted(r.sample(range(100), r.randrange(1, 15))):
                    m = {"pm25": r.randrange(0, 80) / 2}
                    if r.random() < .6:
                        m["no2"] = r.randrange(0, 60)
                    if r.random() < .4:
                        m["state"] = r.choice(["on", "off", "it's odd"])
                    for member, v in m.items():
                        things[name].setdefault(member, []).append((when(k), v))
                    assert c.publish(f"city/air/{name}", json.dumps({"dateObserved": when(k), **m})).reason == 0
        yield d, things


def ask(d, path, **options):
    a = d.get("/sta/v1.1" + path + "?" + "&".join(f"${k}={urllib.parse.quote(str(v), safe='')}" for k, v in options.items()), timeout=15 * SLOW)
    assert a.status == 200, (path, options, a.status, a.body[:400])
    return json.loads(a.body)


def every(d, answer):
    out = list(answer["value"])
    while "@iot.nextLink" in answer:
        a = d.get(answer["@iot.nextLink"][answer["@iot.nextLink"].index("/sta/"):])
        assert a.status == 200, a.body[:300]
        answer = json.loads(a.body)
        out += answer["value"]
    return out


# A condition about a Thing (name, streams), a Datastream (thing, member, observations) or an Observation (time, value), as text and function.

def literal(v):
    return "'" + v.replace("'", "''") + "'" if isinstance(v, str) else str(v)


COMPARE = {"lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b}


def of_result(r, path):
    v = r.choice([r.randrange(0, 80) / 2, r.choice(["on", "off", "it's odd"])])
    op = r.choice(list(COMPARE))
    return f"{path} {op} {literal(v)}", lambda o: isinstance(o[1], str) == isinstance(v, str) and COMPARE[op](o[1], v)


def of_time(r, path):
    t, op = when(r.randrange(100)), r.choice(list(COMPARE))
    return f"{path} {op} {t}", lambda o: COMPARE[op](o[0], t)


def of_observation(r, path=""):
    kind = r.randrange(5)
    if kind == 0:
        return of_time(r, path + "phenomenonTime")
    if kind == 1:
        n = r.randrange(2, 5)
        return f"{path}result mod {n} eq 0", lambda o: not isinstance(o[1], str) and o[1] % n == 0
    if kind == 2:
        a, f = of_observation(r, path)
        return f"not ({a})", lambda o: not f(o)
    if kind == 3:
        (a, f), (b, g) = of_result(r, path + "result"), of_time(r, path + "phenomenonTime")
        word = r.choice(["and", "or"])
        return f"({a} {word} {b})", lambda o: f(o) and g(o) if word == "and" else f(o) or g(o)
    return of_result(r, path + "result")


def of_stream(r, path=""):
    kind = r.randrange(4)
    if kind == 0:
        m = r.choice(MEMBERS)
        return f"{path}ObservedProperty/name eq '{m}'", lambda s: s[1] == m
    if kind == 1:
        some = r.sample(MEMBERS, 2)
        return f"{path}properties/member in ({','.join(literal(m) for m in some)})", lambda s: s[1] in some
    if kind == 2:
        a, f = of_observation(r, "o/")
        return f"{path}Observations/any(o: {a})", lambda s: any(f(o) for o in s[2])
    a, f = of_result(r, path + "Observations/result")
    return a, lambda s: any(f(o) for o in s[2])


def of_thing(r):
    kind = r.randrange(5)
    if kind == 0:
        v, op = f"{r.choice(['pole', 'mast'])}-{r.randrange(12)}", r.choice(list(COMPARE))
        return f"name {op} '{v}'", lambda t: COMPARE[op](t[0].encode(), v.encode())
    if kind == 1:
        n = r.randrange(5, 8)
        return f"length(name) eq {n}", lambda t: len(t[0]) == n
    if kind == 2:
        a, f = of_stream(r, "d/")
        return f"Datastreams/any(d: {a})", lambda t: any(f(s) for s in t[1])
    if kind == 3:
        a, f = of_thing(r)
        return f"not ({a})", lambda t: not f(t)
    (a, f), (b, g) = of_thing(r), of_thing(r)
    word = r.choice(["and", "or"])
    return f"({a}) {word} ({b})", lambda t: f(t) and g(t) if word == "and" else f(t) or g(t)


@pytest.mark.parametrize("seed", range(40))
def test_things_with_what_is_in_them(town, seed):
    """$filter over relations, $orderby, $expand with options of their own, pages: all at once, against lists."""
    d, things = town
    r = random.Random(seed)
    for _ in range(5):
        (about, f), (inside, g) = of_thing(r), of_observation(r)
        back, top, inner = r.random() < .5, r.choice([2, 5, 1000]), r.randrange(1, 6)
        model = [(name, [(name, m, obs) for m, obs in streams.items()]) for name, streams in things.items()]
        want = [t for t in sorted(model, key=lambda t: t[0].encode(), reverse=back) if f(t)]
        a = ask(d, "/Things", filter=about, orderby="name" + (" desc" if back else ""), top=top, select="name", count="true",
                expand=f"Datastreams($select=name;$orderby=name;$expand=Observations($filter={inside};$orderby=phenomenonTime desc;$top={inner};"
                       "$count=true;$select=phenomenonTime,result))")
        assert a["@iot.count"] == len(want), about
        got = every(d, a)
        assert [t["name"] for t in got] == [t[0] for t in want], about
        for t, (name, streams) in zip(got, want):
            assert [s["name"] for s in t["Datastreams"]] == sorted(f"{name} {m}" for _, m, _ in streams)
            for s in t["Datastreams"]:
                obs = [o for o in things[name][s["name"].rsplit(" ", 1)[1]] if g(o)]
                assert s["Observations@iot.count"] == len(obs), (inside, s["name"])
                assert [(o["phenomenonTime"], o["result"]) for o in s["Observations"]] == obs[::-1][:inner], (inside, s["name"])


@pytest.mark.parametrize("seed", range(20))
def test_datastreams(town, seed):
    d, things = town
    r = random.Random(1000 + seed)
    for _ in range(5):
        text, f = of_stream(r)
        want = sorted(f"{name} {m}" for name, streams in things.items() for m, obs in streams.items() if f((name, m, obs)))
        got = every(d, ask(d, "/Datastreams", filter=f"properties/feed eq 'air' and {text}", top=r.choice([3, 100]), select="name"))
        assert sorted(s["name"] for s in got) == want, text


# A condition about an Observation of a MultiDatastream: (time, results).

def of_row(r, members, path=""):
    kind = r.randrange(5)
    if kind == 0:
        return of_time(r, path + "phenomenonTime")
    if kind == 1:
        k = r.randrange(len(members))
        return f"{path}result{r.choice(['/%d', '[%d]']) % k} eq null", lambda o: o[1][k] is None
    if kind == 2:
        v = r.choice([r.randrange(0, 60), "on", "off"])
        return f"{literal(v)} in {path}result", lambda o: v in o[1]
    if kind == 3:
        (a, f), (b, g) = of_row(r, members, path), of_row(r, members, path)
        word = r.choice(["and", "or"])
        return f"({a} {word} {b})", lambda o: f(o) and g(o) if word == "and" else f(o) or g(o)
    k = r.randrange(len(members))
    a, f = of_result(r, f"{path}result/{k}")
    return a, lambda o: o[1][k] is not None and f((o[0], o[1][k]))


@pytest.mark.parametrize("seed", range(30))
def test_multi_datastreams(town, seed):
    """The Datastreams of a thing side by side: rows, conditions about places in them, order, pages and counts, against the lists."""
    d, things = town
    r = random.Random(2000 + seed)
    model = {name: streams for name, streams in things.items() if len(streams) > 1}
    back, top, inner = r.random() < .5, r.choice([2, 5, 1000]), r.randrange(1, 6)
    name = r.choice(sorted(model))
    members = list(model[name])
    about, f = of_row(r, members)
    a = ask(d, "/MultiDatastreams", orderby="name" + (" desc" if back else ""), top=top, select="name,properties,phenomenonTime", count="true",
            filter="properties/feed eq 'air'", expand=f"ObservedProperties($select=name),Observations($orderby=phenomenonTime desc;$top={inner};$count=true)")
    assert a["@iot.count"] == len(model)
    got = every(d, a)
    assert [m["name"] for m in got] == sorted(model, key=str.encode, reverse=back)
    for m in got:
        streams = model[m["name"]]
        times = sorted({t for obs in streams.values() for t, _ in obs})
        rows = [(t, [dict(obs).get(t) for obs in streams.values()]) for t in times]
        assert m["properties"]["members"] == list(streams) and [p["name"] for p in m["ObservedProperties"]] == list(streams)
        assert m["phenomenonTime"] == f"{times[0]}/{times[-1]}" and m["Observations@iot.count"] == len(rows)
        assert [(o["phenomenonTime"], o["result"]) for o in m["Observations"]] == rows[::-1][:inner]
        if m["name"] == name:
            i, own = ask(d, "/MultiDatastreams", filter=f"name eq {literal(name)}", select="id")["value"][0]["@iot.id"], rows
    found = every(d, ask(d, f"/MultiDatastreams({i})/Observations", filter=about, top=r.choice([1, 3, 100])))
    assert [(o["phenomenonTime"], o["result"]) for o in found] == [o for o in own if f(o)], about
    some = every(d, ask(d, "/MultiDatastreams", filter=f"ObservedProperties/name eq '{members[-1]}' and properties/feed eq 'air'"))
    assert {m["name"] for m in some} == {n for n, streams in model.items() if members[-1] in streams}


ORDERS = ["", "&$orderby=phenomenonTime desc", "&$orderby=result", "&$orderby=result desc,id"]


@pytest.mark.parametrize("order", ORDERS)
def test_pages_while_many_write(town, order):
    """What was there when the first page was asked for comes once, whatever is written meanwhile, also in front of it.
    Not at the very time at which a page ends: oudp-http(7)."""
    d, _ = town
    name = f"busy{ORDERS.index(order)}"  # a thing for each
    with d.client(name) as c:
        for k in range(300):
            assert c.publish(f"city/late/{name}", city.air(k, time=when(k % 100), note=f"{k}")).reason == 0
    stop, failed = threading.Event(), []

    def write(n):
        with d.client(f"{name}-{n}") as c:
            k = 0
            while not stop.is_set():
                k += 1
                if c.publish(f"city/late/{name}", city.air(400 + k % 500, time=when(k % 110 + .5), note=f"{n}-{k}")).reason:
                    failed.append(k)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    s = ask(d, "/Datastreams", filter=f"name eq '{name} pm25'")["value"][0]["@iot.id"]
    for w in writers:
        w.start()
    try:
        path = f"/sta/v1.1/Datastreams({s})/Observations?$top=7&$select=result&$filter=result%20lt%20400{order.replace(' ', '%20')}"
        a, got = d.get(path, timeout=15 * SLOW).json(), []
        while True:
            got += [o["result"] for o in a["value"]]
            if "@iot.nextLink" not in a:
                break
            link = a["@iot.nextLink"]
            a = d.get(link[link.index("/sta/"):], timeout=15 * SLOW).json()
    finally:
        stop.set()
        for w in writers:
            w.join()
    assert not failed
    assert sorted(got) == list(range(300))
