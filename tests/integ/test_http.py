"""The API over HTTP: pages, errors, publishing, what every answer carries."""
import json
import re
import socket
import threading
import time

import pytest

from kit import city, daemon, web
from kit.daemon import SLOW, feed

FEEDS = {**daemon.FEEDS, "paged": feed("paged/#", ["any"]), "empty": feed("empty/#", ["any"]),
         "posted": feed("city/posted/{thing}"), "windowed": feed("city/windowed/{thing}", max_age="1h")}
BATCH = "application/cloudevents-batch+json"
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


@pytest.fixture(scope="module")
def paged(broker):
    with broker.client("paged") as c:
        for i in range(250):
            c.publish(f"paged/{i % 10}", json.dumps({"n": i}))
    return broker


def security(answer):
    """NL API Design Rules and the transport security rules: on every answer, errors too."""
    h = answer.headers
    assert re.fullmatch(r"\d+\.\d+\.\d+", h.get("api-version", "")), h
    assert h.get("x-content-type-options") == "nosniff", h
    assert "no-store" in h.get("cache-control", ""), h
    assert "frame-ancestors 'none'" in h.get("content-security-policy", ""), h
    assert h.get("x-frame-options", "").upper() == "DENY", h


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json", answer
    security(answer)
    p = answer.json()
    assert p["status"] == status and p["title"], p
    return p


def test_one_event_exactly(broker, name):
    """CloudEvents by the NL GOV profile: every attribute, no other."""
    observed = city.now(-5)
    payload = city.air(31.5, observed, id=name)
    with broker.client(name) as c:
        assert c.publish(f"city/air/{name}", payload).reason == 0
    f = broker.feed("air")
    a = broker.page("air", after=f["last"] - 1)
    assert a.headers["content-type"].split(";")[0] == BATCH
    security(a)
    e, = a.json()
    stored = e.pop("time")
    assert re.fullmatch(RFC3339, stored) and abs(city.parse_time(stored) - time.time()) < 30
    assert city.parse_time(e.pop("observedtime")) == city.parse_time(observed)
    dataschema = e.pop("dataschema")
    assert dataschema == f"http://127.0.0.1:{broker.web_port}/v1/schemas/test-air/1"
    assert e == {
        "specversion": "1.0", "id": f"air:{f['epoch']}:{f['last']}",
        "source": "urn:nld:oin:00000001234567890000:systeem:oudp", "type": "nl.stad.test-air.v1", "subject": name,
        "datacontenttype": "application/json", "sequence": str(f["last"]), "sequencetype": "Integer",
        "data": json.loads(payload)}
    got = broker.get("/v1/schemas/test-air/1")
    assert got.status == 200 and got.headers["content-type"].split(";")[0] == "application/schema+json"
    assert got.json() == city.air_schema()


def test_data_that_is_not_json(broker, name):
    with broker.client(name) as c:
        c.publish(f"raw/{name}", b"\x00\xff\xfe")
    e = broker.page("raw", after=broker.feed("raw")["last"] - 1).json()[0]
    assert e["data_base64"] == "AP/+" and "data" not in e and "dataschema" not in e


def test_data_is_the_payload_as_sent(broker, name):
    """Numbers keep their digits; member order stays."""
    payload = '{ "pm25" :1.50e0, "dateObserved":"%s","note":"\\u00e9\\ud83d\\ude00\\u0000"}' % city.now()
    with broker.client(name) as c:
        assert c.publish(f"city/air/{name}", payload).reason == 0
    a = broker.page("air", after=broker.feed("air")["last"] - 1)
    assert b'1.50e0' in a.body
    assert a.json()[0]["data"]["note"] == "\u00e9\U0001f600\x00"


