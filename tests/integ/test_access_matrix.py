"""Every operation of the API and every way in, for every kind of identity and right. The rules are written in
tests/vectors/access-rules.tsv, the answers in access-faces.tsv and access-operations.tsv: those are held against the rules here,
without a broker, and the broker is held against them. The operations come from its own description; one without a row fails."""
import base64
import hashlib
import hmac
import itertools
import os
import re
import ssl
import time
import urllib.parse

import pytest

from kit import certs, city, mqtt, mqttws, tokens, web
from kit.access import must
from kit.daemon import PUBLIC, SLOW, TOP, block, feed, free_ports

VECTORS = os.path.join(TOP, "tests", "vectors")
PASSWORD = "a password of the matrix"
FEEDS = {
    "restricted": feed("restricted/{thing}", access="restricted"),
    "internal": feed("internal/{thing}", access="internal", organisation="owner"),
    "public": feed("public/{thing}", **PUBLIC),
}
KINDS = ("password", "key", "token", "certificate")
RIGHTS = ("publish", "subscribe", "read", "admin")
numbers = itertools.count(1)


def rows(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        lines = [x.rstrip("\n").split("\t") for x in f if x.strip() and not x.startswith("#")]
    return lines[0], lines[1:]


# ---- the tables against the rules ----

NEEDS = {"mqtt-publish": "publish", "ws-mqtt-publish": "publish", "http-publish": "publish", "mqtt-subscribe": "subscribe",
         "websocket": "subscribe", "ticket": "subscribe", "stream": "subscribe", "page": "read", "quarantine": "admin"}
GRANTED = {"http-publish": "201", "websocket": "101", "ticket": "101", "stream": "200", "page": "200", "quarantine": "200"}


def rights_of(who, shows, restricted, feed_name):
    """Rules 2 and 3."""
    if shows == "nothing":
        return {"publish", "subscribe", "read"}
    have = set(restricted.split()) - {"-"} if feed_name == "restricted" else set()
    if shows == "right" and (feed_name == "public" or (feed_name == "internal" and who == "member")):
        have |= {"subscribe", "read"}
    return have


def by_the_rules(face, shows, have, covered=True):
    """covered: the thing that there is, is one of those that are granted (rule 7)."""
    if shows == "revoked":
        return "tls"
    if "mqtt" in face:
        early = {"wrong": "0x86", "missing": "0x87"}.get(shows)
        return early or ("0x00" if NEEDS[face] in have else "0x87")
    if shows in ("wrong", "missing") or (face == "ticket" and shows == "nothing"):
        return "401"
    if face in ("series", "sensorthings"):
        return "shown" if "read" in have and covered else "hidden"
    if face == "list":
        return "shown" if have else "hidden"
    if face == "sta-publish":
        return "404" if "read" not in have or not covered else "201" if "publish" in have and shows == "nothing" else "403"
    return GRANTED[face] if NEEDS[face] in have else "403" if have else "404"


def test_the_faces_follow_from_the_rules():
    _, people = rows("access-rules.tsv")
    head, table = rows("access-faces.tsv")
    wanted = [[who, f, *(by_the_rules(face, shows, rights_of(who, shows, restricted, f), who != "other-things" or f == "public") for face in head[2:])]
              for who, shows, restricted in people for f in FEEDS]
    assert table == wanted


# what an operation needs -> the answer of who has shown nothing where it must, of anonymous on loopback, and of an identity
# that does not see the feed, that sees it without the right, that has it. "pass": neither 401 nor 403.
OPERATION = {"nothing": ("401", "pass", "pass", "pass", "pass"), "see": ("401", "pass", "404", "pass", "pass"),
             "publish": ("401", "pass", "404", "403", "pass"), "read": ("401", "pass", "404", "403", "pass"),
             "admin": ("401", "403", "404", "403", "pass"), "its grants": ("401", "404", "404", "404", "pass"),
             "give grants": ("401", "403", "403", "403", "403"), "all feeds": ("401", "pass", "403", "403", "403"),
             "identity": ("401", "401", "pass", "pass", "pass"), "administrator": ("401", "403", "403", "403", "403")}


def test_the_operations_follow_from_the_rules():
    head, table = rows("access-operations.tsv")
    right = {"publish": "publish", "read": "read", "admin": "admin", "its grants": "admin"}
    for method, path, needs, *answers in table:
        nothing, anonymous, unseen, without, has = OPERATION[needs]
        for column, got in zip(head[3:], answers):
            name = column.partition("-")[2]
            want = nothing if column.endswith("@strict") else anonymous if column == "anonymous" else unseen if name == "none" \
                else has if needs in ("see", "nothing") or right.get(needs) == name else without
            passed = got not in ("401", "403")
            assert passed if want == "pass" else got == want, (method, path, needs, column, got, want)


# ---- the broker against the tables ----

class Town:
    """Organisations and people as access-rules.tsv names them; "partner" is everybody's, if nothing else is said."""

    def __init__(self, d, issuer, ca, ports):
        self.d, self.issuer, self.ca = d, issuer, ca
        self.strict, self.web_strict, self.mqtts, self.https = ports
        self.shows = {"anonymous": None, "anonymous@strict": None, "wrong-key": ("", "oudp_" + "A" * 43)}
        for o in ("owner", "partner", "third", "gone"):
            must(d, "organisation", "add", o)
        for kind in (*KINDS, "cookie"):
            for right in ("none", *RIGHTS):
                self.add(f"{kind}-{right}", "partner", kind)
                if right != "none":
                    self.grant("restricted", right, identity=f"{kind}-{right}")
        self.add("member", "owner")
        self.add("organisation-wide", "third")
        self.grant("restricted", "publish,subscribe,read", organisation="third")
        for name, options in (("pattern", {}), ("things", {"thing": "t-*"}), ("other-things", {"thing": "x-*"}),
                              ("grant-early", {"from": "2099-01-01"}), ("grant-late", {"from": "2020-01-01", "until": "2020-02-01"})):
            self.add(name, "partner")
            self.grant("restr*" if name == "pattern" else "restricted", "publish,subscribe,read", identity=name, **options)
        for how in ("suspend", "revoke"):
            name = {"suspend": "grant-suspended", "revoke": "grant-revoked"}[how]
            self.add(name, "partner")
            must(d, "grant", how, self.grant("restricted", "publish,subscribe,read,admin", identity=name))
        self.add("grant-of-others", "partner")
        self.add_ended()
        self.add_bad_tokens()
        ca.sign("certificate-unbound")

    def add_ended(self):
        for kind in ("key", "token", "certificate", "cookie"):
            name = f"{kind}-ended"
            self.add(name, "partner", kind)
            self.grant("restricted", "publish,subscribe,read", identity=name)
            must(self.d, "identity", "end", name)
        self.add("organisation-ended", "gone")
        self.grant("restricted", "publish,subscribe,read", organisation="gone")
        must(self.d, "organisation", "end", "gone")
        self.add("certificate-revoked", "partner", "certificate")
        self.grant("restricted", "publish,subscribe,read", identity="certificate-revoked")
        with open(self.ca.revoke("certificate-revoked"), "rb") as f, open(self.ca.path("live", "crl"), "wb") as live:
            live.write(f.read())
        self.d.admin("POST", "/v1/_reload", {})
        self.shows["key-of-another"] = ("key-none", self.shows["key-publish"][1])

    def add_bad_tokens(self):
        """Each is a good one of who may do everything but for one thing."""
        now, i = int(time.time()), self.issuer
        self.add("boss", "partner", "token")
        self.grant("restricted", "publish,subscribe,read", identity="boss")
        claims = {"iss": i.iss, "aud": "oudp", "sub": "boss", "exp": now + 3600}
        public = tokens.openssl("rsa", "-pubout", "-in", i.path("rsa.key"))
        other = tokens.Issuer(os.path.join(i.folder, "other"))
        for name, token in (
                ("unsigned", i.token(claims, header={"alg": "none"}, signature=lambda _: b"")),
                ("hs256", i.token(claims, header={"alg": "HS256"},
                                  signature=lambda s: hmac.new(public, s, hashlib.sha256).digest())),
                ("another-key", other.token(claims)), ("audience", i.token({**claims, "aud": "another"})),
                ("issuer", i.token({**claims, "iss": "https://another.test"})),
                ("expired", i.token({**claims, "exp": now - 3600})), ("early", i.token({**claims, "nbf": now + 3600}))):
            self.shows[f"token-{name}"] = ("", token)

    def grant(self, feed_name, rights, **options):
        out = must(self.d, "grant", "add", feed_name, "--rights", rights, *(x for k, v in options.items() for x in ("--" + k, v)))
        return re.search(r"grant (\d+)", out).group(1)

    def add(self, name, organisation, kind="key"):
        common = ["identity", "add", name, "--organisation", organisation]
        if kind == "password":
            must(self.d, *common, "--password", input=PASSWORD + "\n")
            self.shows[name] = (name, PASSWORD)
        elif kind == "key":
            self.shows[name] = ("", re.search(r"^oudp_\S+$", must(self.d, *common, "--key"), re.M).group(0))
        elif kind == "certificate":
            self.ca.sign(name, san=f"URI:urn:test:{name}")
            must(self.d, *common, "--certificate", f"URI:urn:test:{name}")
        elif kind == "cookie":
            key = re.search(r"^oudp_\S+$", must(self.d, *common, "--key"), re.M).group(0)
            a = web.request(self.d.web_port, "POST", "/sign-in", urllib.parse.urlencode({"name": name, "password": key}),
                            {"Content-Type": "application/x-www-form-urlencoded"})
            self.shows[name] = ("cookie", a.headers["set-cookie"].split(";")[0])
        else:
            must(self.d, *common, "--issuer", "city", "--subject", name)
            self.shows[name] = ("", self.issuer.token({"iss": self.issuer.iss, "aud": "oudp", "sub": name,
                                                       "exp": int(time.time()) + 3600}))

    def shown(self, who):
        if who == "wrong-password":
            return f"nobody-{next(numbers)}", PASSWORD  # another name each time: one name would be slowed
        return self.shows.get(who)

    def headers(self, who):
        shown = self.shown(who)
        if not shown:
            return {}
        if shown[0] == "cookie":
            return {"Cookie": shown[1]}
        if shown[0]:
            return {"Authorization": "Basic " + base64.b64encode(":".join(shown).encode()).decode()}
        return {"Authorization": "Bearer " + shown[1]}

    def mqtt(self, who):
        shown = self.shown(who)
        return {"user": shown[0], "password": shown[1]} if shown else {}

    def tls(self, who):
        return self.ca.context(who) if who.startswith("certificate-") else None

    def web(self, who):
        return self.web_strict if who.endswith("@strict") else self.https if self.tls(who) else self.d.web_port

    def port(self, who):
        return self.strict if who.endswith("@strict") else self.mqtts if self.tls(who) else self.d.mqtt_port

    def ask(self, who, method, path, body=None, **more):
        return web.request(self.web(who), method, path, body, {**self.headers(who), **more}, timeout=10 * SLOW, tls=self.tls(who))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    from kit.daemon import Daemon  # pylint: disable=import-outside-toplevel
    folder = tmp_path_factory.mktemp("matrix")
    issuer, ca = tokens.Issuer(folder / "issuer"), certs.Authority(folder / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    with open(ca.revoke(), "rb") as f, open(ca.path("live", "crl"), "wb") as live:
        live.write(f.read())
    ports = free_ports(4)
    extra = block("issuer", "city", {"iss": issuer.iss, "audience": "oudp", "jwks": issuer.jwks}) + block(
        "tls", "city", {"certificate": certificate, "key": key, "client-ca": ca.path("ca"), "crl": ca.path("live", "crl")})
    extra += "".join(f'listener "{n}" {{\n\tprotocol = {p}\n\tport = {port}\n\t{more}\n}}\n' for n, p, more, port in (
        ("strict", "mqtt", "anonymous = false", ports[0]), ("webstrict", "http", "anonymous = false", ports[1]),
        ("mqtts", "mqtt", 'tls = "city"', ports[2]), ("https", "http", 'tls = "city"', ports[3])))
    d = Daemon(folder / "d", FEEDS, extra=extra)
    d.start()
    try:
        town = Town(d, issuer, ca, ports)
        with d.client("fill") as c:
            for name in FEEDS:
                assert c.publish(f"{name}/t-{name}", city.air(next(numbers))).reason == 0
        town.streams = {s["feed"]: s["id"] for s in d.get("/v1/datastreams").json()["datastreams"]}
        yield town
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
    fill = {"feed": "restricted", "schema": "test-air", "name": "test-air", "version": "1", "thing": "nothing", "organisation": "owner",
            "identity": "key-none", "id": "999", "grant": town.grant("restricted", "read", identity="other-things"),
            "set": "Things", "member": "Datastreams"}
    for method, path, _, *wanted in table:
        real = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], path)
        for column, want in zip(head[3:], wanted):
            got = ask(town.web(column), method, real, town.headers(column))
            if str(got) != want:
                bad.append(f"{method} {path} as {column}: {got}, not {want}")
    assert not bad, "\n".join(bad)


