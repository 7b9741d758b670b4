"""What the web listener does with who is slow, large, many or strange; the headers of every answer."""
import http.client
import json
import socket
import time

import pytest

from kit import city, mqtt, web
from kit.daemon import PUBLIC, SLOW, feed, free_ports, outside_address, wait_for

FEEDS = {"air": feed("city/air/{thing}"), "raw": feed("raw/#", ["any"])}
OPTIONS = {"security_contact": "mailto:security@example.org"}

EVERY = {"api-version": "1.0.0", "cache-control": "no-store", "x-content-type-options": "nosniff", "x-frame-options": "DENY",
         "referrer-policy": "no-referrer", "access-control-allow-origin": "*"}


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/v1/feeds", 200), ("GET", "/v1/feeds/air", 200), ("GET", "/v1/feeds/air/events?after=0", 200),
    ("GET", "/v1/things", 200), ("GET", "/v1/openapi.json", 200), ("GET", "/v1/nothing", 404), ("GET", "/v1/feeds/", 404),
    ("DELETE", "/v1/feeds", 405), ("PUT", "/v1/things/x", 411), ("GET", "/v1/feeds?x=1", 400), ("OPTIONS", "/v1/feeds", 204),
    ("HEAD", "/v1/feeds", 200), ("POST", "/v1/_reload", 411), ("GET", "/.well-known/security.txt", 200)])
def test_headers_on_every_answer(broker, method, path, status):
    with socket.create_connection(("127.0.0.1", broker.web_port), 10) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        r = http.client.HTTPResponse(s, method=method)
        r.begin()
        h = {k.lower(): v for k, v in r.getheaders()}
    assert r.status == status, (r.status, r.read())
    assert {k: h.get(k) for k in EVERY} == EVERY, h
    assert "frame-ancestors 'none'" in h["content-security-policy"] and "default-src 'none'" in h["content-security-policy"]
    assert ("content-type" in h) == (status != 204)
    if status >= 400 and method != "HEAD":
        assert h["content-type"] == "application/problem+json"


def test_security_txt(broker, own):
    a = broker.get("/.well-known/security.txt")
    assert a.headers["content-type"] == "text/plain; charset=utf-8"
    lines = dict(x.split(": ", 1) for x in a.body.decode().splitlines())
    assert lines["Contact"] == "mailto:security@example.org" and lines["Expires"] > time.strftime("%Y-%m-%d")
    d = own(feeds=FEEDS).start()
    assert d.get("/.well-known/security.txt").status == 404
    d.options["security-contact"] = "call me"
    d.write_conf()
    a = d.admin("POST", "/v1/_reload", {})
    assert a.status == 400 and "security-contact" in a.body.decode()


def test_a_head_that_is_too_large(broker):
    """More than 8 KB of headers, or one line of them: an answer or an end, and the broker goes on."""
    for head in ("X: " + "a" * 9000, "\r\n".join(f"X-{i}: {'b' * 90}" for i in range(200)), "GET / " * 3000):
        with socket.create_connection(("127.0.0.1", broker.web_port), 10) as s:
            try:
                s.sendall(f"GET /v1/feeds HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
                got = s.recv(4096)
            except (ConnectionResetError, BrokenPipeError):
                got = b""
            assert not got or b" 2" not in got[:14] or b"X-" in head.encode(), got[:80]
    assert broker.get("/v1/feeds").status == 200


def test_who_is_slow_is_cut(broker):
    """Slow loris: a head or a body that does not come, or comes a byte at a time, holds its connection for a bounded time."""
    drips = {b"": False, b"GET /v1/fe": True, b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nX-A: ": True,
             b"POST /v1/feeds/raw/events?topic=raw/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             b"Content-Length: 1000\r\n\r\n{": False}
    open_ = {socket.create_connection(("127.0.0.1", broker.web_port), 10): drip for drip in drips.values()}
    for s, piece in zip(open_, drips):
        s.setblocking(False)
        s.sendall(piece)
    began, end = time.monotonic(), 60 * SLOW
    while open_:
        assert time.monotonic() - began < end, f"{len(open_)} are still open after {end} s"
        for s, drip in list(open_.items()):
            try:
                gone = s.recv(4096) == b""
                if drip:
                    s.sendall(b"a")
            except BlockingIOError:
                gone = False
                try:
                    if drip:
                        s.sendall(b"a")
                except OSError:
                    gone = True
            except OSError:
                gone = True
            if gone:
                s.close()
                del open_[s]
        time.sleep(0.5)
    assert broker.get("/v1/feeds").status == 200


def test_one_address_takes_not_all_places(own, name):
    address = outside_address()
    mqtts, https = free_ports(2)
    extra = "".join(f'listener "{n}" {{\n\tprotocol = {p}\n\taddress = "{address}"\n\tport = {port}\n\tinsecure = true\n}}\n'
                    for n, p, port in (("m2", "mqtt", mqtts), ("h2", "http", https)))
    d = own(feeds=FEEDS, extra=extra, max_connections_per_address=5).start()

    def alive(s):
        s.settimeout(0.3)
        try:
            return s.recv(1) != b""
        except TimeoutError:
            return True
        except OSError:
            return False
    some = [socket.create_connection((address, mqtts)) for _ in range(3)]
    some += [socket.create_connection((address, https)) for _ in range(2)]
    time.sleep(0.3)
    assert all(alive(s) for s in some)
    for port in (mqtts, https):
        with socket.create_connection((address, port)) as s:
            assert not alive(s), "the sixth"
    assert d.get("/v1/feeds").status == 200, "this machine is not counted"
    with d.client(name) as c:
        assert c.publish("raw/x", b"1").reason == 0
    d.wait_error("max-connections-per-address")
    some.pop().close()
    some.pop(0).close()

    def room():
        with mqtt.Client(mqtts, host=address, timeout=10 * SLOW) as c:
            try:
                c.open(name + "o")
                return True
            except (AssertionError, OSError, mqtt.Closed):
                return False
    wait_for("a place", room)
    for s in some:
        s.close()


def test_a_name_that_is_made_to_lead_here(own):
    """DNS rebinding: a page in a browser of this machine has its own name lead to loopback. What is trusted there is not for it."""
    port, = free_ports(1)
    d = own({"air": feed("city/air/{thing}"), "open": feed("open/{thing}", **PUBLIC)}, public_url="https://data.example.nl",
            extra=f'listener "any" {{\n\tprotocol = http\n\tport = {port}\n\tinsecure = true\n}}\n').start()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Protocol": "cloudevents.json"}

    def ask(host, method="GET", path="/v1/feeds/air/events", body=None, to=None, **headers):
        return web.request(to or d.web_port, method, path, body, {"Host": host, **headers}).status
    for host in ("evil.example", f"evil.example:{d.web_port}", "localhost.evil.example", "127.0.0.1.evil.example", "data.example.nl.evil.example"):
        assert ask(host) == 404 and ask(host, path="/v1/feeds/open/events") == 200, host
        assert ask(host, "POST", body=json.loads(city.air(1))) == 404, host
        assert ask(host, "POST", body=json.loads(city.air(1)), Origin="http://" + host) == 403, host
        assert ask(host, path="/v1/feeds/air/events", Origin="http://" + host, **upgrade) == 403, host
        assert ask(host, to=port) == 200, "insecure on purpose"
    for host in ("localhost", f"localhost:{d.web_port}", "127.0.0.1", f"127.0.0.1:{d.web_port}", "[::1]:80", "server", "server:80", "data.example.nl", "DATA.example.nl"):
        assert ask(host) == 200, host
