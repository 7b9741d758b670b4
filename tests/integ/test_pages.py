"""The pages for people, as the server renders them: whole, in both languages, escaped, and of nothing that may not be seen."""
import html.parser
import http.client
import json
import os
import re
import socket
import urllib.parse

import pytest

from kit import certs, city, daemon, web
from kit.access import must
from kit.daemon import PUBLIC, feed

FEEDS = {**daemon.FEEDS,
         "open": feed("city/open/{thing}", title="Lucht <b>& meer</b>", cadence="10m", purpose="Om te weten.", **PUBLIC),
         "evil": feed("evil/{thing}", ["any"], title="Evil", contact="javascript:alert(1)"),
         "told": feed("city/told/{thing}", title="Told")}
OPTIONS = {"title": "Stad van de tests", "publisher-name": "Gemeente Test", "map-tiles": "https://tiles.example.nl:8443/{z}/{x}/{y}.png",
           "colour": "#ffcc00"}
VOID = {"meta", "link", "input", "img", "br", "source"}
EVIL = "<script>alert(1)</script>\"'&"


class Page(html.parser.HTMLParser):
    """Strict enough: every element is closed in its turn, no inline script or style, no attribute that acts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.links, self.elements, self.lang = [], [], [], [], None
        self.languages, self.dutch = [], []  # of the elements that are open; text in Dutch that is no code
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        names = [k for k, _ in attrs]
        assert len(set(names)) == len(names), (tag, attrs)
        assert not any(k.startswith("on") or k == "style" for k in names), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag == "html":
            self.lang = dict(attrs)["lang"]
        if tag == "a":
            self.links.append(dict(attrs).get("href"))
        if tag == "script":
            assert dict(attrs)["src"].startswith("/assets/")
        assert tag != "style"
        if tag not in VOID:
            self.open.append(tag)
            self.languages.append(dict(attrs).get("lang") or (self.languages or [None])[-1])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        self.languages.pop()

    def handle_data(self, data):
        assert not self.open or self.open[-1] not in ("script", "style"), data
        self.text.append(data)
        if self.languages and self.languages[-1] == "nl" and not {"code", "pre"} & set(self.open):
            self.dutch.append(data)

    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))

    def find(self, tag, **attributes):
        want = {k.replace("_", "-"): v for k, v in attributes.items()}
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in want.items())]


def get(broker, path, status=200, where=None, **headers):
    a = web.request(where or broker.web_port, "GET", path, headers={"Accept": "text/html", **headers})
    assert a.status == status, a
    assert a.headers["content-type"] == "text/html; charset=utf-8", a
    csp = a.headers["content-security-policy"]
    assert "unsafe" not in csp and csp.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), csp
    assert "frame-ancestors 'none'" in csp
    return Page(a.body.decode())


def publish(broker, topic, *payloads):
    with broker.client("pages") as c:
        return [c.publish(topic, p).reason for p in payloads]


@pytest.fixture(scope="module")
def lived(broker):
    """Two things with a place, one without, one message refused."""
    for name, lat, lon, value in (("markt", 52.0771, 4.3162, 12.5), ("haven", 52.1, 4.28, 40)):
        place = {"location": {"type": "Point", "coordinates": [lon, lat]}}
        payload = json.dumps({"dateObserved": city.now(), "pm25": value, **place})
        assert publish(broker, f"city/place/{name}", payload) == [0], name
    assert publish(broker, "city/open/pole-1", city.air(7.25)) == [0]
    assert publish(broker, "city/told/bad", city.air(1200), city.air(1300), city.air(-1)) == [0x99] * 3
    return broker


FEEDS["place"] = feed("city/place/{thing}", ["air-quality-observed/1"], title="Plaatsen")
PAGES = ["/", "/feeds/open", "/feeds/raw", "/map", "/map?feed=place&property=pm25", "/map?near=52.08,4.3&radius=5000", "/map?silent=1",
         "/t/markt", "/t/pole-1", "/schemas", "/schemas/air-quality-observed/1", "/schemas/test-air/1", "/sign-in", "/grants", "/refusals"]
ADMIN = ["/admin", "/admin/certificates", "/admin/subscribers", "/admin/quarantine/told", "/admin/quarantine/_unrouted", "/admin/quarantine/air"]


@pytest.mark.parametrize("path", PAGES + ADMIN)
def test_every_page_in_both_languages(lived, path):
    where = lived.socket_path if path in ADMIN else None
    dutch = get(lived, path, where=where, **{"Accept-Language": "nl-NL,nl;q=0.9,en;q=0.8"})
    english = get(lived, path, where=where, **{"Accept-Language": "en-GB,en;q=0.9"})
    assert dutch.lang == "nl" and english.lang == "en"
    assert "Gegevens" in dutch.words() and "Data" in english.words()
    assert "Stad van de tests" in dutch.words() and "Gemeente Test" in dutch.words()
    # the other language is one click away, and stays
    other = [u for u in dutch.links if u and "lang=en" in u]
    assert len(other) == 1
    again = get(lived, other[0], where=where, **{"Accept-Language": "nl"})
    assert again.lang == "en"
    inside = [u for u in again.links if u.startswith("/") and not u.startswith(("/v1/", "/map?near"))]
    assert all("lang=" in u for u in inside), inside


ENGLISH = re.compile(r"\b(the|and|this|that|with|from|your|you|what|which|are|has|not|by|when|where|quality|observed|alerts|things)\b", re.I)


@pytest.mark.parametrize("path", PAGES + ADMIN + ["/feeds/oudp-alerts", "/nothing", "/map?near=x", "/sign-in?no=1"])
def test_dutch_pages_speak_dutch(lived, path):
    """What a publisher or a schema's author wrote in English says so; what the configuration of the tests says is left out."""
    a = web.request(lived.socket_path if path in ADMIN else lived.web_port, "GET", path, headers={"Accept": "text/html", "Accept-Language": "nl"})
    text = re.sub(r"\b[a-z-]+/\d+\b", "", " ".join(Page(a.body.decode()).dutch))  # ids of schemas
    for title in ("Of the tests.", "Air quality of the tests"):
        text = text.replace(title, "")
    assert not ENGLISH.search(text), (ENGLISH.search(text), text)


