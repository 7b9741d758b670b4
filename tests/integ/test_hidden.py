"""What one may not see does not exist, in every answer: those of a broker with a feed that is hidden are held against those of a broker
that has no such feed. Compared is all that is said: bodies, statuses, headers, what comes in over MQTT and WebSocket."""
import json
import re
import time

import pytest

from kit import city, mqtt, web
from kit.access import add_key, bearer, grant, must
from kit.daemon import PUBLIC, SLOW, feed, wait_for
from test_sta_write import observed, sensor, stream, thing

CENTRE = "4.88,52.36,4.92,52.38"
DAM, ZUID = [4.8926, 52.3731], [4.87, 52.34]
ENTRY = {"name": {"nl": "N"}, "owner": {"organisation": "G"}, "goal": {"nl": "x"}, "legalGround": "y", "personalData": False}
MORE = {**{k: v for k, v in PUBLIC.items() if k != "access"}, "sensorthings": True, "cadence": "1h", "max_age": "0"}
FEEDS = {"seen": feed("seen/{thing}", ["test-place/1"], access="restricted", title="Seen", **MORE),
         "open": feed("open/{thing}", max_age="0", **PUBLIC)}
SECRET = {"hidden": feed("hidden/{thing}", ["test-place/1", "hidden-too/1"], access="restricted", title="Hidden", **MORE),
          "hidden-raw": feed("hidden-raw/{thing}", ["any"], access="internal", organisation="other")}
KINDS = ("Things", "Locations", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest", "Observations", "HistoricalLocations",
         "MultiDatastreams")
# what the hidden feeds are about besides: on the visible one too, or nowhere else
THINGS = ("both", "area", "only", "public-only")


def at(place, n):
    return city.air(n, "2026-01-01T00:00:%02dZ" % n, note=f"n{n}", location={"type": "Point", "coordinates": place} if place else None)


