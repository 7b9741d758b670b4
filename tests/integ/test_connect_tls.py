"""TLS towards sources that send: whom we do not know we do not listen to."""
import asyncio
import ssl
import subprocess
import threading

import pytest
import websockets

from kit import mqtt
from kit.connect import TIME, Connector
from kit.daemon import MOSQUITTO, feed, free_ports, wait_for

FEEDS = {"air": feed("city/air/{thing}")}
ROW = f'{{"t":"{TIME}","v":10,"n":"%s"}}'
MAPPING = '{topic: "city/air/s", payload: {dateObserved: .t, pm25: .v, note: .n}}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = str(folder / "key"), str(folder / "cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, cert


@pytest.fixture
def connector(broker, tmp_path):
    made = []

    def make(**options):
        made.append(Connector(tmp_path / f"c{len(made)}", broker.mqtt_port, MAPPING, records=[], **options))
        return made[-1]

    yield make
    for c in made:
        c.stop(9)


def notes(broker):
    return [e["data"]["note"] for e in broker.all_events("air")]


def test_mqtts(broker, connector, certificate, tmp_path, name):
    plain, port = free_ports(2)
    (tmp_path / "conf").write_text(f"listener {plain} 127.0.0.1\nallow_anonymous true\nuser root\nlistener {port} 127.0.0.1\n"
                                   f"certfile {certificate[1]}\nkeyfile {certificate[0]}\n")
    with subprocess.Popen([MOSQUITTO, "-c", str(tmp_path / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        try:
            stranger = connector(source="mqtt", url=[f"mqtts://localhost:{port}"], topics=["up"])
            status, t, log = stranger.once()
            assert status == 2 and t["failures"] >= 1, log
            other = connector(source="mqtt", url=[f"mqtts://127.0.0.1:{port}"], topics=["up"], ca=certificate[1])
            assert other.once()[0] == 2, "a certificate for another name"
            c = connector(source="mqtt", url=[f"mqtts://localhost:{port}"], topics=["up"], ca=certificate[1]).start()
            wait_for("the subscription", lambda: "connected to source" in c.logged())
            with mqtt.Client(plain, 4) as pub:
                pub.open("pub")
                wait_for("it is stored", lambda: pub.publish("up", ROW % name, 1) and name in notes(broker))
        finally:
            p.kill()


def test_wss(broker, connector, certificate, name):
    port, = free_ports(1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    loop, ready, came = asyncio.new_event_loop(), threading.Event(), []
    end = loop.create_future()

    async def on_client(client, *_):
        came.append(1)
        await client.send(ROW % name)
        await client.wait_closed()

    async def main():
        async with websockets.serve(on_client, "127.0.0.1", port, ssl=context):
            ready.set()
            await end

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        assert connector(source="websocket", url=[f"wss://localhost:{port}/"]).once()[0] == 2
        assert connector(source="websocket", url=[f"wss://127.0.0.1:{port}/"], ca=certificate[1]).once()[0] == 2
        assert not came, "a stranger was listened to"
        connector(source="websocket", url=[f"wss://localhost:{port}/"], ca=certificate[1]).start()
        wait_for("it is stored", lambda: name in notes(broker))
    finally:
        loop.call_soon_threadsafe(end.set_result, None)
        thread.join(10)