def test_pages(paged):
    """Along rel=next every record once, in order; the last page leads on to what is yet to come."""
    seen, path, pages = [], "/v1/feeds/paged/events?after=0&limit=100", 0
    while True:
        a = paged.get(path)
        assert a.status == 200, a
        events = a.json()
        assert len(events) <= 100
        path = web.link_next(a)
        assert path, "every page has a next"
        if not events:
            break
        seen += events
        pages += 1
    assert [e["sequence"] for e in seen] == [str(i) for i in range(1, 251)]
    assert pages == 3
    with paged.client("paged") as c:
        c.publish("paged/x", '{"n": 250}')
    assert [e["sequence"] for e in paged.get(path).json()] == ["251"]


def test_after_takes_every_form(paged):
    epoch = paged.feed("paged")["epoch"]
    for after in ("200", f"{epoch}:200", f"paged:{epoch}:200"):
        assert paged.page("paged", after=after, limit=1).json()[0]["sequence"] == "201", after


def test_page_without_after_starts_at_the_first(paged):
    assert paged.page("paged", limit=2).json()[0]["sequence"] == "1"


def test_default_limit_is_bounded(paged):
    assert 1 <= len(paged.page("paged").json()) <= 1000


def test_thing_filter_and_its_next(broker, name):
    """The link points past the last record examined, so that a rare thing does not read the feed again and again."""
    start = broker.feed("air")["last"]
    with broker.client(name) as c:
        for i in range(60):
            c.publish(f"city/air/{name}-{'a' if i % 20 == 0 else 'b'}", city.air())
    a = broker.page("air", after=start, thing=f"{name}-a")
    assert [int(e["sequence"]) - start for e in a.json()] == [1, 21, 41]
    m = re.search(r"after=(?:\d+(?::|%3A))?(\d+)", web.link_next(a))
    assert int(m.group(1)) == start + 60
    assert f"thing={name}-a" in web.link_next(a)


def test_since(broker, name):
    with broker.client(name) as c:
        c.publish(f"raw/{name}", "old")
        time.sleep(0.6)
        since = city.now(-0.2)
        c.publish(f"raw/{name}", "new")
    got = broker.page("raw", since=since).json()
    assert [e["sequence"] for e in got] == [str(broker.feed("raw")["last"])]
    assert broker.page("raw", since=city.now(60)).json() == []
    assert broker.page("raw", since="2001-01-01T00:00:00Z", limit=1).json()[0]["sequence"] == "1"


def test_long_poll(broker, name):
    n = broker.feed("raw")["last"]
    with broker.client(name) as c:
        timer = threading.Timer(0.7, lambda: c.publish(f"raw/{name}", "awaited"))
        timer.start()
        start = time.monotonic()
        events = broker.page("raw", after=n, wait=10).json()
        took = time.monotonic() - start
        timer.join()
    assert [e["sequence"] for e in events] == [str(n + 1)]
    assert 0.5 < took < 5
    start = time.monotonic()
    a = broker.page("raw", after=n + 1, wait=1)
    assert a.json() == [] and 0.8 < time.monotonic() - start < 4
    start = time.monotonic()
    assert len(broker.page("raw", after=n, wait=10).json()) == 1
    assert time.monotonic() - start < 2, "what is there is given at once"


def test_page_after_trim_tells_the_gap(own, name):
    d = own()
    d.start()
    with d.client(name) as c:
        for i in range(20):
            c.publish(f"raw/{name}", f"{i}")
    assert d.admin("POST", "/v1/feeds/raw/_trim", {"before": 11}).json() == {"deleted": 10, "first": 11}
    events = d.page("raw", after=3).json()
    gap = events[0]
    assert gap["type"] == web.GAP and "sequence" not in gap and gap["id"]
    assert gap["data"]["reason"] == "expired"
    assert [e["sequence"] for e in events[1:]] == [str(i) for i in range(11, 21)]
    assert d.page("raw", after=10).json()[0]["sequence"] == "11", "nothing was lost for who had 10"


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=1.5", "after=", "after=air", "after=1:2:3:4", "limit=0",
                                   "limit=x", "limit=-5", "wait=x", "wait=-1", "since=yesterday", "since=2020-13-01T00:00:00Z",
                                   "after=99999999999999999999999", "nosuch=1", "after=1&since=2020-01-01T00:00:00Z",
                                   "after=%25zz", "after=1%0A", "after=1%0D%0AOrigin:%20http://localhost",
                                   "%0A", "after=%0d1"])
