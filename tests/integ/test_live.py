"""Live events: WebSocket and server-sent events. A subscriber never has a hole that it is not told of."""
import asyncio
import json
import threading
import time

import pytest

from kit import city, daemon, mqtt, web
from kit.daemon import SLOW, feed, wait_for
from kit.web import GAP, LIVE, POSITION, until_live

FEEDS = {**daemon.FEEDS, "log": feed("log/{thing}", ["any"]), "quiet": feed("quiet/#", ["any"])}


def fill(d, name, n, topic="log/x", start=0):
    """n messages, numbered; all acknowledged."""
    with d.client(name) as c:
        for at in range(0, n, 1000):
            k = min(1000, n - at)
            c.send(*[mqtt.publish(topic, json.dumps({"n": start + at + i}), 1, i + 1) for i in range(k)])
            for _ in range(k):
                assert c.expect(mqtt.PUBACK, 30).reason == 0


def sequences(events):
    return [int(e["sequence"]) for e in events]


def records(ws, n, timeout=None):
    """The next n records; control events other than a gap are passed over."""
    out = []
    while len(out) < n:
        e = ws.event(timeout)
        if "sequence" in e:
            out.append(e)
        else:
            assert e["type"] in (LIVE, POSITION), e
    return out


def test_the_subprotocol_is_echoed(broker):
    with broker.ws("quiet", ("nosuch", "cloudevents.json")) as ws:
        assert ws.protocol == "cloudevents.json"


@pytest.mark.parametrize("protocols", [(), ("nosuch",), ("cloudevents.avro",), ("Cloudevents.JSON",)])
def test_an_upgrade_without_a_known_subprotocol_is_refused(broker, protocols):
    with pytest.raises((web.Refused, web.WsClosed)) as e:
        broker.ws("quiet", protocols)
    assert isinstance(e.value, web.WsClosed) or 400 <= e.value.status < 500


@pytest.mark.parametrize("query,status", [("?after=x", 400), ("?since=x", 400), ("?nosuch=1", 400)])
def test_a_bad_query_is_refused_before_the_upgrade(broker, query, status):
    with pytest.raises(web.Refused) as e:
        web.WebSocket(broker.web_port, "/v1/feeds/quiet/events" + query)
    assert e.value.status == status


def test_no_such_feed(broker):
    with pytest.raises(web.Refused) as e:
        broker.ws("nosuch")
    assert e.value.status == 404


def test_without_after_only_new_ones(broker, name):
    fill(broker, name, 5)
    n = broker.feed("log")["last"]
    with broker.ws("log") as ws:
        assert ws.event()["type"] == LIVE
        fill(broker, name, 3)
        assert sequences(records(ws, 3)) == [n + 1, n + 2, n + 3]


def test_catch_up_then_live(broker, name):
    start = broker.feed("log")["last"]
    fill(broker, name, 3000)
    with broker.ws("log", after=start) as ws:
        got = until_live(ws)
        assert sequences(got) == list(range(start + 1, start + 3001))
        assert [e["data"]["n"] for e in got] == list(range(3000))
        fill(broker, name, 100)
        assert sequences(records(ws, 100)) == list(range(start + 3001, start + 3101))


def test_the_live_event_exactly(broker):
    with broker.ws("quiet", after=0) as ws:
        e = ws.event()
    assert abs(city.parse_time(e.pop("time")) - time.time()) < 30
    assert e.pop("id")
    assert e.pop("source") == "urn:nld:oin:00000001234567890000:systeem:oudp"
    assert e["specversion"] == "1.0" and e["type"] == LIVE and "sequence" not in e
    assert all(k == k.lower() and k.isalnum() and len(k) <= 20 for k in e)


def test_a_page_and_a_frame_say_the_same(broker, name):
    n = broker.feed("log")["last"]
    fill(broker, name, 1)
    with broker.ws("log", after=n) as ws:
        assert ws.event() == broker.page("log", after=n).json()[0]