def test_pages(town):
    """The same for people. Each path that the manual names has its row."""
    head, table = rows("access-pages.tsv")
    with open(os.path.join(TOP, "man", "oudp-pages.7"), encoding="utf-8") as f:
        names = re.findall(r"^\.It (Pa /.*)$", f.read(), re.M)
    named = {re.sub(r" Ns Ar [A-Z]+(?: Ns )?", "{}", p).strip() for line in names for p in re.split(r"(?:^| , )Pa ", line) if p}
    assert named and named <= {re.sub(r"{\w+}", "{}", r[0]) for r in table}
    fill = {"feed": "restricted", "name": "test-air", "version": "1", "thing": "t-restricted"}
    bad = []
    for path, *wanted in table:
        real = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], path)
        for column, want in zip(head[1:], wanted):
            who = column.replace("script", "anonymous")
            a = town.ask(who, "GET", real, Accept="*/*" if column.startswith("script") else "text/html,*/*;q=0.8")
            if str(a.status) != want or (a.status == 303 and not a.headers["location"].startswith("/sign-in")):
                bad.append(f"{path} as {column}: {a.status} {a.headers.get('location', '')}, not {want}")
            if a.status in (303, 401) and any(name in a.body.decode() for name in FEEDS):
                bad.append(f"{path} as {column} tells of feeds")
    assert not bad, "\n".join(bad)


