"""How oudp-connect treats those it asks: as rarely as it may, as long as they take, and believing nothing."""
import gzip
import json
import os
import ssl
import subprocess
import time

import pytest

from kit import web
from kit.connect import TIME, Connector, Source, body, rows
from kit.daemon import feed, free_ports, wait_for

FEEDS = {"air": feed("city/air/{thing}")}


@pytest.fixture
def connector(broker, tmp_path):
    made = []

    def make(**options):
        made.append(Connector(tmp_path / f"c{len(made)}", broker.mqtt_port, **options))
        return made[-1]

    yield make
    for c in made:
        c.stop(9)


def of(name, n=3, **more):
    return body(*[dict(r, n=f"{name}-{r['n']}") for r in rows(n, **more)])


def ours(broker, name):
    return sorted(e["data"]["note"] for e in broker.all_events("air") if e["data"]["note"].startswith(name))


def test_gzip_is_asked_for_and_unpacked(connector, name):
    with Source((200, {"Content-Encoding": "gzip"}, gzip.compress(of(name)))) as s:
        assert connector(url=[s.url]).once()[1]["stored"] == 3
        headers = s.requests[0][1]
    assert "gzip" in headers["accept-encoding"] and headers["user-agent"].startswith("oudp-connect/")


def test_a_file_in_gzip_is_unpacked_and_bounded(connector, name):
    with Source((200, {"Content-Type": "application/gzip"}, gzip.compress(of(name)))) as s:
        assert connector(url=[s.url]).once()[1]["stored"] == 3
    bomb = gzip.compress(b'{"data":[' + b" " * 50_000_000 + b"]}")
    with Source((200, {}, bomb)) as s:
        status, t, log = connector(url=[s.url], body_max="1MiB").once()
    assert status == 2 and t["undecodable"] == 1 and "larger than body-max" in log


def test_a_body_beyond_its_bound_is_given_up(connector, name):
    with Source((200, {}, of(name, 500))) as s:
        status, t, log = connector(url=[s.url], body_max="10kB").once()
    assert (status, t["stored"], t["failures"]) == (2, 0, 1) and "larger than body-max" in log


def test_last_modified(connector, name):
    when = "Mon, 30 Nov 2026 08:00:00 GMT"
    with Source((200, {"Last-Modified": when}, of(name)), (304, {}, b"")) as s:
        c = connector(url=[s.url])
        c.once()
        assert c.once()[1]["unchanged"] == 1
        assert s.requests[1][1]["if-modified-since"] == when


def test_retry_after_as_a_date(connector, name):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 4))
    with Source((503, {"Retry-After": when}, b""), (200, {}, of(name))) as s:
        connector(url=[s.url]).start()
        wait_for("the second request", lambda: len(s.requests) >= 2, timeout=15)
        assert s.requests[1][2] - s.requests[0][2] >= 2.5


def test_failures_wait_longer_each_time(connector):
    with Source((500, {}, b"")) as s:
        connector(url=[s.url], interval="1s").start()
        wait_for("four requests", lambda: len(s.requests) >= 4, timeout=30)
        times = [t for _, _, t in s.requests]
    assert times[1] - times[0] >= 0.5 and times[3] - times[2] >= 1.9


def test_addresses_are_asked_with_a_gap(connector, name):
    with Source((200, {}, of(name))) as s:
        connector(url=[s.url + f"&n={i}" for i in range(3)], gap="400ms").once()
        times = [t for _, _, t in s.requests]
    assert len(times) == 3 and min(b - a for a, b in zip(times, times[1:])) >= 0.39


def test_redirects_are_followed_thrice_and_to_the_web_only(connector, name):
    with Source((200, {}, of(name))) as end, Source((302, {"Location": end.url}, b"")) as s:
        assert connector(url=[s.url]).once()[1]["stored"] == 3
    with Source((302, {"Location": "/again"}, b"")) as s:
        assert connector(url=[s.url]).once()[0] == 2
        assert len(s.requests) == 4
    with Source((302, {"Location": "file:///etc/passwd"}, b"")) as s:
        status, t, _ = connector(url=[s.url]).once()
    assert status == 2 and t["records"] == 0


def test_who_is_slow_is_given_up_and_who_stalls(connector):
    with Source((200, {}, body(*rows(3)), "cut-open")) as s:
        began = time.monotonic()
        status, t, log = connector(url=[s.url], timeout="1500ms").once()
        assert status == 2 and t["stored"] == 0 and time.monotonic() - began < 8, log