def test_shared_schemas_have_a_dutch_title(broker):
    words = get(broker, "/schemas?lang=nl").words()
    assert "Luchtkwaliteit" in words and "Air quality" in get(broker, "/schemas?lang=en").words()
    for name in os.listdir(os.path.join(daemon.TOP, "schemas")):
        with open(os.path.join(daemon.TOP, "schemas", name, "1", "schema.json"), encoding="utf-8") as f:
            title = json.load(f)["title"]
        assert name in words or name not in get(broker, "/schemas?lang=en").words()
        assert title not in words, f"{name} has no Dutch title in words.c"


def test_every_link_leads_somewhere(lived):
    seen, todo = set(), ["/"]
    while todo:
        path = todo.pop().split("#")[0]
        if path in seen:
            continue
        seen.add(path)
        a = lived.get(path, headers={"Accept": "text/html"})
        assert a.status == 200, (path, a)
        if a.headers["content-type"].startswith("text/html"):
            page = Page(a.body.decode())
            todo += [u for u in page.links if u.startswith("/") and "lang=en" not in u]
            todo += [e.get("src") or e.get("href") for t, e in page.elements if t in ("script", "link", "img")]
    assert {"/", "/map", "/schemas", "/feeds/open", "/t/markt", "/assets/theme.css", "/t/markt/qr.svg"} <= seen


def test_home_shows_life(lived):
    page = get(lived, "/")
    row, = page.find("tr", data_feed="told")
    text = page.words()
    assert "Told" in text and "nog geen" in text and "openbaar" in text
    assert "Lucht <b>& meer</b>" in text, "a title is text"


