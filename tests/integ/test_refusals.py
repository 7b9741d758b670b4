"""Who was refused, how often and why the last time; and what a client can know before it tries."""
import json
import os
import re

from kit import city, web
from kit.access import add_key, grant, must
from kit.daemon import TOP, wait_for
from test_access import bearer
from test_pages import Page
from test_sta import ask
from test_sta_write import FEEDS, make_stream, send, stream, thing

KINDS = ("unfit", "denied", "unrouted", "limit", "conflict")


def refusals(d, headers=None):
    a = d.get("/v1/refusals", headers) if headers else d.admin("GET", "/v1/refusals")
    assert a.status == 200
    return json.loads(a.body)["refusals"]


def counts(x):
    return {k: x[k] for k in KINDS if x[k]}


def test_each_source_has_its_own(own):
    d = own(FEEDS).start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    key, other = add_key(d, "good"), add_key(d, "bad")
    for name in ("good", "bad"):
        grant(d, "air", "publish", identity=name, thing="v-*", size=200)
        grant(d, "air", "read", identity=name)
    with d.client("a", user="", password=key) as a, d.client("b", user="", password=other) as b:
        assert a.publish("city/air/v-1", city.air(1)).reason == 0
        for k in range(3):
            assert b.publish("city/air/v-1", city.air(5000 + k)).reason == 0x99
        assert b.publish("city/air/v-2", "{").reason == 0x99
        assert b.publish("city/air/w-1", city.air(1)).reason == 0x87
        assert b.publish("nowhere/else", "x").reason in (0x87, 0x90)
    assert d.post("/v1/feeds/air/events?thing=v-1", "x" * 300, {"Content-Type": "application/json", **bearer(other)}).status == 413
    shown = d.oudp("refusals")
    row = next(x for x in shown.stdout.splitlines() if "bad" in x and "v-1" in x)
    assert shown.returncode == 0 and "unfit 3, limit 1" in row and "larger than the grant" in row and "good" not in shown.stdout
    assert {x["identity"] for x in json.loads(d.oudp("refusals", "--json").stdout)} == {"bad"}
    assert d.oudp("refusals", "more").returncode == 2
    got = {(x["identity"], x["feed"], x["thing"]): x for x in refusals(d)}
    assert {k[0] for k in got} == {"bad"}
    one = got["bad", "air", "v-1"]
    assert counts(one) == {"unfit": 3, "limit": 1} and one["organisation"] == "vendor" and one["first"] <= one["last"]
    assert counts(got["bad", "air", "w-1"]) == {"denied": 1} and got["bad", "air", "w-1"]["rule"] == "grant"
    assert "maximum" not in json.dumps(got["bad", "air", "v-2"]) and got["bad", "air", "v-2"]["reason"]
    assert sum(sum(counts(x).values()) for x in got.values()) == 7
    assert refusals(d)[0]["last"] == max(x["last"] for x in got.values())
    # its own, and nobody else's; of a feed to who administers it
    assert {x["identity"] for x in refusals(d, bearer(other))} == {"bad"} and len(refusals(d, bearer(other))) == len(got)
    assert refusals(d, bearer(key)) == []
    grant(d, "air", "admin", identity="good")
    assert {x["feed"] for x in refusals(d, bearer(key))} == {"air"}
    text = web.request(d.admin_port, "GET", "/metrics").body.decode()
    metrics = {name: float(value) for name, value in re.findall(r"^(oudp_refus\S+) (\S+)$", text, re.M)}
    assert [metrics[f'oudp_refusals_total{{kind="{k}"}}'] for k in KINDS] == [4, 1, 1, 1, 0] and metrics["oudp_refused_sources"] == len(got)


def page(d, where=None, headers=None, query="", language="en"):
    a = web.request(where or d.web_port, "GET", "/refusals" + query, headers={"Accept": "text/html", "Accept-Language": language, **(headers or {})})
    assert a.status == 200 and a.headers["content-type"].startswith("text/html")
    return Page(a.body.decode())


def test_the_page(own):
    """To each its own, with what to do about each kind that there is, and no other."""
    d = own(FEEDS).start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    good, bad, keeper = (add_key(d, name) for name in ("good", "bad", "keeper"))
    grant(d, "air", "publish", identity="bad", thing="v-*", size=200)
    grant(d, "air", "read,admin", identity="keeper")
    assert "Nothing was refused" in page(d, headers=bearer(bad)).words()
    evil = "v-<b>&\"'"
    with d.client("b", user="", password=bad) as c:
        for k in range(3):
            assert c.publish("city/air/" + evil, city.air(5000 + k)).reason == 0x99
        assert c.publish("city/air/w-1", city.air(1)).reason == 0x87
        assert c.publish("nowhere/else", "x").reason in (0x87, 0x90)
    hers = page(d, headers=bearer(bad))
    assert evil in hers.words() and "3 × not as agreed" in hers.words() and "maximum" in hers.words() and "1 × not allowed" in hers.words()
    assert {a["href"] for a in hers.find("a") if a["href"].startswith("#")} == {"#main", "#unfit", "#denied", "#unrouted"}
    assert {a["id"] for a in hers.find("h3")} == {"unfit", "denied", "unrouted"} and "no feed" in hers.words()
    assert not [u for u in hers.links if u.startswith("/feeds/") or "/admin" in u], "she may not read it"
    dutch = page(d, headers=bearer(bad), language="nl").words()
    assert "3 × past niet bij de afspraken" in dutch and "1 × niet toegestaan" in dutch and "geen feed" in dutch
    # of its feed to who keeps it, of all to the administrator, of nothing to others
    kept = page(d, headers=bearer(keeper))
    assert "bad vendor" in kept.words() and "3 ×" in kept.words() and "unrouted" not in str(kept.elements) and "/feeds/air" in kept.links
    assert "Nothing was refused" in page(d, headers=bearer(good)).words()
    stranger = page(d)
    assert "signed in" in stranger.words() and "vendor" not in stranger.words() and "/sign-in" in stranger.links
    with d.client("a") as c:
        assert c.publish("nowhere/at/all", "x").reason == 0x90
    everything = page(d, d.socket_path)
    assert {"/admin/quarantine/air", "/admin/quarantine/_unrouted"} <= set(everything.links) and "without a name" in everything.words()
    assert {a["id"] for a in everything.find("h3")} == {"unfit", "denied", "unrouted"}
    # of one feed: where its page leads
    feed = web.request(d.web_port, "GET", "/feeds/air", headers={"Accept": "text/html", **bearer(keeper)})
    assert "/refusals?feed=air" in Page(feed.body.decode()).links
    assert not any("/refusals" in u for u in Page(web.request(d.web_port, "GET", "/feeds/air", headers={"Accept": "text/html"}).body.decode()).links)
    one = page(d, d.socket_path, query="?feed=air").words()
    assert "bad" in one and "no feed" not in one
    assert "Nothing was refused" in page(d, d.socket_path, query="?feed=lab").words()


