"""The register of things: entries over HTTP and the command line, what only published, registration = required."""
import json
import os
import re
import time

import pytest

from kit import city, web
from kit.daemon import PUBLIC, feed, wait_for

FEEDS = {
    "air": feed("city/air/{thing}"),
    "open": feed("open/air/{thing}", **PUBLIC),
    "strict": feed("strict/{thing}", registration="required", max_age="0"),
    "raw": feed("raw/#", ["any"]),
}
DAY = 86400


def entry(**more):
    e = {"name": {"nl": "Sensor op de brug", "en": "Sensor on the bridge"}, "owner": {"organisation": "Gemeente Test"},
         "goal": {"nl": "Weten hoe schoon de lucht is"}, "legalGround": "Publieke taak", "personalData": False}
    e.update(more)
    return e


def put(d, thing, e, **query):
    q = "&".join(f"{k}={v}" for k, v in query.items())
    return d.admin("PUT", f"/v1/things/{thing}" + ("?" + q if q else ""), e)


def day(offset):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + offset * DAY))


def test_an_entry_is_put_shown_changed_and_kept(broker, name):
    a = put(broker, name, entry(location={"latitude": 52.3740031, "longitude": 4.8896, "height": 3.5}))
    assert a.status == 201, a
    x = a.json()
    assert (x["id"], x["organisation"], x["registered"], x["valid"], x["version"]) == (name, "gemeente-test", True, True, 1)
    assert re.fullmatch("[23456789b-df-hj-np-tv-z]{10}", x["code"]), x
    assert x["location"] == {"latitude": 52.3740031, "longitude": 4.8896, "height": 3.5}
    got = broker.get(f"/v1/things/{name}").json()
    assert got == x
    # what was got can be put
    got["name"]["nl"] = "Anders"
    a = put(broker, name, got)
    assert a.status == 200 and a.json()["version"] == 2 and a.json()["code"] == x["code"], a
    assert a.json()["name"] == {"nl": "Anders", "en": "Sensor on the bridge"}
    a = broker.admin("PATCH", f"/v1/things/{name}", {"name": {"en": None}, "permit": {"until": day(10)}})
    assert a.status == 200 and a.json()["name"] == {"nl": "Anders"} and a.json()["valid"], a
    versions = broker.admin("GET", f"/v1/things/{name}/versions").json()["versions"]
    assert [v["version"] for v in versions] == [1, 2, 3]
    assert [v["document"]["name"]["nl"] for v in versions] == ["Sensor op de brug", "Anders", "Anders"]
    assert {v["by"] for v in versions} == {"administrator"}
    assert broker.admin("DELETE", f"/v1/things/{name}").status == 204
    assert broker.get(f"/v1/things/{name}").status == 404
    assert broker.admin("DELETE", f"/v1/things/{name}").status == 404
    assert len(broker.admin("GET", f"/v1/things/{name}/versions").json()["versions"]) == 4
    a = put(broker, name, entry())
    assert a.status == 200 and a.json()["code"] == x["code"] and a.json()["version"] == 5, "the page on the pole stays"


def test_all_faults_at_once(broker, name):
    a = put(broker, name, {"name": {"nl": ""}, "owner": {"email": 5}, "personalData": True, "location": {"latitude": 91},
                           "wat": 1, "devices": [{"from": "2026-02-30"}], "state": "odd", "goal": {"nl": "x"}})
    assert a.status == 400 and a.headers["content-type"] == "application/problem+json"
    pointers = {e["pointer"] for e in a.json()["errors"]}
    assert pointers >= {"/name/nl", "/owner/email", "/owner/organisation", "/dpia", "/privacyStatement", "/legalGround",
                        "/location/latitude", "/location", "/wat", "/devices/0", "/devices/0/from", "/state"}, a.json()
    assert broker.get(f"/v1/things/{name}").status == 404
    for body in (b"", b"[]", b"{", b"{\"name\":{\"nl\":\"a\"},\"name\":{}}", b"\xff"):
        assert broker.admin("PUT", f"/v1/things/{name}", body, {"Content-Type": "application/json"}).status in (400, 411), body
    for bad in ("a%2Fb", "a%23", "x" * 256):
        assert put(broker, bad, entry()).status in (400, 404), bad
    assert put(broker, name, entry(note="x" * 4001)).status == 400
    assert put(broker, name, entry(), organisation="Not%20one").status == 400
    assert put(broker, name, entry(), wat="1").status == 400


def test_dry_run_changes_nothing(broker, name):
    assert put(broker, name, entry(), dryRun="true").status == 200
    assert put(broker, name, {}, dryRun="true").status == 400
    assert broker.get(f"/v1/things/{name}").status == 404


