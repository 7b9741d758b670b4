"""Recordings of city sources through their connectors into a real broker: what was stored, refused and ignored is what
tests/vectors/connector-recordings.tsv says, and values are those that connector-spots.tsv has, which were written by hand
from the recordings. Where the folder is not there it is skipped: the connectors' own examples (test_mappings) cover the
same ground."""
import fnmatch
import glob
import os
import re
import subprocess

import pytest

from kit import recordings
from kit.daemon import BIN, SLOW, TOP, feed

CONNECT = os.path.join(os.path.dirname(BIN), "oudp-connect")
FOLDER = recordings.folder()
CONNECTORS = os.path.join(TOP, "connectors")
# The folders of sources that have a connector; fnmatch, relative to FOLDER.
SOURCES = ["lorawan/*", "senml/*.json", "sensor-community/*", "sensorthings/*", "opensensemap/*", "netatmo/*", "ndw/*",
           "parking/*", "water/*", "ngsi/*example*", "amsterdam-traveltime/*"]
here = recordings.needs()


def taken(*schemas):
    """Any age, and the same twice: recordings are old, and share devices and times."""
    return {"schemas": [s + "/1" for s in schemas], "max_age": "0", "duplicates": "keep"}


def made(topic, *schemas):
    return feed(f"city/{topic}/{{thing}}", **taken(*schemas))


FEEDS = {"air": made("air", "air-quality-observed"), "noise": made("noise", "noise-level-observed"),
         "weather": made("weather", "weather-observed"), "traffic": made("traffic", "traffic-flow-observed"),
         "parking": made("parking", "off-street-parking"), "device": made("device", "device-measurement"),
         "water": made("water", "water-observed"), "groundwater": made("groundwater", "phreatic-observed"),
         "crowd": made("crowd", "crowd-flow-observed"), "parking-spot": made("parking-spot", "parking-spot"),
         "charging": made("charging", "ev-charging-station"), "waste": made("waste", "waste-container"),
         "lighting": made("lighting", "streetlight"), "environment": made("environment", "environment-observed"),
         "flood": made("flood", "flood-monitoring")}


def rows(name, columns):
    with open(os.path.join(TOP, "tests/vectors", name), encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    assert all(len(r) == columns for r in lines), f"{name}: {columns} columns"
    return lines


ROWS = rows("connector-recordings.tsv", 8)
SPOTS = rows("connector-spots.tsv", 5)


def blocks():
    """What the sample says of each connector, without where its data come from."""
    with open(os.path.join(CONNECTORS, "oudp-connect.conf"), encoding="utf-8") as f:
        text = f.read()
    keep = re.compile(r"^\t(decoder|records|separator|charset|mapping|settings|zone|header-row) = .*$", re.M)
    return {name: dict(m.group(0).strip().split(" = ", 1) for m in keep.finditer(body))
            for name, body in re.findall(r'^connector "([^"]+)" \{\n(.*?)^\}', text, re.M | re.S)}


def write_conf(path, port, files):
    sample = blocks()
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'state-dir = "{path}.state"\nconnector-dir = "{CONNECTORS}"\ntarget "t" {{ port = {port} }}\n')
        for i, (file, block, options) in enumerate(files):
            own = dict(o.split("=", 1) for o in options.split() if o != "-")
            lines = {**sample[block], **{k: f'"{v}"'.replace("~", " ") for k, v in own.items()}, "source": "file",
                     "path": f'"{os.path.abspath(os.path.join(FOLDER, file))}"'}
            f.write(f'connector "r{i}" {{\n' + "".join(f"\t{k} = {v}\n" for k, v in lines.items()) + "}\n")


def run(folder, port, files):
    """files: [(recording, block, options)]; gives for each its counts and what was said about it."""
    out = []
    for at in range(0, len(files), 8):  # a process each
        conf, some = os.path.join(str(folder), f"{at}.conf"), files[at:at + 8]
        write_conf(conf, port, some)
        p = subprocess.run([CONNECT, "-f", conf, "--once"], capture_output=True, text=True, timeout=120 * SLOW, check=False)
        for n in (f"r{i}" for i in range(len(some))):
            line = re.search(rf"^{n}: (records=.*)$", p.stderr, re.M)
            assert line, p.stderr
            counts = {k: int(v) for k, v in (w.split("=") for w in line.group(1).split())}
            out.append((counts, "\n".join(x for x in p.stderr.splitlines() if f"connector={n} " in x)))
    return out


@pytest.fixture(scope="module")
def results(broker, tmp_path_factory):
    files = [tuple(r[:3]) for r in ROWS]
    return dict(zip((f[0] for f in files), run(tmp_path_factory.mktemp("connect"), broker.mqtt_port, files)))


@here
def test_no_recording_is_left_out():
    there = {os.path.relpath(p, FOLDER) for p in glob.glob(os.path.join(FOLDER, "**/*.*"), recursive=True) if os.path.isfile(p)}
    expected = {p for p in there if any(fnmatch.fnmatch(p, s) for s in SOURCES) and not p.endswith("schema.json")}
    assert expected == {r[0] for r in ROWS}


@here
@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_recording(row, results):
    file, _, _, stored, refused, ignored, undecodable, why = row
    counts, said = results[file]
    assert "cannot be mapped" not in said and counts["unmappable"] == 0, said
    got = [counts[k] for k in ("stored", "refused", "ignored", "undecodable")]
    assert got == [int(x) for x in (stored, refused, ignored, undecodable)], said
    assert (why != "-") == (counts["refused"] + counts["undecodable"] > 0)
    assert why == "-" or why in said, said


@here
def test_spots(broker, results):
    """feed, thing, time, member, value: each is stored as it is written here."""
    assert results
    stored = {}
    for name in sorted({s[0] for s in SPOTS}):
        for e in broker.all_events(name):
            stored.setdefault((name, e["subject"], e["observedtime"].replace(".000Z", "Z")), []).append(e["data"])
    for name, thing, time, member, value in SPOTS:
        found = stored.get((name, thing, time), [])
        wanted = dict(m.split("=", 1) for m in member.split(",") if "=" in m)
        last = member.rsplit(",", 1)[-1]
        values = [d[last] for d in found if last in d and all(str(d.get(k)) == v for k, v in wanted.items())]
        assert any(v == (float(value) if isinstance(v, (int, float)) else value) for v in values), \
            (name, thing, time, member, value, found)
