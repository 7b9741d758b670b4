"""Connections that carry many requests: each answer is the one that a connection of its own would have got, nothing is
lost or mixed, and what cannot go on ends in order."""
import http.client
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from kit import certs, daemon, tokens, web
from kit.access import add_key, bearer, grant, must
from kit.daemon import SLOW, block, feed, free_ports, outside_address, wait_for
from kit.http1 import Connection, Ended, request

FEEDS = {**daemon.FEEDS, "paged": feed("paged/#", ["any"]), "empty": feed("empty/#", ["any"]), "bulk": feed("bulk/#", ["any"]),
         "large": feed("large/#", ["any"])}
SEQUENCES = int(os.environ.get("KEEP_SEQUENCES", "300"))  # CI plays some; the long run of a release 10,000
JSON, NDJSON = "Content-Type: application/json", "Content-Type: application/x-ndjson"

# method, path, body, headers: what is answered the same whenever it is asked
ASKED = [
    ("GET", "/v1/schemas/test-air/1", None, ()),
    ("GET", "/v1/feeds/paged/events?limit=3&after=0", None, ()),
    ("GET", "/v1/feeds/paged/events?limit=1000&after=0", None, ()),  # many pieces
    ("GET", "/v1/nosuch", None, ()),
    ("GET", "/v1/feeds/air?x=1", None, ()),
    ("HEAD", "/v1/schemas/test-air/1", None, ()),
    ("HEAD", "/v1/nosuch", None, ()),
    ("OPTIONS", "/v1/feeds/paged/events", None, ()),
    ("DELETE", "/v1/feeds/paged/events", None, ()),
    ("GET", "/assets/style.css", None, ()),
    ("GET", "/v1/nosuch", b"a body that nobody wants", ()),
    ("POST", "/v1/feeds/air/events?topic=city/air/x", b'{"pm10":"no number"}', (JSON,)),
    ("POST", "/v1/feeds/air/events?topic=city/air/x", b"{", (JSON, "Expect: 100-continue")),
    ("POST", "/v1/nosuch", b"x" * 5000, (JSON,)),
    ("POST", "/v1/nosuch", b"", (JSON,)),
    ("PUT", "/v1/nosuch", b"", ()),
    ("PATCH", "/v1/nosuch", b"{}", (JSON,)),
    ("POST", "/v1/feeds/air/events?topic=city/air/x", b'{"pm10":"no number"}\n{\n' * 50, (NDJSON,)),
]
CHANGING = ("connection", "keep-alive", "date")


@pytest.fixture(scope="module")
def kept(broker):
    with broker.client("kept") as c:
        for i in range(300):
            c.publish(f"paged/{i % 10}", json.dumps({"n": i, "text": "x" * 50}))
    return broker


@pytest.fixture(scope="module")
def large(kept):
    """Messages of a feed, 10 MB: more than sockets hold."""
    with kept.client("large") as c:
        for i in range(250):
            c.publish(f"large/{i}", json.dumps({"n": i, "text": "x" * 40000}))
    return 250


@pytest.fixture(scope="module")
def alone(kept):
    """What each of ASKED is answered on a connection of its own."""
    def one(method, path, body, headers):
        with Connection(kept.web_port) as c:
            return same(c.ask(method, path, body, "Connection: close", *headers))
    found = [one(*a) for a in ASKED]
    assert {a[0] for a in found} >= {200, 204, 400, 404, 405}
    return found


def same(answer):
    return answer.status, {k: v for k, v in answer.headers.items() if k not in CHANGING}, answer.body


def bytes_of(i):
    method, path, body, headers = ASKED[i]
    return request(method, path, body, *headers)


def test_many_requests_one_connection(kept, alone):
    with Connection(kept.web_port) as c:
        for i in [*range(len(ASKED)), *reversed(range(len(ASKED)))]:
            c.send(bytes_of(i))
            a = c.answer(ASKED[i][0])
            assert same(a) == alone[i] and a.stays, (ASKED[i], a)


