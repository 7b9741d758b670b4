"""Subscribers that are slow as they asked to be, and upgrades that are refused in words."""
import json
import time

import pytest

from kit import mqtt, web
from kit.daemon import feed

FEEDS = {"log": feed("log/{thing}", ["any"]), "air": feed("city/air/{thing}")}


def fill(d, name, n, topic, size=300):
    with d.client(name) as c:
        for at in range(0, n, 1000):
            k = min(1000, n - at)
            c.send(*[mqtt.publish(topic(at + i), json.dumps({"n": at + i, "p": "y" * size}), 1, i + 1) for i in range(k)])
            for _ in range(k):
                assert c.expect(mqtt.PUBACK, 30).reason == 0


def test_slow_latest(own, name):
    """While it is behind it gets the newest record of each thing only, in order, and misses none of the last."""
    d = own(feeds=FEEDS)
    d.start()
    things, n = 40, 20000
    with d.ws("log", slow="latest") as ws:
        assert ws.event()["type"] == web.LIVE
        fill(d, name, n, lambda i: f"log/t{i % things}", 2000)
        seen = []
        while not seen or seen[-1] < n:
            e = ws.event(20)
            assert e["type"] not in (web.GAP, web.LIVE), e
            if "sequence" in e:
                seen.append(int(e["sequence"]))
    assert seen == sorted(set(seen))
    assert len(seen) < n // 2, "it was behind, so something was passed over"
    assert seen[-things:] == list(range(n - things + 1, n + 1)), "the newest of each thing"


def test_slow_latest_in_time_misses_nothing(broker, name):
    with broker.ws("log", slow="latest") as ws, broker.client(name) as c:
        ws.event()
        n = broker.feed("log")["last"]
        for i in range(10):
            c.publish(f"log/{name}", json.dumps({"n": i}))
            assert int(ws.event()["sequence"]) == n + 1 + i


def test_slow_close(own, name):
    """Closed with 1013 when what it wants is no longer in memory."""
    d = own(feeds=FEEDS)
    d.start()
    n = 30000
    with d.ws("log", slow="close") as ws, d.ws("log") as patient:
        ws.event(), patient.event()
        fill(d, name, n, lambda i: "log/x", 2000)
        seen = 0
        with pytest.raises(web.WsClosed) as e:
            while seen < n:
                seen = int(ws.event(20)["sequence"])
        assert e.value.code == 1013
        assert 0 < seen < n
        for i in range(n):
            assert int(patient.event(20)["sequence"]) == i + 1
    with d.ws("log", after=seen, slow="close") as ws:
        assert int(ws.event()["sequence"]) == seen + 1, "who comes back goes on where it was"


@pytest.mark.parametrize("query,parameters", [("after=x", ["after"]), ("slow=never&bbox=1&thing=", ["bbox", "slow", "thing"]),
                                              ("limit=3", ["limit"]), ("wait=1", ["wait"]), ("after=air:1:2", ["after"])])
def test_a_refused_upgrade_says_all_that_is_wrong(broker, query, parameters):
    with pytest.raises(web.Refused) as e:
        web.WebSocket(broker.web_port, "/v1/feeds/log/events?" + query)
    assert e.value.status == 400
    assert e.value.headers["content-type"] == "application/problem+json" and e.value.headers["api-version"]
    named = {x["parameter"] for x in json.loads(e.value.body)["errors"]}
    assert named <= set(parameters) and named


def test_a_refused_subprotocol_is_told(broker):
    for protocols in ((), ("mqtt",), ("x" * 200,)):
        with pytest.raises(web.Refused) as e:
            broker.ws("log", protocols)
        assert e.value.status == 400 and b"ubprotocol" in e.value.body


def test_another_version_of_the_protocol(broker):
    a = web.request(broker.web_port, "GET", "/v1/feeds/log/events", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "8", "Sec-WebSocket-Protocol": "cloudevents.json"})
    assert a.status == 426 and a.headers["sec-websocket-version"] == "13"


def test_echo_takes_any_subprotocol(own):
    d = own(arguments=["--test-echo"])
    d.start()
    for protocols in (("chat",), ("superchat", "chat"), ()):
        with web.WebSocket(d.web_port, "/test/echo", protocols) as ws:
            assert ws.protocol == (protocols[0] if protocols else None)
            ws.send("x" * 70000)
            assert ws.receive() == "x" * 70000


def test_lines_are_bounded(broker):
    a = broker.post("/v1/feeds/log/events?thing=x", "1\n" * 20001, {"Content-Type": "application/x-ndjson"}, timeout=30)
    assert a.status == 413, a
    n = broker.feed("log")["last"]
    a = broker.post("/v1/feeds/log/events?thing=x", "\n\n 1 \n\n2\r\n", {"Content-Type": "application/x-ndjson"})
    assert [json.loads(x)["sequence"] for x in a.body.splitlines()] == [n + 1, n + 2]


def test_expect_100_continue(broker):
    """Who waits for it is not made to wait."""
    import socket
    with socket.create_connection(("127.0.0.1", broker.web_port), 5) as s:
        start = time.monotonic()
        s.sendall(b"POST /v1/feeds/log/events?thing=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 100")
        s.sendall(b"{}")
        assert s.recv(100).startswith(b"HTTP/1.1 201")
        assert time.monotonic() - start < 2
