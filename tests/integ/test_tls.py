"""TLS: what is offered and what is refused, three kinds of listener, certificates that change while the broker runs."""
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from kit import certs, city, mqtt, web
from kit.access import add_key, must
from kit.daemon import PUBLIC, SLOW, block, feed, free_ports, outside_address, wait_for


class Secure:
    """A daemon with a TLS listener of each kind, beside the plain ones."""

    def __init__(self, own, folder, clients=False, server="server"):
        self.ca = certs.Authority(folder / "ca")
        certificate, key = self.ca.sign(server, san="DNS:localhost,IP:127.0.0.1")
        self.live = {"certificate": str(folder / "live.pem"), "key": str(folder / "live.key")}
        shutil.copy(certificate, self.live["certificate"])
        shutil.copy(key, self.live["key"])
        if clients:
            self.live["client-ca"] = self.ca.path("ca")
            self.ca.revoke()
            shutil.copy(self.ca.path("list", "crl"), folder / "live.crl")
            self.live["crl"] = str(folder / "live.crl")
        self.mqtts, self.https, self.admins = free_ports(3)
        extra = block("tls", "city", self.live) + "".join(
            f'listener "{n}" {{\n\tprotocol = {p}\n\taddress = "127.0.0.1"\n\tport = {port}\n\ttls = "city"\n}}\n'
            for n, p, port in (("mqtts", "mqtt", self.mqtts), ("https", "http", self.https),
                               ("admins", "admin", self.admins)))
        self.daemon = own(extra=extra)
        self.context = self.ca.context()

    def client(self, name, version=5, context=None):
        c = mqtt.Client(self.mqtts, version, timeout=10 * SLOW, tls=context or self.context)
        c.open(name)
        return c


@pytest.fixture
def secure(own, tmp_path):
    s = Secure(own, tmp_path)
    s.daemon.start()
    return s