def test_what_one_does_not_see_has_no_name(own):
    """One's own on feeds that one does not see is one source, with what no feed takes."""
    d = own(FEEDS).start()
    must(d, "organisation", "add", "vendor", "--title", "V")
    key = add_key(d, "bad")
    with d.client("b", user="", password=key) as c:
        for topic in ("city/air/x", "nowhere/else", "city/air/y", "city/air/x"):
            assert c.publish(topic, city.air(1)).reason == 0x87
    one, = refusals(d, bearer(key))
    assert (one["feed"], one["thing"], counts(one)) == (None, None, {"denied": 4}) and one["first"] <= one["last"]
    assert {(x["feed"], x["thing"]) for x in refusals(d)} == {("air", "x"), ("air", "y"), (None, None)}
    shown = page(d, headers=bearer(key)).words()
    assert "4 × not allowed" in shown and "air" not in shown
    grant(d, "air", "read", identity="bad")
    assert {(x["feed"], x["thing"]) for x in refusals(d, bearer(key))} == {("air", "x"), ("air", "y"), (None, None)}


def test_what_sensorthings_refuses_counts(own):
    d = own(FEEDS).start()
    _, s = make_stream(d)
    t = city.now(-50)
    send(d, "POST", f"/Datastreams({s})/Observations", {"result": 1, "phenomenonTime": t})
    for k in (2, 3):
        send(d, "POST", f"/Datastreams({s})/Observations", {"result": k, "phenomenonTime": t}, 409)
    send(d, "POST", "/Things", thing(), 409)
    send(d, "POST", "/Things", {"name": "x"}, 400)
    got = {(x["feed"], x["thing"]): x for x in refusals(d)}
    assert counts(got["lab", "kitchen"]) == {"conflict": 2} and got["lab", "kitchen"]["rule"] == "conflict"
    assert counts(got[None, None]) == {"conflict": 1, "unfit": 1} and got[None, None]["rule"] == "missing"


def test_an_erased_thing_is_forgotten(own):
    d = own(FEEDS).start()
    with d.client("a") as c:
        for name in ("of-a-person", "hall"):
            assert c.publish(f"city/air/{name}", city.air(5000)).reason == 0x99
    assert {x["thing"] for x in refusals(d)} == {"of-a-person", "hall"}
    a = d.admin("POST", "/v1/things/of-a-person/_erase?organisation=gemeente-test", json.dumps({"reason": "asked"}), {"Content-Type": "application/json"})
    assert a.status in (200, 202), a.body
    wait_for("the erasure", lambda: {x["thing"] for x in refusals(d)} == {"hall"})
    assert "of-a-person" not in json.dumps(refusals(d))


def test_sources_are_bounded(own):
    """The last ones stay, whatever comes."""
    d = own(FEEDS).start()
    with d.client("a") as c:
        for k in range(4200):
            c.publish(f"city/air/t-{k}", "{", 0)
        assert c.publish("city/air/last", "{").reason == 0x99
    got = refusals(d)
    assert len(got) == 1000 and got[0]["thing"] == "last" and got[1]["thing"] == "t-4199"


def test_capabilities(own):
    d = own(FEEDS).start()
    a = d.get("/v1/capabilities").json()
    assert ask(d, "/")["serverSettings"]["capabilities"].endswith("/v1/capabilities")
    assert [f["name"] for f in a["sensorthings"]["feeds"]] == ["lab"] and a["sensorthings"]["feeds"][0]["conflict"] is True
    assert {"st_within", "geo.distance", "substringof", "now"} <= set(a["sensorthings"]["functions"])
    # what it says is so
    many = a["limits"]["requestsOfOneBatch"]
    send(d, "POST", "/$batch", {"requests": [{"id": "1", "method": "get", "url": "Nothing"}] * many}, 200)
    send(d, "POST", "/$batch", {"requests": [{"id": "1", "method": "get", "url": "Nothing"}] * (many + 1)}, 400)
    codes = {c["code"]: c["statuses"] for c in a["codes"]}
    e = send(d, "POST", "/Things", thing(Datastreams=[stream("x", "furlongs")]), 400)
    assert e["status"] in codes[e["code"]]
    with open(os.path.join(TOP, "man", "oudp-http.7"), encoding="utf-8") as f:
        said = re.search(r"/v1/capabilities :\n([^.]*)\.", f.read()).group(1)
    assert set(re.split(r",\s+", said.strip())) == set(codes)
