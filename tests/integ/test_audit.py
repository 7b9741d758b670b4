"""The audit: every change with how it ended, reads of personal data whichever way they come, and a chain in which nothing
can be changed, removed or put elsewhere."""
import http.server
import json
import os
import socketserver
import subprocess
import threading

import pytest

from kit import city, mqtt, web
from kit.access import add_key, audit, bearer, grant, must
from kit.daemon import CLI, PUBLIC, SLOW, feed, wait_for

FEEDS = {"air": feed("city/air/{thing}", access="restricted"),
         "people": feed("people/{thing}", ["test-air/1"], access="restricted", personal_data=True, purpose="p", legal_ground="g",
                        dpia="https://voorbeeld.nl/dpia", keep_messages="1d"),
         "open": feed("open/{thing}", ["any"], **PUBLIC)}
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "G"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}


@pytest.fixture
def d(own):
    d = own(FEEDS).start()
    for o in ("vendor", "partner"):
        must(d, "organisation", "add", o)
    return d


def lines(d, **wanted):
    return [r for r in audit(d) if all(r.get(k) == v for k, v in wanted.items())]


def told(d, result, **wanted):
    """Waits for a line that fits; result: how it begins."""
    return wait_for(f"{wanted} {result}", lambda: [r for r in lines(d, **wanted) if r["result"].startswith(result)], 5)[0]


def thing_object(method, thing, suffix=""):
    import hashlib  # pylint: disable=import-outside-toplevel
    return f"{method} /v1/things/sha256:{hashlib.sha256(thing.encode()).hexdigest()[:16]}{suffix}"


def test_changes_are_told_with_how_they_ended(d):
    """Of the register, erasures, retries, deletions, identities and grants: one line each, when it is over."""
    assert d.admin("PUT", "/v1/things/pole-1", ENTRY).status == 201
    assert d.admin("PUT", "/v1/things/pole-1", {"name": 3}).status == 400
    assert d.admin("PATCH", "/v1/things/none", {}).status == 404
    assert d.admin("PUT", "/v1/things/pole-2?dryRun=true", ENTRY).status == 200
    assert d.admin("DELETE", "/v1/things/pole-1").status == 204
    told(d, "done", action="administer", object=thing_object("PUT", "pole-1"))
    assert told(d, "refused", action="administer", object=thing_object("PUT", "pole-1"))["result"] == "refused: Bad Request", \
        "what is said of a thing may be personal: its words are not kept"
    told(d, "refused: Not Found", action="administer", object=thing_object("PATCH", "none"))
    told(d, "done", action="administer", object=thing_object("DELETE", "pole-1"))
    assert not lines(d, object=thing_object("PUT", "pole-2")), "a dry run changes nothing"

    assert d.admin("POST", "/v1/things/pole-1/_erase", {"reason": "asked for"}).status == 200
    erased = [r["result"] for r in lines(d, object=thing_object("POST", "pole-1", "/_erase"))]
    assert erased in (["begun"], ["begun", "done"])
    told(d, "done", action="administer", object=thing_object("POST", "pole-1", "/_erase"))
    assert told(d, "done: 0 records", action="erase")["actor"] == "oudpd"

    assert d.admin("POST", "/v1/feeds/air/_trim", {"keep": 1}).status == 200
    told(d, "done", action="administer", object="POST /v1/feeds/air/_trim")
    assert d.admin("POST", "/v1/feeds/air/_trim", {"keep": "x"}).status == 400
    told(d, "refused: ", action="administer", object="POST /v1/feeds/air/_trim")
    assert d.admin("POST", "/v1/feeds/air/quarantine/_retry", {}).status == 200
    told(d, "done", action="administer", object="POST /v1/feeds/air/quarantine/_retry")

    assert d.admin("POST", "/v1/identities", {"name": "x", "organisation": "nobody", "kind": "key"}).status == 400
    assert "no such organisation" in told(d, "refused", action="administer", object="POST /v1/identities")["result"]
    key = add_key(d, "boss")
    told(d, "done", action="access.change", object="i/boss")
    assert not [r for r in lines(d, object="POST /v1/identities") if r["result"] == "done"], "once"
    a = web.request(d.web_port, "POST", "/v1/grants", {"organisation": "partner", "feed": "air", "rights": ["read"]}, bearer(key))
    assert a.status == 403
    assert told(d, "refused: grants are given by", action="administer", object="POST /v1/grants")["actor"] == "boss"


