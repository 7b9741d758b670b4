"""Shared subscriptions of the whole broker: workers that die, a broker that is killed, others' clients as members."""
import subprocess
import time

import pytest

from kit import daemon, mqtt, web
from kit.daemon import SLOW, feed

FEEDS = {**daemon.FEEDS, "log": feed("log/#", ["any"], duplicates="keep")}
MESSAGES = 1500


class Worker:
    """A member of $share/g/log/#: counts what it gets; QoS 2 by packet id, also over connections."""

    def __init__(self, number, version, qos):
        self.id, self.version, self.qos = f"worker{number}", version, qos
        self.client, self.got, self.open_ids = None, [], set()

    def come(self, d):
        self.client = mqtt.Client(d.mqtt_port, self.version, timeout=10 * SLOW)
        props = {"props": {"session_expiry": 3600, "receive_maximum": 20}} if self.version == 5 else {}
        ack = self.client.open(self.id, clean=False, **props)
        if not ack.session_present:
            self.open_ids = set()
            assert self.client.subscribe(("$share/g/log/#", self.qos)) == [self.qos]

    def work(self, m):
        if m.kind == mqtt.PUBREL:
            self.open_ids.discard(m.mid)
            self.client.send(mqtt.ack(mqtt.PUBCOMP, m.mid))
            return
        assert m.kind == mqtt.PUBLISH and m.qos == self.qos, m
        if m.qos == 1 or m.mid not in self.open_ids:
            self.got.append(m.payload.decode())
        if m.qos == 2:
            self.open_ids.add(m.mid)
        self.client.send(mqtt.ack(mqtt.PUBACK if m.qos == 1 else mqtt.PUBREC, m.mid))

    def lose(self):
        if self.client:
            self.client.close()
        self.client = None


def turn(d, workers, seconds):
    """What has come is worked off; who is not here comes."""
    for w in workers:
        if not w.client:
            w.come(d)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for w in workers:
            try:
                while True:
                    w.work(w.client.receive(0.002))
            except TimeoutError:
                pass


@pytest.mark.parametrize("qos", [1, 2])
def test_a_broker_that_is_killed_loses_nothing_of_a_group(own, version, qos):
    d = own(FEEDS)
    d.start()
    workers = [Worker(i, version, qos) for i in range(3)]
    turn(d, workers, 0)
    sent = 0
    for kills in range(4):
        with d.client("p") as p:
            for _ in range(MESSAGES // 4 // 25):
                p.send(*[mqtt.publish("log/x", str(sent + i), qos, i + 1) for i in range(25)])
                for _ in range(25):
                    m = p.expect(mqtt.PUBACK if qos == 1 else mqtt.PUBREC)
                    assert m.reason == 0
                    if qos == 2:
                        p.send(mqtt.ack(mqtt.PUBREL, m.mid))
                for _ in range(25 if qos == 2 else 0):
                    p.expect(mqtt.PUBCOMP)
                sent += 25
                turn(d, workers, 0.002)
                if sent % 300 == 100:
                    workers[sent // 300 % 3].lose()
        if kills < 3:
            d.restart()
            for w in workers:
                w.lose()
    deadline = time.monotonic() + 20 * SLOW
    want = {str(i) for i in range(sent)}
    while {m for w in workers for m in w.got} != want:
        assert time.monotonic() < deadline
        turn(d, workers, 0.1)
    turn(d, workers, 0.3)
    got = [m for w in workers for m in w.got]
    if qos == 2:
        assert len(got) == len(want)
    for w in workers:
        w.lose()


def metrics(d):
    return web.request(d.admin_port, "GET", "/metrics").body


def test_mosquitto_clients_share(broker, name):
    """Each takes half, and together they have all."""
    command = ["mosquitto_sub", "-p", str(broker.mqtt_port), "-t", f"$share/{name}/log/{name}/#", "-q", "1", "-C", "10"]
    members = [subprocess.Popen([*command, "-V", v], stdout=subprocess.PIPE, text=True) for v in ("mqttv311", "mqttv5")]
    try:
        daemon.wait_for("both members", lambda: b"oudp_shared_subscriptions 2\n" in metrics(broker))
        with broker.client(name) as c:
            for i in range(20):
                c.publish(f"log/{name}/x", str(i))
        lines = [m.communicate(timeout=15 * SLOW)[0].split() for m in members]
        assert sorted(sum(lines, []), key=int) == [str(i) for i in range(20)]
        assert [len(got) for got in lines] == [10, 10]
    finally:
        for m in members:
            m.kill()
            m.wait()