def test_bad_query(broker, query):
    p = problem(broker.get(f"/v1/feeds/air/events?{query}"), 400)
    assert p["detail"], "says which parameter and why"


@pytest.mark.parametrize("path", ["/", "/v1/nosuch", "/v1/feeds/nosuch", "/v1/feeds/nosuch/events", "/v1/feeds/air/nosuch",
                                  "/v1/schemas/nosuch/1", "/v1/schemas/test-air/9", "/v2/feeds", "/v1/feeds/%2e%2e/x",
                                  "/v1/feeds/air/events/1", "/v1/feeds/AIR", "/../../etc/passwd"])
def test_404(broker, path):
    a = broker.get(path)
    if path == "/" and a.status in (200, 301, 302, 303, 307, 308):
        return  # a start page is not an error
    problem(a, 404)


@pytest.mark.parametrize("method,path", [("DELETE", "/v1/feeds"), ("PUT", "/v1/feeds/air/events"), ("POST", "/v1/status"),
                                         ("PATCH", "/v1/feeds/air"), ("POST", "/v1/schemas")])
def test_405(broker, method, path):
    a = web.request(broker.web_port, method, path, "{}", {"Content-Type": "application/json"})
    problem(a, 405)
    assert "GET" in a.headers["allow"], a.headers


def test_head_and_options(broker):
    a = web.request(broker.web_port, "HEAD", "/v1/feeds")
    assert a.status == 200 and a.body == b""
    security(a)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_406(broker, accept):
    problem(broker.get("/v1/feeds/air/events", {"Accept": accept}), 406)


@pytest.mark.parametrize("accept", ["*/*", "application/*", BATCH, f"text/html;q=0.9, {BATCH};q=0.5", "application/json"])
def test_accepted(broker, accept):
    assert broker.get("/v1/feeds/air/events", {"Accept": accept}).status == 200


@pytest.mark.parametrize("content", ["text/plain", "application/xml", "application/x-www-form-urlencoded", None])
def test_415(broker, content):
    problem(broker.post("/v1/feeds/posted/events?thing=x", b"{}", {"Content-Type": content} if content else {}), 415)


def test_trailing_slash(broker):
    """NL API Design Rules API-48: no trailing slash; 404, or a redirect to the address without."""
    assert broker.get("/v1/feeds/").status in (301, 308, 404)


JSON = {"Content-Type": "application/json"}


def test_post_one(broker, name):
    payload = city.air()
    a = broker.post(f"/v1/feeds/posted/events?thing={name}", payload, JSON)
    assert a.status == 201, a
    security(a)
    f = broker.feed("posted")
    n = f["last"]
    assert a.json() == {"sequence": n, "id": f"posted:{f['epoch']}:{n}"}
    assert a.headers["location"], a.headers
    e = broker.page("posted", after=n - 1).json()[0]
    assert (e["data"], e["subject"]) == (json.loads(payload), name)


def test_post_with_a_topic(broker, name):
    a = broker.post(f"/v1/feeds/posted/events?topic=city/posted/{name}", city.air(), JSON)
    assert a.status == 201, a
    assert broker.page("posted", after=a.json()["sequence"] - 1).json()[0]["subject"] == name
    problem(broker.post(f"/v1/feeds/posted/events?topic=city/air/{name}", city.air(), JSON), 400)
    problem(broker.post("/v1/feeds/posted/events?topic=city/%2b/x", city.air(), JSON), 400)


def test_post_needs_what_the_topic_needs(broker):
    """A topic with {thing} cannot be made without one."""
    p = problem(broker.post("/v1/feeds/posted/events", city.air(), JSON), 400)
    assert "thing" in p["detail"]


