"""$batch of SensorThings: both forms, what names an earlier one, conditions, and groups that are all or nothing."""
import json
import random
import re
import threading
import time

import pytest

from kit import city, web
from kit.killing import lives, written
from test_sta import ask, every, follow
from test_sta_write import FEEDS, KINDS, make_stream, observed, place, send, sensor, stream, thing

GO_ON = {"Prefer": "continue-on-error"}


@pytest.fixture
def lab(own):
    return own(FEEDS).start()


def run(d, *requests, headers=GO_ON):
    return send(d, "POST", "/$batch", {"requests": list(requests)}, 200, headers)["responses"]


def statuses(a):
    return [x["status"] for x in a]


def part(k, method, url, body=None, **more):
    return {"id": str(k), "method": method, "url": url, **({} if body is None else {"body": body}), **more}


def counts(d):
    return {k: len(every(d, ask(d, "/" + k, top=1000))) for k in KINDS + ("HistoricalLocations", "Observations")}


def test_one_after_the_other(lab):
    a = run(lab, part("t", "post", "Things", thing()), part("s", "POST", "/Sensors", sensor()),
            part("d", "post", "$t/Datastreams", {**stream(), "Sensor": {"@iot.id": "$s"}}, dependsOn=["t", "s"]),
            part("o", "post", "$d/Observations", {"result": 4}),
            part("g", "get", "Things?$select=name&$filter=name eq 'kitchen'"), part("v", "get", "$t/name/$value"),
            part("n", "get", "Things($t)/name"), part("bad", "post", "Things", thing()),
            part("after", "post", "Things", thing("other"), dependsOn=["bad"]), part("x", "delete", "Nothing(1)"),
            part("p", "patch", "$t", {"description": "new"}, atomicityGroup="one"), part("in", "post", "$batch", {"requests": []}))
    assert [(x["id"], x["status"]) for x in a] == [("t", 201), ("s", 201), ("d", 201), ("o", 201), ("g", 200), ("v", 200), ("n", 200), ("bad", 409),
                                                   ("after", 424), ("x", 404), ("p", 200), ("in", 400)]
    assert a[4]["body"]["value"] == [{"name": "kitchen"}] and a[5]["body"] == "kitchen" and a[6]["body"] == {"name": "kitchen"}
    assert follow(lab, a[3]["location"])["result"] == 4 and follow(lab, a[0]["location"])["description"] == "new"
    assert run(lab) == []
    assert send(lab, "POST", "/$batch", {"requests": [{"id": "x"}] * 201}, 400)["code"] == "batch"
    assert statuses(run(lab, {"id": "x"}, 5, part("y", "get", "$nobody"), part("z", "get", "Things", dependsOn=["later"]),
                        part("q", "get", "Things", **{"if": "$nobody"}))) == [400] * 5


def test_what_fails_ends_it_unless_the_client_goes_on(lab):
    three = part(1, "get", "Things"), part(2, "get", "Nothing"), part(3, "get", "Sensors")
    assert statuses(run(lab, *three, headers={})) == [200, 404]
    assert statuses(run(lab, *three, headers={"Prefer": "continue-on-error=false"})) == [200, 404]
    for prefer in ("continue-on-error", "odata.continue-on-error", "respond-async, continue-on-error=true"):
        assert statuses(run(lab, *three, headers={"Prefer": prefer})) == [200, 404, 200]
    a = web.request(lab.web_port, "POST", "/sta/v1.1/$batch", '{"requests":[]}', {"Content-Type": "application/json", **GO_ON})
    assert a.headers["preference-applied"] == "continue-on-error"


def group(name, *parts):
    return [{**p, "atomicityGroup": name} for p in parts]