def s_client(port, *arguments):
    """One handshake; gives what openssl said of it."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", *arguments], input="",
                          capture_output=True, text=True, timeout=20 * SLOW)
    return done.stdout + done.stderr


REFUSED = [
    ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
    ("TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]),
    ("CBC", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]),
    ("DHE", ["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"]),
    ("RSA key exchange", ["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"]),
    ("AES-CCM-8", ["-tls1_2", "-cipher", "AESCCM8:@SECLEVEL=0"]),
    ("CCM-8 of 1.3", ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"]),
    ("ffdhe", ["-tls1_3", "-groups", "ffdhe2048"]),
    ("P-224", ["-tls1_2", "-curves", "P-224"]),
    ("SHA-1", ["-tls1_2", "-sigalgs", "ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0"]),
]
ACCEPTED = [
    ("1.3 AES-256", ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"], "TLS_AES_256_GCM_SHA384"),
    ("1.3 AES-128", ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], "TLS_AES_128_GCM_SHA256"),
    ("1.3 ChaCha", ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], "TLS_CHACHA20_POLY1305_SHA256"),
    ("1.2 AES-256", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("P-384", ["-tls1_3", "-groups", "P-384"], "secp384r1"),
    ("X25519", ["-tls1_3", "-groups", "X25519"], "X25519"),
]


def test_offered_and_refused(secure):
    """On both servers: OpenSSL under libuv, and libwebsockets."""
    for port in (secure.mqtts, secure.https, secure.admins):
        for what, arguments in REFUSED:
            said = s_client(port, *arguments)
            assert "CONNECTION ESTABLISHED" not in said, (port, what, said)
        for what, arguments, sign in ACCEPTED:
            said = s_client(port, *arguments)
            assert "CONNECTION ESTABLISHED" in said and sign in said, (port, what, said)
    secure.daemon.alive()


def test_no_renegotiation_no_compression(secure):
    for port in (secure.mqtts, secure.https):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"], input="R\n",
                              capture_output=True, text=True, timeout=20 * SLOW)
        assert "no renegotiation" in (done.stdout + done.stderr).lower()
        assert "Compression: NONE" in done.stdout


def test_mqtt_both_ways(secure, name, version):
    with secure.client(name, version) as c, secure.client(name + "s", version) as s:
        s.subscribe((f"raw/{name}/#", 1))
        for n in (1, 1000, 20000, 300000):
            assert c.publish(f"raw/{name}/{n}", b"x" * n).reason == 0
            p = s.expect(mqtt.PUBLISH)
            assert p.payload == b"x" * n
    with secure.daemon.client(name) as plain:  # the plain listener is as it was
        assert plain.publish(f"raw/{name}/p", b"y").reason == 0


def test_many_messages_in_one_write(secure, name):
    """Packets that arrive together in few records, and one that is cut between records."""
    with secure.client(name) as c:
        packets = [mqtt.publish(f"raw/{name}", b"m%d" % i, 1, i + 1) for i in range(500)]
        blob = b"".join(packets)
        for at in range(0, len(blob), 977):
            c.send(blob[at:at + 977])
        for i in range(500):
            assert c.expect(mqtt.PUBACK).mid == i + 1


def test_mosquitto_pub_and_curl(secure, name):
    done = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(secure.mqtts), "--cafile",
                           secure.ca.path("ca"), "-q", "1", "-t", f"raw/{name}", "-m", "hello"],
                          capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["curl", "-sS", "-i", "--cacert", secure.ca.path("ca"), f"https://localhost:{secure.https}/v1/feeds"],
                          capture_output=True, text=True, timeout=20 * SLOW)
    assert "200" in done.stdout.splitlines()[0] and "strict-transport-security: max-age=31536000" in done.stdout.lower()
    assert '"raw"' in done.stdout
    done = subprocess.run(["curl", "-sS", f"https://localhost:{secure.https}/v1/feeds"], capture_output=True, text=True,
                          timeout=20 * SLOW)
    assert done.returncode != 0, "a client that does not know the authority must refuse it"


def test_wss(secure, name):
    with web.WebSocket(secure.https, "/v1/feeds/raw/events", timeout=15 * SLOW, tls=secure.context) as w:
        web.until_live(w)
        with secure.client(name) as c:
            for i in range(50):
                c.publish(f"raw/{name}", b"n%d" % i)
        for i in range(50):
            assert w.event()["sequence"]


def test_rubbish_and_silence(secure, name):
    """Plain MQTT, noise and an early end cost their own connection only."""
    for data in (mqtt.connect("x"), os.urandom(2000), b"\x16\x03\x01\x40\x00" + bytes(3000), b""):
        c = mqtt.Client(secure.mqtts, timeout=5 * SLOW)
        c.sock.sendall(data)
        c.sock.shutdown(1)
        while c.sock.recv(1000):
            pass
        c.close()
    with secure.client(name) as c:
        c.ping()
    assert "oudp_tls_failed_total 0" not in web.request(secure.daemon.admin_port, "GET", "/metrics").body.decode()


def test_herd_of_handshakes_does_not_stop_messages(secure, name):
    """300 clients come at once; another one's messages are answered meanwhile, and all get in."""
    done, slowest = [], 0.0

    def come(i):
        try:
            with secure.client(f"{name}-{i}") as c:
                c.ping()
                done.append(i)
        except Exception as e:  # counted below
            done.append(e)

    with secure.daemon.client(name) as c:
        threads = [threading.Thread(target=come, args=(i,)) for i in range(300)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            begin = time.monotonic()
            c.publish(f"raw/{name}", b"x")
            slowest = max(slowest, time.monotonic() - begin)
        for t in threads:
            t.join()
    assert sorted(done, key=str) == sorted(range(300), key=str)
    assert slowest < 5 * SLOW


def subject_serial(port, context):
    with mqtt.Client(port, tls=context) as c:
        return c.sock.getpeercert()["serialNumber"]


def test_certificate_changes_under_open_connections(secure, name):
    """Files are replaced: noticed by itself; nobody is dropped; broken files keep the former, in words."""
    before = subject_serial(secure.mqtts, secure.context)
    with secure.client(name) as c, \
            web.WebSocket(secure.https, "/v1/feeds/raw/events", timeout=15 * SLOW, tls=secure.context) as w:
        web.until_live(w)
        # an RSA key this time: the former one must not be served any longer
        certificate, key = secure.ca.sign("second", san="DNS:localhost", rsa=2048)
        shutil.copy(certificate, secure.live["certificate"])
        shutil.copy(key, secure.live["key"])
        wait_for("the new certificate", lambda: subject_serial(secure.mqtts, secure.context) != before, 15)
        for port in (secure.mqtts, secure.https):
            said = s_client(port, "-sigalgs", "ECDSA+SHA256", "-tls1_2")
            assert "CONNECTION ESTABLISHED" not in said, said
        with open(secure.live["key"], "w", encoding="utf-8") as f:
            f.write("rubbish")
        line = secure.daemon.wait_error("not taken", 15)
        assert "key" in line and "no private key" in line
        c.ping()
        assert subject_serial(secure.mqtts, secure.context) != before
        assert c.publish(f"raw/{name}", b"still").reason == 0
        assert w.event()["sequence"]
        a = secure.daemon.admin("POST", "/v1/_reload", {})
        assert a.status == 400 and "no private key" in a.body.decode(), a
        shutil.copy(key, secure.live["key"])
        assert secure.daemon.admin("POST", "/v1/_reload", {}).status == 200
        c.ping()


def test_sighup_reads_certificates(secure, name):
    before = subject_serial(secure.https, secure.context)
    for kind, path in zip(("certificate", "key"), secure.ca.sign("third", san="DNS:localhost")):
        shutil.copy(path, secure.live[kind])
    secure.daemon.reload()
    wait_for("the new certificate", lambda: subject_serial(secure.https, secure.context) != before, 4)


def test_resumption(secure):
    """A ticket saves the second handshake."""
    session = secure.ca.path("session")
    for port in (secure.mqtts, secure.https):
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-sess_out", session], input="",
                       capture_output=True, timeout=20 * SLOW)
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-sess_in", session],
                              input="", capture_output=True, text=True, timeout=20 * SLOW)
        assert "Reused, TLSv1.2" in done.stdout


