"""Published examples of the data models, as they are, to a broker that has a feed for each schema: stored and readable,
or refused as tests/vectors/recordings.tsv says and for its reason. Where the folder is not there it is skipped: the
project's own examples (test_schemas) cover the same ground."""
import glob
import json
import os
import re

import pytest

from kit import recordings
from kit.daemon import TOP, feed, wait_for

FOLDER = recordings.folder("ngsi")
TABLE = os.path.join(TOP, "tests/vectors/recordings.tsv")
TYPES = ["AirQualityObserved", "EnvironmentObserved", "FloodMonitoring", "NoiseLevelObserved", "PhreaticObserved",
         "WaterObserved", "OffStreetParking", "ParkingSpot", "Streetlight", "WasteContainer", "WeatherObserved"]


def rows():
    with open(TABLE, encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    assert all(len(r) == 6 for r in lines), "six columns"
    return lines


ROWS = rows()
SCHEMAS = sorted({r[1] for r in ROWS if r[2] != "other"})
FEEDS = {s.replace("/", "-"): feed([f"s/{s}", f"s/{s}/{{thing}}"], [s], max_age="0", duplicates="keep") for s in SCHEMAS}
here = recordings.needs("ngsi")


def cases(verdict):
    return [pytest.param(*r[:2], *r[3:5], id=r[0]) for r in ROWS if r[2] == verdict]


def read(file):
    with open(os.path.join(FOLDER, file), "rb") as f:
        return f.read()


def test_the_table_is_whole():
    """Each schema that has recordings has one that is stored; every refusal and every gap has its reason."""
    assert len({r[0] for r in ROWS}) == len(ROWS)
    assert {r[2] for r in ROWS} == {"stored", "refused", "other"}
    assert {r[1] for r in ROWS if r[2] == "stored"} == set(SCHEMAS) and len(SCHEMAS) == len(TYPES)
    for file, schema, verdict, rule, pointer, why in ROWS:
        assert why or verdict == "stored", file
        assert (schema == "-") == (verdict == "other"), file
        assert os.path.exists(os.path.join(TOP, "schemas", schema, "schema.json")) or verdict == "other", file
        # key-values form is example.json and example.jsonld: of a type that has a schema, all of them are stored
        if os.path.basename(file).startswith("example.json") and schema != "-":
            assert verdict == "stored", file


@here
def test_no_recording_is_left_out():
    there = {os.path.relpath(p, FOLDER) for p in glob.glob(os.path.join(FOLDER, "**/example*"), recursive=True)}
    assert there == {r[0] for r in ROWS}
    types = {os.path.basename(os.path.dirname(r[0])) for r in ROWS if r[2] != "other"}
    assert types == set(TYPES)


@here
@pytest.mark.parametrize("file,schema,thing,time", cases("stored"))
def test_stored(broker, name, file, schema, thing, time):
    payload, title = read(file), schema.replace("/", "-")
    topic = f"s/{schema}/{name}" if thing == "topic" else f"s/{schema}"
    before = broker.feed(title)["last"]
    with broker.client(name) as c:
        p = c.publish(topic, payload)
    assert (p.reason, p.props) == (0, {}), p
    event, = broker.all_events(title, before)
    assert event["data"] == json.loads(payload), "as it is"
    assert event["subject"] == (name if thing == "topic" else thing)
    stored = re.sub(r"\.000Z$", "Z", event["time"])
    assert re.sub(r"\.000Z$", "Z", event["observedtime"]) == (stored if time == "receipt" else re.sub(r"\.000Z$", "Z", time))
    assert event["dataschema"].endswith(f"/v1/schemas/{schema}")


@here
@pytest.mark.parametrize("file,schema,rule,pointer", cases("refused"))
def test_refused(broker, name, file, schema, rule, pointer):
    with broker.client(name) as c:
        p = c.publish(f"s/{schema}/{name}", read(file))
    assert p.reason == 0x99 and p.props["reason"].startswith(f"{schema}: {pointer}: "), p
    row = wait_for("its row", lambda: [r for r in broker.quarantine(schema.replace("/", "-"), limit=1000)
                                       if r["topic"].endswith(name)])[0]
    assert (row["rule"], row["pointer"], row["reason"]) == (rule, pointer, p.props["reason"])