def test_from_catching_up_to_live_under_load(broker, name):
    """Many join while messages pour in: no gap and no duplicate for anyone."""
    start = broker.feed("log")["last"]
    n = 20000 // SLOW
    t = threading.Thread(target=fill, args=(broker, name, n))
    t.start()
    got = {}

    def follow(i):
        time.sleep(i * 0.02)
        with broker.ws("log", after=start) as ws:
            seen = []
            while len(seen) < n:
                e = ws.event(30 * SLOW)
                if "sequence" in e:
                    seen.append(int(e["sequence"]) - start)
                else:
                    assert e["type"] == LIVE
            got[i] = seen
    threads = [threading.Thread(target=follow, args=(i,)) for i in range(6)]
    for x in threads:
        x.start()
    for x in threads + [t]:
        x.join()
    assert set(got) == set(range(6))
    for seen in got.values():
        assert seen == list(range(1, n + 1))


def test_resume_with_epoch(broker, name):
    f = broker.feed("log")
    fill(broker, name, 3)
    for after in (f"{f['epoch']}:{f['last']}", f"log:{f['epoch']}:{f['last']}"):
        with broker.ws("log", after=after) as ws:
            assert sequences(until_live(ws)) == [f["last"] + i for i in (1, 2, 3)]


def test_unknown_epoch_is_told(broker, name):
    fill(broker, name, 1)
    with broker.ws("log", after="7:1") as ws:
        e = ws.event()
        assert e["type"] == GAP and e["data"]["reason"] == "recreated", e


def test_beyond_the_end_is_told(broker):
    with broker.ws("log", after=10 ** 9) as ws:
        e = ws.event()
        assert e["type"] == GAP and e["data"]["reason"] == "rewound", e


def test_since(broker, name):
    fill(broker, name, 2)
    time.sleep(0.5)
    since, n = city.now(-0.2), broker.feed("log")["last"]
    fill(broker, name, 2)
    with broker.ws("log", since=since) as ws:
        assert sequences(until_live(ws)) == [n + 1, n + 2]


def test_thing_filter(broker, name):
    start = broker.feed("log")["last"]
    with broker.client(name) as c:
        for i in range(30):
            c.publish(f"log/{name}-{i % 3}", f'{{"n": {i}}}')
        with broker.ws("log", after=start, thing=f"{name}-1") as ws:
            assert sequences(records(ws, 10)) == [start + 2 + 3 * i for i in range(10)]
            c.publish(f"log/{name}-0", '{"n": 30}')
            c.publish(f"log/{name}-1", '{"n": 31}')
            assert sequences(records(ws, 1)) == [start + 32]


def test_position_of_a_filtered_cursor(broker, name):
    """Who filters for something rare learns how far it was looked at, so that it need not start over."""
    start = broker.feed("log")["last"]
    fill(broker, name, 5000)
    with broker.ws("log", after=start, thing="never-seen") as ws:
        seen = []
        while True:
            e = ws.event()
            if e["type"] == LIVE:
                break
            assert e["type"] == POSITION, e
            seen.append(e)
        if not seen:
            e = ws.event(20)  # at the latest some time after live
            assert e["type"] == POSITION, e
            seen.append(e)
        assert any(f":{start + 5000}" in json.dumps(e) for e in seen), seen


def test_expired_gap(own, name):
    d = own()
    d.start()
    with d.client(name) as c:
        for i in range(100):
            c.publish("raw/x", f"{i}")
    d.admin("POST", "/v1/feeds/raw/_trim", {"keep": 40})
    with d.ws("raw", after=10) as ws:
        gap = ws.event()
        assert gap["type"] == GAP and "sequence" not in gap and gap["id"]
        assert gap["data"]["reason"] == "expired"
        text = json.dumps(gap["data"])
        assert "11" in text and "60" in text, "names the range that is lost"
        assert sequences(until_live(ws)) == list(range(61, 101))
    with d.ws("raw", after=60) as ws:
        assert sequences(until_live(ws)) == list(range(61, 101)), "60 was seen: nothing is lost"