def test_client_certificates(own, tmp_path, name):
    """Signed by client-ca or not, revoked or not; without one a client may come as it does elsewhere."""
    s = Secure(own, tmp_path, clients=True)
    s.ca.sign("good")
    s.ca.sign("bad")
    other = certs.Authority(tmp_path / "other")
    other.sign("stranger")
    s.daemon.start()
    with s.client(name), s.client(name + "g", context=s.ca.context("good")) as c:
        c.ping()
        stranger = s.ca.context()
        stranger.load_cert_chain(other.path("stranger"), other.path("stranger", "key"))
        with pytest.raises((ssl.SSLError, mqtt.Closed, ConnectionError)):
            s.client(name + "x", context=stranger)
        with s.client(name + "b", context=s.ca.context("bad")) as b:
            b.ping()
        shutil.copy(s.ca.revoke("bad"), s.live["crl"])
        s.daemon.reload()
        wait_for("the list", lambda: "reloaded" in s.daemon.errors())
        with pytest.raises((ssl.SSLError, mqtt.Closed, ConnectionError)):
            s.client(name + "b", context=s.ca.context("bad"))
        c.ping()


def test_bad_files_are_said_at_start(own, tmp_path):
    """By oudpd and by oudpd -n, all at once, with what to do."""
    ca = certs.Authority(tmp_path / "ca")
    good, good_key = ca.sign("good")
    old, old_key = ca.sign("old", days=-1)
    weak, weak_key = ca.sign("weak", rsa=1024)
    noise = tmp_path / "noise"
    noise.write_text("noise")
    cases = [
        ({"certificate": good, "key": old_key}, "does not belong to the certificate"),
        ({"certificate": old, "key": old_key}, "has expired"),
        ({"certificate": weak, "key": weak_key}, "too weak"),
        ({"certificate": str(noise), "key": good_key}, "holds no certificate"),
        ({"certificate": good, "key": str(noise)}, "holds no private key"),
        ({"certificate": good, "key": str(tmp_path / "none")}, "cannot read"),
        ({"certificate": good, "key": good_key, "client-ca": str(noise)}, "holds no certificate"),
        ({"certificate": good, "key": good_key, "client-ca": good, "crl": str(noise)}, "holds no list"),
    ]
    for options, words in cases:
        port = free_ports(1)[0]
        d = own(extra=block("tls", "city", options)
                + f'listener "m" {{\n\tprotocol = mqtt\n\tport = {port}\n\ttls = "city"\n}}\n')
        for arguments in (["-n"], ["-d"]):
            done = subprocess.run([d.binary, *arguments, "-f", d.conf], capture_output=True, text=True, timeout=20 * SLOW)
            assert done.returncode == 1 and words in done.stderr, (options, arguments, done.stderr)


