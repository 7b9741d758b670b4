"""Tokens of an issuer (JWT): which are good, which are not, where keys come from, and what ends with them."""
import hashlib
import hmac
import http.server
import threading
import time

import pytest

from kit import mqtt, tokens, web
from kit.daemon import SLOW, block, feed, wait_for

FEEDS = {"air": feed("city/air/{thing}", ["any"], access="restricted")}
AUDIENCE = "oudp-test"


def claims(**more):
    now = int(time.time())
    c = {"iss": "https://issuer.test", "aud": AUDIENCE, "sub": "client-1", "iat": now, "exp": now + 600, **more}
    return {k: v for k, v in c.items() if v is not None}


def start(own, issuer, jwks=None):
    d = own(FEEDS, extra=block("issuer", "city", {"iss": issuer.iss, "audience": AUDIENCE, "jwks": jwks or issuer.jwks}))
    d.start()
    for arguments in (["organisation", "add", "partner"],
                      ["identity", "add", "app", "--organisation", "partner", "--issuer", "city", "--subject", "client-1"],
                      ["grant", "add", "air", "--identity", "app", "--rights", "publish,subscribe,read"]):
        done = d.oudp(*arguments)
        assert done.returncode == 0, done.stderr
    return d


def status(d, token):
    return web.request(d.web_port, "GET", "/v1/feeds/air", headers={"Authorization": "Bearer " + token}).status


def connack(d, token, **options):
    with mqtt.Client(d.mqtt_port, timeout=10 * SLOW) as c:
        c.send(mqtt.connect("c", user="", password=token, **options))
        return c.expect(mqtt.CONNACK).reason


@pytest.fixture
def issuer(tmp_path):
    return tokens.Issuer(tmp_path / "issuer")


def test_which_are_good(own, issuer):
    d = start(own, issuer)
    for alg in ("RS256", "PS256", "ES256"):
        token = issuer.token(claims(), alg)
        assert status(d, token) == 200, alg
        assert connack(d, token) == 0, alg
    for more in ({"aud": [AUDIENCE, "other"]}, {"nbf": int(time.time()) - 5}, {"exp": time.time() + 60.5}):
        assert status(d, issuer.token(claims(**more))) == 200, more
    assert status(d, issuer.token(claims(), header={"kid": None})) == 200, "no key named: any that fits"


def test_which_are_not(own, issuer, tmp_path):
    d = start(own, issuer)
    now = int(time.time())
    other = tokens.Issuer(tmp_path / "other")
    with open(issuer.path("rsa.key"), "rb") as f:
        private = f.read()
    public = tokens.openssl("rsa", "-pubout", input=private)
    good = issuer.token(claims())
    head, body, signature = good.split(".")
    bad = {
        "expired": issuer.token(claims(exp=now - 60)),
        "no exp": issuer.token(claims(exp=None)),
        "not valid yet": issuer.token(claims(nbf=now + 120)),
        "wrong audience": issuer.token(claims(aud="somebody-else")),
        "audience among others": issuer.token(claims(aud=["a", "b"])),
        "no audience": issuer.token(claims(aud=None)),
        "wrong issuer": issuer.token(claims(iss="https://issuer.test/")),
        "no such subject": issuer.token(claims(sub="client-2")),
        "no subject": issuer.token(claims(sub=None)),
        "none": issuer.token(claims(), header={"alg": "none"}, signature=lambda _: b""),
        "None": issuer.token(claims(), header={"alg": "None"}, signature=lambda _: b""),
        "HS256 with the public key": issuer.token(claims(), header={"alg": "HS256"},
                                                  signature=lambda s: hmac.new(public, s, hashlib.sha256).digest()),
        "RS512": issuer.token(claims(), header={"alg": "RS512"}),
        "another's key": other.token(claims()),
        "unknown key": issuer.token(claims(), header={"kid": "r2"}),
        "key of another kind": issuer.token(claims(), header={"kid": "e1"}),
        "extension": issuer.token(claims(), header={"crit": ["exp"]}),
        "signature left out": head + "." + body + ".",
        "signature cut": good[:-8],
        "a bit turned": head + "." + body + "." + ("A" if signature[0] != "A" else "B") + signature[1:],
        "claims changed": head + "." + tokens.b64(b'{"sub":"client-1","iss":"https://issuer.test"}') + "." + signature,
        "two parts": head + "." + body,
        "four parts": good + ".x",
        "not base64": "eyJ!." + body + "." + signature,
        "ES256 with a signature of RSA": issuer.token(claims(), header={"alg": "ES256", "kid": "e1"}),
        "ES256 with zeros": issuer.token(claims(), "ES256", signature=lambda _: bytes(64)),
    }
    for what, token in bad.items():
        assert status(d, token) == 401, what
        assert connack(d, token) == 0x86, what
    assert status(d, good) == 200, "keys and tokens are not slowed"
    assert web.request(d.web_port, "GET", "/v1/feeds/air?access_token=" + good).status == 400
    text = d.errors()
    assert good not in text and signature not in text
    d.oudp("identity", "end", "app")
    assert status(d, good) == 401