def test_of_the_library_and_of_the_shell(kept):
    """http.client and curl keep to it without being asked."""
    c = http.client.HTTPConnection("127.0.0.1", kept.web_port, timeout=10 * SLOW)
    c.connect()
    first = c.sock
    for path in ("/v1/feeds", "/v1/nosuch", "/v1/feeds/air", "/v1/feeds/air/events?limit=1"):
        c.request("GET", path)
        r = c.getresponse()
        r.read()
        assert r.status == (404 if "nosuch" in path else 200) and c.sock is first
    c.close()
    url = f"http://127.0.0.1:{kept.web_port}/v1"
    p = subprocess.run(["curl", "-sv", f"{url}/feeds", f"{url}/nosuch", f"{url}/feeds/air", "-d", "{}", f"{url}/tickets"],
                       capture_output=True, text=True, timeout=20 * SLOW)
    assert p.stderr.count("Re-using existing connection") == 3, p.stderr


def test_not_modified(kept):
    with Connection(kept.web_port) as c:
        a = c.ask("GET", "/assets/style.css")
        for _ in range(3):
            b = c.ask("GET", "/assets/style.css", None, f"If-None-Match: {a.headers['etag']}")
            assert b.status == 304 and b.stays and b.body == b"" and "content-length" not in b.headers
        assert c.ask("GET", "/assets/style.css").body == a.body
        assert "content-length" not in c.ask("OPTIONS", "/v1/feeds").headers


@pytest.mark.parametrize("version, said, stays", [("1.1", None, True), ("1.1", "keep-alive", True), ("1.1", "close", False),
                                                  ("1.1", "TE, Close", False), ("1.1", "x" * 300, False), ("1.0", None, False),
                                                  ("1.0", "keep-alive", False)])
def test_who_wants_it(kept, version, said, stays):
    with Connection(kept.web_port) as c:
        c.send(f"GET /v1/nosuch HTTP/{version}\r\nHost: x\r\n{f'Connection: {said}' + chr(13) + chr(10) if said else ''}\r\n".encode())
        assert c.answer().stays == stays
        if not stays:
            assert c.ends()


# ---- requests one after another, without waiting ----

def read_pipelined(c, order, alone):
    """The first is answered; each other one is, in order, or the connection has ended in order. Gives how many were."""
    for at, i in enumerate(order):
        try:
            a = c.answer(ASKED[i][0])
        except Ended as e:
            assert at and not e.at, f"{at} answers, then {e}"
            return at
        assert same(a) == alone[i], (at, ASKED[i], a)
        if not a.stays:
            assert c.ends()
            return at + 1
    return len(order)


@pytest.mark.parametrize("first", range(len(ASKED)))
def test_pipelined(kept, alone, first):
    for second in range(len(ASKED)):
        with Connection(kept.web_port) as c:
            c.send(bytes_of(first) + bytes_of(second) + bytes_of(first))
            read_pipelined(c, [first, second, first], alone)
        with Connection(kept.web_port) as c:  # the second one when the first is here, or nearly
            n = len(bytes_of(first))
            c.send(bytes_of(first) + bytes_of(second), [n + random.randint(-5, 5) for _ in range(2)], 0.0005)
            read_pipelined(c, [first, second], alone)


def test_more_behind_an_answer_that_waits(kept):
    """A page that waits for its first event, and a second request behind it: neither is lost, and the loop rests."""
    for second in (request("GET", "/v1/feeds"), request("POST", "/v1/nosuch", b"123")):
        with Connection(kept.web_port) as c:
            c.send(request("GET", "/v1/feeds/empty/events?wait=2") + second)
            before = kept.cpu_seconds()
            a = c.answer()
            assert a.status == 200 and a.body == b"[]" and not a.stays and c.ends()
            assert kept.cpu_seconds() - before < 0.5 * SLOW
        with Connection(kept.web_port) as c:  # it comes later: it is answered
            c.send(request("GET", "/v1/feeds/empty/events?wait=2"))
            time.sleep(1)
            c.send(second)
            before = kept.cpu_seconds()
            a = c.answer()
            assert a.status == 200 and a.stays
            assert c.answer().status in (200, 404)
            assert kept.cpu_seconds() - before < 0.5 * SLOW


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*"])
@pytest.mark.parametrize("how", ["close", "half"])
def test_who_goes_away_while_it_waits_costs_nothing(kept, accept, how):
    with Connection(kept.web_port) as c:
        c.send(request("GET", "/v1/feeds/empty/events" + ("?wait=3" if accept == "*/*" else ""), None, f"Accept: {accept}"))
        time.sleep(0.2)
        if how == "close":
            c.sock.close()
        else:
            c.sock.shutdown(socket.SHUT_WR)
        time.sleep(1)
        before = kept.cpu_seconds()
        time.sleep(1)
        assert kept.cpu_seconds() - before < 0.3 * SLOW
        if how == "half" and accept == "*/*":
            assert c.answer().body == b"[]" and c.ends()