class Town:
    def __init__(self, own, hidden):
        self.d = own({**FEEDS, **(SECRET if hidden else {})})
        self.hidden = hidden
        place = {"type": "object", "x-oudp": {"role": "location"}}
        for name in ("test-place", "hidden-too"):
            city.write_schema(self.d.schemas, name, 1, city.air_schema(location=place, **({"dust": {
                "type": "number", "x-oudp": {"role": "result", "observedProperty": "http://example.org/property/dust", "unit": "ug/m3"}}}
                if name == "hidden-too" else {})))
        self.d.start()
        for o in ("partner", "other"):
            must(self.d, "organisation", "add", o)
        self.keys = {n: add_key(self.d, n, "partner") for n in ("all", "part", "none", "publisher")}
        add_key(self.d, "of-other", "other")
        grant(self.d, "seen", "subscribe,read", identity="all")
        grant(self.d, "seen", "subscribe,read", identity="part", thing="both*", area="4.86,52.33,4.92,52.38", **{"area-crs": "CRS84"})
        grant(self.d, "seen", "publish", identity="publisher")
        if hidden:
            grant(self.d, "hidden", "subscribe,read,publish,admin", identity="of-other")

    def secret(self, n):
        """The hidden feeds have a word."""
        time.sleep(1.1)
        if self.hidden:
            with self.d.client("w") as c:
                for k, t in enumerate(THINGS):
                    assert c.publish(f"hidden/{t}", at(DAM if k % 2 else ZUID, n + k), retain=True).reason == 0
                    assert c.publish(f"hidden-raw/{t}", b"{}").reason == 0
                assert c.publish("hidden/both", b"{}").reason == 0x99
                assert c.publish("hidden/both", city.air(1, dust=2.5)).reason == 0
        time.sleep(1.1)

    def visible(self):
        self.began = time.time()
        with self.d.client("v") as c:
            assert c.publish("seen/both", at(DAM, 1), retain=True).reason == 0
            assert c.publish("seen/area", at(None, 2), retain=True).reason == 0
            assert c.publish("seen/zzz", at(ZUID, 3)).reason == 0
            assert c.publish("seen/zzz", b"[]").reason == 0x99
            assert c.publish("open/plain", city.air(4, "2026-01-01T00:00:04Z", note="n")).reason == 0
        with self.d.client("t", user="", password=self.keys["none"]) as c:  # what was refused names no feed
            for topic in ("hidden/only", "nowhere/x", "hidden-raw/x", "hidden/both"):
                assert c.publish(topic, at(DAM, 5)).reason == 0x87
        self.ended = time.time()

    def sta(self, path, body):
        a = web.request(self.d.web_port, "POST", "/sta/v1.1" + path, json.dumps(body), {"Content-Type": "application/json"})
        assert a.status == 201, a
        return int(a.headers["location"].rsplit("(")[1].rstrip(")"))

    def written(self, on, name):
        """Entities that somebody wrote, about a thing of the feed."""
        t = self.sta("/Things", {**thing(name), "properties": {"feed": on}})
        self.sta(f"/Things({t})/Datastreams", stream("of " + name, "ug/m3", Sensor=sensor("s " + name),
                                                     ObservedProperty={**observed("p " + name), "definition": city.PM25}))

    def fill(self):
        for t, public in (("both", False), ("only", False), ("public-only", True), ("unheard", True)):
            if self.hidden or t != "only":
                a = self.d.admin("PUT", "/v1/things/" + t, {**ENTRY, "public": public})
                assert a.status in (200, 201), a
        self.made = time.time()
        self.secret(10)
        self.visible()
        if self.hidden:
            self.written("hidden", "written-hidden")
        self.written("seen", "written-seen")
        self.secret(20)
        wait_for("the series", lambda: len(self.d.get("/v1/observations?limit=1000").json()["observations"]) >= (9 if self.hidden else 4))
        streams = self.d.get("/v1/datastreams?limit=1000").json()["datastreams"]
        self.streams = {f: [x["id"] for x in streams if x["feed"] == f] for f in ("seen", "hidden")}
        self.asked = time.time()

    # what makes two brokers differ: when, ports, numbers that are given out

    def when(self, m):
        t = city.parse_time(m.group(0))
        if self.began - 1 <= t <= self.ended + 0.01:  # when something was stored is told in whole seconds
            return "<then>"
        return "<now>" if t >= self.asked - 1 else "<made>" if t <= self.made else m.group(0)

    def plain(self, text):
        text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", self.when, text)
        text = re.sub(r"\d+ \w+ \d{4} \d\d:\d\d:\d\d UTC", "<time>", text)
        text = re.sub(r"\d+ (seconden geleden|seconds ago)|zojuist|just now", "<ago>", text)
        for port in (self.d.mqtt_port, self.d.web_port, self.d.admin_port):
            text = text.replace(str(port), "<port>")
        text = re.sub(r'("(?:epoch|code)": ?)("[^"]*"|\d+)', r"\1<it>", text)
        text = re.sub(r"(\b(?:seen:|open:|hidden:|after=))(\d{6,})", r"\1<epoch>", text)
        text = re.sub(r"(cursor=|skiptoken=)\w+", r"\1<it>", text)
        text = re.sub(r"^\d+,", "<n>,", text, flags=re.M)
        text = re.sub(r'("next":")\d+"', r'\1<it>"', text)
        numbers = {}

        def number(kind, n):
            of = numbers.setdefault(kind, {})
            return "#%d" % of.setdefault(n, len(of))
        text = re.sub(r'"@iot.id":(\d+),"@iot.selfLink":"([^"]*/)(\w+)\(\d+\)"', lambda m: f'"@iot.id":{number(m[3], m[1])} {m[2]}{m[3]}', text)
        text = re.sub(r"(%s)\((\d+)\)" % "|".join(KINDS), lambda m: f"{m[1]}({number(m[1], m[2])})", text)
        return re.sub(r'("datastream":|"id":|/v1/datastreams/|Datastreams/)(\d+)', lambda m: m[1] + number("Datastreams", m[2]), text)

    def number(self, word):
        """V0: the first datastream of the visible feed; H0: of the hidden one, or of nothing."""
        of = self.streams["seen" if word[0] == "V" else "hidden"]
        return str(of[int(word[1:])] if of else 999)

    def answer(self, who, method, path, body=None, headers=None):
        path = re.sub(r"\b[VH]\d\b", lambda m: self.number(m[0]), path)
        a = web.request(self.d.web_port, method, path, body, {**bearer(self.keys[who]), **(headers or {})}, timeout=20 * SLOW)
        told = {k: v for k, v in a.headers.items() if k not in ("date", "etag", "content-length", "last-modified")}
        return a.status, self.plain(json.dumps(told)), self.plain(a.body.decode(errors="replace"))


@pytest.fixture(scope="module")
def towns(tmp_path_factory):
    from kit import daemon
    made = []

    def own(*args, **options):
        made.append(daemon.Daemon(tmp_path_factory.mktemp("town"), *args, **options))
        return made[-1]
    try:
        pair = [Town(own, hidden) for hidden in (True, False)]
        for t in pair:
            t.fill()
        yield pair
        for d in made:
            d.stop()
    finally:
        for d in made:
            d.kill()


VALUES = {"feed": ("seen", "hidden", "hidden-raw", "open"), "thing": (*THINGS, "zzz", "unheard", "written-hidden"), "id": ("V0", "V1", "V2", "H0", "H1"),
          "grant": ("1", "2", "4", "9"), "name": ("test-place", "hidden-too"), "version": ("1",), "identity": ("of-other",), "organisation": ("other",),
          "code": ("none",)}