# ---- faces: what one tries, and a word for how it ended ----

def mqtt_try(town, who, client, then):
    with client as c:
        c.send(mqtt.connect("m" + who, **town.mqtt(who)))
        reason = c.expect(mqtt.CONNACK).reason
        return f"0x{reason or then(c):02x}"


def publish(name):
    return lambda c: c.publish(f"{name}/t-{name}", city.air(next(numbers) % 1000)).reason


def publish_mqtt(town, who, name):
    return mqtt_try(town, who, mqtt.Client(town.port(who), timeout=10 * SLOW, tls=town.tls(who)), publish(name))


def publish_ws(town, who, name):
    return mqtt_try(town, who, mqttws.Client(town.web(who), timeout=10 * SLOW, tls=town.tls(who)), publish(name))


def subscribe_mqtt(town, who, name):
    return mqtt_try(town, who, mqtt.Client(town.port(who), timeout=10 * SLOW, tls=town.tls(who)),
                    lambda c: c.subscribe(f"{name}/#")[0])


def publish_http(town, who, name):
    return str(town.ask(who, "POST", f"/v1/feeds/{name}/events?thing=t-{name}", city.air(next(numbers) % 1000),
                        **{"Content-Type": "application/json"}).status)


def publish_sta(town, who, name):
    n = next(numbers)  # each of a time of its own: a second one of the same is 409
    return str(town.ask(who, "POST", f"/sta/v1.1/Datastreams({town.streams[name]})/Observations",
                        {"result": n % 1000, "phenomenonTime": city.now(-1200 + n)}).status)