def test_values_and_units(lived):
    dutch, english = get(lived, "/t/pole-1?lang=nl"), get(lived, "/t/pole-1?lang=en")
    assert "fijnstof PM2,5" in dutch.words() and "7,25 µg/m³" in dutch.words()
    assert "fine dust PM2.5" in english.words() and "7.25 µg/m³" in english.words()
    assert "Om te weten." in dutch.words() and "zojuist" in dutch.words()
    assert "mailto:data@example.nl" in dutch.links
    now = publish(lived, "city/open/pole-1", city.air(8.5))
    assert now == [0] and "8,5 µg/m³" in get(lived, "/t/pole-1?lang=nl").words()


def charts(page):
    return [e for e in page.find("img") if "/chart.svg" in e["src"]]


def test_charts_are_drawn_by_the_server(lived):
    """On the page of a thing its results, on that of a feed one for each of some things; with words and figures beside."""
    page = daemon.wait_for("the series", lambda: (lambda p: p if charts(p) else None)(get(lived, "/t/pole-1?lang=nl")))
    one, = charts(page)
    assert one["alt"].startswith("Grafiek: fijnstof PM2,5, de laatste 24 uur") and one["loading"] == "lazy"
    for url in (one["src"], page.find("source")[0]["srcset"]):
        a = lived.get(url)
        assert a.status == 200 and a.headers["content-type"].startswith("image/svg+xml"), (url, a)
        assert b'class="dot"' in a.body or b'class="line"' in a.body, "what was measured now is in it"
    csv, = [u for u in page.links if "format=csv" in u]
    assert lived.get(csv).body.decode().strip().count("\n") >= 1
    week = get(lived, [u for u in page.links if "last=P7D" in u][0])
    assert week.find("a", aria_current="true")[-1]["href"].endswith("last=P7D&lang=nl")
    assert "last=P7D" in [u for u in week.links if "format=csv" in u][0]
    assert len(charts(get(lived, "/feeds/place"))) == 2 and not charts(get(lived, "/feeds/raw"))
    assert "last is PT24H" in get(lived, "/t/pole-1?last=P2D&lang=en", status=400).words()


def test_what_the_register_says(lived, name):
    """By the id and by the code on the pole; also where the data is not to be seen, when the entry is public."""
    entry = {"name": {"nl": "Meter op de brug", "en": "Meter on the bridge"}, "owner": {"organisation": "Waterschap Test"},
             "goal": {"nl": "Weten hoe hoog het water staat"}, "legalGround": "Publieke taak <b>", "personalData": False,
             "contact": {"email": "brug@example.nl"}, "location": {"latitude": 52.5, "longitude": 4.5, "description": "Noordzijde"},
             "privacyStatement": "https://example.nl/privacy", "permit": {"reference": "V-12"}}
    a = lived.admin("PUT", f"/v1/things/{name}", entry)
    assert a.status == 201, a
    code = a.json()["code"]
    for path in (f"/t/{name}", f"/t/{code}"):
        dutch, english = get(lived, path + "?lang=nl"), get(lived, path + "?lang=en")
        text = dutch.words()
        for part in ("Meter op de brug", "Waterschap Test", "Weten hoe hoog het water staat", "Publieke taak <b>", "Noordzijde", "V-12",
                     "52.50000, 4.50000", code):
            assert part in text, part
        assert "mailto:brug@example.nl" in dutch.links and "https://example.nl/privacy" in dutch.links
        assert "Meter on the bridge" in english.words() and "Weten hoe hoog" in english.words(), "there is no English goal"
        assert dutch.find("img", src=f"/t/{code}/qr.svg")
    assert publish(lived, f"city/open/{name}", city.air(4.75)) == [0]
    assert "4,75 µg/m³" in get(lived, f"/t/{code}?lang=nl").words()
    row, = get(lived, "/map?feed=open").find("tr", data_thing=name)
    assert row and "Meter op de brug" in get(lived, "/map?feed=open&lang=nl").words()