def test_days_are_told(own, tmp_path):
    s = Secure(own, tmp_path)
    s.daemon.start()
    metrics = web.request(s.daemon.admin_port, "GET", "/metrics").body.decode()
    days = s.daemon.admin("GET", "/v1/status").json()["tls"][0]["daysLeft"]
    assert days in (19, 20)  # the first second of a day counts
    assert re.search(r'oudp_tls_certificate_days{tls="city"} (19|20)', metrics)
    assert re.search(r"city: the certificate has (19|20) days left", s.daemon.oudp("status").stdout)
    s.daemon.wait_error("certificate ends soon")


def inside_publish(d, topic):
    with d.client("inside-" + topic.replace("/", "-")) as c:
        return c.publish(topic, b"y").reason == 0


def test_beyond_loopback_anonymous_reads_public_feeds_only(own, tmp_path, name):
    address = outside_address()
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost")
    mqtts, https = free_ports(2)
    extra = block("tls", "city", {"certificate": certificate, "key": key}) + "".join(
        f'listener "{n}" {{\n\tprotocol = {p}\n\taddress = "{address}"\n\tport = {port}\n\ttls = "city"\n}}\n'
        for n, p, port in (("mqtts", "mqtt", mqtts), ("https", "http", https)))
    d = own({"open": feed("open/{thing}", ["any"], **PUBLIC), "mine": feed("mine/{thing}", ["any"])}, extra=extra)
    d.start()

    def get(path, method="GET", body=None):
        c = http.client.HTTPSConnection("localhost", https, timeout=10 * SLOW, context=ca.context())
        c.sock = ca.context().wrap_socket(socket.create_connection((address, https)), server_hostname="localhost")
        c.request(method, path, body)
        return web.Answer(c.getresponse())

    with mqtt.Client(mqtts, host=address, timeout=10 * SLOW, tls=ca.context()) as c, d.client(name) as inside:
        c.open(name + "o")
        assert c.subscribe("open/#", "mine/#", "#") == [0, 0x87, 0]
        assert c.publish("open/a", b"x").reason == 0x87
        assert c.publish("mine/a", b"x").reason == 0x87
        assert c.publish("nowhere/a", b"x").reason == 0x87
        assert inside.publish("mine/a", b"secret").reason == 0
        assert inside.publish("open/a", b"shown").reason == 0
        p = c.expect(mqtt.PUBLISH)
        assert (p.topic, p.payload) == ("open/a", b"shown")
    assert d.quarantine() == []
    assert [f["name"] for f in get("/v1/feeds").json()["feeds"]] == ["open"]
    for path in ("/v1/feeds/mine", "/v1/feeds/mine/events?after=0"):
        assert get(path).status == 404, path
    entry = {"name": {"nl": "x"}, "owner": {"organisation": "x"}, "goal": {"nl": "x"}, "legalGround": "x", "personalData": False}
    for thing, more in (("hidden", {}), ("shown", {"public": True}), ("b", {})):
        assert d.admin("PUT", f"/v1/things/{thing}", {**entry, **more}).status == 201
    assert inside_publish(d, "mine/shown") and inside_publish(d, "mine/a")
    things = {t["id"]: t for t in get("/v1/things").json()["things"]}
    assert set(things) == {"a", "shown"}, "public entries, and who published to a public feed"
    assert things["a"]["seen"]["feeds"] == ["open"] and "seen" not in things["shown"], "no word of feeds that do not exist"
    assert get("/v1/things/hidden").status == 404 and get("/v1/things/hidden", "PUT", json.dumps(entry)).status == 403
    assert get("/v1/feeds/open/events?after=0").status == 200
    assert get("/v1/feeds/open/events?thing=a", "POST", b"x").status == 403
    assert get("/v1/feeds/mine/events?thing=a", "POST", b"x").status == 404
    assert get("/v1/status").status == 403
    assert get("/v1/_reload", "POST", b"{}").status == 403
    assert {f["name"] for f in d.get("/v1/feeds").json()["feeds"]} == {"open", "mine", "oudp-alerts"}, "loopback is as it was"


