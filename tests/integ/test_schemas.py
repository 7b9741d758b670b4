"""The published schemas, from the outside: every valid example is stored, every invalid one refused as its .error says."""
import glob
import json
import os
import re

import pytest

from kit import city, web
from kit.daemon import TOP, feed

SCHEMAS = sorted(os.path.relpath(os.path.dirname(p), os.path.join(TOP, "schemas"))
                 for p in glob.glob(os.path.join(TOP, "schemas/*/*/schema.json")))
FIRST = ["air-quality-observed/1", "noise-level-observed/1", "weather-observed/1", "traffic-flow-observed/1",
         "off-street-parking/1", "device-measurement/1", "water-observed/1", "phreatic-observed/1",
         "crowd-flow-observed/1", "parking-spot/1", "ev-charging-station/1", "waste-container/1", "streetlight/1",
         "environment-observed/1", "flood-monitoring/1"]
FEEDS = {s.replace("/", "-"): feed([f"s/{s}", f"s/{s}/{{thing}}"], [s], max_age="0", bad_time="flag", duplicates="keep")
         for s in SCHEMAS}
FEEDS["vendor"] = feed(["vendor", "vendor/{thing}"], ["vendor-a17/1", "air-quality-observed/1"], max_age="0", bad_time="flag",
                       duplicates="keep")
OPTIONS = {"schema_dirs": [os.path.join(TOP, "schemas"), os.path.join(TOP, "tests/schemas")]}


def examples(kind):
    return [pytest.param(s, p, id=f"{s}/{os.path.basename(p)}") for s in SCHEMAS
            for p in sorted(glob.glob(os.path.join(TOP, "schemas", s, kind, "*.json")))]


def test_the_first_schemas_are_there():
    assert set(FIRST) <= set(SCHEMAS)
    for s in SCHEMAS:
        for kind, least in (("valid", 3), ("invalid", 6)):
            n = len(glob.glob(os.path.join(TOP, "schemas", s, kind, "*.json")))
            assert n >= least, f"{s} has {n} {kind} examples"


def test_the_manual_names_every_member():
    with open(os.path.join(TOP, "man/oudp-schema.7"), encoding="utf-8") as f:
        sections = dict(re.findall(r"^\.Sh ([A-Z0-9-]+/\d+)\n(.*?)(?=^\.Sh )", f.read(), re.M | re.S))
    for s in SCHEMAS:
        named = set()
        for words in re.findall(r"^\.It Li ([^\n]*?)(?: No .*)?$", sections[s.upper()], re.M):
            named |= set(words.split(" , "))
        with open(os.path.join(TOP, "schemas", s, "schema.json"), encoding="utf-8") as f:
            members = set(json.load(f)["properties"])
        # a device's measurement is a series of its own for each property: numValue stands there by those names
        assert members - {"numValue"} <= named, (s, members - named)
        assert "numValue" in sections[s.upper()] or "numValue" not in members


def read(path):
    with open(path, "rb") as f:
        return f.read()


def topic_of(schema, path):
    """A message that names its own thing goes to the topic without one."""
    try:
        message = json.loads(read(path))
    except ValueError:
        message = None
    with open(os.path.join(TOP, "schemas", schema, "schema.json"), encoding="utf-8") as f:
        properties = json.load(f)["properties"]
    names = [n for n, p in properties.items() if isinstance(p, dict) and p.get("x-oudp", {}).get("role") == "thing"]
    own = isinstance(message, dict) and any(isinstance(message.get(n), str) for n in names)
    return f"s/{schema}" if own else f"s/{schema}/example"


@pytest.mark.parametrize("schema,path", examples("valid"))
def test_valid(broker, name, schema, path):
    with broker.client(name) as c:
        p = c.publish(topic_of(schema, path), read(path))
    assert (p.reason, p.props) == (0, {}), p


@pytest.mark.parametrize("schema,path", examples("invalid"))
def test_invalid(broker, name, schema, path):
    error = path[:-len(".json")] + ".error"
    assert os.path.exists(error), f"{os.path.basename(path)} does not say what is wrong with it"
    expected = read(error).decode().strip()
    with broker.client(name) as c:
        p = c.publish(topic_of(schema, path), read(path))
    assert p.reason == 0x99, p
    assert p.props["reason"] == expected or expected in p.props["reason"], (p.props["reason"], expected)


