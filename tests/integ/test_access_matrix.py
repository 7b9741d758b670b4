"""Every operation of the API and every way in, for every kind of identity and right: the operations come from the broker's
own description, the answers from tests/vectors/access-*.tsv, written by hand. An operation without a row fails."""
import base64
import os
import re

import pytest

from kit import mqtt, mqttws, tokens, web
from kit.daemon import PUBLIC, SLOW, TOP, block, feed, free_ports

VECTORS = os.path.join(TOP, "tests", "vectors")
PASSWORD = "a password of the matrix"
FEEDS = {
    "restricted": feed("restricted/{thing}", ["any"], access="restricted"),
    "internal": feed("internal/{thing}", ["any"], access="internal", organisation="owner"),
    "public": feed("public/{thing}", ["any"], **PUBLIC),
}
RIGHTS = ("publish", "subscribe", "read", "admin")
FILL = {"feed": "restricted", "schema": "test-air", "name": "test-air", "version": "1", "thing": "t", "organisation": "owner",
        "identity": "none", "id": "1", "grant": "13"}  # the thirteenth is that of "ended"


def rows(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        lines = [x.rstrip("\n").split("\t") for x in f if x.strip() and not x.startswith("#")]
    return lines[0], lines[1:]


class Town:
    """Organisations owner and partner; an identity of each kind with each right on "restricted", and one with none."""

    def __init__(self, d, issuer, strict, web_strict):
        self.d, self.strict, self.web_strict = d, strict, web_strict
        self.shows = {"anonymous": None}
        self.issuer = issuer
        self.must("organisation", "add", "owner")
        self.must("organisation", "add", "partner")
        for kind in ("password", "key", "token"):
            for right in ("none", *RIGHTS):
                self.add(f"{kind}-{right}", "partner", kind)
                if right != "none":
                    self.must("grant", "add", "restricted", "--identity", f"{kind}-{right}", "--rights", right)
        self.add("member", "owner", "key")
        self.add("ended", "partner", "key")
        self.must("grant", "add", "restricted", "--identity", "ended", "--rights", "publish,subscribe,read")
        self.must("identity", "end", "ended")
        self.add("suspended", "partner", "key")
        out = self.must("grant", "add", "restricted", "--identity", "suspended", "--rights", ",".join(RIGHTS))
        self.must("grant", "suspend", re.search(r"\d+", out).group(0))
        self.shows["wrong"] = ("", "oudp_" + "A" * 43)

    def must(self, *arguments, **options):
        done = self.d.oudp(*arguments, **options)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def add(self, name, organisation, kind):
        common = ["identity", "add", name, "--organisation", organisation]
        if kind == "password":
            self.must(*common, "--password", input=PASSWORD + "\n")
            self.shows[name] = (name, PASSWORD)
        elif kind == "key":
            self.shows[name] = ("", re.search(r"^oudp_\S+$", self.must(*common, "--key"), re.M).group(0))
        else:
            self.must(*common, "--issuer", "city", "--subject", name)
            import time  # pylint: disable=import-outside-toplevel
            self.shows[name] = ("", self.issuer.token({"iss": self.issuer.iss, "aud": "oudp", "sub": name,
                                                       "exp": int(time.time()) + 3600}))

    def headers(self, who):
        shown = self.shows[who]
        if not shown:
            return {}
        if shown[0]:
            return {"Authorization": "Basic " + base64.b64encode(":".join(shown).encode()).decode()}
        return {"Authorization": "Bearer " + shown[1]}

    def mqtt(self, who):
        shown = self.shows[who]
        return {"user": shown[0], "password": shown[1]} if shown else {}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    from kit.daemon import Daemon  # pylint: disable=import-outside-toplevel
    folder = tmp_path_factory.mktemp("matrix")
    issuer = tokens.Issuer(folder / "issuer")
    strict, web_strict = free_ports(2)
    extra = block("issuer", "city", {"iss": issuer.iss, "audience": "oudp", "jwks": issuer.jwks}) + "".join(
        f'listener "{n}" {{\n\tprotocol = {p}\n\tport = {port}\n\tanonymous = false\n}}\n'
        for n, p, port in (("strict", "mqtt", strict), ("webstrict", "http", web_strict)))
    d = Daemon(folder / "d", FEEDS, extra=extra)
    d.start()
    try:
        yield Town(d, issuer, strict, web_strict)
        d.stop()
    finally:
        d.kill()


def ask(port, method, path, headers):
    body = "{}" if method in ("POST", "PUT", "PATCH") else None
    if body:
        headers = {**headers, "Content-Type": "application/json"}
    for _ in range(5):
        try:
            return web.request(port, method, path, body, headers, timeout=10 * SLOW).status
        except (BrokenPipeError, ConnectionResetError):
            continue  # it was answered and closed before the body had gone
    return 0


def test_operations(town):
    """401 and 403 and 404 for whom they are meant; every operation of the description has its row."""
    head, table = rows("access-operations.tsv")
    operations = {(m.upper(), p) for p, ways in town.d.get("/v1/openapi.json").json()["paths"].items() for m in ways}
    assert {(r[0], r[1]) for r in table} == operations, "rows of tests/vectors/access-operations.tsv"
    bad = []
    for method, path, *wanted in table:
        real = re.sub(r"{(\w+)}", lambda m: FILL[m.group(1)], path)
        for column, want in zip(head[2:], wanted):
            who, _, where = column.partition("@")
            got = ask(town.web_strict if where == "strict" else town.d.web_port, method, real, town.headers(who))
            if str(got) not in want.split("|"):
                bad.append(f"{method} {path} as {column}: {got}, not {want}")
    assert not bad, "\n".join(bad)


# ---- faces: what one tries, and a word for how it ended ----

def publish_mqtt(town, who, name, client=None):
    c = client or mqtt.Client(town.d.mqtt_port, timeout=10 * SLOW)
    with c:
        c.send(mqtt.connect("m", **town.mqtt(who)))
        reason = c.expect(mqtt.CONNACK).reason
        return f"0x{reason or c.publish(f'{name}/t', b'x').reason:02x}"


def publish_ws(town, who, name):
    return publish_mqtt(town, who, name, mqttws.Client(town.d.web_port, timeout=10 * SLOW))


def subscribe_mqtt(town, who, name):
    with mqtt.Client(town.d.mqtt_port, timeout=10 * SLOW) as c:
        c.send(mqtt.connect("m", **town.mqtt(who)))
        reason = c.expect(mqtt.CONNACK).reason
        return f"0x{reason or c.subscribe(f'{name}/#')[0]:02x}"


def publish_http(town, who, name):
    return str(web.request(town.d.web_port, "POST", f"/v1/feeds/{name}/events?thing=t", "x",
                           {**town.headers(who), "Content-Type": "text/plain"}, timeout=10 * SLOW).status)


def read_page(town, who, name):
    return str(web.request(town.d.web_port, "GET", f"/v1/feeds/{name}/events?after=0", None, town.headers(who),
                           timeout=10 * SLOW).status)


def read_stream(town, who, name):
    with web.Events(town.d.web_port, f"/v1/feeds/{name}/events", town.headers(who), timeout=10 * SLOW) as e:
        return str(e.response.status)


def read_websocket(town, who, name):
    for _ in range(20):  # a password is verified meanwhile
        try:
            with web.WebSocket(town.d.web_port, f"/v1/feeds/{name}/events", headers=town.headers(who), timeout=10 * SLOW):
                return "101"
        except web.Refused as e:
            if e.status != 503:
                return str(e.status)
    return "503"


def see_quarantine(town, who, name):
    return str(web.request(town.d.web_port, "GET", f"/v1/feeds/{name}/quarantine", None, town.headers(who),
                           timeout=10 * SLOW).status)


FACES = {"mqtt-publish": publish_mqtt, "ws-mqtt-publish": publish_ws, "http-publish": publish_http,
         "mqtt-subscribe": subscribe_mqtt, "websocket": read_websocket, "stream": read_stream, "page": read_page,
         "quarantine": see_quarantine}


def test_faces(town):
    """Rows: right (of each kind of identity, which must all be treated alike) or a name; feed; the answer of each face."""
    head, table = rows("access-faces.tsv")
    assert head[2:] == list(FACES)
    bad = []
    for right, name, *wanted in table:
        people = [f"{k}-{right}" for k in ("password", "key", "token")] if right in ("none", *RIGHTS) else [right]
        for face, want in zip(head[2:], wanted):
            for who in people:
                got = FACES[face](town, who, name)
                if got != want:
                    bad.append(f"{face} of {name} as {who}: {got}, not {want}")
    assert {r[0] for r in table} >= {"none", *RIGHTS, "anonymous", "member", "ended", "suspended", "wrong"}
    assert not bad, "\n".join(bad)