def read_page(town, who, name):
    return str(town.ask(who, "GET", f"/v1/feeds/{name}/events?after=0").status)


def read_stream(town, who, name):
    with web.Events(town.web(who), f"/v1/feeds/{name}/events", town.headers(who), timeout=10 * SLOW, tls=town.tls(who)) as e:
        return str(e.response.status)


def read_websocket(town, who, name, protocols=("cloudevents.json",), headers=None):
    headers = town.headers(who) if headers is None else headers
    for _ in range(20):  # a password is verified meanwhile
        try:
            with web.WebSocket(town.web(who), f"/v1/feeds/{name}/events", protocols, timeout=10 * SLOW, tls=town.tls(who),
                               headers=headers):
                return "101"
        except web.Refused as e:
            if e.status != 503:
                return str(e.status)
            time.sleep(0.05)
    return "503"


def read_with_ticket(town, who, name):
    a = town.ask(who, "POST", "/v1/tickets", b"")
    return read_websocket(town, who, name, ("cloudevents.json", a.json()["ticket"]), {}) if a.status == 201 else str(a.status)


def shown(a, there):
    return str(a.status) if a.status != 200 else "shown" if there(a.json()) else "hidden"


def read_series(town, who, name):
    return shown(town.ask(who, "GET", "/v1/observations"), lambda x: any(o["feed"] == name for o in x["observations"]))