def test_only_the_administrator_changes_it(broker, name):
    for method in ("PUT", "PATCH", "DELETE"):
        a = web.request(broker.web_port, method, f"/v1/things/{name}", entry() if method != "DELETE" else None)
        assert a.status == 403, (method, a)
    assert broker.get(f"/v1/things/{name}/versions").status == 403
    a = web.request(broker.web_port, "POST", "/v1/things", {})
    assert a.status == 405 and "GET" in a.headers["allow"]


def test_what_only_published_is_there_too(broker, name):
    with broker.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(1)).reason == 0
        assert c.publish(f"open/air/{name}", city.air(1)).reason == 0
    x = broker.get(f"/v1/things/{name}").json()
    assert x["registered"] is False and x["seen"]["feeds"] == ["air", "open"] and "valid" not in x
    assert x["seen"]["first"] <= x["seen"]["last"]
    assert name in [t["id"] for t in broker.get("/v1/things?feed=air&limit=1000").json()["things"]]
    assert broker.get("/v1/things?feed=nothing").status == 400


def test_it_is_found_again_after_a_start(own, name):
    d = own(feeds=FEEDS)
    d.start()
    put(d, "reg", entry())
    with d.client(name) as c:
        for i in range(3):
            c.publish(f"city/air/seen{i}", city.air(i))
    before = {t["id"]: t for t in d.get("/v1/things").json()["things"]}
    assert set(before) == {"reg", "seen0", "seen1", "seen2"}
    d.restart()
    wait_for("the logs to be looked through",
             lambda: {t["id"]: t for t in d.get("/v1/things").json()["things"]} == before)


def test_filters_and_pages(own):
    d = own(feeds=FEEDS)
    d.start()
    for i in range(25):
        e = entry(state="planned" if i % 5 == 0 else "active", location={"latitude": 52 + i / 100, "longitude": 4.9})
        assert put(d, f"t{i:02}", e).status == 201
    assert put(d, "other", entry(), organisation="vendor-x").status == 201
    ids, after = [], ""
    while after is not None:
        a = d.get(f"/v1/things?limit=7{after}").json()
        assert len(a["things"]) <= 7
        ids += [t["id"] for t in a["things"]]
        after = a["next"] and "&after=" + a["next"].replace("/", "%2F")
    assert ids == [f"t{i:02}" for i in range(25)] + ["other"]
    assert len(d.get("/v1/things?state=planned").json()["things"]) == 5
    assert [t["id"] for t in d.get("/v1/things?bbox=4,52.1,5,52.125").json()["things"]] == ["t10", "t11", "t12"]
    assert [t["id"] for t in d.get("/v1/things?organisation=vendor-x").json()["things"]] == ["other"]
    assert d.get("/v1/things/other?organisation=vendor-x").status == 200 and d.get("/v1/things/other").status == 404
    for bad in ("state=x", "bbox=1", "limit=0", "limit=1001", "registered=maybe", "q=1"):
        assert d.get("/v1/things?" + bad).status == 400, bad


def test_registration_required(own, name):
    d = own(feeds=FEEDS)
    d.start()
    with d.client(name) as c:
        a = c.publish(f"strict/{name}", city.air(1))
        assert a.reason == 0x99 and "is not in the register" in a.props["reason"], a
        put(d, name, entry(state="planned"))
        assert "is planned" in c.publish(f"strict/{name}", city.air(2)).props["reason"]
        put(d, name, entry())
        assert c.publish(f"strict/{name}", city.air(3)).reason == 0
        put(d, name, entry(permit={"until": day(-1)}))
        assert "permit that has ended" in c.publish(f"strict/{name}", city.air(4)).props["reason"]
        put(d, name, entry(permit={"until": day(0)}))
        assert c.publish(f"strict/{name}", city.air(5)).reason == 0, "the last day counts"
        put(d, name, entry(activeUntil=day(-1)))
        assert c.publish(f"strict/{name}", city.air(6)).reason == 0x99
        put(d, name, entry(activeFrom=day(1)))
        assert c.publish(f"strict/{name}", city.air(7)).reason == 0x99
        assert put(d, name, entry(), organisation="someone-else").status == 201
        assert c.publish(f"strict/{name}", city.air(8)).reason == 0x99, "another organisation's does not help"
    rows = d.quarantine("strict")
    assert len(rows) == 6 and {r["rule"] for r in rows} == {"registration"}
    put(d, name, entry())
    a = d.admin("POST", "/v1/feeds/strict/quarantine/_retry", {}).json()
    assert (a["stored"], a["left"]) == (6, 0), a


def test_entries_survive_a_kill(own):
    d = own(feeds=FEEDS)
    d.start()
    for i in range(30):
        assert put(d, f"t{i}", entry(note=str(i))).status == 201
    before = d.get("/v1/things?limit=1000").json()
    d.restart()
    assert d.get("/v1/things?limit=1000").json() == before


# ---- the command line ----