def test_trimmed_under_a_slow_subscriber(own, name):
    """It gets a gap event between the record before and the one after, whatever it had buffered."""
    d = own(feeds={"log": feed("log/{thing}", ["any"])})
    d.start()
    body = "x" * 1000
    with d.ws("log", after=0) as ws, d.client(name) as c:
        for at in range(0, 30000, 1000):
            c.send(*[mqtt.publish("log/x", json.dumps({"n": at + i, "b": body}), 1, i + 1) for i in range(1000)])
            for _ in range(1000):
                c.expect(mqtt.PUBACK, 30)
        d.admin("POST", "/v1/feeds/log/_trim", {"keep": 100})
        expected, gaps = 1, 0
        while expected <= 30000:
            e = ws.event(30)
            if e["type"] == GAP:
                gaps += 1
                assert int(e["data"]["from"]) == expected
                expected = int(e["data"]["to"]) + 1  # the trim goes in steps
            elif "sequence" in e:
                assert int(e["sequence"]) == expected
                expected += 1
        assert gaps >= 1


def test_two_hundred_subscribers(broker, name):
    start = broker.feed("log")["last"]
    all_ = [broker.ws("log", after=start) for _ in range(200)]
    try:
        fill(broker, name, 50)
        for ws in all_:
            assert sequences(records(ws, 50)) == list(range(start + 1, start + 51))
    finally:
        for ws in all_:
            ws.sock.close()


def test_close_handshake(broker):
    with broker.ws("quiet") as ws:
        assert ws.close(1000) == 1000


def test_text_from_the_client_does_no_harm(broker, name):
    with broker.ws("log") as ws:
        ws.event()
        ws.send("hello")
        ws.send(b"\x00" * 70000)
        fill(broker, name, 1)
        try:
            assert records(ws, 1)
        except web.WsClosed as e:
            assert e.code in (1003, 1008, 1009)


def test_ping_is_answered(broker):
    with broker.ws("quiet", after=0) as ws:
        ws.event()
        ws.send(b"abc", 9)
        ws.sock.settimeout(5)
        assert ws.sock.recv(100) == b"\x8a\x03abc"


@pytest.mark.parametrize("frame", [b"\xf1\x83\x00\x00\x00\x00abc", b"\x83\x80\x00\x00\x00\x00"],
                         ids=["reserved bits", "reserved opcode"])
def test_bad_frames_close(broker, frame):
    with broker.ws("quiet", after=0) as ws:
        ws.event()
        ws.sock.sendall(frame)
        with pytest.raises(web.WsClosed):
            ws.receive(5)
    assert broker.get("/v1/feeds").status == 200


def test_python_websockets(broker, name):
    """An independent client library."""
    import websockets
    start = broker.feed("log")["last"]
    fill(broker, name, 20)

    async def follow():
        uri = f"ws://127.0.0.1:{broker.web_port}/v1/feeds/log/events?after={start}"
        async with websockets.connect(uri, subprotocols=["cloudevents.json"]) as ws:
            assert ws.subprotocol == "cloudevents.json"
            out = []
            while len(out) < 20:
                e = json.loads(await asyncio.wait_for(ws.recv(), 10))
                if "sequence" in e:
                    out.append(int(e["sequence"]))
            return out
    assert asyncio.run(follow()) == list(range(start + 1, start + 21))