def test_a_group_happens_whole(lab):
    t0, s0 = make_stream(lab)
    before = city.now(-100)
    a = run(lab, *group("g", part("s", "post", "Sensors", sensor("q")), part("p", "post", "ObservedProperties", observed("q")),
                        part("t", "post", "Things", thing("shed", Locations=[place("yard")])),
                        part("d", "post", "$t/Datastreams", stream("wind", "m/s", Sensor={"@iot.id": "$s"}, ObservedProperty={"@iot.id": "$p"})),
                        part("o", "post", "$d/Observations", {"result": 3, "phenomenonTime": before}),
                        part("m", "post", "CreateObservations", [{"Datastream": {"@iot.id": s0}, "components": ["phenomenonTime", "result"],
                                                                  "dataArray": [[city.now(-90), 1], [city.now(-80), 2]]}]),
                        part("c", "patch", f"Things({t0})", {"description": "changed"}), part("u", "patch", "$t", {"description": "at once"}),
                        part("l", "post", "$t/Locations", place("field", 5)), part("g", "get", f"Things({t0})/description")))
    assert statuses(a) == [201] * 6 + [200, 200, 201, 200], a
    assert all(x["atomicityGroup"] == "g" for x in a) and a[9]["body"] == {"description": "of the tests"}  # as it was before
    t, o = (follow(lab, a[k]["location"]) for k in (2, 4))
    assert t["name"] == "shed" and t["description"] == "at once" and o["result"] == 3 and o["phenomenonTime"] == before
    assert ask(lab, f"/Things({t0})")["description"] == "changed" and len(ask(lab, f"/Datastreams({s0})/Observations")["value"]) == 2
    d, = ask(lab, f"/Things({t['@iot.id']})/Datastreams", expand="Sensor,ObservedProperty,Observations")["value"]
    assert d["Sensor"]["name"] == "q" and [x["result"] for x in d["Observations"]] == [3]
    assert [x["name"] for x in ask(lab, f"/Things({t['@iot.id']})/Locations")["value"]] == ["field"]
    lab.restart()
    assert follow(lab, a[4]["location"]) == o


def test_a_group_does_not_happen_by_halves(lab):
    t0, s0 = make_stream(lab)
    taken = {"result": 1, "phenomenonTime": city.now(-100)}
    send(lab, "POST", f"/Datastreams({s0})/Observations", taken)
    was, kept = counts(lab), len(lab.all_events("lab"))
    fine = (part("t", "post", "Things", thing("shed", Datastreams=[stream("w", Sensor=sensor("w"), ObservedProperty=observed("w"), Observations=[{"result": 1}])])),
            part("o", "post", f"Datastreams({s0})/Observations", {"result": 5}), part("c", "patch", f"Things({t0})", {"name": "hall"}),
            part("l", "post", f"Things({t0})/Locations", place("there")))
    for bad, status in ((part("x", "post", "Things", thing()), 409), (part("x", "post", "Things", {"name": "a"}), 400), (part("x", "get", "Nothing"), 404),
                        (part("x", "post", f"Datastreams({s0})/Observations", {**taken, "result": 2}), 409),
                        (part("x", "post", f"Datastreams({s0})/Observations", {"result": 2, "phenomenonTime": "2999-01-01T00:00:00Z"}), 400),
                        (part("x", "post", "CreateObservations", [{"Datastream": {"@iot.id": s0}, "components": ["phenomenonTime", "result"], "dataArray": [[city.now(-70), 1], [city.now(-60), None]]}]), 400),
                        (part("x", "post", "CreateObservations", [{"Datastream": {"@iot.id": 4}, "components": ["phenomenonTime", "result"], "dataArray": [[city.now(-70), 1]]}]), 404),
                        (part("x", "post", "$nobody/Locations", place()), 400), (part("x", "patch", "Observations(4398046511105)", {"result": 1}), 404)):
        for at in (0, 2, len(fine)):
            a = run(lab, *group("g", *fine[:at], bad, *fine[at:]), part("after", "get", "Things?$select=name"))
            assert statuses(a[:at]) == [424] * at and a[at]["status"] == status, (bad, at, a)
            assert statuses(a[at + 1:]) == [424] * (len(fine) - at) + [200]
            assert [x["name"] for x in a[-1]["body"]["value"]] == ["kitchen"]
            assert counts(lab) == was and len(lab.all_events("lab")) == kept
    lab.restart()
    assert counts(lab) == was
    assert statuses(run(lab, *group("g", *fine))) == [201, 201, 200, 201]  # nothing holds a name


