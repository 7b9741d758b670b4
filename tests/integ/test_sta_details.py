"""What an Observation has beside its result and time: read back as it was sent, changed, moved to another time, and kept as long as it is."""
import json
import random
import re
import time

import pytest

from kit import city
from kit.daemon import Daemon, feed
from test_erase import bytes_in
from test_sta import ask, every
from test_sta_write import make_stream, send

FEEDS = {"air": feed("city/air/{thing}"),
         "lab": feed("lab/{thing}", ["any"], decode="senml", sensorthings=True, max_age="0", keep_series="0"),
         "last": feed("last/{thing}", ["any"], decode="senml", duplicates="replace", max_age="0")}
MEMBERS = ("resultTime", "validTime", "parameters", "resultQuality")


BASE = city.datetime.datetime.now(city.datetime.timezone.utc).replace(microsecond=0) - city.datetime.timedelta(hours=2)


def at(minutes):
    return (BASE + city.datetime.timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(k=0, **more):
    return {"phenomenonTime": at(k), "result": 20 + k, "resultTime": at(k + 1), "validTime": f"{at(k)}/{at(k + 5)}",
            "parameters": {"depth": k, "by": {"name": "Jansén \"x\""}, "all": [1, None, True]}, "resultQuality": {"code": "good", "k": k}, **more}


def shown(o):
    """But for what the service says by itself: each has the time at which it was stored."""
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", o["storedTime"]), o
    return {k: v for k, v in o.items() if not k.startswith("@iot") and "navigation" not in k and k != "storedTime"}


@pytest.fixture
def lab(own):
    return own(FEEDS).start()


def test_is_read_back_as_it_was_sent(lab):
    _, s = make_stream(lab)
    sent = [whole(0), whole(1, resultQuality=["a", 2.5]), {"phenomenonTime": at(2), "result": "warm", "resultTime": at(9)},
            {"phenomenonTime": f"{at(3)}/{at(4)}", "result": 23}, {"phenomenonTime": at(5), "result": 1},
            {"phenomenonTime": at(6), "result": "x" * 3000 + "é"}]
    ids = [send(lab, "POST", f"/Datastreams({s})/Observations", o) for o in sent]
    sent = [{"resultTime": None, **o} for o in sent]
    path = f"/Datastreams({s})/Observations"
    for again in range(3):
        assert [shown(ask(lab, f"/Observations({i})")) for i in ids] == sent
        assert [shown(o) for o in ask(lab, path)["value"]] == sent
        assert [shown(o) for o in ask(lab, path, orderby="phenomenonTime desc")["value"]] == sent[::-1]
        assert [shown(o) for o in ask(lab, path, orderby="phenomenonTime desc", top=2)["value"]] == sent[:3:-1]
        assert ask(lab, path, select="parameters,validTime", top=1)["value"] == [{k: sent[0][k] for k in ("parameters", "validTime")}]
        for f, n in (("parameters/depth eq 1", 1), (f"resultTime eq {at(1)}", 1), ("resultTime eq null", 3), ("parameters/by/name eq 'Jansén \"x\"'", 2),
                     ("resultQuality/code eq 'good'", 1), (f"validTime gt {at(0)}", 1), (f"during(phenomenonTime,{at(3)}/{at(6)})", 2)):
            assert len(ask(lab, path, filter=f)["value"]) == n, f
        assert [o["result"] for o in ask(lab, path, orderby="resultTime desc", top=1)["value"]] == ["warm"]
        assert [shown(o) for o in ask(lab, f"/Datastreams({s})", expand="Observations")["Observations"]] == sent
        a = ask(lab, path, resultFormat="dataArray")["value"][0]
        assert [[r[a["components"].index(m)] for m in MEMBERS] for r in a["dataArray"]] == [[o.get(m) for m in MEMBERS] for o in sent]
        assert ask(lab, f"/Observations({ids[0]})/parameters") == {"parameters": sent[0]["parameters"]}
        if again == 0:
            lab.restart()
        elif again == 1:
            r = lab.oudp("rebuild")
            assert r.returncode == 0, r


def test_when_it_was_stored(lab):
    """storedTime of every Observation: shown, filtered, ordered and selected by, and passed over in what is sent."""
    _, s = make_stream(lab)
    path = f"/Datastreams({s})/Observations"
    old = [send(lab, "POST", path, {"phenomenonTime": at(k), "result": k}) for k in (0, 2, 4)]
    middle = int(time.time()) + 1
    while time.time() < middle + 0.01:
        time.sleep(0.05)
    new = [send(lab, "POST", path, {"phenomenonTime": at(k), "result": k}) for k in (1, 3)]
    cut = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(middle))
    for again in range(2):
        got = {o["@iot.id"]: o["storedTime"] for o in ask(lab, path)["value"]}
        assert len(got) == 5 and all(got[i] < cut for i in old) and all(got[i][:19] >= cut[:19] for i in new)
        for where in (path, "/Observations"):
            assert [o["result"] for o in ask(lab, where, filter=f"storedTime ge {cut}")["value"]] == [1, 3]
            assert [o["result"] for o in ask(lab, where, filter=f"storedTime lt {cut}")["value"]] == [0, 2, 4]
        assert [o["result"] for o in ask(lab, path, filter=f"storedTime ge {cut} and result lt 2")["value"]] == [1]
        assert ask(lab, path, filter="storedTime gt 2150-01-01T00:00:00Z", count="true")["@iot.count"] == 0
        assert [o["result"] for o in ask(lab, path, orderby="storedTime desc,phenomenonTime")["value"]][:2] == [1, 3]
        assert ask(lab, path, select="storedTime", top=1)["value"] == [{"storedTime": got[old[0]]}]
        assert lab.get(f"/sta/v1.1/Observations({old[0]})/storedTime/$value").body.decode() == got[old[0]]
        a = ask(lab, path, resultFormat="dataArray", select="result,storedTime")["value"][0]
        assert a["components"] == ["result", "storedTime"] and [r[1] for r in a["dataArray"]][0] == got[old[0]]
        lab.stop()
        lab.start()
    whole_ = ask(lab, f"/Observations({old[0]})")
    send(lab, "PUT", f"/Observations({old[0]})", {**whole_, "result": 9}, 200)
    send(lab, "PATCH", f"/Observations({old[0]})", {"storedTime": at(0), "result": 8}, 200)
    after = ask(lab, f"/Observations({old[0]})")
    assert after["result"] == 8 and after["storedTime"] == whole_["storedTime"]