def read_sta(town, who, name):
    return shown(town.ask(who, "GET", "/sta/v1.1/Observations?$expand=Datastream&$top=1000"),
                 lambda x: any(f"t-{name} " in o["Datastream"]["name"] for o in x["value"]))


def read_list(town, who, name):
    return shown(town.ask(who, "GET", "/v1/feeds"), lambda x: name in {f["name"] for f in x["feeds"]})


def see_quarantine(town, who, name):
    return str(town.ask(who, "GET", f"/v1/feeds/{name}/quarantine").status)


FACES = {"mqtt-publish": publish_mqtt, "ws-mqtt-publish": publish_ws, "http-publish": publish_http, "sta-publish": publish_sta,
         "mqtt-subscribe": subscribe_mqtt, "websocket": read_websocket, "ticket": read_with_ticket, "stream": read_stream,
         "page": read_page, "series": read_series, "sensorthings": read_sta, "list": read_list, "quarantine": see_quarantine}


def attempt(town, face, who, name):
    try:
        got = FACES[face](town, who, name)
        for _ in range(20):  # too many passwords are being checked: later
            if got != "503":
                break
            time.sleep(.5)
            got = FACES[face](town, who, name)
        return got
    except (ssl.SSLError, mqtt.Closed, ConnectionError, web.WsClosed):
        return "tls" if town.tls(who) else "no answer"


def test_faces(town):
    """Rows: who (a "kind" is each of the four, which must all be treated alike); feed; the answer of each face."""
    head, table = rows("access-faces.tsv")
    assert head[2:] == list(FACES)
    bad = []
    for who, name, *wanted in table:
        people = [k + who[4:] for k in (*KINDS, "cookie")] if who.startswith("kind-") else [who]
        for face, want in zip(head[2:], wanted):
            for one in people:
                if one.startswith("cookie-") and "mqtt" in face:
                    continue  # CONNECT has no cookies
                got = attempt(town, face, one, name)
                if got != want:
                    bad.append(f"{face} of {name} as {one}: {got}, not {want}")
    assert not bad, "\n".join(bad)