def test_a_client_that_goes_away_changes_nothing_about_that(d):
    """The line comes with the end of the change, not with the answer."""
    import socket  # pylint: disable=import-outside-toplevel
    body = json.dumps(ENTRY).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket_path)
        s.sendall(b"PUT /v1/things/gone HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body)
    told(d, "done", action="administer", object=thing_object("PUT", "gone"))
    assert d.admin("GET", "/v1/things/gone").status == 200


def test_an_erasure_is_told_over_a_death(d, name):
    """What was begun before is told when it is done, by the start that did it."""
    with d.client(name) as c:
        for i in range(5):
            assert c.publish("city/air/pole-9", city.air(i)).reason == 0
    assert d.admin("POST", "/v1/things/pole-9/_erase", {"reason": "asked for"}).status == 200
    told(d, "done: 5 records", action="erase", organisation="gemeente-test")
    before = len(lines(d, action="erase"))
    d.kill()
    with open(os.path.join(d.data_dir, "erased"), encoding="utf-8") as f:
        ledger = f.read()
    with open(os.path.join(d.data_dir, "erased"), "a", encoding="utf-8") as f:  # as a restore does: the line, with a later time
        f.write("2099-01-01T00:00:00.000Z " + ledger.rstrip().split(" ", 1)[1] + "\n")
    d.start()
    wait_for("the second erasure", lambda: len(lines(d, action="erase")) > before, 10)


def test_retention_is_told(own, name):
    d = own({"short": feed("short/#", ["any"], keep_messages="1d", keep_messages_max="1MiB")}).start()
    with d.client(name) as c:
        for i in range(300):
            c.publish("short/x", b"%d " % i + b"x" * 10000)
    wait_for("a deletion", lambda: d.feed("short").get("first", 1) > 1, 30)
    assert "are deleted" in told(d, "records before", action="retention", object="short")["result"]


READS = [("the log", "/v1/feeds/people/events?after=0"), ("the series", "/v1/datastreams?feed=people"),
         ("observations", "/v1/observations?feed=people"), ("observations of a thing", "/v1/observations?thing=ann"),
         ("SensorThings", "/sta/v1.1/Observations"), ("the page", "/feeds/people"), ("the thing's page", "/t/ann"),
         ("the map", "/map?feed=people"), ("the quarantine", "/v1/feeds/people/quarantine")]
NO_READS = ["/v1/feeds/people", "/v1/observations?feed=air", "/v1/feeds/air/events?after=0", "/v1/feeds", "/feeds/air"]


def test_every_way_to_personal_data_is_told(d, name):
    """And what shows none of it is not."""
    with d.client(name) as c:
        for f, topic in (("people", "people/ann"), ("air", "city/air/pole")):
            assert c.publish(topic, city.air(1)).reason == 0, f
    for i, (what, path) in enumerate(READS):
        key = add_key(d, f"reader-{i}", "partner")
        grant(d, "*", "read,admin", identity=f"reader-{i}")
        a = wait_for(what, lambda p=path, k=key: (a := web.request(d.web_port, "GET", p, None, bearer(k), timeout=10 * SLOW)).status
                     == 200 and a, 5)
        assert a.status == 200, (what, a)
        told(d, "done", action="read", object="people", actor=f"reader-{i}", organisation="partner")
    key = add_key(d, "other", "partner")
    grant(d, "*", "read", identity="other")
    for path in NO_READS:
        assert web.request(d.web_port, "GET", path, None, bearer(key), timeout=10 * SLOW).status == 200, path
    assert d.admin("GET", "/v1/observations?feed=people").status == 200
    told(d, "done", action="read", object="people", actor="administrator")
    assert not lines(d, action="read", actor="other")


# ---- the chain ----

class Liar(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The broker's socket, by somebody who may write its store: one page of the events given."""

    def __init__(self, path, events):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                after = int(self.path.split("after=")[1].split("&")[0])
                body = json.dumps([e for e in events if int(e["sequence"]) > after]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/cloudevents-batch+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self):
                return "socket"

            def log_message(self, *_):
                pass
        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def verify(tmp_path, events, *arguments):
    path = str(tmp_path / "liar.sock")
    if os.path.exists(path):
        os.unlink(path)
    liar = Liar(path, events)
    try:
        return subprocess.run([CLI, "audit", "verify", *arguments], capture_output=True, text=True, timeout=20 * SLOW,
                              env={**os.environ, "OUDP_SOCKET": path})
    finally:
        liar.shutdown()
        liar.server_close()


def test_verify_finds_what_was_done_to_the_chain(d, tmp_path):
    for i in range(6):
        add_key(d, f"k{i}")
    wait_for("the lines", lambda: len(audit(d)) >= 8, 5)
    events = [e for e in d.admin("GET", "/v1/feeds/oudp-audit/events?after=0").json() if "sequence" in e]
    assert len(events) >= 8
    done = verify(tmp_path, events)
    assert done.returncode == 0 and "is whole" in done.stdout, done

    def copy():
        return json.loads(json.dumps(events))

    def swap(list_, i, k):
        list_[i]["data"], list_[k]["data"] = list_[k]["data"], list_[i]["data"]
        return list_
    changed, added, hidden = copy(), copy(), copy()
    changed[3]["data"]["actor"] = "somebody-else"
    added[3]["data"]["note"] = "more"
    hidden[3]["data"].pop("origin")
    renumbered = [{**e, "sequence": str(i + 1)} for i, e in enumerate(copy()[:3] + copy()[4:])]
    for what, lie, words in (
            ("changed", changed, "was changed"), ("a member more", added, "was changed"), ("a member less", hidden, "was changed"),
            ("removed", copy()[:3] + copy()[4:], "are missing"), ("removed and renumbered", renumbered, "does not follow"),
            ("the first removed", [{**e, "sequence": str(i + 1)} for i, e in enumerate(copy()[1:])], "is the first, and follows"),
            ("reordered", swap(copy(), 3, 4), "does not follow"), ("twice", swap(copy(), 3, 4)[:3] + copy()[2:], "")):
        done = verify(tmp_path, lie)
        assert done.returncode == 1 and words in done.stdout and "is not whole" in done.stdout, (what, done)
    # a tail that is cut off leaves a whole chain: a hash that was kept shows it
    kept = events[-1]["data"]["hash"]
    assert verify(tmp_path, copy()[:-2]).returncode == 0
    done = verify(tmp_path, copy()[:-2], "--holds", kept)
    assert done.returncode == 1 and "the hash that was kept is not in the chain" in done.stdout, done
    assert verify(tmp_path, events, "--holds", kept).returncode == 0
    assert must(d, "audit", "verify", "--holds", kept)


def test_a_record_that_is_flipped_on_disk_is_found(d):
    """By its checksum: it is not given out as if it were good."""
    add_key(d, "marker-name-1")
    told(d, "done", object="i/marker-name-1")
    d.stop()
    path = os.path.join(d.data_dir, "journal", "data.mdb")
    with open(path, "r+b") as f:
        data = f.read()
        at = data.find(b'"object":"i/marker-name-1"')
        assert at > 0
        while at > 0:
            f.seek(at)
            f.write(b'"object":"i/marker-name-2"')
            at = data.find(b'"object":"i/marker-name-1"', at + 1)
    try:
        d.start()
    except AssertionError:
        assert "checksum" in d.errors() and "damaged" in d.errors(), d.errors()[-500:]
        d.kill()
        return
    assert d.oudp("audit", "verify").returncode != 0
    d.kill()


# ---- what follows from an erasure ----

def test_erased_is_told_over_mqtt(d, name):
    """As over WebSocket, and to whom it concerns only."""
    near, far, none = (add_key(d, n, "partner") for n in ("near", "far", "none"))
    grant(d, "air", "subscribe", identity="near", thing="pole-*")
    grant(d, "air", "subscribe", identity="far", thing="other-*")
    with d.client(name) as c:
        assert c.publish("city/air/pole-1", city.air(1)).reason == 0
    everybody = d.client(name)
    keys = {n: d.client(f"{name}-{n}", user="", password=k) for n, k in (("near", near), ("far", far), ("none", none))}
    with web.WebSocket(d.web_port, "/v1/feeds/air/events", headers=bearer(far), timeout=10 * SLOW) as w:
        web.until_live(w)
        for c in (everybody, *keys.values()):
            assert c.subscribe("$oudp/erased/+") == [0]
        assert d.admin("POST", "/v1/things/pole-1/_erase", {"reason": "x"}).status == 200
        for c in (everybody, keys["near"]):
            p = c.expect(mqtt.PUBLISH)
            event = json.loads(p.payload)
            assert p.topic == "$oudp/erased/air" and not p.retain
            assert event["type"] == "nl.oudp.thing.erased.v1"
            assert event["data"] == {"feed": "air", "organisation": "gemeente-test", "thing": "pole-1", "records": 1}
        keys["far"].expect_quiet()
        keys["none"].expect_quiet()
        with d.client(name + "p") as c:
            assert c.publish("city/air/other-1", city.air(2)).reason == 0
        assert w.event()["subject"] == "other-1", "who may not see the thing is not told its name"
    for c in (everybody, *keys.values()):
        c.close()