def test_a_changed_shape_is_said(connector):
    """{"error": ...} with 200 is no empty list; an empty list is."""
    with Source((200, {}, b'{"error": "maintenance", "code": 7}')) as s:
        status, t, log = connector(url=[s.url]).once()
    assert t["undecodable"] == 1 and "nothing at data" in log and status != 0
    with Source((200, {}, b'{"made": "x", "data": []}')) as s:
        status, t, _ = connector(url=[s.url]).once()
    assert (status, t["undecodable"], t["records"]) == (0, 0, 0)


def test_twice_the_same_and_out_of_order(broker, connector, name):
    items = [dict(r, n=f"{name}-{r['n']}") for r in rows(4)]
    items[2]["t"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
    with Source((200, {}, body(*items, items[0])), (200, {}, body(items[3], *items[:2]))) as s:
        c = connector(url=[s.url])
        first, second = c.once()[1], c.once()[1]
    assert (first["stored"], first["duplicates"]) == (4, 1) and (second["stored"], second["duplicates"]) == (0, 3)
    assert len(ours(broker, name)) == 4


def test_a_clock_that_was_put_back(connector, name):
    with Source((200, {}, of(name))) as s:
        c = connector(url=[s.url + "&from={last}&to={now}"], catch_up="1h")
        c.once()
        path = os.path.join(c.state, "c.json")
        position = json.load(open(path, encoding="utf-8"))
        position["last"] += 86400000  # as a poll had been made tomorrow
        json.dump(position, open(path, "w", encoding="utf-8"))
        c.once()
        query = dict(x.split("=") for x in s.requests[1][0].split("?")[1].split("&"))
    assert query["from"] <= query["to"]


def test_data_of_tomorrow_is_refused_and_the_flow_goes_on(connector, name):
    items = [dict(r, n=f"{name}-{r['n']}") for r in rows(3)]
    items[1]["t"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    with Source((200, {}, body(*items))) as s:
        status, t, _ = connector(url=[s.url]).once()
    assert (status, t["stored"], t["refused"]) == (1, 2, 1)


def test_a_damaged_position_is_not_begun_anew(connector, name):
    with Source((200, {}, of(name))) as s:
        c = connector(url=[s.url])
        c.once()
        with open(os.path.join(c.state, "c.json"), "w", encoding="utf-8") as f:
            f.write("{")
        status, t, log = c.once()
    assert status == 2 and t["records"] == 0 and "cannot be read" in log


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = str(folder / "key"), str(folder / "cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, cert


def secure(source, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    source.server.socket = context.wrap_socket(source.server.socket, server_side=True)
    return source.url.replace("http://127.0.0.1", "https://localhost")


def test_certificates_are_checked(connector, certificate, name):
    with Source((200, {}, of(name))) as s:
        url = secure(s, certificate)
        status, t, log = connector(url=[url]).once()
        assert (status, t["stored"]) == (2, 0) and "certificate" in log.lower()
        assert connector(url=[url], ca=certificate[1]).once()[1]["stored"] == 3
        status, t, log = connector(url=[url.replace("localhost", "127.0.0.1")], ca=certificate[1]).once()
        assert (status, t["stored"]) == (2, 0), "a certificate for another name"


def test_credentials_come_from_files_and_go_into_no_log(connector, tmp_path, name):
    (tmp_path / "word").write_text("opensesame\n")
    (tmp_path / "key").write_text("X-Api-Key: very-secret\n")
    with Source((401, {}, b"")) as s:
        c = connector(url=[s.url], user="city", password_file=str(tmp_path / "word"), header_file=str(tmp_path / "key"))
        status, _, log = c.once()
        headers = s.requests[0][1]
    assert headers["x-api-key"] == "very-secret" and headers["authorization"].startswith("Basic ")
    assert status == 2 and "401" in log and "opensesame" not in log and "very-secret" not in log
    with Source((200, {}, of("x"))) as s:
        for option in ("header_file", "password_file"):
            status, _, log = connector(url=[s.url], user="city", **{option: str(tmp_path / "gone")}).once()
            assert status == 2 and "cannot be read" in log and not s.requests, "asked without what it should show"


def test_a_proxy_of_the_environment(connector, name):
    with Source((200, {}, of(name))) as proxy:
        c = connector(url=["http://sensors.example/data"])
        port = proxy.server.server_address[1]
        p = c.run("--once", env={"http_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""})
        assert "stored=3" in p.stderr and proxy.requests[0][0] == "http://sensors.example/data"


def test_a_source_is_not_asked_while_the_broker_is_away(tmp_path, name):
    dead, = free_ports(1)
    with Source((200, {"ETag": '"1"'}, of(name))) as s:
        c = Connector(tmp_path / "c", dead, url=[s.url], interval="1s").start()
        try:
            time.sleep(4)
            assert len(s.requests) == 1
            assert web.request(s.server.server_address[1], "GET", "/x").status == 200
        finally:
            c.stop(9)
