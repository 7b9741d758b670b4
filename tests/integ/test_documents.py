"""What the broker says of itself, held against what it does: OpenAPI, AsyncAPI, the catalogue."""
import html
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from kit import city, daemon, mqtt, node, web
from kit.daemon import PUBLIC, TOP, feed

PUBLISHED = {**PUBLIC, "cadence": "10m", "keep_messages": "7d"}
FEEDS = {
    "air": feed("city/air/{thing}", ["test-air/1", "air-quality-observed/1"], title="Lucht", **PUBLISHED),
    "two": feed(["city/one/{thing}", "city/two/#"], ["any"], title='Twee "titels"', **PUBLIC),
    "hidden": feed("hidden/{thing}", title="Not described"),
}
OPTIONS = {"publisher": "https://identifier.overheid.nl/tooi/id/gemeente/gm0000", "publisher-name": "Gemeente Test"}


@pytest.fixture(scope="module")
def lived(broker):
    with broker.client("documents") as c:
        for name, lat in (("a", 52.1), ("b", 52.2)):
            payload = {"dateObserved": city.now(-2), "pm25": 5, "location": {"type": "Point", "coordinates": [4.3, lat]}}
            assert c.publish(f"city/air/{name}", json.dumps(payload)).reason == 0
        assert c.publish("city/air/c", city.air(5000)).reason == 0x99
    return broker


def value(name):
    return {"feed": "air", "thing": "a", "name": "test-air", "version": "1", "code": "a", "id": "1"}.get(name, "a")


def concrete(path):
    return re.sub(r"\{(\w+)\}", lambda m: value(m.group(1)), path)


# ---- OpenAPI
def test_every_described_operation_is_answered(lived):
    """By its own success or one of its own errors; never 404 for the path or 405 for the method."""
    paths = lived.get("/v1/openapi.json").json()["paths"]
    assert len(paths) > 15
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert {"400", "401", "default"} < set(operation["responses"])
            if path.endswith("/_reload") or method == "delete":
                continue
            a = lived.admin(method.upper(), concrete(path), {} if method in ("post", "put", "patch") else None)
            assert a.status != 405 and not (a.status == 404 and "nothing at this path" in a.body.decode()), (method, path, a)
            assert a.status < 500, (method, path, a)
            if a.status < 300:
                assert a.headers["content-type"].split(";")[0] in operation["responses"][str(a.status)].get("content", {"": 0}), (method, path)
            else:
                assert a.headers["content-type"] == "application/problem+json", (method, path)
            assert a.headers["api-version"]


