"""Sessions that outlive their connection and the broker: what a client finds when it comes back, also after kill -9
between any two steps of a flow."""
import base64
import time

import pytest

from kit import daemon, mqtt
from kit.daemon import feed

FEEDS = {**daemon.FEEDS, "log": feed("log/#", ["any"], duplicates="keep"),
         "small": feed("small/#", ["any"], duplicates="keep")}
KEPT = {"session_expiry": 3600}


def come(d, client_id, version=5, **options):
    c = mqtt.Client(d.mqtt_port, version, timeout=10 * daemon.SLOW)
    props = {"props": KEPT} if version == 5 else {}
    return c, c.open(client_id, clean=False, **{**props, **options})


def subscriber(d, client_id, qos, version=5, topic="log/#"):
    c, ack = come(d, client_id, version)
    if not ack.session_present:
        assert c.subscribe((topic, qos)) == [qos]
    return c


def records(d, name="log"):
    """Payloads in the log, as the HTTP face shows them."""
    out, after = [], 0
    while True:
        page = d.get(f"/v1/feeds/{name}/events?after={after}&limit=1000").json()
        if not page:
            return out
        out += [base64.b64decode(e["data_base64"]).decode() for e in page]
        after = page[-1]["sequence"]


def test_a_session_catches_up_and_goes_on_live(broker, name, version):
    c = subscriber(broker, name, 1, version, f"log/{name}/#")
    c.abort()
    with broker.client(name + "p") as p:
        for i in range(200):
            p.publish(f"log/{name}/{i % 5}", str(i))
        c, ack = come(broker, name, version)
        assert ack.session_present
        for i in range(200, 300):
            p.publish(f"log/{name}/x", str(i))
        for i in range(300):
            m = c.expect(mqtt.PUBLISH)
            assert (m.payload, m.qos, m.dup) == (str(i).encode(), 1, False)
            c.send(mqtt.ack(mqtt.PUBACK, m.mid))
        c.expect_quiet(0.2)
    c.send(mqtt.disconnect())
    c.close()


def test_sigterm_keeps_what_was_answered(own, version):
    """An orderly stop writes everything down: nothing that was acknowledged comes again."""
    d = own(FEEDS)
    d.start()
    c = subscriber(d, "s", 1, version)
    with d.client("p") as p:
        for i in range(20):
            p.publish("log/x", str(i))
    for i in range(20):
        m = c.expect(mqtt.PUBLISH)
        if i != 7:
            c.send(mqtt.ack(mqtt.PUBACK, m.mid))
    c.ping()
    d.stop()
    d.start()
    c, ack = come(d, "s", version)
    assert ack.session_present
    m = c.expect(mqtt.PUBLISH)
    assert (m.payload, m.dup) == (b"7", True)
    c.send(mqtt.ack(mqtt.PUBACK, m.mid))
    c.expect_quiet(0.2)
    c.close()


@pytest.mark.parametrize("step", ["publish", "pubrec", "pubrel", "pubcomp", "after"])
def test_qos_2_in_exactly_once(own, version, step):
    """The broker dies after this step; the publisher goes on as the protocol says."""
    d = own(FEEDS)
    d.start()
    p, _ = come(d, "p", version)
    flow = [("publish", lambda dup: mqtt.publish("log/x", "once", 2, 7, dup=dup, version=version), mqtt.PUBREC),
            ("pubrel", lambda dup: mqtt.ack(mqtt.PUBREL, 7), mqtt.PUBCOMP)]
    at, killed = 0, False
    while at < len(flow):
        name, packet, answer = flow[at]
        try:
            p.send(packet(killed))
            if not killed and step == name:
                raise mqtt.Closed()
            got = p.expect(answer)
            assert got.mid == 7
            # a PUBREL that had come through before the death is answered with 0x92
            assert got.reason in (0, 0x92) if killed and answer == mqtt.PUBCOMP else got.reason == 0
            at += 1
            if not killed and step == {mqtt.PUBREC: "pubrec", mqtt.PUBCOMP: "pubcomp"}[answer]:
                raise mqtt.Closed()
        except mqtt.Closed:
            killed = True
            p.close()
            d.restart()
            p, ack = come(d, "p", version)
            assert ack.session_present
    if step == "after":
        d.restart()
        p, _ = come(d, "p", version)
    p.publish("log/x", "another", 2)  # and its id is free
    assert records(d) == ["once", "another"]
    p.close()