def test_corrections_in_a_group(lab):
    from kit.daemon import wait_for
    from test_access import must
    t0, s0 = make_stream(lab)
    path, t = f"Datastreams({s0})/Observations", [city.now(-100 + 5 * k) for k in range(6)]
    o = [send(lab, "POST", "/" + path, {"result": k, "phenomenonTime": t[k]}) for k in range(4)]
    changes = (part("c", "patch", f"Observations({o[0]})", {"result": 10, "parameters": {"a": 1}}), part("d", "delete", f"Observations({o[1]})"),
               part("m", "patch", f"Observations({o[2]})", {"phenomenonTime": t[4]}), part("n", "post", path, {"result": 9, "phenomenonTime": t[5]}),
               part("t", "patch", f"Things({t0})", {"description": "counted"}))
    was, kept = ask(lab, "/" + path, orderby="phenomenonTime"), len(lab.all_events("lab"))
    for bad, status in ((part("x", "post", "Things", {"name": "a"}), 400), (part("x", "delete", f"Observations({o[0]})"), 409), (part("x", "delete", f"Observations({o[3] + 7})"), 404),
                        (part("x", "post", path, {"result": 5, "phenomenonTime": t[4]}), 409), (part("x", "patch", f"Observations({o[3]})", {"phenomenonTime": t[0]}), 409),
                        (part("x", "patch", f"Observations({o[3]})", {"phenomenonTime": "2999-01-01T00:00:00Z"}), 400)):
        a = run(lab, *group("g", *changes, bad))
        assert statuses(a) == [424] * 5 + [status], (bad, a)
        assert ask(lab, "/" + path, orderby="phenomenonTime") == was and len(lab.all_events("lab")) == kept
        assert ask(lab, f"/Things({t0})")["description"] == "of the tests"
    a = run(lab, *group("g", *changes))
    assert [x["id"] for x in a] == list("cdmnt") and statuses(a) == [200, 200, 200, 201, 200]
    for what, n in (("change", 2), ("delete", 1)):
        wait_for("the audit", lambda what=what, n=n: len(re.findall(rf"sensorthings\.{what}\b.*Observations", must(lab, "audit", "list"))) == n)
    for _ in range(2):
        now = ask(lab, "/" + path, orderby="phenomenonTime")["value"]
        assert [(x["result"], x["phenomenonTime"]) for x in now] == [(10, t[0]), (3, t[3]), (2, t[4]), (9, t[5])]
        assert [x["@iot.id"] for x in now][:3] == [o[0], o[3], o[2]] and now[0]["parameters"] == {"a": 1}
        assert ask(lab, f"/Things({t0})")["description"] == "counted"
        ask(lab, f"/Observations({o[1]})", 404)
        lab.restart()
    # a correction alone, and again
    for _ in range(2):
        assert statuses(run(lab, *group("g", part("c", "patch", f"Observations({o[0]})", {"result": 11})))) == [200]
    assert statuses(run(lab, *group("g", part("d", "delete", f"Observations({o[0]})")), *group("h", part("e", "delete", f"Observations({o[0]})")))) == [200, 404]


def test_what_depends_on_a_group(lab):
    make_stream(lab)
    a = run(lab, *group("g", part(1, "post", "Things", thing("a")), part(2, "post", "Things", thing())), part(3, "get", "Things", dependsOn=["g"]),
            part(4, "get", "Things", dependsOn=["1"]), *group("h", part(5, "post", "Things", thing("b"))), part(6, "get", "Things", dependsOn=["h"]),
            *group("i", part(7, "get", "Things", dependsOn=["2"]), part(8, "post", "Things", thing("c"))))
    assert statuses(a) == [424, 409, 424, 424, 201, 200, 424, 424]
    apart = run(lab, *group("g", part(1, "get", "Things")), part(2, "get", "Things"), *group("g", part(3, "get", "Things")))
    assert statuses(apart) == [200, 200, 400]


def test_made_when_it_is_not_there(lab):
    """As clients of FROST do it: one id for the question and what makes it."""
    def upsert(name, description):
        return run(lab, *group("g", part("x", "get", f"Things?$select=id&$top=1&$filter=name eq '{name}'"),
                               part("u", "patch", "$x", {"description": description}, **{"if": "$x"}),
                               part("x", "post", "Things", thing(name, description=description), **{"if": "not $x"}),
                               part("l", "post", "$x/Datastreams", stream(f"of {name} {description}", Sensor=sensor(f"{name} {description}"),
                                                                          ObservedProperty=observed(f"{name}-{description}")))), headers={})
    assert statuses(upsert("a", "one")) == [200, 412, 201, 201]
    assert statuses(upsert("a", "two")) == [200, 200, 412, 201]
    t, = ask(lab, "/Things", expand="Datastreams")["value"]
    assert t["description"] == "two" and len(t["Datastreams"]) == 2