def test_a_vendors_own_json(broker, name):
    """The example of oudp-schema(7), in one feed with the schema that other sensors use."""
    folder = os.path.join(TOP, "tests/schemas/vendor-a17/1")
    message = read(os.path.join(folder, "valid/buffered.json"))
    with broker.client(name) as c:
        assert c.publish("vendor", message).reason == 0
        assert c.publish(f"vendor/{name}", '{"dateObserved":"2026-11-24T12:00:00Z","pm25":12.5}').reason == 0
        refused = c.publish("vendor", read(os.path.join(folder, "invalid/too-hot.json")))
        other = c.publish("vendor/A17-9999", message)
    assert refused.reason == 0x99
    assert refused.props["reason"] == read(os.path.join(folder, "invalid/too-hot.error")).decode().strip()
    assert other.reason == 0x99 and "A17-0042" in other.props["reason"], other
    a, b = broker.all_events("vendor")[-2:]
    assert (a["subject"], a["observedtime"][:19]) == ("A17-0042", "2026-11-24T12:00:00")
    assert a["data"] == json.loads(message) and a["dataschema"].endswith("/v1/schemas/vendor-a17/1")
    assert b["subject"] == name and b["dataschema"].endswith("/v1/schemas/air-quality-observed/1")


def test_versions_are_counted_and_end(own, name):
    d = own(feeds={})
    for v in (1, 2):
        city.write_schema(d.schemas, "test-air", v, city.air_schema(1000 * v, version={
            "const": v, "x-oudp": {"role": "version"}}))
    end = city.now(3600)
    d.feeds["air"] = feed("city/air/{thing}", ["test-air/2", f"test-air/1 until {end}"])
    d.write_conf()
    d.start()
    assert "A schema version ends soon" in d.wait_error("schema=test-air/1")
    with d.client(name) as c:
        for thing, version in (("a", 1), ("b", 1), ("c", 2), ("b", 2)):
            assert c.publish(f"city/air/{thing}", city.air(version=version)).reason == 0
        p = c.publish("city/air/a", city.air(1200, version=1))
        assert p.props["reason"] == "test-air/1: /pm25: 1200 is more than maximum 1000"
    f = d.feed("air")
    assert f["schemas"] == ["test-air/2", "test-air/1"]
    assert (f["decode"], f["draft"], f["duplicates"], f["personalData"]) == ("json", False, "ignore", False), f
    new, old = f["versions"]
    assert new == {"schema": "test-air/2", "state": "taken", "until": None, "messages": 2, "refused": 0, "things": 2}
    assert old == {"schema": "test-air/1", "state": "ending", "until": end, "messages": 2, "refused": 1, "things": 1}
    p = d.oudp("feed", "show", "air")
    assert p.returncode == 0 and "test-air/1  ending" in p.stdout, p
    assert "air: test-air/1 ends at" in d.oudp("status").stdout
    metrics = web.request(d.admin_port, "GET", "/metrics").body.decode()
    assert 'oudp_schema_things{feed="air",schema="test-air/1"} 1\n' in metrics
    assert 'oudp_schema_messages_total{feed="air",schema="test-air/1",verdict="refused"} 1\n' in metrics
    d.feeds["air"] = feed("city/air/{thing}", ["test-air/2", f"test-air/1 until {city.now(-1)}"])
    d.write_conf()
    d.reload()
    d.wait_error("A schema version has ended")
    with d.client(name) as c:
        p = c.publish("city/air/a", city.air(version=1))
        assert p.reason == 0x99 and p.props["reason"].endswith("; send test-air/2"), p
    a = d.post("/v1/feeds/air/events?thing=a", city.air(version=1), {"Content-Type": "application/json"})
    assert a.status == 400 and json.loads(a.body)["errors"][0]["rule"] == "until", a


def test_a_version_in_use_does_not_change(own, name):
    d = own()
    d.start()
    path = os.path.join(d.schemas, "test-air", "1", "schema.json")
    same = {**city.air_schema(), "title": "Another title", "description": "and more words"}
    other = city.air_schema(900)

    def write(schema):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(schema, f, indent=4, sort_keys=True)

    def reload():
        return d.admin("POST", "/v1/_reload", b"{}", {"Content-Type": "application/json"})

    write(same)
    assert reload().status == 200
    write(other)
    a = reload()
    assert a.status == 400, a
    assert f"{path}: schema test-air/1 of feed" in a.body.decode() and "test-air/2" in a.body.decode(), a
    with d.client(name) as c:  # the former one is in force
        assert c.publish(f"city/air/{name}", city.air(950)).reason == 0
    d.stop()
    with pytest.raises(AssertionError, match="means something else than when it was taken into use"):
        d.start()
    for f in ("air", "keep"):
        d.feeds[f]["draft"] = True
    d.write_conf()
    d.start()
    with d.client(name) as c:
        assert c.publish(f"city/air/{name}", city.air(950)).reason == 0x99
    write(city.air_schema(800))
    assert reload().status == 200
    for f in ("air", "keep"):
        d.feeds[f]["draft"] = False
    d.write_conf()
    assert reload().status == 200  # published as it is now
    write(other)
    assert reload().status == 400
    write(city.air_schema(800))
    assert reload().status == 200