@pytest.mark.parametrize("step", ["publish", "pubrec", "pubrel", "pubcomp", "after"])
def test_qos_2_out_exactly_once(own, version, step):
    """The broker dies after the subscriber has got, or said, this; what it got twice under one id counts once."""
    d = own(FEEDS)
    d.start()
    s = subscriber(d, "s", 2, version)
    with d.client("p") as p:
        for i in range(5):
            p.publish("log/x", str(i), 2)
    open_ids, got, killed = {}, [], False

    def die(name):
        nonlocal s, killed
        if killed or name != step:
            return False
        killed = True
        d.restart()
        s, ack = come(d, "s", version)
        assert ack.session_present
        return True

    over = 0
    while over < 5:
        m = s.receive()
        if m.kind == mqtt.PUBLISH:
            if m.mid not in open_ids:
                got.append(m.payload.decode())
            assert open_ids.setdefault(m.mid, m.payload) == m.payload
            if die("publish"):
                continue
            s.send(mqtt.ack(mqtt.PUBREC, m.mid))
            die("pubrec")
        elif m.kind == mqtt.PUBREL:
            over += open_ids.pop(m.mid, None) is not None
            if die("pubrel"):
                continue
            s.send(mqtt.ack(mqtt.PUBCOMP, m.mid))
            die("pubcomp")
    if step == "after":
        time.sleep(0.1)
        die("after")
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:  # nothing but PUBREL may come again
        try:
            m = s.receive(0.2)
        except TimeoutError:
            break
        assert m.kind == mqtt.PUBREL
        s.send(mqtt.ack(mqtt.PUBCOMP, m.mid))
    assert got == [str(i) for i in range(5)]
    s.close()


@pytest.mark.parametrize("step", ["publish", "puback"])
def test_qos_1_at_least_once(own, version, step):
    d = own(FEEDS)
    d.start()
    s = subscriber(d, "s", 1, version)
    p, _ = come(d, "p", version)
    p.send(mqtt.publish("log/x", "in", 1, 7, version=version))
    if step == "puback":
        p.expect(mqtt.PUBACK)
    d.restart()
    p, _ = come(d, "p", version)
    if step == "publish":
        p.send(mqtt.publish("log/x", "in", 1, 7, dup=True, version=version))
        p.expect(mqtt.PUBACK)
    assert set(records(d)) == {"in"}
    s, ack = come(d, "s", version)
    assert ack.session_present
    m = s.expect(mqtt.PUBLISH)
    assert m.payload == b"in"
    d.restart()  # not acknowledged
    s, ack = come(d, "s", version)
    assert s.expect(mqtt.PUBLISH).payload == b"in"
    s.close()
    p.close()


def test_a_place_that_is_gone_is_told(own, version):
    """Said on CONNACK and with the next message; 3.1.1 begins anew."""
    d = own(FEEDS)
    d.start()
    s = subscriber(d, "s", 1, version, "small/#")
    s.abort()
    with d.client("p") as p:
        for i in range(3000):
            p.send(mqtt.publish("small/x", "x" * 1000, 1, i % 500 + 1))
            if i % 500 == 499:
                for _ in range(500):
                    p.expect(mqtt.PUBACK)
    r = d.admin("POST", "/v1/feeds/small/_trim", {"before": 1000})
    assert r.status == 200, r
    s, ack = come(d, "s", version)
    if version == 5:
        assert ack.session_present and ("oudp-gap", "small:1-999") in ack.props["user"]
        m = s.expect(mqtt.PUBLISH)
        assert ("oudp-gap", "small:1-999") in m.props["user"]
    else:
        assert not ack.session_present
        s.expect_quiet(0.2)
    s.close()


def test_status_counts_them(own):
    d = own(FEEDS)
    d.start()
    s = subscriber(d, "s", 1)
    s.abort()
    with d.client("p") as p:
        p.publish("log/x", "x")
        counts = d.get("/v1/status").json()["sessions"]
        assert counts == {"connected": 1, "away": 1, "subscriptions": 1, "backlog": 1}