QUERIES = {
    "/v1/things": ("?limit=1", "?limit=2", "?feed=seen", "?feed=hidden", "?feed=open", "?registered=true", "?registered=false", "?bbox=" + CENTRE,
                   "?bbox=4.86,52.33,4.88,52.35", "?organisation=other", "?state=active", "?after=gemeente-test/both&limit=1"),
    "/v1/things/{thing}": ("?organisation=other",),
    "/v1/observations": ("?feed=hidden", "?bbox=" + CENTRE, "?thing=only", "?thing=both", "?limit=1", "?interval=PT1H", "?observedProperty="
                         "http://example.org/property/dust", "?interval=PT1H&together=true", "?latest=true", "?format=csv"),
    "/v1/datastreams": ("?feed=hidden", "?bbox=" + CENTRE, "?thing=both", "?limit=1", "?stored-since=2026-01-01T00:00:00Z"),
    "/v1/feeds/{feed}/events": ("?after=0", "?after=0&limit=1", "?after=hidden:1", "?latest=true", "?since=2026-01-01T00:00:00Z"),
}
STA = ["", *("/" + s + q for s in KINDS for q in ("", "?$count=true", "?$top=1&$count=true", "?$filter=id%20gt%200", "?$orderby=id%20desc", "/$ref")),
       "/Things?$expand=Datastreams($expand=ObservedProperty,Sensor;$count=true),Locations,HistoricalLocations&$count=true",
       "/ObservedProperties?$expand=Datastreams($expand=Thing)", "/Sensors?$expand=Datastreams", "/Locations?$expand=Things",
       "/Things?$filter=Datastreams/ObservedProperty/definition%20eq%20'http://example.org/property/dust'", "/Things?$filter=name%20eq%20'only'",
       "/FeaturesOfInterest?$expand=Observations($count=true)", "/Datastreams?$select=distinct:name"]
STA += [f"/Datastreams({n}){x}" for n in ("V0", "H0") for x in ("", "/Thing", "/Observations", "/ObservedProperty", "/Thing/Datastreams")]
PAGES = ("/", "/?lang=en", "/map", "/map?feed=hidden", "/map?bbox=" + CENTRE, "/feeds/hidden", "/feeds/seen", "/schemas", "/schemas/test-place/1", "/schemas/hidden-too/1",
         "/grants", "/refusals", "/refusals?feed=hidden", "/sign-in", "/admin", "/t/none")


def paths(d):
    """Everything that the description lists, with what stands in the braces put in."""
    for path, item in d.get("/v1/openapi.json").json()["paths"].items():
        if "get" not in item or path.startswith("/sta/"):  # STA has those
            continue
        filled = [path]
        for name in re.findall(r"\{(\w+)\}", path):
            filled = [p.replace("{%s}" % name, v) for p in filled for v in VALUES[name]]
        for p in filled:
            yield from (p + q for q in ("", *QUERIES.get(path, ())))
    yield from ("/sta/v1.1" + s for s in STA)
    yield from PAGES


def where(got, want):
    """Where two answers begin to differ, for people."""
    x, y = (" ".join(map(str, a)) for a in (got, want))
    at_ = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
    return x[max(0, at_ - 120):at_ + 160], y[max(0, at_ - 120):at_ + 160]


@pytest.mark.parametrize("who", ["all", "part", "none", "publisher"])
def test_every_answer(towns, who):
    a, b = towns
    differ, n = [], 0
    for path in paths(b.d):
        n += 1
        got, want = a.answer(who, "GET", path), b.answer(who, "GET", path)
        if got != want:
            differ.append((path, got, want))
    for path, got, want in differ:
        print(path, *("\n  " + x for x in where(got, want)), sep="")
    assert not differ, [x[0] for x in differ]
    assert n > 200


CHANGES = [("POST", "/v1/feeds/{feed}/events?thing=x", {"dateObserved": "2026-01-01T00:00:00Z", "pm25": 1}),
           ("POST", "/v1/feeds/{feed}/events?topic=hidden/x", {"dateObserved": "2026-01-01T00:00:00Z", "pm25": 1}), ("GET", "/v1/feeds/{feed}/quarantine", None),
           ("POST", "/v1/feeds/{feed}/quarantine/_retry", {}), ("POST", "/v1/feeds/{feed}/_trim", {"keep": 0}), ("POST", "/v1/grants", {
               "organisation": "partner", "feed": "{feed}", "rights": ["read"]}), ("PUT", "/v1/things/only", ENTRY), ("DELETE", "/v1/things/only", None),
           ("PATCH", "/v1/grants/4", {"state": "suspended"}), ("DELETE", "/v1/grants/4", None), ("POST", "/v1/things/only/_erase", {"reason": "x"}),
           ("POST", "/v1/series/_correct", {"datastream": 1}), ("POST", "/sta/v1.1/Things", {**thing("x"), "properties": {"feed": "{feed}"}}),
           ("POST", "/sta/v1.1/Datastreams(H0)/Observations", {"result": 1}), ("PATCH", "/sta/v1.1/Datastreams(H0)", {"description": "x"}),
           ("DELETE", "/sta/v1.1/Datastreams(H0)", None), ("POST", "/sta/v1.1/CreateObservations", [
               {"Datastream": {"@iot.id": "H0"}, "components": ["result"], "dataArray": [[1]]}]),
           ("POST", "/sta/v1.1/$batch", {"requests": [{"id": "1", "method": "get", "url": "Datastreams(H0)"}, {"id": "2", "method": "get", "url":
                                                                                                             "Things?$count=true"}]})]