SLOWLY = {  # what the client does while it takes its answer slowly
    "rests": lambda c: None,
    "half": lambda c: c.sock.shutdown(socket.SHUT_WR),
    "more": lambda c: c.sock.sendall(request("GET", "/v1/nosuch")),
    "behind": None,  # the same, with the request
}


def turns(d):
    return int(re.search(r"^oudp_loop_turns_total (\d+)$", web.request(d.admin_port, "GET", "/metrics").body.decode(), re.M)[1])


@pytest.mark.parametrize("what", SLOWLY)
def test_who_takes_a_large_answer_slowly_costs_nothing(kept, large, what):
    """It stops to read for some seconds, three times: the loop rests meanwhile, and nothing is missing."""
    with Connection(kept.web_port, receive=4096) as c:
        c.send(request("GET", "/v1/feeds/large/events?after=0", None, "Accept: text/event-stream") +
               (request("GET", "/v1/nosuch") if what == "behind" else b""))
        assert c.head()[0] == 200
        if SLOWLY[what]:
            SLOWLY[what](c)
        for _ in range(3):
            time.sleep(1)  # four ticks: it is known by then
            before = turns(kept)
            time.sleep(1.5)
            assert turns(kept) - before < 500
            c.take_some(2_000_000)  # more than sockets hold: the broker has to go on
        while f'"n": {large - 1},'.encode() not in c.rest[-100_000:]:
            c.fill()
        assert [int(n) for n in re.findall(rb'"n": (\d+)', c.rest)] == list(range(large))


# ---- what cannot go on ends in order ----