def test_post_duplicate(broker, name):
    payload = city.air()
    n = broker.post(f"/v1/feeds/posted/events?thing={name}", payload, JSON).json()["sequence"]
    a = broker.post(f"/v1/feeds/posted/events?thing={name}", payload, JSON)
    assert (a.status, a.json()) == (200, {"sequence": n, "duplicate": True})


def test_post_refused_with_all_errors_at_once(broker, name):
    payload = json.dumps({"dateObserved": "yesterday", "pm25": 1200, "note": 5, "colour": "red"})
    p = problem(broker.post(f"/v1/feeds/posted/events?thing={name}", payload, JSON), 400)
    assert p["detail"], p
    by_rule = {e["rule"]: e for e in p["errors"]}
    assert {"maximum", "type", "additionalProperties"} <= set(by_rule), p
    assert by_rule["maximum"]["pointer"] == "/pm25" and by_rule["maximum"]["schema"] == "test-air/1"
    assert "1200" in by_rule["maximum"]["detail"]
    assert by_rule["type"]["pointer"] == "/note"
    row = [r for r in broker.quarantine("posted", limit=1000) if r["payload"] == payload][-1]
    assert row["protocol"] == "http" and row["publisher"] == "http"


@pytest.mark.parametrize("body", ["", "{", "[", "nul", '{"a":1,}', "\xff"])
def test_post_not_json(broker, body):
    problem(broker.post("/v1/feeds/posted/events?thing=x", body.encode("latin-1"), JSON), 400)


def test_post_time_out_of_window(broker):
    p = problem(broker.post("/v1/feeds/windowed/events?thing=x", city.air(time=city.now(-7200)), JSON), 400)
    assert p["errors"][0]["rule"] == "time"


def test_post_ndjson(broker, name):
    """A line of result for each line, in order, whatever their verdicts; kept like all others."""
    n = broker.feed("posted")["last"]
    good = [city.air() for _ in range(3)]
    lines = [good[0], city.air(1200), good[1], "not json", good[0], good[2]]
    a = broker.post(f"/v1/feeds/posted/events?thing={name}", "\n".join(lines) + "\n", {"Content-Type": "application/x-ndjson"})
    assert a.status == 200, a
    got = [json.loads(x) for x in a.body.splitlines()]
    assert [(g["status"], g.get("sequence")) for g in got] == [
        (201, n + 1), (400, None), (201, n + 2), (400, None), (200, n + 1), (201, n + 3)]
    assert got[1]["detail"] and got[3]["detail"]
    assert broker.feed("posted")["last"] == n + 3


def test_post_many_lines(broker, name):
    n, count = broker.feed("posted")["last"], 5000
    body = "\n".join(city.air() for _ in range(count))
    a = broker.post(f"/v1/feeds/posted/events?thing={name}", body, {"Content-Type": "application/x-ndjson"}, timeout=60)
    got = [json.loads(x) for x in a.body.splitlines()]
    assert [g["sequence"] for g in got] == list(range(n + 1, n + count + 1))


def test_post_too_large(broker):
    """Said before the body is sent, and to who sends it all the same too."""
    a = broker.post("/v1/feeds/raw/events?topic=raw/x", b'"' + b"x" * (2 << 20) + b'"', JSON)
    assert "larger than" in problem(a, 413)["detail"]


def test_post_chunked(broker, name):
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", broker.web_port, timeout=10)
    payload = city.air().encode()
    try:
        c.request("POST", f"/v1/feeds/posted/events?thing={name}", iter([payload[:20], payload[20:]]), JSON)
    except (BrokenPipeError, ConnectionResetError):  # refused before the second chunk was written
        c.close()
        assert broker.get("/v1/feeds").status == 200
        return
    assert c.getresponse().status in (201, 411)
    c.close()