def test_every_way_in(lab):
    t, s = make_stream(lab)
    names = ["phenomenonTime", "result", *MEMBERS]
    rows = [whole(k) for k in range(10, 14)]
    a = send(lab, "POST", "/CreateObservations", [{"Datastream": {"@iot.id": s}, "components": names, "dataArray": [[o[n] for n in names] for o in rows]}])
    assert len(a) == 4 and not any(x.startswith("error") for x in a)
    assert [shown(o) for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == rows
    with lab.client("m") as c:
        p = c.publish(f"v1.1/Datastreams({s})/Observations", json.dumps(whole(20)))
        assert p.reason == 0, p
        p = c.publish(f"v1.1/Datastreams({s})/Observations", json.dumps(whole(21, resultTime="x")))
        assert p.reason == 0x99 and "resultTime" in p.props["reason"]
    assert shown(ask(lab, f"/Datastreams({s})/Observations", orderby="phenomenonTime desc", top=1)["value"][0]) == whole(20)
    from test_sta_write import observed, sensor, stream, thing
    send(lab, "POST", "/Things", thing("deep", Datastreams=[stream("d", Sensor=sensor("sd"), ObservedProperty=observed("od"), Observations=[whole(1), whole(2)])]))
    d, = ask(lab, "/Datastreams", filter="Thing/name eq 'deep'")["value"]
    assert [shown(o) for o in ask(lab, f"/Datastreams({d['@iot.id']})/Observations")["value"]] == [whole(1), whole(2)]


def test_a_feed_with_schemas_keeps_them_too(lab):
    with lab.client("pole") as c:
        assert c.publish("city/air/pole-1", city.air(7)).reason == 0
    s, = ask(lab, "/Datastreams", filter="properties/member eq 'pm25'")["value"]
    o = whole(0, phenomenonTime=city.now(-50))
    i = send(lab, "POST", f"/Datastreams({s['@iot.id']})/Observations", o)
    assert shown(ask(lab, f"/Observations({i})")) == o
    o = whole(1, phenomenonTime=f"{city.now(-40)}/{city.now(-30)}")
    i = send(lab, "POST", f"/Datastreams({s['@iot.id']})/Observations", o)
    assert shown(ask(lab, f"/Observations({i})")) == o


@pytest.mark.parametrize("body", [{"resultTime": "yesterday"}, {"resultTime": 5}, {"validTime": at(0)}, {"validTime": f"{at(1)}/{at(0)}"}, {"parameters": [1]},
                                  {"parameters": "x"}, {"phenomenonTime": f"{at(1)}/{at(0)}"}, {"phenomenonTime": f"{at(1)}/x"}, {"parameters": {"a": "x" * 9000}}])
def test_what_is_wrong_is_refused(lab, body):
    _, s = make_stream(lab)
    send(lab, "POST", f"/Datastreams({s})/Observations", {"result": 1, **body}, 400)
    i = send(lab, "POST", f"/Datastreams({s})/Observations", whole(0))
    send(lab, "PATCH", f"/Observations({i})", body, 400)
    assert shown(ask(lab, f"/Observations({i})")) == whole(0)


def test_it_is_changed(lab):
    _, s = make_stream(lab)
    i = send(lab, "POST", f"/Datastreams({s})/Observations", whole(0))
    j = send(lab, "POST", f"/Datastreams({s})/Observations", {"phenomenonTime": at(1), "result": "a"})
    send(lab, "PATCH", f"/Observations({i})", {"resultTime": at(9), "validTime": None, "parameters": {"depth": 5, "by": None}}, 200)
    want = {**whole(0), "resultTime": at(9), "parameters": {"depth": 5, "all": [1, None, True]}}
    del want["validTime"]
    send(lab, "PATCH", f"/Observations({j})", {"resultTime": at(2), "@iot.selfLink": "x", "Datastream": None}, 200)
    for _ in range(2):
        assert shown(ask(lab, f"/Observations({i})")) == want
        assert shown(ask(lab, f"/Observations({j})")) == {"phenomenonTime": at(1), "result": "a", "resultTime": at(2)}
        lab.restart()
    send(lab, "PATCH", f"/Observations({i})", {"result": 7.25, "resultTime": at(8)}, 200)
    assert shown(ask(lab, f"/Observations({i})")) == {**want, "result": 7.25, "resultTime": at(8), "resultQuality": [want["resultQuality"], "corrected"]}
    send(lab, "PUT", f"/Observations({i})", {"result": 8, "phenomenonTime": f"{at(0)}/{at(1)}"}, 200)
    assert shown(ask(lab, f"/Observations({i})")) == {"result": 8, "phenomenonTime": f"{at(0)}/{at(1)}", "resultTime": None, "resultQuality": ["corrected"]}
    assert send(lab, "PUT", f"/Observations({i})", {"resultTime": at(0)}, 400)["code"] == "missing"
    assert send(lab, "PATCH", f"/Observations({i})", {"colour": 1}, 400)["code"] == "unknown"
    assert send(lab, "PATCH", f"/Observations({i})", {"Datastream": {"@iot.id": s}}, 400)["code"] == "fixed"
    assert lab.oudp("rebuild").returncode == 0
    assert ask(lab, f"/Observations({i})")["result"] == 8


def test_it_moves_to_another_time(lab):
    _, s = make_stream(lab)
    ids = [send(lab, "POST", f"/Datastreams({s})/Observations", whole(10 * k)) for k in range(3)]
    send(lab, "PATCH", f"/Observations({ids[0]})", {"phenomenonTime": at(25)}, 200)
    want = [whole(10), whole(20), {**whole(0), "phenomenonTime": at(25)}]
    order = [ids[1], ids[2], ids[0]]
    for _ in range(2):
        got = ask(lab, f"/Datastreams({s})/Observations")["value"]
        assert [o["@iot.id"] for o in got] == order and [shown(o) for o in got] == want
        for i, o in zip(order, want):
            assert shown(ask(lab, f"/Observations({i})")) == o and ask(lab, f"/Observations({i})/Datastream")["@iot.id"] == s
        assert ask(lab, "/Observations", filter=f"phenomenonTime eq {at(25)}")["value"][0]["@iot.id"] == ids[0]
        lab.restart()
    assert send(lab, "PATCH", f"/Observations({ids[0]})", {"phenomenonTime": at(10)}, 409)["code"] == "conflict"
    send(lab, "PATCH", f"/Observations({ids[0]})", {"phenomenonTime": f"{at(30)}/{at(31)}", "result": 99, "parameters": None}, 200)
    want = {**whole(0), "phenomenonTime": f"{at(30)}/{at(31)}", "result": 99}
    del want["parameters"]
    assert shown(ask(lab, f"/Observations({ids[0]})")) == want
    assert send(lab, "PATCH", f"/Observations({ids[0]})", {"phenomenonTime": at(0)}, 409)["code"] == "deleted"
    assert lab.oudp("rebuild").returncode == 0
    assert shown(ask(lab, f"/Observations({ids[0]})")) == want
    send(lab, "PATCH", f"/Observations({ids[0]})", {"result": 100}, 200)
    assert ask(lab, f"/Observations({ids[0]})")["result"] == 100
    send(lab, "DELETE", f"/Observations({ids[0]})", None, 200)
    ask(lab, f"/Observations({ids[0]})", status=404)
    assert [o["@iot.id"] for o in ask(lab, f"/Datastreams({s})/Observations")["value"]] == ids[1:]


def test_of_two_of_one_time_each_has_its_own(lab):
    with lab.client("p", version=5) as c:
        for v, extra in ((1, {"resultTime": at(1)}), (2, None), (2, {"resultTime": at(2)}), (3, {"colour": 1}), (4, "x")):
            props = {"user": [("sensorthings", extra if isinstance(extra, str) else json.dumps(extra))]} if extra else {}
            assert c.publish("last/a", json.dumps([{"n": "v", "v": v, "t": 1795521600 + v // 3}]), props=props).reason == 0
    got = [(o["result"], o["resultTime"]) for o in ask(lab, "/Observations", filter="Datastream/properties/feed eq 'last'")["value"]]
    assert got == [(2, at(2)), (4, None)] or got == [(2, None), (4, None)], got


def test_it_goes_with_its_thing(lab, tmp_path):
    t, s = make_stream(lab)
    i = send(lab, "POST", f"/Datastreams({s})/Observations", whole(0, parameters={"secret": "marker-of-the-test"}))
    send(lab, "PATCH", f"/Observations({i})", {"parameters": {"secret": "marker-of-the-change"}}, 200)
    lab.restart()
    a = lab.admin("POST", "/v1/things/kitchen/_erase", {"reason": "asked for"})
    assert a.status in (200, 202), a
    assert ask(lab, "/Observations")["value"] == []
    copy = str(tmp_path / "copy")
    assert lab.oudp("backup", copy).returncode == 0
    assert not bytes_in(copy, "marker-of-the")


def test_a_backup_has_it(lab, tmp_path):
    _, s = make_stream(lab)
    i = send(lab, "POST", f"/Datastreams({s})/Observations", whole(0))
    send(lab, "PATCH", f"/Observations({i})", {"phenomenonTime": at(3)}, 200)
    lab.restart()
    copy = str(tmp_path / "copy")
    assert lab.oudp("backup", copy).returncode == 0
    lab.stop()
    lab.data_dir = copy
    with lab:
        assert shown(ask(lab, f"/Observations({i})")) == {**whole(0), "phenomenonTime": at(3)}


def test_v1_has_them_and_the_original(lab):
    """As they are now, and with original=true as they came; a number that became a text is in no figure; also after a death."""
    t, s = make_stream(lab)
    ids = [send(lab, "POST", f"/Datastreams({s})/Observations", whole(k)) for k in range(3)]
    send(lab, "PATCH", f"/Observations({ids[0]})", {"result": 50, "resultTime": at(30)}, 200)
    send(lab, "PATCH", f"/Observations({ids[1]})", {"result": "too \"hot\""}, 200)
    n = ids[0] >> 42

    def rows(**more):
        return lab.get(f"/v1/datastreams/{n}/observations?from={at(-1)}" + "".join(f"&{k}={v}" for k, v in more.items())).json()["observations"]
    for again in (False, True):
        now, was = rows(), rows(original="true")
        assert [x["value"] for x in now] == [50, "too \"hot\"", 22] and [x["value"] for x in was] == [20, 21, 22]
        assert [x["details"]["resultTime"] for x in now] == [at(30), at(2), at(3)] and [x["details"]["resultTime"] for x in was] == [at(1), at(2), at(3)]
        assert all("result" not in x["details"] for x in was) and "corrected" in now[1]["quality"]
        figures, = rows(aggregate="mean,count", interval="P1D")[-1:]
        assert (figures["mean"], figures["count"]) == (36, 3)
        assert ask(lab, f"/Observations({ids[1]})")["result"] == "too \"hot\""
        if not again:
            lab.restart()
    send(lab, "PATCH", f"/Observations({ids[1]})", {"result": 21}, 200)
    assert [x["value"] for x in rows()] == [50, 21, 22] and "result" not in rows()[1]["details"]


# ---- generated ones, against lists ----

def span_of(text):
    a, _, b = text.partition("/")
    return a, b or a


def before(a, b):
    """a ends before b begins; an interval does not have its last moment."""
    (a0, a1), (b0, _) = span_of(a), span_of(b)
    return a1 <= b0 if a0 != a1 else a0 < b0


def generated(r, k):
    o = {"phenomenonTime": at(k) if r.random() < .7 else f"{at(k)}/{at(k + r.randrange(1, 9))}", "result": r.choice([k, k / 4, f"word {k % 5}", k % 2 == 0, {"a": k}, [k]])}
    if r.random() < .6:
        o["resultTime"] = at(r.randrange(60))
    if r.random() < .5:
        a = r.randrange(50)
        o["validTime"] = f"{at(a)}/{at(a + r.randrange(1, 20))}"
    if r.random() < .6:
        o["parameters"] = {"n": r.randrange(5), "by": {"name": r.choice("abc")}}
    if r.random() < .5:
        o["resultQuality"] = r.choice(["good", "bad", {"code": r.randrange(3)}, ["x", "y"]])
    return o


def condition(r):
    kind = r.randrange(9)
    if kind == 0:
        a, f = condition(r)
        return f"not ({a})", lambda o: not f(o)
    if kind == 1:
        (a, f), (b, g) = condition(r), condition(r)
        word = r.choice(["and", "or"])
        return f"({a} {word} {b})", lambda o: f(o) and g(o) if word == "and" else f(o) or g(o)
    if kind in (2, 3):
        m = r.choice(["resultTime", "validTime", "phenomenonTime"])
        a = r.randrange(60)
        t = r.choice([at(a), f"{at(a)}/{at(a + 7)}"])
        if r.random() < .5:
            return f"{m} lt {t}", lambda o: m in o and before(o[m], t)
        return f"{m} gt {t}", lambda o: m in o and before(t, o[m])
    if kind == 4:
        m = r.choice(MEMBERS)
        return (f"{m} eq null", lambda o: m not in o) if r.random() < .5 else (f"{m} ne null", lambda o: m in o)
    if kind == 5:
        n = r.randrange(5)
        return f"parameters/n ge {n}", lambda o: o.get("parameters", {}).get("n", -1) >= n
    if kind == 6:
        c = r.choice("abc")
        return f"parameters/by/name eq '{c}'", lambda o: o.get("parameters", {}).get("by", {}).get("name") == c
    if kind == 7:
        n = r.randrange(3)
        return f"resultQuality/code eq {n}", lambda o: isinstance(o.get("resultQuality"), dict) and o["resultQuality"]["code"] == n
    return "resultQuality eq 'good'", lambda o: o.get("resultQuality") == "good"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    r = random.Random(88)
    with Daemon(tmp_path_factory.mktemp("details"), FEEDS) as d:
        _, s = make_stream(d)
        sent = [generated(r, k) for k in range(60)]
        for o in sent:
            send(d, "POST", f"/Datastreams({s})/Observations", o)
        yield d, s, sent


@pytest.mark.parametrize("seed", range(15))
def test_generated_questions(many, seed):
    d, s, sent = many
    r = random.Random(seed)
    for _ in range(8):
        text, f = condition(r)
        want = [o for o in sent if f(o)]
        a = ask(d, f"/Datastreams({s})/Observations", filter=text, top=r.choice([3, 100]), count="true")
        assert a["@iot.count"] == len(want), text
        got = every(d, a)
        assert [{k: v for k, v in shown(o).items() if v is not None or k in w} for o, w in zip(got, want)] == want, text