def test_it_ends_with_the_connection(own, issuer):
    """A token that expires closes MQTT and WebSocket."""
    d = start(own, issuer)
    token = issuer.token(claims(exp=int(time.time()) + 3))
    with mqtt.Client(d.mqtt_port, timeout=10 * SLOW) as c, \
            web.WebSocket(d.web_port, "/v1/feeds/air/events", headers={"Authorization": "Bearer " + token},
                          timeout=10 * SLOW) as w:
        c.open("c", user="", password=token)
        web.until_live(w)
        assert c.publish("city/air/1", b"x").reason == 0
        assert w.event()["sequence"]
        assert c.expect(mqtt.DISCONNECT, 8 * SLOW).reason == 0x87
        with pytest.raises(web.WsClosed) as e:
            w.event(8 * SLOW)
        assert e.value.code == 1008


def test_keys_change(own, issuer):
    """A file that changes is read again; one that is broken leaves the former keys."""
    d = start(own, issuer)
    good = issuer.token(claims())
    issuer.write_jwks([issuer.ec_jwk()])
    wait_for("the new keys", lambda: status(d, good) == 401, 12)
    assert status(d, issuer.token(claims(), "ES256")) == 200
    with open(issuer.jwks, "w", encoding="utf-8") as f:
        f.write("rubbish")
    d.wait_error("could not be had; the former ones stay", 12)
    assert status(d, issuer.token(claims(), "ES256")) == 200


def test_keys_from_an_address(own, issuer):
    """Fetched, cached, and asked for again when a token names another key; never while a request waits."""
    asked = []

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            with open(issuer.jwks, "rb") as f:
                body = f.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        d = start(own, issuer, f"http://127.0.0.1:{server.server_port}/certs")
        d.wait_error("The keys of an issuer are there")
        for _ in range(5):
            assert status(d, issuer.token(claims())) == 200
        assert asked == ["/certs"]
        assert status(d, issuer.token(claims(), header={"kid": "new"})) == 401
        assert asked == ["/certs"], "not more than once a minute"
    finally:
        server.shutdown()


def test_bad_blocks(own, issuer, tmp_path):
    import subprocess  # pylint: disable=import-outside-toplevel
    for jwks, words in (("http://issuer.test/certs", "neither an https address"), ("certs.json", "neither an https"),
                        (str(tmp_path / "none"), "cannot read")):
        d = own(FEEDS, extra=block("issuer", "city", {"iss": "x", "audience": "y", "jwks": jwks}))
        done = subprocess.run([d.binary, "-n", "-f", d.conf], capture_output=True, text=True, timeout=20 * SLOW)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    d = start(own, issuer)
    done = d.oudp("identity", "add", "z", "--organisation", "partner", "--issuer", "nobody", "--subject", "s")
    assert done.returncode == 2 and "no such issuer" in done.stderr
