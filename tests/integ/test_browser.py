"""The pages in a real browser: Debian's Chromium, driven by playwright-core, looked over by axe-core; skips with a word where they
are not. Screenshots of every page are left in build/pages/. PAGES_ALL=1: every page in all sixteen ways."""
import datetime
import json
import math
import os
import subprocess
import time

from kit import certs, city, daemon, node
from kit.access import must
from kit.daemon import PUBLIC, TOP, feed

ENTRY = {"name": {"nl": "Meter op de markt", "en": "Meter on the market"}, "owner": {"organisation": "Gemeente Test"},
         "goal": {"nl": "Weten hoe schoon de lucht is"}, "legalGround": "Publieke taak", "personalData": False,
         "contact": {"email": "markt@example.nl"}}


def fill_administration(d):
    """Something in each of the administrator's tables: a grant, who is behind."""
    must(d, "organisation", "add", "bouwer", "--title", "Bouwer BV")
    must(d, "identity", "add", "sensoren@bouwer", "--organisation", "bouwer", "--key")
    must(d, "grant", "add", "place", "--identity", "sensoren@bouwer", "--rights", "publish,read", "--quota", "5000", "--purpose", "Metingen op de markt")
    must(d, "grant", "add", "quick", "--organisation", "bouwer", "--rights", "subscribe", "--until", "2099-01-01")
    with d.client("trage-lezer", clean=False, props={"session_expiry": 3600}) as c:
        c.subscribe(("city/place/#", 1))
    with d.client("browser") as c:
        for n in range(3):
            payload = {"dateObserved": city.now(), "pm25": 38 + n, "relativeHumidity": 0.6, "location": {"type": "Point", "coordinates": [4.28, 52.1]}}
            assert c.publish("city/place/haven", json.dumps(payload)).reason == 0


def test_in_a_browser(own, tmp_path):
    top, chromium = node.module("playwright-core", "axe-core"), node.browser()
    search_port, = daemon.free_ports(1)
    ca = certs.Authority(tmp_path)
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    https, = daemon.free_ports(1)
    secure = daemon.block("tls", "stad", {"certificate": certificate, "key": key}) + daemon.block(
        "listener", "beveiligd", {"protocol": "http", "port": https, "tls": "stad"})
    d = own({"place": feed("city/place/{thing}", ["air-quality-observed/1"], title="Plaatsen", cadence="10m", purpose="Om te weten.",
                           legal_ground="Publieke taak", **PUBLIC),
             "quick": feed("city/quick/{thing}", title="Snel", cadence="1s"),
             "empty": feed("city/empty/{thing}", title="Leeg")},
            title="Stad van de tests", map_tiles="", address_search=f"http://127.0.0.1:{search_port}/free", colour="#ffcc00",
            publisher_name="Gemeente Test", extra=secure)
    d.options["public-url"] = f"http://127.0.0.1:{d.web_port}"  # the lines to copy are tried, and the certificate is the test's own
    d.write_conf()
    d.start()
    with d.client("browser") as c:
        for name, lat, lon, value in (("markt", 52.0771, 4.3162, 12.5), ("haven", 52.1, 4.28, 40), ("station", 52.08, 4.32, 22)):
            place = {"location": {"type": "Point", "coordinates": [lon, lat]}, "relativeHumidity": 0.61, "temperature": 7.5}
            assert c.publish(f"city/place/{name}", json.dumps({"dateObserved": city.now(), "pm25": value, **place})).reason == 0
        for minutes in range(1430, 5, -10):  # for a chart with a line
            when = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
            late = {"dateObserved": when, "pm25": round(12 + 8 * math.sin(minutes / 230), 1), "temperature": round(6 + 3 * math.cos(minutes / 240), 1)}
            assert c.publish("city/place/markt", json.dumps(late)).reason == 0
        for value in (1200, 1200, 1300):
            assert c.publish("city/place/kapot", json.dumps({"dateObserved": city.now(), "pm25": value})).reason == 0x99
        assert c.publish("city/quick/stil-1", city.air(1)).reason == 0
    entry = d.admin("PUT", "/v1/things/markt", ENTRY)
    assert entry.status == 201, entry
    fill_administration(d)
    time.sleep(2.2)  # stil-1 has been silent for twice its cadence
    shots = os.path.join(TOP, "build", "pages")
    os.makedirs(shots, exist_ok=True)
    plan = {"port": d.web_port, "socket": d.socket_path, "searchPort": search_port, "code": entry.json()["code"], "shots": shots,
            "all": os.environ.get("PAGES_ALL") == "1",
            "pages": [["home", "/", False], ["feed", "/feeds/place", False], ["empty", "/feeds/empty", False], ["map", "/map", False],
                      ["map-property", "/map?feed=place&property=pm25&near=52.08,4.3", False], ["thing", "/t/markt", False],
                      ["schemas", "/schemas", False], ["schema", "/schemas/air-quality-observed/1", False],
                      ["absent", "/feeds/none", False], ["admin", "/admin", True], ["sign", "/sign-in", False], ["grants", "/grants", True], ["refusals", "/refusals", True],
                      ["certificates", "/admin/certificates", True], ["lag", "/admin/subscribers", True], ["refused", "/admin/quarantine/place", True]]}
    tap = os.path.join(shots, "tap")
    with open(tap, "w", encoding="utf-8") as out:
        p = subprocess.run(["node", os.path.join(TOP, "tests", "tools", "browser.mjs"), top, chromium, json.dumps(plan)],
                           stdout=out, stderr=out, timeout=540 if not plan["all"] else 3000, check=False)
    with open(tap, encoding="utf-8") as f:
        lines = f.read().splitlines()
    bad = [line for line in lines if not line.startswith(("ok", "1.."))]
    assert p.returncode == 0 and not bad, "\n".join(bad)
    assert len(lines) > 30