def test_sse(broker, name):
    start = broker.feed("log")["last"]
    fill(broker, name, 10)
    with web.Events(broker.web_port, f"/v1/feeds/log/events?after={start}") as s:
        assert s.response.status == 200 and s.headers["content-type"].startswith("text/event-stream"), s.headers
        assert s.headers.get("x-content-type-options") == "nosniff"
        got = [s.event() for _ in range(10)]
        assert sequences(got) == list(range(start + 1, start + 11))
        assert s.event()["type"] == LIVE
        fill(broker, name, 2)
        assert sequences([s.event(), s.event()]) == [start + 11, start + 12]
    # the id is the cursor
    with web.Events(broker.web_port, "/v1/feeds/log/events", {"Last-Event-ID": got[4]["_id"]}) as s:
        assert int(s.event()["sequence"]) == start + 6
    # what the browser remembers is newer than what the address says
    with web.Events(broker.web_port, f"/v1/feeds/log/events?after={start}", {"Last-Event-ID": got[7]["_id"]}) as s:
        assert int(s.event()["sequence"]) == start + 9


def test_sse_bad_last_event_id(broker):
    a = broker.get("/v1/feeds/log/events", {"Accept": "text/event-stream", "Last-Event-ID": "rubbish"})
    assert a.status == 400


def test_records_of_every_size(broker, name):
    """Around the lengths at which a frame's head changes."""
    start = broker.feed("log")["last"]
    with broker.client(name) as c:
        for n in (0, 1, 100, 124, 125, 126, 127, 1000, 4095, 4096, 65000, 65535, 65536, 300000):
            assert c.publish("log/x", "y" * n).reason == 0
    import base64
    with broker.ws("log", after=start) as ws:
        sizes = [len(base64.b64decode(e["data_base64"])) if "data_base64" in e else len(e.get("data", ""))
                 for e in until_live(ws)]
    assert sizes == [0, 1, 100, 124, 125, 126, 127, 1000, 4095, 4096, 65000, 65535, 65536, 300000]


def test_a_slow_websocket_slows_nobody(own, name):
    """One reads nothing while 40 MB pass; then it gets every record, from disk. The memory does not grow with it."""
    d = own(feeds={"log": feed("log/{thing}", ["any"])})
    d.start()
    n, body = 20000, "x" * 2000
    with d.ws("log", after=0) as slow, d.client(name) as c:
        before, most = d.memory_kb(), 0
        for at in range(0, n, 500):
            c.send(*[mqtt.publish("log/x", json.dumps({"n": at + i, "b": body}), 1, i + 1) for i in range(500)])
            for _ in range(500):
                assert c.expect(mqtt.PUBACK, 30).reason == 0
            most = max(most, d.memory_kb())
        if SLOW == 1:
            assert most - before < 64 << 10, f"{most - before} KB more while a subscriber was slow"
        assert sequences(records(slow, n, 30 * SLOW)) == list(range(1, n + 1))


def test_echo_only_on_request(broker, own, name):
    with pytest.raises(web.Refused):
        web.WebSocket(broker.web_port, "/test/echo", ())
    d = own(arguments=["--test-echo"])
    d.start()
    with web.WebSocket(d.web_port, "/test/echo", ()) as ws:
        ws.send("h\u00e9llo")
        assert ws.receive() == "h\u00e9llo"
        ws.send(bytes(range(256)) * 400)
        assert ws.receive() == bytes(range(256)) * 400
        ws.send(b"one ", 1, final=False)
        ws.send(b"two", 0)
        assert ws.receive() == "one two"


def test_connections_are_counted_down(broker):
    wait_for("closed connections", lambda: broker.get("/v1/status").json()["connections"]["websocket"] == 0)


def test_a_feed_ends_under_its_subscribers(own, name):
    """All of them are told, also those that shared frames with the first to notice."""
    d = own(feeds={"stays": feed("stays/{thing}", ["any"]), "goes": feed("goes/{thing}", ["any"])})
    d.start()
    all_ = [d.ws("goes") for _ in range(5)]
    with d.client(name) as c:
        c.publish("goes/x", "1")
    for ws in all_:
        while "sequence" not in ws.event():
            pass
    del d.feeds["goes"]
    d.write_conf()
    assert d.admin("POST", "/v1/_reload", {}).status == 200
    for ws in all_:
        with pytest.raises(web.WsClosed) as e:
            ws.event(10)
        assert e.value.code == 1001
    assert d.get("/v1/feeds").status == 200