@pytest.mark.parametrize("head, status", [
    (b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n", 413),
    (b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\n\r\n", 411),
    (b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\nContent-Length: 12, 14\r\n\r\n", 400),
    (b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nContent-Length: 14\r\n\r\n", 400),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\n", 400),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n", 400),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\n", 400),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nCONTENT-LENGTH\t: 4\r\n\r\n", 400),
    (b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
])
@pytest.mark.parametrize("before", [0, 2])
def test_an_answer_before_the_body(kept, head, status, before):
    """It arrives although the body is sent all the same: no reset overtakes it."""
    with Connection(kept.web_port) as c:
        for _ in range(before):
            assert c.ask("GET", "/v1/nosuch").stays
        c.send(head)
        try:
            for _ in range(30):
                c.send(b"5\r\nabcde\r\nGET / HTTP/1.1\r\n\r\n" * 3500)
        except ConnectionError:
            pass
        a = c.answer()
        assert a.status == status and not a.stays, a
    assert kept.get("/v1/feeds").status == 200


def test_a_body_in_many_pieces_on_a_used_connection(kept, name):
    lines = b"".join(b'{"data":%d}\n' % i for i in range(5000))
    with Connection(kept.web_port, 30 * SLOW) as c:
        for expect in ((), ("Expect: 100-continue",)):
            assert c.ask("GET", "/v1/feeds/bulk").stays
            data = request("POST", f"/v1/feeds/bulk/events?topic=bulk/{name}", lines, NDJSON, *expect)
            c.send(data, [random.randrange(len(data)) for _ in range(20)])
            a = c.answer()
            assert a.status == 200 and a.stays and a.body.count(b"\n") == 5000, a


def test_events_and_websocket_after_other_requests(kept, name):
    with Connection(kept.web_port) as c:
        assert c.ask("GET", "/v1/feeds").stays
        assert c.ask("POST", "/v1/nosuch", b"12").stays
        c.send(request("GET", "/v1/feeds/raw/events", None, "Accept: text/event-stream"))
        status, headers = c.head()
        assert status == 200 and headers["connection"] == "close"
        with kept.client(name) as m:
            m.publish(f"raw/{name}", json.dumps({"a": name}))
        while name.encode() not in c.rest:
            c.fill()
    for path, protocol in (("/v1/feeds/raw/events", "cloudevents.json"), ("/mqtt", "mqtt")):
        with Connection(kept.web_port) as c:
            assert c.ask("GET", "/v1/feeds").stays
            assert c.ask("POST", "/v1/nosuch", b"12").stays
            a = c.ask("GET", path, None, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Sec-WebSocket-Protocol: {protocol}")
            assert a.status == 101 and a.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            if protocol == "mqtt":
                continue
            with kept.client(name + "w") as m:
                m.publish(f"raw/{name}w", json.dumps({"a": name + "w"}))
            while f"{name}w".encode() not in c.rest:
                c.fill()
        with Connection(kept.web_port) as c:  # refused
            assert c.ask("GET", "/v1/feeds").stays
            a = c.ask("GET", path, None, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 12")
            assert a.status == 426 and not a.stays and c.ends()


# ---- limits ----

def test_a_thousand_requests(kept):
    with Connection(kept.web_port, 30 * SLOW) as c:
        for n in range(1, 1001):
            assert c.ask("GET", "/v1/nosuch").stays == (n < 1000), n
        assert c.ends()


def test_who_rests_makes_room(own):
    """Connections that wait for a request are no reason to refuse one that has one."""
    with own(max_connections=10) as d:
        resting = [Connection(d.web_port) for _ in range(10)]
        for c in resting:
            assert c.ask("GET", "/v1/nosuch").stays
        for _ in range(3):
            with Connection(d.web_port) as c:
                assert c.ask("GET", "/v1/nosuch").status == 404
        assert resting[0].ends() and resting[9].ask("GET", "/v1/nosuch").stays
        for c in resting:
            c.sock.close()


def test_who_rests_makes_room_for_its_own_address(own):
    address, (port,) = outside_address(), free_ports(1)
    with own(extra=block("listener", "out", {"address": address, "port": port, "insecure": True}).replace("{", "{ protocol = http", 1),
             max_connections_per_address=3) as d:
        def come():
            c = http.client.HTTPConnection(address, port, timeout=10 * SLOW)
            c.request("GET", "/v1/nosuch")
            r = c.getresponse()
            r.read()
            assert r.status in (401, 404) and c.sock
            return c
        inside = Connection(d.web_port)
        assert inside.ask("GET", "/v1/nosuch").stays
        resting = [come() for _ in range(6)]
        assert resting[0].sock.recv(1) == b"" and inside.ask("GET", "/v1/nosuch").stays
        inside.sock.close()
        for c in resting:
            c.close()


def test_the_end_of_the_daemon(own):
    d = own({"empty": feed("empty/#", ["any"])})
    d.start()
    resting, waiting = Connection(d.web_port), Connection(d.web_port)
    assert resting.ask("GET", "/v1/nosuch").stays and waiting.ask("GET", "/v1/nosuch").stays
    waiting.send(request("GET", "/v1/feeds/empty/events?wait=20"))
    time.sleep(0.5)
    start = time.monotonic()
    thread = threading.Thread(target=d.stop)
    thread.start()
    a = waiting.answer()
    assert a.status == 200 and not a.stays and waiting.ends() and resting.ends()
    thread.join()
    assert time.monotonic() - start < 4 * SLOW


def test_each_request_is_judged(own, tmp_path):
    """A grant that is suspended between two requests of a connection is not there for the second, nor a token that has
    expired."""
    issuer = tokens.Issuer(tmp_path / "issuer")
    d = own({"air": feed("city/air/{thing}", access="restricted")},
            extra=block("issuer", "city", {"iss": issuer.iss, "audience": "oudp-test", "jwks": issuer.jwks}))
    d.start()
    must(d, "organisation", "add", "partner", "--title", "Partner")
    key, path = add_key(d, "app", "partner"), "/v1/feeds/air/events"
    id_ = grant(d, "air", "read", identity="app")
    with Connection(d.web_port) as c:
        def status(shown):
            a = c.ask("GET", path, None, *(f"{k}: {v}" for k, v in shown.items()))
            assert a.stays
            return a.status
        assert status(bearer(key)) == 200
        assert status(bearer(key[:-1] + "_")) == 401, "who it was is not remembered"
        must(d, "grant", "suspend", id_)
        assert status(bearer(key)) == 404
        must(d, "grant", "resume", id_)
        assert status(bearer(key)) == 200
        must(d, "identity", "end", "app")
        assert status(bearer(key)) == 401
        must(d, "identity", "add", "token", "--organisation", "partner", "--issuer", "city", "--subject", "client-1")
        grant(d, "air", "read", identity="token")
        now = int(time.time())
        token = issuer.token({"iss": issuer.iss, "aud": "oudp-test", "sub": "client-1", "iat": now, "exp": now - 27})
        assert status(bearer(token)) == 200, "clocks may differ by half a minute"
        wait_for("the end of the token", lambda: status(bearer(token)) == 401)


def test_over_tls_and_the_socket(own, tmp_path):
    ca, (port,) = certs.Authority(tmp_path / "ca"), free_ports(1)
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    extra = block("tls", "city", {"certificate": certificate, "key": key}) + \
        f'listener "https" {{\n\tprotocol = http\n\taddress = "127.0.0.1"\n\tport = {port}\n\ttls = "city"\n}}\n'
    d = own({**FEEDS}, extra=extra)
    d.start()
    with d.client("kept") as c:
        for i in range(300):
            c.publish(f"paged/{i % 10}", json.dumps({"n": i, "text": "x" * 50}))

    def by_itself(where, i, **options):
        with Connection(where, **options) as c:
            return same(c.ask(*ASKED[i][:3], "Connection: close", *ASKED[i][3]))
    for where, options in ((port, {"tls": ca.context()}), (d.socket_path, {})):
        alone = [by_itself(where, i, **options) for i in range(len(ASKED))]
        with Connection(where, **options) as c:
            for i in range(len(ASKED)):
                c.send(bytes_of(i))
                assert same(c.answer(ASKED[i][0])) == alone[i]
        for first in range(len(ASKED)):
            order = [first, *random.choices(range(len(ASKED)), k=2)]
            with Connection(where, **options) as c:
                c.send(b"".join(bytes_of(i) for i in order))
                try:
                    read_pipelined(c, order, alone)
                except ssl.SSLError as e:
                    raise AssertionError(order) from e


# ---- torture ----

def play(kept, alone, rng):
    """Some requests on one connection: one by one, together, in pieces, cut off."""
    order = rng.choices(range(len(ASKED)), k=rng.randint(1, 8))
    with Connection(kept.web_port, 30 * SLOW) as c:
        while order:
            n = rng.choice([1, 1, 1, 2, 3])
            some, order = order[:n], order[n:]
            data = b"".join(bytes_of(i) for i in some)
            cuts = [rng.randrange(len(data)) for _ in range(rng.choice([0, 0, 1, 2, 5]))]
            if rng.random() < 0.1:  # it goes in the middle of a request, or of an answer
                c.send(data[:rng.randint(0, len(data))])
                if rng.random() < 0.5:
                    c.sock.shutdown(socket.SHUT_WR)
                    c.sock.recv(1 << rng.randint(0, 16))
                return
            sender = threading.Thread(target=send, args=(c, data, cuts))
            sender.start()
            try:
                if read_pipelined(c, some, alone) < len(some) or not c.sock:
                    return
                if c.rest or gone(c):
                    assert not c.rest, c.rest
                    return
            finally:
                sender.join()


def send(c, data, cuts):
    try:
        c.send(data, cuts, 0.0003)
    except OSError:
        pass  # what came back is judged by who reads


def gone(c):
    c.sock.setblocking(False)
    try:
        return c.sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        c.sock.settimeout(30 * SLOW)


def test_torture(kept, alone):
    seed = int(os.environ.get("KEEP_SEED", random.randrange(1 << 32)))
    faults = []

    def some(worker):
        for i in range(SEQUENCES // 6):
            rng = random.Random(f"{seed} {worker} {i}")
            try:
                play(kept, alone, rng)
            except Exception as e:  # pylint: disable=broad-except
                faults.append((seed, worker, i, repr(e)))
                return
    threads = [threading.Thread(target=some, args=(w,)) for w in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults, faults[0]
    assert kept.get("/v1/feeds").status == 200
