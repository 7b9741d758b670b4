"""Signing in on the pages, and what who is signed in or administers sees there: grants, certificates, who is behind."""
import http.client
import re
import urllib.parse

import pytest
from test_access import FEEDS, PASSWORD, basic, grant, must
from test_pages import Page
from test_tls import Secure

from kit import web
from kit.daemon import SLOW, free_ports, wait_for


@pytest.fixture
def town(own):
    d = own(FEEDS, public_url="")
    d.start()
    for o in ("vendor", "partner"):
        must(d, "organisation", "add", o, "--title", o.title())
    must(d, "identity", "add", "ann", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    must(d, "identity", "add", "bob", "--organisation", "partner", "--password", input=PASSWORD + "\n")
    return d


def form(where, path, headers=None, **fields):
    return web.request(where, "POST", path, urllib.parse.urlencode(fields),
                       {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", "Accept-Language": "en", **(headers or {})},
                       timeout=30 * SLOW)


def sign_in(d, name="ann", password=PASSWORD):
    a = form(d.web_port, "/sign-in", name=name, password=password)
    assert a.status == 303 and a.headers["location"] == "/sign-in", a
    cookie = a.headers["set-cookie"]
    assert re.fullmatch(r"oudp=oudp-signin\.[\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800", cookie), cookie
    return {"Cookie": "other=1; " + cookie.split(";")[0]}


def page(where, path, status=200, **headers):
    a = web.request(where, "GET", path, headers={"Accept": "text/html", "Accept-Language": "en", **headers})
    assert a.status == status, a
    return Page(a.body.decode())


def test_in_and_out(town):
    assert "Sign in" in page(town.web_port, "/").words()
    wrong = form(town.web_port, "/sign-in", name="ann", password="no")
    assert wrong.status == 403 and "set-cookie" not in wrong.headers and "do not belong together" in wrong.body.decode()
    assert "www-authenticate" not in wrong.headers, "or the browser asks in its own way"
    assert form(town.web_port, "/sign-in", name="nobody", password="no").status == 403
    assert form(town.web_port, "/sign-in", name="ann").status == 400
    cookie = sign_in(town)
    mine = page(town.web_port, "/sign-in", **cookie)
    assert "ann" in mine.words() and "Vendor" in mine.words() and "Sign out" in mine.words()
    assert "ann" in page(town.web_port, "/", **cookie).words()
    # the API knows who it is too, and a header says more than a cookie
    assert town.post("/v1/tickets", "", cookie).status == 201
    assert town.get("/v1/grants", cookie).json() == {"grants": []}
    assert "bob" in page(town.web_port, "/sign-in", **cookie, **basic("bob", PASSWORD)).words()
    assert town.get("/v1/feeds", {**cookie, **basic("ann", "no")}).status == 401
    out = form(town.web_port, "/sign-out", cookie)
    assert out.status == 303 and "oudp=; " in out.headers["set-cookie"] and "Max-Age=0" in out.headers["set-cookie"]
    assert "Password or key" in page(town.web_port, "/sign-in", **cookie).words(), "the cookie is worth nothing any more"
    assert town.post("/v1/tickets", "", cookie).status == 401
    with open(town.log, encoding="utf-8") as f:
        log = f.read()
    assert PASSWORD not in log and "oudp-signin" not in log


def test_where_nobody_comes_in_without_an_identity(own):
    """A browser is led to the page where it signs in, and back to the page that it was to see."""
    port = free_ports(1)[0]
    d = own(FEEDS, public_url="", extra=f'listener "strict" {{\n\tprotocol = http\n\tport = {port}\n\tanonymous = false\n}}\n')
    d.start()
    must(d, "organisation", "add", "vendor")
    must(d, "identity", "add", "ann", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    html = {"Accept": "text/html"}
    for path, to in (("/t/pole-7", "/sign-in?to=/t/pole-7"), ("/map?lang=en", "/sign-in?to=/map&lang=en"), ("/t/p%C3%A5l", "/sign-in"),
                     ("//evil.example", "/sign-in?to=/evil.example"), ("/sign-out", "/sign-in")):
        a = web.request(port, "GET", path, headers=html)
        assert (a.status, a.headers["location"]) == (303, to) and "www-authenticate" not in a.headers, a
    first = page(port, "/sign-in?to=/t/pole-7")
    assert [f["action"] for f in first.find("form")] == ["/sign-in?to=/t/pole-7"]
    for sheet in first.find("link"):
        assert web.request(port, "GET", sheet["href"]).status == 200, sheet
    assert form(port, "/sign-in?to=/t/pole-7", name="ann", password="no").status == 403
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "/a%0d%0ab", "/sign-in", "", "/a?b"):
        a = form(port, "/sign-in?to=" + urllib.parse.quote(to), name="ann", password=PASSWORD)
        assert (a.status, a.headers["location"]) == (303, "/sign-in"), (to, a)
    a = form(port, "/sign-in?to=/map", name="ann", password=PASSWORD)
    assert (a.status, a.headers["location"]) == (303, "/map"), a
    cookie = {"Cookie": a.headers["set-cookie"].split(";")[0]}
    page(port, "/map", **cookie)
    assert web.request(port, "GET", "/v1/feeds", headers=html).status == 401, "the API is not for browsers"
    assert form(port, "/schemas/a/1", text="{}").status == 401, "what was sent is not lost on the way to another page"
    assert web.request(port, "GET", "/map", headers={**html, **basic("ann", "no")}).status == 401, "what is wrong is refused"


def test_other_sites_cannot_use_it(town):
    cookie = sign_in(town)
    for path in ("/sign-in", "/sign-out", "/grants/1"):
        assert form(town.web_port, path, {**cookie, "Origin": "https://evil.example"}, name="bob", password=PASSWORD).status == 403
    assert town.post("/v1/tickets", "", cookie).status == 201, "still signed in"


def test_it_ends_with_the_identity(town):
    cookie = sign_in(town)
    must(town, "identity", "end", "ann")
    assert wait_for("the end", lambda: "Password or key" in page(town.web_port, "/sign-in", **cookie).words(), 5)
    assert form(town.web_port, "/sign-in", name="ann", password=PASSWORD).status == 403
    for n in range(40):
        a = form(town.web_port, "/sign-in", name="bob", password=f"guess {n}")
        if a.status == 429:
            break
    assert a.status == 429 and "Wait a minute" in a.body.decode()


def test_over_tls_the_cookie_is_of_this_host_alone(own, tmp_path):
    s = Secure(own, tmp_path)
    s.daemon.start()
    must(s.daemon, "organisation", "add", "vendor")
    must(s.daemon, "identity", "add", "ann", "--organisation", "vendor", "--password", input=PASSWORD + "\n")
    c = http.client.HTTPSConnection("localhost", s.https, context=s.context, timeout=20 * SLOW)
    c.request("POST", "/sign-in", urllib.parse.urlencode({"name": "ann", "password": PASSWORD}),
              {"Content-Type": "application/x-www-form-urlencoded"})
    a = web.Answer(c.getresponse())
    c.close()
    assert a.status == 303, a
    assert a.headers["set-cookie"].startswith("__Host-oudp=") and a.headers["set-cookie"].endswith("; Secure")
    certificates = page(s.daemon.socket_path, "/admin/certificates").words()
    assert "city" in certificates and "https (127.0.0.1:" in certificates and "days left" in certificates


def test_grants(town):
    n = grant(town, "air", "publish,read", identity="ann", quota="100", purpose="Tests")
    m = grant(town, "noise", "admin", identity="bob")
    k = grant(town, "noise", "subscribe", organisation="vendor", until="2099-01-01")
    everything = page(town.socket_path, "/grants")
    for words in ("ann", "bob", "everybody of it", "publish, read", "0 of 100 today", "administer", "Tests", "in force"):
        assert words in everything.words(), words
    assert len(everything.find("form")) == 3
    ann, bob = sign_in(town, "ann"), sign_in(town, "bob")
    hers = page(town.web_port, "/grants", **ann)
    assert "publish, read" in hers.words() and "bob" not in hers.words().replace("bob@", "") and not hers.find("form")
    his = page(town.web_port, "/grants", **bob)
    assert [f["action"] for f in his.find("form")] == [f"/grants/{k}"], "of his feed, but for the right to administer"
    # who may, changes; who may not, does not
    assert form(town.web_port, f"/grants/{n}", ann, state="revoked").status == 403
    assert form(town.web_port, f"/grants/{m}", ann, state="revoked").status == 404
    assert form(town.web_port, f"/grants/{k}", bob, state="nonsense").status == 400
    a = form(town.web_port, f"/grants/{k}?lang=en", bob, state="suspended")
    assert a.status == 303 and a.headers["location"] == "/grants?lang=en", a
    assert "suspended" in page(town.web_port, "/grants", **bob).words()
    assert form(town.socket_path, f"/grants/{k}", state="active").status == 303
    assert form(town.socket_path, f"/grants/{n}", state="revoked").status == 303
    assert "publish, read" not in page(town.socket_path, "/grants").words(), "what is revoked is gone from the page"
    assert form(town.socket_path, f"/grants/{n}", state="active").status == 409
    assert "sign in" in page(town.web_port, "/grants").words().lower()


def test_who_is_behind(town):
    assert "everybody is up to date" in page(town.socket_path, "/admin/subscribers").words()
    with town.client("slow-reader", clean=False, props={"session_expiry": 3600}) as c:
        c.subscribe(("city/open/#", 1))
    with town.client("sender") as c:
        for n in range(12):
            assert c.publish("city/open/x", f'{{"n":{n}}}').reason == 0
    words = wait_for("the row", lambda: (lambda w: w if "slow-reader" in w else None)(page(town.socket_path, "/admin/subscribers").words()), 10)
    assert "12" in words and "mqtt" in words and "days" in words
    assert page(town.web_port, "/admin/subscribers", status=403)
