"""The published schemas, from the outside: every valid example is stored, every invalid one refused as its .error says."""
import glob
import json
import os
import re

import pytest

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