@pytest.mark.parametrize("who", ["all", "part", "none", "publisher"])
def test_every_refusal(towns, who):
    """Changing what is hidden is answered as changing what there is not."""
    differ = []
    for method, path, body in CHANGES:
        for f in ("hidden", "hidden-raw") if "{feed}" in path + json.dumps(body) else ("",):
            def told(t):
                text = json.dumps(body).replace("{feed}", f).replace('"H0"', t.number("H0"))
                text = re.sub(r"\bH0\b", t.number("H0"), text)
                return t.answer(who, method, path.replace("{feed}", f), None if body is None else text, {"Content-Type": "application/json"})
            got, want = map(told, towns)
            if got != want or got[0] < 400 and not re.search("batch|CreateObs", path):
                differ.append((method, path, f, *where(got, want)))
    assert not differ, "\n".join("\n  ".join(x) for x in differ)


def next_packet(c):
    """None: nothing comes any more."""
    try:
        return c.receive(0.7 * SLOW)
    except TimeoutError:
        return None


@pytest.mark.parametrize("who", ["all", "part", "none"])
def test_what_comes(towns, who):
    """Over MQTT and WebSocket, of the past and of the present. That a topic is somebody's is told over MQTT: contracts print topics."""
    came, n = [], {"all": 30, "part": 40, "none": 50}[who]
    for t in towns:
        got = []
        with t.d.client("s-" + who, user="", password=t.keys[who]) as c:
            filters = ["#", "+/both", "$oudp/erased/hidden", "$oudp/verdicts", "$SYS/#", "$share/g/#"]
            past = {"user": [("oudp-after", "hidden:0"), ("oudp-after", "seen:0")]}
            c.send(mqtt.subscribe(1, [(f, 0) for f in filters]), mqtt.subscribe(2, [("seen/#", 0)], props=past))
            with t.d.client("w-" + who) as w:
                if t.hidden:
                    assert w.publish("hidden/only", at(DAM, n), retain=True).reason == 0
                assert w.publish("seen/both", at(DAM, n + 1)).reason == 0
                assert w.publish("open/end", city.air(n, "2026-01-01T00:00:%dZ" % n, note="n")).reason == 0
            while (m := next_packet(c)) or ("open/end" not in (g[0] for g in got)):
                if m:
                    got.append((m.topic, t.plain(m.payload.decode())) if m.kind == mqtt.PUBLISH else (m.mid, m.codes))
        for f in ("hidden", "hidden-raw", "none"):
            a = web.request(t.d.web_port, "GET", f"/v1/feeds/{f}/events", None, {**bearer(t.keys[who]), "Accept": "text/event-stream"})
            got.append((a.status, a.body.decode().replace(f, "<feed>")))
        came.append(sorted(map(repr, got)))
    assert came[0] == came[1]


def test_no_name_of_what_is_passed_over(towns):
    """A page of things goes over more hidden ones than are looked at in one go: it says nothing of them."""
    d = towns[0].d
    for k in range(4):
        lines = "".join(json.dumps({"specversion": "1.0", "subject": f"h-{k * 6000 + i}", "data": {"x": 1}}) + "\n" for i in range(6000))
        a = web.request(d.web_port, "POST", "/v1/feeds/hidden-raw/events?lines=events", lines, {"Content-Type": "application/x-ndjson"}, timeout=60 * SLOW)
        assert a.status == 200, a
    key = bearer(towns[0].keys["all"])
    for path, ids in (("?limit=3", ["area", "both", "end"]), ("?limit=1&after=gemeente-test/end", ["plain"]),
                      ("?limit=5&after=gemeente-test/end", ["plain", "public-only", "unheard", "zzz"])):
        a = web.request(d.web_port, "GET", "/v1/things" + path, None, key, timeout=20 * SLOW).json()
        assert [t["id"] for t in a["things"]] == ids and a["next"] == (None if ids[-1] == "zzz" else "gemeente-test/" + ids[-1]), a