def test_feeds(broker):
    a = broker.get("/v1/feeds")
    assert a.status == 200
    security(a)
    feeds = {f["name"]: f for f in a.json()["feeds"]}
    assert set(feeds) == {*FEEDS, "oudp-alerts"}
    f = feeds["air"]
    assert f["title"] == "Air" and f["access"] == "internal" and f["priority"] == "normal"
    assert f["topics"] == ["city/air/{thing}"] and f["schemas"] == ["test-air/1"]
    assert f["epoch"] > 0 and f["records"] == f["last"] - f["first"] + 1
    assert feeds["empty"]["lastStored"] is None and feeds["empty"]["records"] == 0 and feeds["empty"]["last"] == 0


def test_status(broker, name):
    with broker.client(name), broker.ws("raw"):
        s = broker.get("/v1/status").json()
        assert s["connections"]["mqtt"] >= 1 and s["connections"]["websocket"] >= 1
    assert s["ready"] is True and s["organisation"] == "gemeente-test" and re.fullmatch(r"[0-9a-f]{32}", s["storeId"])
    assert s["counters"]["stored"] >= 0 and s["store"]["usedBytes"] <= s["store"]["mapBytes"]
    assert {f["name"] for f in s["feeds"]} == {*FEEDS, "oudp-alerts"}


def test_schemas(broker):
    ids = [s["id"] for s in broker.get("/v1/schemas").json()["schemas"]]
    assert "test-air/1" in ids and len(ids) == len(set(ids))


@pytest.mark.parametrize("path,body", [("/v1/feeds/air/_trim", {"keep": 0}), ("/v1/_reload", {}),
                                       ("/v1/feeds/air/quarantine/_retry", {}), ("/v1/unrouted/_retry", {})])
def test_administration_is_refused_on_tcp(broker, path, body):
    n = broker.feed("air")
    problem(broker.post(path, body), 403)
    assert broker.feed("air")["records"] == n["records"]


def test_the_socket_is_the_administrators_alone(broker):
    import os
    import stat
    mode = os.stat(broker.socket_path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_requests_that_are_not_http(broker):
    for junk in (b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 20000, b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /v1/feeds/air/events HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST /v1/feeds/air/events HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", broker.web_port), 3) as s:
            s.sendall(junk)
            s.settimeout(0.3)
            try:
                s.recv(1000)
            except (socket.timeout, ConnectionError):
                pass
    assert broker.get("/v1/feeds").status == 200


def test_many_requests_at_once(paged):
    errors = []

    def read():
        try:
            for _ in range(10):
                assert len(paged.page("paged", after=0, limit=1000).json()) >= 250
        except Exception as e:  # pylint: disable=broad-except
            errors.append(e)
    threads = [threading.Thread(target=read) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]


PIPELINED = [b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/feeds/empty/events?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n",
             b"POST /v1/feeds/posted/events?thing=pipe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
             b"Content-Length: 7\r\n\r\n{\"a\":1}"]


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("second", range(3))
def test_pipelined_requests_stop_nobody(broker, first, second):
    """Answered or closed, as the server likes; but the others are served, and the memory stays."""
    before = broker.memory_kb()
    with socket.create_connection(("127.0.0.1", broker.web_port)) as s:
        s.settimeout(3)
        s.sendall(PIPELINED[first] + PIPELINED[second] + PIPELINED[first])
        assert broker.get("/v1/feeds").status == 200
        try:
            while s.recv(100000):
                pass
        except (TimeoutError, ConnectionResetError):
            pass
    assert broker.get("/v1/feeds").status == 200
    if SLOW == 1:  # a sanitizer's memory is not the daemon's
        assert broker.memory_kb() < before + (64 << 10)


def test_a_body_begins_a_page_that_waits_not_anew(tmp_path):
    """Its subscriber would be there twice, once for ever: the end of the daemon waited for it in vain."""
    with daemon.Daemon(tmp_path, {"empty": feed("empty/#", ["any"])}) as d:
        with socket.create_connection(("127.0.0.1", d.web_port)) as s:
            s.sendall(b"GET /v1/feeds/empty/events?wait=9 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            time.sleep(0.1)
            start = time.monotonic()
            d.stop()
            assert time.monotonic() - start < 4 * SLOW