def test_every_described_parameter_is_taken_and_no_other(lived):
    for path, operations in lived.get("/v1/openapi.json").json()["paths"].items():
        if "get" not in operations:
            continue
        names = [p["name"] for p in operations["get"]["parameters"] if p["in"] == "query"]
        in_path = [p["name"] for p in operations["get"]["parameters"] if p["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)
        for name in names:
            a = lived.admin("GET", f"{concrete(path)}?{name}=-")
            assert "unknown query parameter" not in a.body.decode(), (path, name)
        a = lived.admin("GET", f"{concrete(path)}?neverHeardOf=1")
        assert a.status == 400 or a.status == 404, (path, a)


def test_what_is_served_is_described(lived):
    """Paths that the manual names are in the document."""
    with open(os.path.join(TOP, "man", "oudp-http.7"), encoding="utf-8") as f:
        manual = f.read().replace("\\", "")
    described = set(lived.get("/v1/openapi.json").json()["paths"])
    named = set(re.findall(r"(/v1/[a-z{}/_.\-]*[a-z}])", manual))
    patterns = [re.compile(re.sub(r"\{\w+\}", r"[^/]+", d)) for d in described]
    missing = {p for p in named if not any(x.fullmatch(p) for x in patterns)}
    assert not missing, missing


def test_the_api_design_rules_linter_finds_nothing(lived, tmp_path):
    top = node.module("@stoplight/spectral-cli")
    document = tmp_path / "openapi.json"
    said = lived.get("/v1/openapi.json").json()
    for path in [x for x in said["paths"] if x.startswith("/sta/")]:  # named as OGC 18-088 has it
        del said["paths"][path]
    document.write_text(json.dumps(said))
    p = subprocess.run([os.path.join(top, "node_modules", ".bin", "spectral"), "lint", "--ruleset",
                        os.path.join(TOP, "tests", "vectors", "api-design-rules.yaml"), "--format", "text", str(document)],
                       capture_output=True, text=True, timeout=100, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    # the linter does look: a document that breaks three rules is not let through
    bad = json.loads(document.read_text())
    bad["paths"]["/v1/Bad_Path/"] = bad["paths"].pop("/v1/feeds")
    bad["info"]["version"] = "one"
    document.write_text(json.dumps(bad))
    p = subprocess.run([*p.args], capture_output=True, text=True, timeout=100, check=False)
    assert p.returncode and "kebab-case" in p.stdout and "semantic-version" in p.stdout and "no-slash" in p.stdout


# ---- AsyncAPI
def resolve(document, ref):
    at = document
    for name in ref[2:].split("/"):
        at = at[name]
    return at


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for v in value.values():
            yield from references(v)
    elif isinstance(value, list):
        for v in value:
            yield from references(v)


def test_asyncapi_is_whole(lived):
    a = lived.get("/v1/asyncapi.json")
    assert a.status == 200
    d = a.json()
    assert d["asyncapi"] == "3.0.0" and d["info"]["contact"]["name"] == "Gemeente Test"
    for ref in references(d):
        if ref.startswith("#"):
            assert resolve(d, ref), ref
        else:
            assert lived.get(ref).status == 200, ref
    for key in [*d["channels"], *d["operations"], *d["servers"]]:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", key)
    for o in d["operations"].values():
        assert o["action"] in ("send", "receive")
    assert {c["address"] for c in d["channels"].values()} >= {
        "/v1/feeds/air/events", "city/air/{thing}", "city/one/{thing}", "city/two/#"}


def test_asyncapi_is_what_happens(lived):
    """Its servers are there, its channels can be entered, what comes fits the message it names."""
    d = lived.get("/v1/asyncapi.json").json()
    assert d["servers"]["websocket"] == {**d["servers"]["websocket"], "host": f"127.0.0.1:{lived.web_port}", "protocol": "ws"}
    assert d["servers"]["mqtt"]["host"] == f"127.0.0.1:{lived.mqtt_port}"
    schema = d["components"]["messages"]["event"]["payload"]
    control = d["components"]["messages"]["control"]["payload"]
    for channel in d["channels"].values():
        if channel["servers"] != [{"$ref": "#/servers/websocket"}]:
            continue
        names = channel["bindings"]["ws"]["query"]["properties"]
        assert set(names) == {"after", "since", "thing", "property", "bbox", "slow"}
        with web.WebSocket(lived.web_port, channel["address"] + "?after=0") as ws:
            e = ws.event()
            while True:
                wanted = control if e["type"].startswith("nl.oudp.") else schema
                assert set(wanted["required"]) <= set(e) and set(e) <= set(wanted["properties"]), e
                if e["type"] == web.LIVE:
                    break
                e = ws.event()
    with lived.client("subscriber") as sub, lived.client("publisher") as pub:
        sub.subscribe(("city/air/+", 1))
        assert pub.publish("city/air/live", city.air(3)).reason == 0
        assert sub.expect(mqtt.PUBLISH).topic == "city/air/live"


# ---- the lines that the pages give
def lines(broker, name):
    page = broker.get(f"/feeds/{name}?lang=en", headers={"Accept": "text/html"}).body.decode()
    blocks = re.findall(r"<figcaption>([^<]*)</figcaption><pre[^>]*><code>(.*?)</code>", page, re.S)
    return {html.unescape(label): html.unescape(text) for label, text in blocks}


def until(command, publish, wanted, timeout=10):
    """Starts a line as a reader would and publishes until it prints wanted."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as p:
        try:
            out, deadline = b"", time.monotonic() + timeout * daemon.SLOW
            while wanted.encode() not in out:
                assert time.monotonic() < deadline, out
                publish()
                if select.select([p.stdout], [], [], 0.2)[0]:
                    more = os.read(p.stdout.fileno(), 65536)
                    assert more, out
                    out += more
        finally:
            os.killpg(p.pid, signal.SIGKILL)


def test_lines_to_copy_work(lived, name):
    given = lines(lived, "air")
    assert len(given) == 6, list(given)

    def publish():
        with lived.client("copier") as c:
            assert c.publish(f"city/air/{name}", city.air(6)).reason == 0
    once = subprocess.run(["sh", "-c", given["HTTP: the oldest ten messages"]], capture_output=True, timeout=20, check=True)
    assert json.loads(once.stdout)[0]["id"].startswith("air:")
    until(["sh", "-c", given["Server-sent events: from now on"]], publish, name)
    until(["sh", "-c", given["MQTT: mosquitto_sub"]], publish, f"city/air/{name}")
    until(["/usr/bin/python3", "-c", given["WebSocket: Python"]], publish, name)
    if shutil.which("websocat"):
        until(["sh", "-c", given["WebSocket: websocat"]], publish, name)


# ---- the catalogue
def test_catalogue_has_what_the_profile_makes_mandatory(lived):
    a = lived.get("/v1/catalog")
    assert a.status == 200 and a.headers["content-type"] == "application/ld+json"
    c = a.json()
    assert c["@type"] == "dcat:Catalog"
    for name in ("dct:title", "dct:description", "dct:publisher", "dcat:contactPoint", "dcat:dataset"):
        assert c[name], name
    assert [d["dct:title"]["@value"] for d in c["dcat:dataset"]] == ["Lucht", 'Twee "titels"'], "what lacks something is left out"
    for d in c["dcat:dataset"]:
        for name in ("dct:title", "dct:description", "dct:identifier", "dct:accessRights", "dcat:contactPoint", "dct:creator",
                     "dct:publisher", "dcat:theme"):
            assert d[name], name
        assert d["dct:publisher"]["@id"] == OPTIONS["publisher"] and d["dct:publisher"]["foaf:name"]["@value"] == "Gemeente Test"
        assert d["dcat:distribution"]["dcat:accessURL"]["@id"].endswith("/events") and d["dcat:distribution"]["dct:license"]["@id"]
        assert d["dct:accessRights"]["@id"].endswith("/PUBLIC")
    assert len(c["dcat:service"]) == 8
    for s in c["dcat:service"]:
        for name in ("dct:title", "dct:description", "dct:identifier", "dct:accessRights", "dcat:contactPoint", "dcat:endpointURL",
                     "dcat:endpointDescription", "dct:license", "dct:publisher", "dcat:theme", "dcat:servesDataset"):
            assert s[name], name
        assert s["dcat:endpointURL"]["@id"].split(":")[0] in ("http", "ws", "mqtt")


# DCAT-AP-NL 3.0: what is mandatory of a class, and what is recommended that a feed with data can have. What a value is: text (a
# literal with a language), word (a literal), iri, one of a list of the EU's by its IRI; "+" many, else exactly one.
EU = "http://publications.europa.eu/resource/authority/"
PROFILE = {
    "dcat:Catalog": {"dct:title": "text+", "dct:description": "text+", "dct:publisher": "iri", "dcat:contactPoint": "node+", "dcat:dataset": "node+",
                     "dcat:service": "node+", "dct:language": EU + "language/", "foaf:homepage": "iri", "dcat:themeTaxonomy": EU + "data-theme",
                     "dct:modified": "word"},
    "dcat:Dataset": {"dct:title": "text+", "dct:description": "text+", "dct:identifier": "word", "dct:accessRights": EU + "access-right/",
                     "dcat:contactPoint": "node+", "dct:creator": "iri", "dct:publisher": "iri", "dcat:theme": EU + "data-theme/",
                     "dcat:distribution": "node+", "dct:accrualPeriodicity": EU + "frequency/", "dct:language": EU + "language/",
                     "dcat:landingPage": "iri", "dct:modified": "word", "dcat:keyword": "text+", "dct:temporal": "node"},
    "dcat:Distribution": {"dcat:accessURL": "iri", "dct:license": "iri", "dct:title": "text+", "dct:description": "text+", "dcat:mediaType": "iri",
                          "dct:format": EU + "file-type/", "dcat:accessService": "iri"},
    "dcat:DataService": {"dct:title": "text+", "dct:description": "text+", "dct:identifier": "word", "dct:accessRights": EU + "access-right/",
                         "dcat:contactPoint": "node+", "dcat:endpointURL": "iri", "dcat:endpointDescription": "iri+", "dct:license": "iri",
                         "dct:publisher": "iri", "dcat:theme": EU + "data-theme/", "dcat:servesDataset": "iri+"},
    "foaf:Agent": {"foaf:name": "text+"},
    "vcard:Organization": {"vcard:fn": "text"},
    "dct:PeriodOfTime": {"dcat:startDate": "word"},
}


def is_a(value, kind):
    if kind == "text":
        return isinstance(value, dict) and value.get("@language") in ("nl", "en") and value.get("@value", "").strip()
    if kind == "word":
        return (value if isinstance(value, str) else value.get("@value", "")).strip()
    if kind == "node":
        return isinstance(value, dict) and "@type" in value
    iri = value.get("@id", "") if isinstance(value, dict) else ""
    return re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+", iri) and (kind == "iri" or iri.startswith(kind))


def nodes(value):
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield one
            for inner in one.values():
                yield from nodes(inner)


def test_catalogue_against_the_profile(lived):
    """Each node of a class that the profile names, wherever it stands."""
    c, found = lived.get("/v1/catalog").json(), set()
    for node_ in nodes(c):
        types = node_.get("@type", [])
        for type_ in [t for t in ([types] if isinstance(types, str) else types) if t in PROFILE]:
            found.add(type_)
            for name, kind in PROFILE[type_].items():
                values = node_.get(name)
                values = values if isinstance(values, list) else [] if values is None else [values]
                quiet = type_ == "dcat:Dataset" and "dct:modified" not in node_  # nothing came yet: nothing is known of it
                if quiet and name in ("dct:modified", "dcat:keyword", "dct:temporal"):
                    continue
                assert values and (kind.endswith("+") or len(values) == 1), (type_, node_.get("@id"), name)
                assert all(is_a(v, kind.rstrip("+")) for v in values), (type_, node_.get("@id"), name, values)
    assert found == set(PROFILE), set(PROFILE) - found
    for term in {k for n in nodes(c) for k in n if not k.startswith("@")} - {"@context"}:
        assert term in c["@context"] or term.split(":")[0] in c["@context"], term
    datasets = {d["@id"] for d in c["dcat:dataset"]}
    services = {s["@id"] for s in c["dcat:service"]}
    assert len(datasets) == len(c["dcat:dataset"]) and len(services) == len(c["dcat:service"]), "names are names of one"
    served = {x["@id"] for s in c["dcat:service"] for x in (lambda v: v if isinstance(v, list) else [v])(s["dcat:servesDataset"])}
    assert served == datasets, "each dataset can be had, and nothing else is said to be"
    assert {d["dcat:distribution"]["dcat:accessService"]["@id"] for d in c["dcat:dataset"]} <= services


def test_catalogue_says_what_was_measured(lived):
    air = lived.get("/v1/catalog").json()["dcat:dataset"][0]
    measured = {m["dqv:isMeasurementOf"]["@id"].split("#")[1]: float(m["dqv:value"]["@value"]) for m in air["dqv:hasQualityMeasurement"]}
    assert measured["completeness"] == 100
    assert 0 <= measured["timeliness"] < 60
    metrics = web.request(lived.admin_port, "GET", "/metrics").body.decode()
    count = {v: int(n) for v, n in re.findall(r'^oudp_messages_total\{feed="air",verdict="(\w+)"\} (\d+)$', metrics, re.M)}
    assert count["refused"] and abs(measured["conformance"] - 100 * count["stored"] / (count["stored"] + count["refused"])) < 0.1
    assert "52.1000000" in air["dct:spatial"]["dcat:bbox"]["@value"] and "52.2000000" in air["dct:spatial"]["dcat:bbox"]["@value"]
    assert air["dct:temporal"]["dcat:startDate"]["@value"].startswith("20")
    assert air["dcat:temporalResolution"]["@value"] == "PT600S"
    assert air["dct:conformsTo"][0]["@id"].endswith("/v1/schemas/test-air/1")


def test_catalogue_conforms_to_the_shapes(lived, tmp_path):
    """DCAT_SHAPES: the directory shapes/300 of DCAT-AP-NL 3.0, which is not part of this project."""
    shapes = os.environ.get("DCAT_SHAPES")
    if not shapes:
        pytest.skip("DCAT_SHAPES does not say where the shapes are")
    top = node.module("rdf-validate-shacl", "n3", "jsonld")
    document = tmp_path / "catalog.jsonld"
    document.write_bytes(lived.get("/v1/catalog").body)
    p = subprocess.run(["node", os.path.join(TOP, "tests", "tools", "shacl.mjs"), top, str(document), shapes,
                        "dcat-ap-SHACL.ttl", "dcat-ap-nl-SHACL.ttl", "dcat-ap-nl-SHACL-klassebereik.ttl",
                        "dcat-ap-nl-SHACL-klassebereik-codelijsten.ttl"], capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 0, p.stdout + p.stderr


def test_a_public_feed_without_them_is_an_error(own):
    d = own({"bare": feed("bare/{thing}", access="public")})
    p = subprocess.run([daemon.BIN, "-n", "-f", d.conf], capture_output=True, text=True, timeout=20, check=False)
    assert p.returncode
    for name in ("description", "licence", "contact", "theme"):
        assert f'feed "bare" is public and needs {name}' in p.stderr, p.stderr


def test_what_left_the_journal_still_counts(own):
    """Extent and completeness are of all that can be had: also what the time series alone remember."""
    d = own({"air": feed("city/air/{thing}", cadence="1s", **PUBLIC)}, **OPTIONS)
    d.start()
    with d.client("catalogue") as c:
        assert c.publish("city/air/old", city.air(1)).reason == 0
        first = d.all_events("air")[0]["time"]
        time.sleep(2.5)  # it is silent from here on
        for n in range(3):
            assert c.publish("city/air/new", city.air(n + 2)).reason == 0
    daemon.wait_for("the series", lambda: len(d.get("/v1/datastreams").json()["datastreams"]) == 2)
    assert d.admin("POST", "/v1/feeds/air/_trim", {"keep": 1}).status == 200
    d.restart()  # and what pages remembered of it is gone
    air, = d.get("/v1/catalog").json()["dcat:dataset"]
    assert air["dct:temporal"]["dcat:startDate"]["@value"] <= first
    measured = {m["dqv:isMeasurementOf"]["@id"].split("#")[1]: float(m["dqv:value"]["@value"]) for m in air["dqv:hasQualityMeasurement"]}
    assert measured["completeness"] <= 50, measured