def test_a_key_that_systemd_hands_over(own, tmp_path, monkeypatch):
    """credential:NAME is a file of CREDENTIALS_DIRECTORY; without that, or with a path in the name, -n says what to do."""
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    folder = tmp_path / "credentials"
    folder.mkdir()
    shutil.move(key, folder / "city.key")
    port = free_ports(1)[0]

    def listener(name):
        return block("tls", "city", {"certificate": certificate, "key": name}) \
            + f'listener "m" {{\n\tprotocol = mqtt\n\tport = {port}\n\ttls = "city"\n}}\n'
    for name, where, words in (("credential:city.key", None, "LoadCredential=city.key:FILE"), ("credential:../city.key", folder, "names no credential"),
                               ("credential:", folder, "names no credential"), ("credential:other", folder, "cannot read")):
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        if where:
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(where))
        d = own(extra=listener(name))
        done = subprocess.run([d.binary, "-n", "-f", d.conf], capture_output=True, text=True, timeout=20 * SLOW)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    d = own(extra=listener("credential:city.key"))
    d.start()
    with mqtt.Client(port, timeout=10 * SLOW, tls=ca.context()) as c:
        c.open("c")


def test_authorities_change_under_open_connections(own, tmp_path, name):
    """client-ca is replaced by another authority: who is connected stays, who comes is judged by the new one."""
    s = Secure(own, tmp_path, clients=True)
    s.ca.sign("old")
    other = certs.Authority(tmp_path / "other")
    other.sign("new")
    trusting = {who: s.ca.context() for who in ("old", "new")}
    trusting["old"].load_cert_chain(s.ca.path("old"), s.ca.path("old", "key"))
    trusting["new"].load_cert_chain(other.path("new"), other.path("new", "key"))
    s.live["client-ca"] = str(tmp_path / "live-ca.pem")
    shutil.copy(s.ca.path("ca"), s.live["client-ca"])
    s.daemon.extra = s.daemon.extra.replace(s.ca.path("ca"), s.live["client-ca"])
    s.daemon.write_conf()
    s.daemon.start()
    refused = (ssl.SSLError, mqtt.Closed, ConnectionError)
    with s.client(name, context=trusting["old"]) as inside:
        with pytest.raises(refused):
            s.client(name + "x", context=trusting["new"])
        shutil.copy(other.path("ca"), s.live["client-ca"])
        shutil.copy(other.revoke(), s.live["crl"])
        s.daemon.reload()
        s.daemon.wait_error("was reloaded")
        with s.client(name + "n", context=trusting["new"]) as c:
            c.ping()
        with pytest.raises(refused):
            s.client(name + "o", context=trusting["old"])
        inside.ping()
        assert inside.publish(f"raw/{name}", b"still here").reason == 0