def test_a_late_value_is_not_the_newest(lived, name):
    assert publish(lived, f"city/open/{name}", city.air(3), city.air(99, city.now(-600))) == [0, 0]
    assert "99 µg" not in get(lived, f"/t/{name}?lang=nl").words()  # a name may hold 99


def test_what_a_publisher_sends_is_text(lived, name):
    thing = "x" + EVIL.replace("/", "")
    assert publish(lived, f"evil/{thing}", json.dumps({"v": EVIL})) == [0]
    assert publish(lived, "evil/\x7fb\u20ac", "x") == [0]
    for path in ("/feeds/evil", "/map", "/t/" + urllib.parse.quote(thing)):
        page = get(lived, path)
        assert thing in page.words() or "/t/" in path, path
        assert not any(u and u.startswith("javascript") for u in page.links)
    assert publish(lived, "city/told/evil", json.dumps({"dateObserved": city.now(), EVIL: 1})) == [0x99]
    page = get(lived, "/admin/quarantine/told", where=lived.socket_path)
    assert json.dumps(EVIL) in page.words()


def test_map_filters(lived):
    both = get(lived, "/map?feed=place&lang=nl")
    assert "2 meetpunten." in both.words()
    assert len(both.find("circle")) == 2 and len(both.find("tr", data_feed="place")) == 2
    near = get(lived, "/map?feed=place&near=52.0771,4.3162&radius=1000&lang=nl")
    assert [a["data-thing"] for a in near.find("tr", data_feed="place")] == ["markt"]
    order = get(lived, "/map?feed=place&near=52.1,+4.28")
    assert [a["data-thing"] for a in order.find("tr", data_feed="place")] == ["haven", "markt"]
    box = get(lived, "/map?feed=place&bbox=4.2,52.09,4.3,52.2")
    assert [a["data-thing"] for a in box.find("tr", data_feed="place")] == ["haven"]
    assert "Niets is stil" in get(lived, "/map?feed=place&silent=1&lang=nl").words()
    classes = {a["class"] for a in get(lived, "/map?feed=place&property=pm25").find("circle")}
    assert classes == {"dot v0", "dot v4"}
    none = get(lived, "/map?feed=place&property=o3")
    assert not none.find("circle")
    for bad in ("feed=none", "near=here", "near=91,0", "near=nan,0", "radius=-1", "bbox=1,2,3", "lang=de", "colour=red"):
        page = get(lived, f"/map?{bad}", status=400)
        assert page.find("h1"), bad
    csp = lived.get("/map").headers["content-security-policy"]
    assert "img-src 'self' data: https://tiles.example.nl:8443;" in csp and "{z}" not in csp


def test_a_thing_falls_silent(own):
    d = own({"fast": feed("fast/{thing}", title="Fast", cadence="1s", keep_messages="1d")})
    d.start()
    assert publish(d, "fast/quiet", city.air(1)) == [0]
    daemon.wait_for("silence", lambda: get(d, "/map?silent=1").find("tr", data_thing="quiet"))
    assert "stil" in get(d, "/map?silent=1&lang=nl").words()
    assert get(d, "/feeds/fast").find("span", **{"class": "badge warn"})
    assert publish(d, "fast/quiet", city.air(2)) == [0]
    assert not get(d, "/map?silent=1").find("tr", data_thing="quiet")