def test_made_and_deleted(lab):
    t0, s0 = make_stream(lab)
    a = run(lab, *group("g", part("t", "post", "Things", thing("shed", Locations=[place()], Datastreams=[stream("w", Sensor=sensor("w"), ObservedProperty=observed("w"))])),
                        part(1, "delete", "$t"), part(2, "delete", "$t"))) + run(lab, *group("h", part(3, "delete", f"Things({t0})"),
                                                                                             part(4, "post", f"Datastreams({s0})/Observations", {"result": 1})))
    assert statuses(a) == [424, 424, 404, 424, 404], a
    a = run(lab, *group("g", part("t", "post", "Things", thing("shed", Locations=[place()], Datastreams=[stream("w", Sensor=sensor("w"), ObservedProperty=observed("w"))])),
                        part(1, "delete", "$t"), part("n", "post", "Things", thing("shed"))))
    assert statuses(a) in ([201, 200, 201], [424, 424, 409]), a
    lab.restart()
    names = [x["name"] for x in ask(lab, "/Things")["value"]]
    assert names.count("shed") <= 1 and "kitchen" in names
    assert [x["name"] for x in ask(lab, "/Datastreams")["value"]] == ["temperature of kitchen"]


def test_groups_of_many_at_the_same_time(lab):
    """Whatever comes between: of each group all there is or nothing."""
    _, s = make_stream(lab)
    stop, seen = threading.Event(), []

    def watch():
        while not stop.is_set():
            names = [x["name"] for x in every(lab, ask(lab, "/Things", top=1000))]
            seen.append({n.split("/")[0] for n in names if "." in n} and {
                k for k in {n.split(".")[0] for n in names if "." in n} if len([n for n in names if n.startswith(k + ".")]) != 3})

    def write(w):
        for k in range(8):
            a = run(lab, *group("g", *(part(i, "post", "Things", thing(f"{w}-{k}.{i}")) for i in range(3)),
                                part(4, "post", f"Datastreams({s})/Observations", {"result": k, "phenomenonTime": city.now(-1000 - 100 * w - k)})))
            assert statuses(a) == [201] * 4, a
    watcher, writers = threading.Thread(target=watch), [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for t in [watcher, *writers]:
        t.start()
    for t in writers:
        t.join()
    stop.set()
    watcher.join()
    assert not any(seen) and len(ask(lab, f"/Datastreams({s})/Observations", top=1000)["value"]) == 32


def test_death_in_the_middle(lab):
    """Of each group that was answered everything is there, of each other one all or nothing."""
    _, s = make_stream(lab)
    made = set()

    def write(life, w, k):
        name = f"{life}-{w}-{k}"
        requests = group("g", *(part(i, "post", "Things", thing(f"{name}.{i}")) for i in range(3)),
                         *(part(i, "post", f"Datastreams({s})/Observations", {
                             "result": f"{name}.{i}", "phenomenonTime": city.now(-9000 - 1000 * life - 200 * w - 3 * k - i)}) for i in range(3, 5)))
        a = written(lab, "POST", "/sta/v1.1/$batch", {"requests": requests})
        if a and a.status == 200 and all(x["status"] == 201 for x in json.loads(a.body)["responses"]):
            made.add(name)
        return a is not None
    for _ in lives(lab, 4, write, seed=5):
        pass
    pieces = [t["name"] for t in every(lab, ask(lab, "/Things", top=1000))] + [
        o["result"] for o in every(lab, ask(lab, f"/Datastreams({s})/Observations", top=1000))]
    there = {}
    for p in pieces:
        if "." in p:
            there.setdefault(p.split(".")[0], set()).add(p.split(".")[1])
    assert made and made <= set(there) and all(x == set("01234") for x in there.values())


def test_death_among_corrections(lab):
    """A group with corrections has happened, whole, or not at all, after each death."""
    from kit.daemon import wait_for
    _, s = make_stream(lab)
    path, groups, answered = f"Datastreams({s})/Observations", {}, set()

    def write(life, w, k):
        name, t = f"{life}-{w}-{k}", [city.now(-40000 + 8000 * life + 2500 * w + 5 * k + i) for i in range(4)]
        o = []
        for i in range(3):
            a = written(lab, "POST", "/sta/v1.1/" + path, {"result": f"{name}.{i}", "phenomenonTime": t[i]})
            if not a:
                return False
            assert a.status == 201, a.body
            o.append(int(a.headers["location"].split("(")[1].rstrip(")")))
        groups[name] = o, [city.parse_time(x) for x in t]
        a = written(lab, "POST", "/sta/v1.1/$batch", {"requests": group(
            "g", part("p", "patch", f"Observations({o[0]})", {"result": "new " + name}), part("d", "delete", f"Observations({o[1]})"),
            part("m", "patch", f"Observations({o[2]})", {"phenomenonTime": t[3]}), part("t", "post", "Things", thing(name)))})
        if not a:
            return False
        assert statuses(json.loads(a.body)["responses"]) == [200, 200, 200, 201], a.body
        answered.add(name)
        return True

    def settled():
        things, now = {x["name"] for x in every(lab, ask(lab, "/Things", top=1000))}, every(lab, ask(lab, "/" + path, top=1000))
        shown, bad = {x["@iot.id"]: (x["result"], city.parse_time(x["phenomenonTime"])) for x in now}, []
        for name, (o, t) in groups.items():
            pieces = [shown.get(x) for x in o]
            went = [("new " + name, t[0]), None, (f"{name}.2", t[3])]
            if pieces != (went if name in things else [(f"{name}.{i}", x) for i, x in enumerate(t[:3])]):
                bad.append((name, name in things, pieces))
        results = [r for r, _ in shown.values()]
        return answered <= things and not bad and len(set(results)) == len(results)
    for _ in lives(lab, 5, write, seed=6, longest=.8):
        wait_for("what was promised", settled)
    assert answered


def test_rights_and_the_audit(own):
    from kit.daemon import free_ports, wait_for
    from test_access import add_key, bearer, grant, must
    port, = free_ports(1)
    d = own(FEEDS, extra=f'listener "strict" {{\n\tprotocol = http\n\tport = {port}\n\tanonymous = false\n}}\n').start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    some = bearer(add_key(d, "some"))
    grant(d, "lab", "publish", identity="some", thing="v-*")
    grant(d, "lab", "read", identity="some", thing="v-*")
    both = [part(1, "post", "Things", thing("v-1")), part(2, "post", "Things", thing("w-1"))]
    a = send(d, "POST", "/$batch", {"requests": group("g", *both)}, 200, some, port)["responses"]
    assert statuses(a) == [424, 403]
    a = send(d, "POST", "/$batch", {"requests": group("g", both[0])}, 200, some, port)["responses"]
    assert statuses(a) == [201]
    wait_for("the audit", lambda: "sensorthings.create" in must(d, "audit", "list"))
    assert must(d, "audit", "list").count("sensorthings.create") == 1


# multipart/mixed

def http(method, url, body=None, cid=None):
    text = "" if body is None else json.dumps(body)
    head = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n" if text else ""
    return "Content-Type: application/http\r\n" + (f"Content-ID: {cid}\r\n" if cid else "") + f"\r\n{method} {url} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{text}\r\n"


def mixed(boundary, *parts):
    return "".join(f"--{boundary}\r\n{p}" for p in parts) + f"--{boundary}--\r\n"


def change_set(*parts):
    return "Content-Type: multipart/mixed;boundary=changeset_77162fcd\r\n\r\n" + mixed("changeset_77162fcd", *parts)


def post_mixed(d, text, status=200, boundary="batch_36522ad7", headers=None):
    a = web.request(d.web_port, "POST", "/sta/v1.1/$batch", text, {"Content-Type": f"multipart/mixed;boundary={boundary}", **(headers or {})})
    assert a.status == status, (a.status, a.body[:500])
    return a


def read_mixed(content_type, text):
    """Parts as (status, Content-ID, headers, body), change sets as lists of them."""
    boundary = re.search(r"boundary=(\S+)", content_type).group(1)
    assert text.endswith(f"--{boundary}--\r\n")
    out = []
    for p in text.split(f"--{boundary}\r\n")[1:]:
        p = p.split(f"--{boundary}--\r\n")[0]
        head, rest = p.split("\r\n\r\n", 1)
        head = dict(x.lower().split(": ", 1) if "boundary" not in x else x.split(": ", 1) for x in head.split("\r\n"))
        if "Content-Type" in head:
            out.append(read_mixed(head["Content-Type"], rest))
            continue
        assert head["content-type"] == "application/http"
        first, *lines = rest.split("\r\n\r\n", 1)[0].split("\r\n")
        more = dict(x.split(": ", 1) for x in lines)
        body = rest.split("\r\n\r\n", 1)[1][:int(more["Content-Length"])]
        assert first.startswith("HTTP/1.1 ") and rest.endswith(body + "\r\n")
        out.append((int(first.split()[1]), head.get("content-id"), more, json.loads(body) if body else None))
    return out


def test_the_examples_of_the_standard(lab):
    t, s = make_stream(lab)
    a = post_mixed(lab, mixed("batch_36522ad7", http("GET", f"/sta/v1.1/Things({t})?$select=name"),
                              change_set(http("POST", "/v1.1/Things", {"name": "New", "description": "Thing"}, 1),
                                         http("PATCH", f"/v1.1/Things({t})", {"name": "Patched"}, 2)),
                              http("GET", "https://elsewhere.example:8080/sta/v1.1/Things(3)")))
    got = read_mixed(a.headers["content-type"], a.body.decode())
    assert got[0][0] == 200 and got[0][3] == {"name": "kitchen"} and got[2][0] == 404
    (one, cid, head, body), two = got[1]
    assert (one, cid) == (201, "1") and two[:2] == (200, "2") and head["Location"].endswith(f"/Things({body['@iot.id']})")
    assert ask(lab, f"/Things({t})")["name"] == "Patched"
    a = post_mixed(lab, mixed("batch_36522ad7", change_set(
        http("POST", "/v1.1/Sensors", sensor("DS18B20"), "sensor1"),
        http("POST", f"/v1.1/Things({t})/Datastreams", stream("second", Sensor={"@iot.id": "$sensor1"}, ObservedProperty=observed("second")), "any"))))
    (x, y), = read_mixed(a.headers["content-type"], a.body.decode())
    assert x[0] == y[0] == 201 and ask(lab, f"/Datastreams({y[3]['@iot.id']})/Sensor")["name"] == "DS18B20"
    text = mixed("batch_36522ad7", http("GET", "Things?$filter=name%20eq%20'Patched'&$select=name"), http("POST", f"Datastreams({s})/Observations", {"result": 1}))
    for form in (text, text.replace("\r\n", "\n"), "a preamble\r\n" + text + "an epilogue"):
        a = post_mixed(lab, form)
        got = read_mixed(a.headers["content-type"], a.body.decode())
        assert got[0][3]["value"] == [{"name": "Patched"}] and got[1][0] == 201
        time.sleep(0.002)


def test_a_change_set_that_fails(lab):
    make_stream(lab)
    was = counts(lab)
    text = mixed("batch_36522ad7", http("GET", "Things"), change_set(http("POST", "Things", thing("a"), 1), http("POST", "Things", thing(), 2)), http("GET", "Things"))
    a = post_mixed(lab, text)
    got = read_mixed(a.headers["content-type"], a.body.decode())
    assert [x[0] for x in got] == [200, 409] and got[1][3]["code"] == "name-taken"  # one answer for all of them
    a = post_mixed(lab, text, headers=GO_ON)
    assert [x[0] for x in read_mixed(a.headers["content-type"], a.body.decode())] == [200, 409, 200]
    assert counts(lab) == was


@pytest.mark.parametrize("boundary, text", [
    ("x", ""), ("x", "nothing"), ("x", "--x\r\n"), ("x", mixed("y", http("GET", "Things"))), ("x", "--x\r\nContent-Type: text/plain\r\n\r\nGET Things HTTP/1.1\r\n--x--"),
    ("", mixed("", http("GET", "Things"))), ("x" * 71, mixed("x" * 71, http("GET", "Things"))), ("x", "--x\r\n" + change_set(http("GET", "Things"))[:-6] + "--x--"),
    ("x", mixed("x", *[http("GET", "Things")] * 201))])
def test_what_is_no_batch(lab, boundary, text):
    assert json.loads(post_mixed(lab, text, 400, boundary).body)["code"] == "batch"


def test_parts_that_are_none(lab):
    a = post_mixed(lab, mixed("x", *(f"Content-Type: application/http\r\n\r\n{x}\r\n" for x in (
        "\r\n", "GET\r\n\r\n", "GET Things\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "FETCH Things HTTP/1.1\r\n\r\n", "GET Things HTTP/1.1", "GET $x HTTP/1.1\r\n\r\n",
        "POST Things HTTP/1.1\r\n\r\n{", "GET " + "a" * 4000 + " HTTP/1.1\r\n\r\n"))), 200, "x", GO_ON)
    assert [x[0] for x in read_mixed(a.headers["content-type"], a.body.decode())] == [400, 400, 400, 400, 400, 200, 400, 400, 400]