def test_resumption_of_1_3_without_early_data(secure):
    """A ticket of 1.3 saves the second handshake, which brings another ticket; none allows data before the end (0-RTT)."""
    session = secure.ca.path("early")
    for port in (secure.mqtts, secure.https, secure.admins):
        common = f"openssl s_client -connect 127.0.0.1:{port} -tls1_3"
        for arguments, signs in ((f"-sess_out {session}", ["New, TLSv1.3", "New Session Ticket arrived", "Max Early Data: 0"]),
                                 (f"-sess_in {session} -sess_out {session} -early_data {secure.ca.path('ca')}",
                                  ["Reused, TLSv1.3", "Early data was not sent", "New Session Ticket arrived", "Max Early Data: 0"]),
                                 (f"-sess_in {session}", ["Reused, TLSv1.3"])):
            done = subprocess.run(["sh", "-c", f"sleep {SLOW} | {common} {arguments}"], capture_output=True, text=True,
                                  timeout=30 * SLOW)
            for sign in signs:
                assert sign in done.stdout, (port, sign, done.stdout)
        os.unlink(session)


def test_tickets_do_not_outlast_certificates_of_clients(own, tmp_path):
    """With client-ca a resumed session gives no new ticket: after two hours at most the certificate is looked at again."""
    s = Secure(own, tmp_path, clients=True)
    s.ca.sign("good")
    s.daemon.start()
    session = s.ca.path("session")
    common = f"openssl s_client -connect 127.0.0.1:{s.mqtts} -tls1_3 -cert {s.ca.path('good')} -key {s.ca.path('good', 'key')}"
    for arguments, sign, tickets in ((f"-sess_out {session}", "New, TLSv1.3", 1), (f"-sess_in {session}", "Reused, TLSv1.3", 0)):
        done = subprocess.run(["sh", "-c", f"sleep {SLOW} | {common} {arguments}"], capture_output=True, text=True, timeout=30 * SLOW)
        assert sign in done.stdout and done.stdout.count("New Session Ticket arrived") == tickets, done.stdout


def test_a_stranger_shares_nothing_with_the_organisation(own, tmp_path):
    """Who shows nothing beyond loopback has a client id, a group and verdicts of its own, and not those of the broker's organisation."""
    address = outside_address()
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san=f"DNS:localhost,IP:{address}")
    port, = free_ports(1)
    d = own({"open": feed("open/{thing}", **PUBLIC), "mine": feed("mine/{thing}", access="restricted")},
            extra=block("tls", "city", {"certificate": certificate, "key": key})
            + f'listener "out" {{\n\tprotocol = mqtt\n\taddress = "{address}"\n\tport = {port}\n\ttls = "city"\n}}\n').start()
    must(d, "organisation", "add", "gemeente-test")
    worker = {"user": "", "password": add_key(d, "worker", "gemeente-test"), "clean": False, "props": {"session_expiry": 1000}}

    def stranger(client_id):
        c = mqtt.Client(port, host=address, timeout=10 * SLOW, tls=ca.context())
        c.open(client_id, clean=False, props={"session_expiry": 1000})
        return c
    with d.client("worker", **worker) as w, d.client("loopback") as own_client:
        assert w.subscribe("$share/g/open/#") == [0]
        with stranger("worker") as s, stranger("other") as o:
            w.ping()  # nobody closed it
            assert s.subscribe("$share/g/open/#", "$oudp/verdicts/+") == [0, 0] and o.subscribe("$oudp/verdicts/#") == [0]
            for n in range(6):
                assert own_client.publish("open/a", city.air(n)).reason == 0
            for c in (w, s):
                assert [c.expect(mqtt.PUBLISH).topic for _ in range(6)] == ["open/a"] * 6
            assert own_client.publish("mine/secret", b"{}").reason == 0x99
            assert s.publish("mine/x", b"{}").reason == 0x87
            assert s.expect(mqtt.PUBLISH).topic == "$oudp/verdicts/worker", "of what it sent itself"
            for c in (w, s, o):
                c.expect_quiet()