def test_silent_for_longer_than_the_newest_messages(own):
    """A page reads the newest 20,000 messages of a feed; what fell silent before those is found too, by who may see it."""
    d = own({"fast": feed("fast/{thing}", title="Fast", cadence="1s", duplicates="keep", **PUBLIC),
             "secret": feed("secret/{thing}", title="Secret", cadence="1s", access="restricted")})
    d.start()
    place = {"location": {"type": "Point", "coordinates": [4.3, 52.08]}}
    d.feeds["fast"]["schemas"] = d.feeds["secret"]["schemas"] = ["air-quality-observed/1"]
    d.write_conf()
    d.reload()
    for topic in ("fast/quiet", "secret/hidden"):
        assert publish(d, topic, json.dumps({"dateObserved": city.now(), "pm25": 3, **place})) == [0]
    lines = "\n".join([json.dumps({"dateObserved": city.now(), "pm25": 1})] * 5000)
    for _ in range(5):
        a = d.post("/v1/feeds/fast/events?thing=busy", lines, {"Content-Type": "application/x-ndjson"}, timeout=60 * daemon.SLOW)
        assert a.status == 200, a
    d.stop()
    d.start()
    daemon.wait_for("the series", lambda: len(d.get("/v1/datastreams").json()["datastreams"]) == 3)
    assert not get(d, "/map?lang=nl").find("tr", data_thing="quiet"), "or this tests nothing"
    daemon.wait_for("silence", lambda: all(get(d, "/map?silent=1&lang=nl").find("tr", data_thing=t) for t in ("quiet", "hidden")))
    assert get(d, "/map?silent=1&feed=fast&near=52.08,4.3&radius=100").find("tr", data_thing="quiet")
    assert not get(d, "/map?silent=1&feed=fast&near=52.2,4.3&radius=100").find("tr", data_thing="quiet")
    assert not get(d, "/map?silent=1&feed=fast&property=pm25").find("tr", data_thing="quiet"), "its values are not known"
    must(d, "organisation", "add", "partner")
    key = re.search(r"^oudp_\S+$", must(d, "identity", "add", "reader", "--organisation", "partner", "--key"), re.M).group(0)
    seen = get(d, "/map?silent=1", Authorization="Bearer " + key)
    assert seen.find("tr", data_thing="quiet") and not seen.find("tr", data_thing="hidden")
    with socket.create_connection(("127.0.0.1", d.web_port)) as s:  # who goes away meanwhile leaves nothing behind
        s.sendall(b"GET /map?silent=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert get(d, "/map?silent=1").find("tr", data_thing="quiet")


def test_known_again_after_a_restart(own):
    d = own({"many": feed("many/{thing}", title="Many")})
    d.start()
    with d.client("p") as c:
        for i in range(300):
            c.publish(f"many/t{i % 30}", city.air(i % 7))
    d.stop()
    d.start()
    assert "30 meetpunten." in get(d, "/map?lang=nl").words()
    assert get(d, "/t/t29")


def test_try_a_message(broker):
    def attempt(payload, schema="air-quality-observed/1"):
        a = web.request(broker.web_port, "POST", f"/schemas/{schema}?lang=nl", urllib.parse.urlencode({"payload": payload, "x": "y"}),
                        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"})
        assert a.status == 200, a
        return Page(a.body.decode())
    good = attempt(json.dumps({"dateObserved": city.now(), "pm25": 12}))
    assert "Past." in good.words()
    bad = attempt(json.dumps({"dateObserved": "yesterday", "pm25": 1200, "note": EVIL}))
    assert "Past niet." in bad.words() and "/pm25: 1200 is more than maximum 1000" in bad.words() and "/dateObserved" in bad.words()
    assert EVIL in bad.words().replace("\\", ""), "what was tried stays in the box"
    assert "Past niet." in attempt("{").words()
    assert "Past niet." in attempt("\0\x01\u20ac").words()
    before = broker.feed("air")["last"]
    for body, kind, status in (("payload=%", "application/x-www-form-urlencoded", 400), ("x=1", "application/x-www-form-urlencoded", 400),
                               ("{}", "application/json", 415)):
        a = web.request(broker.web_port, "POST", "/schemas/air-quality-observed/1", body, {"Content-Type": kind})
        assert a.status == status and a.json()["status"] == status, a
    assert broker.feed("air")["last"] == before, "nothing is kept"


def test_a_schema_in_readable_form(broker):
    page = get(broker, "/schemas/air-quality-observed/1?lang=en")
    text = page.words()
    assert "pm25" in text and "µg/m³" in text and "≥ 0, ≤ 1000" in text and "required" in text
    assert "Particulate matter of 2.5 micrometres or less." in text
    get(broker, "/schemas/air-quality-observed/9", status=404)


def test_qr_code(lived):
    a = lived.get("/t/markt/qr.svg")
    assert a.status == 200 and a.headers["content-type"] == "image/svg+xml"
    svg = Page(a.body.decode())
    box = svg.find("svg")[0]["viewbox"].split()
    assert int(box[2]) >= 29 and svg.find("path")[0]["d"].startswith("M4 4h1v1h-1z")
    assert lived.get("/t/" + "x" * 900 + "/qr.svg").status == 400
    assert lived.get("/t/not-there-yet/qr.svg").status == 200, "it may be printed beforehand"


def test_why_messages_were_refused(lived):
    """Ten thousand rows are a few lines: counted by sender and reason, with the last message."""
    page = get(lived, "/admin/quarantine/told?lang=nl", where=lived.socket_path)
    text = page.words()
    assert "city/told/bad" in text and "maximum 1000" in text and "minimum 0" in text
    assert "1300" in text, "the last of its kind is shown"
    assert "oudp quarantine retry told" in text
    admin = get(lived, "/admin", where=lived.socket_path)
    assert "/admin/quarantine/told" in admin.links
    assert "Neemt berichten aan" in admin.words()
    for path in ADMIN:
        assert get(lived, path, status=403).find("h1")
        assert lived.get(path).status == 403
    assert "Beheer" not in get(lived, "/").words()


def test_what_may_not_be_seen_does_not_exist(tmp_path, own):
    address = daemon.outside_address()
    ca = certs.Authority(tmp_path / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost")
    https, = daemon.free_ports(1)
    extra = daemon.block("tls", "city", {"certificate": certificate, "key": key}) + \
        f'listener "out" {{\n\tprotocol = http\n\taddress = "{address}"\n\tport = {https}\n\ttls = "city"\n}}\n'
    d = own({"open": feed("city/open/{thing}", title="Open", **PUBLIC), "mine": feed("city/mine/{thing}", title="Mijn")}, extra=extra)
    d.start()
    assert publish(d, "city/mine/secret", city.air(1)) == [0]
    assert publish(d, "city/open/known", city.air(1)) == [0]

    def outside(path):
        c = http.client.HTTPSConnection("localhost", https, context=ca.context())
        c.sock = ca.context().wrap_socket(socket.create_connection((address, https)), server_hostname="localhost")
        c.request("GET", path, headers={"Accept": "text/html"})
        r = c.getresponse()
        return r.status, r.read().decode()
    assert "Mijn" in get(d, "/").words() and get(d, "/t/secret")
    for path in ("/", "/map", "/map?silent=1"):
        status, text = outside(path)
        assert status == 200 and "secret" not in text and "Mijn" not in text and "mine" not in text, path
        assert "Open" in text
    for path in ("/feeds/mine", "/t/secret"):
        status, text = outside(path)
        assert status == 404 and "Mijn" not in text, path
    assert outside("/map?feed=mine")[0] == 400
    assert outside("/t/known")[0] == 200


def test_files_of_the_pages(broker):
    page = get(broker, "/map")
    files = [e.get("src") or e.get("href") for t, e in page.elements if t in ("script", "link")]
    assert len(files) == 6
    total = 0
    for path in files:
        a = broker.get(path)
        assert a.status == 200 and a.headers["etag"], path
        if "?v=" in path:
            assert "immutable" in a.headers["cache-control"]
            assert "no-cache" in broker.get(path.split("?")[0]).headers["cache-control"]
        same = broker.get(path, headers={"If-None-Match": a.headers["etag"]})
        assert same.status == 304 and same.body == b"" and same.headers["etag"] == a.headers["etag"]
        assert broker.get(path, headers={"If-None-Match": '"other"'}).status == 200
        total += 0 if "leaflet" in path else len(a.body)
    assert total < 200_000
    theme = broker.get("/assets/theme.css").body.decode()
    accent = re.findall(r"--accent:(#[0-9a-f]{6})", theme)
    assert len(accent) == 2 and accent[0] != "#ffcc00" and accent[1] == "#ffcc00", "darker on light, as it is on dark"
    for bad in ("/assets/none.css", "/assets/..%2f..%2fetc%2fpasswd", "/assets/logo"):
        assert broker.get(bad).status == 404, bad


def test_logo(own, tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    d = own(logo=str(logo))
    d.start()
    a = d.get("/assets/logo")
    assert a.status == 200 and a.headers["content-type"] == "image/svg+xml" and a.body == logo.read_bytes()
    assert "default-src 'none'" in a.headers["content-security-policy"]
    assert get(d, "/").find("img", src="/assets/logo")


def test_errors_are_pages_for_people_and_problems_for_programs(broker):
    assert "Niet gevonden" in get(broker, "/feeds/none", status=404).words()
    assert "Not found" in get(broker, "/nowhere", status=404, **{"Accept-Language": "en"}).words()
    a = broker.get("/nowhere")
    assert a.status == 404 and a.headers["content-type"] == "application/problem+json"
    a = broker.get("/v1/nowhere", headers={"Accept": "text/html"})
    assert a.headers["content-type"] == "application/problem+json", "the API speaks JSON whoever asks"
    head = web.request(broker.web_port, "HEAD", "/")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 1000


def test_another_sites_page_changes_nothing(broker):
    """What a browser adds by itself (a forwarded admin socket, where it stands) is not for others to use."""
    def post(where, path, **headers):
        return web.request(where, "POST", path, "payload=%7B%7D", {"Content-Type": "application/x-www-form-urlencoded", **headers})
    own_site = f"http://127.0.0.1:{broker.web_port}"
    assert post(broker.web_port, "/schemas/test-air/1", Origin=own_site).status == 200
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{broker.web_port}.evil.example"):
        a = post(broker.web_port, "/schemas/test-air/1", Origin=origin)
        assert a.status == 403, (origin, a)
        a = web.request(broker.socket_path, "POST", "/v1/_reload", "{}", {"Content-Type": "text/plain", "Origin": origin})
        assert a.status == 403, (origin, a)
    assert web.request(broker.socket_path, "GET", "/admin", headers={"Host": "evil.example:8081"}).status == 403, "DNS rebinding"
    assert web.request(broker.socket_path, "GET", "/admin", headers={"Host": "localhost:8081"}).status == 200
    assert web.request(broker.socket_path, "POST", "/v1/_reload", {}, {"Origin": "http://localhost:8081", "Host": "localhost:8081"}).status == 200
    assert broker.get("/v1/feeds", headers={"Origin": "https://portal.example"}).status == 200, "reading is for every site"


def test_lines_to_copy_name_this_broker(broker):
    page = get(broker, "/feeds/open?lang=en")
    text = page.words()
    assert f"curl 'http://127.0.0.1:{broker.web_port}/v1/feeds/open/events?limit=10'" in text
    assert f"mosquitto_sub -V 5 -h 127.0.0.1 -p {broker.mqtt_port} -t 'city/open/+' -v" in text
    assert f"ws://127.0.0.1:{broker.web_port}/v1/feeds/open/events" in text


def test_public_url(own):
    d = own({"air": feed("city/air/{thing}", title="Air")}, public_url="https://data.example.nl")
    d.start()
    text = get(d, "/feeds/air").words()
    assert "wss://data.example.nl/v1/feeds/air/events" in text and "-h data.example.nl" in text
    assert publish(d, "city/air/x", city.air(1)) == [0]
    assert d.page("air").json()[0]["dataschema"].startswith("https://data.example.nl/v1/schemas/")