CSV = '''id;name.nl;owner.organisation;goal.nl;legalGround;personalData;location.latitude;location.longitude;themes;devices.id
A1;"Meter ""oost""";Gemeente;Lucht meten;Publieke taak;nee;52,37;4,89;Lucht|Verkeer;dev-1
A2;Meter west;Gemeente;Lucht meten;Publieke taak;nee;52,38;4,90;;
'''


def write(d, name, text):
    path = os.path.join(d.folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def test_import_csv(own):
    d = own(feeds=FEEDS)
    d.start()
    path = write(d, "things.csv", "\ufeff" + CSV)
    p = d.oudp("thing", "import", path, "--dry-run")
    assert p.returncode == 0 and "2 can be registered" in p.stdout, p
    assert d.get("/v1/things").json()["things"] == []
    assert d.oudp("thing", "import", path).returncode == 0
    x = d.get("/v1/things/A1").json()
    assert x["name"]["nl"] == 'Meter "oost"' and x["location"] == {"latitude": 52.37, "longitude": 4.89}
    assert x["themes"] == ["Lucht", "Verkeer"] and x["devices"] == [{"id": "dev-1"}] and x["personalData"] is False
    bad = write(d, "bad.csv", CSV + "A3;;Gemeente;x;y;misschien;x;4\nB1;B;G;x;y;nee;1;1\n;geen id;G;x;y;nee\n")
    p = d.oudp("thing", "import", bad)
    assert p.returncode == 1 and "line 4: A3: /personalData" in p.stderr and "line 6" in p.stderr, p
    assert d.get("/v1/things/B1").status == 404, "nothing while a line has faults"
    p = d.oudp("thing", "import", bad, "--skip-faulty")
    assert p.returncode == 1 and d.get("/v1/things/B1").status == 200 and d.get("/v1/things/A3").status == 404
    a = json.loads(d.oudp("thing", "import", bad, "--dry-run", "--json").stdout)
    assert (a["good"], a["faulty"]) == (3, 2) and a["faults"][0]["place"] == "line 4", a


def test_import_json_and_geojson(own):
    d = own(feeds=FEEDS)
    d.start()
    path = write(d, "things.json", json.dumps({"things": [{"id": "J1", **entry()}, {"id": "J2", **entry(public=True)}]}))
    assert d.oudp("thing", "import", path).returncode == 0
    features = [{"type": "Feature", "id": "G1", "geometry": {"type": "Point", "coordinates": [4.9, 52.4, 3]},
                 "properties": {**entry(), "owner.email": "a@b.nl"}}]
    path = write(d, "things.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    assert d.oudp("thing", "import", path).returncode == 0
    x = d.get("/v1/things/G1").json()
    assert x["location"] == {"longitude": 4.9, "latitude": 52.4, "height": 3} and x["owner"]["email"] == "a@b.nl"
    for text in ("", "{}", "[1", "name\nx\n"):
        assert d.oudp("thing", "import", write(d, "no", text)).returncode == 2, text


def test_commands(own):
    d = own(feeds=FEEDS)
    d.start()
    p = d.oudp("thing", "add", "M1", "name.nl=Brug", "owner.organisation=G", "goal.nl=x", "legalGround=y", "personalData=nee")
    assert p.returncode == 0 and "version 1" in p.stdout, p
    p = d.oudp("thing", "add", "M2", "-", input=json.dumps(entry()))
    assert p.returncode == 0, p
    assert d.oudp("thing", "add", "M3", "name.nl=Brug").returncode == 2
    assert "there is no member" in d.oudp("thing", "add", "M3", "nam=Brug").stderr
    p = d.oudp("thing", "list")
    assert p.returncode == 0 and "M1" in p.stdout and "Brug" in p.stdout, p
    assert json.loads(d.oudp("thing", "show", "M1", "--json").stdout)["name"]["nl"] == "Brug"
    assert d.oudp("thing", "end", "M1").returncode == 0
    assert d.get("/v1/things/M1").json()["state"] == "ended"
    assert d.oudp("thing", "end", "M2", "--date", day(30)).returncode == 0
    assert d.get("/v1/things/M2").json()["valid"] is True
    assert len(json.loads(d.oudp("thing", "show", "M1", "--history", "--json").stdout)["versions"]) == 2
    assert d.oudp("thing", "show", "nothing").returncode == 2
    assert d.oudp("thing", "list", "--state", "planned").returncode == 1


@pytest.mark.parametrize("path", ["/v1/things", "/v1/things/{thing}", "/v1/things/{thing}/versions"])
def test_openapi_names_it(broker, path):
    paths = broker.get("/v1/openapi.json").json()["paths"]
    assert path in paths
    ids = [o["operationId"] for p in paths.values() for o in p.values()]
    assert len(ids) == len(set(ids)), "every operation has an id of its own"
