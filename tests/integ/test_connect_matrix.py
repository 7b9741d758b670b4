"""Each source that is polled, played by a server in each way that a source can be: its own example, its own block of the
sample configuration, one round of the connector for each answer. What is stored is what the example says, once."""
import glob
import gzip
import os
import re
import subprocess

import pytest

from kit.connect import CONNECT, FOLDER, Source
from kit.daemon import Daemon, feed

# What a folder of examples is called where "documented" is not there, or has messages that are of the time of receipt.
EXAMPLES = {"opensensemap": "boxes", "netatmo": "public", "telraam": "report", "luchtmeetnet": "page", "parking-npr": "states"}
SCHEMAS = {"air": "air-quality-observed", "noise": "noise-level-observed", "weather": "weather-observed", "traffic": "traffic-flow-observed",
           "parking": "off-street-parking", "device": "device-measurement", "water": "water-observed", "crowd": "crowd-flow-observed",
           "charging": "ev-charging-station"}


def blocks():
    with open(os.path.join(FOLDER, "oudp-connect.conf"), encoding="utf-8") as f:
        found = re.findall(r'^connector "([^"]+)" \{\n(.*?)^\}', f.read(), re.M | re.S)
    return {name: body for name, body in found if "source = http" in body}


BLOCKS = blocks()


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    feeds = {k: feed(f"city/{k}/{{thing}}", [v + "/1"], max_age="0") for k, v in SCHEMAS.items()}
    with Daemon(str(tmp_path_factory.mktemp("city")), feeds) as d:
        yield d


class Poll:
    def __init__(self, folder, name, port, source):
        self.source, self.conf = source, os.path.join(str(folder), "c.conf")
        text = re.sub(r"^\turl = .*\n", f'\turl = {{ "{source.url}" }}\n\ttimeout = "1s"\n', BLOCKS[name], flags=re.M)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f'state-dir = "{folder}/state"\nconnector-dir = "{FOLDER}"\ntarget "t" {{ port = {port} }}\nconnector "c" {{\n{text}}}\n')

    def ask(self, *answer):
        """One round with this answer of the source: status, counts, what was said."""
        self.source.answers = [answer]
        p = subprocess.run([CONNECT, "-f", self.conf, "--once"], capture_output=True, text=True, timeout=60, check=False)
        line = re.search(r"^c: (.*)$", p.stderr, re.M)
        assert line, p.stderr
        return p.returncode, {k: int(v) for k, v in (w.split("=") for w in line.group(1).split())}, p.stderr


def example(name):
    path, = glob.glob(os.path.join(FOLDER, name, "vectors", EXAMPLES.get(name, "documented"), "input.*"))
    with open(path, "rb") as f:
        return f.read()


def stored(d):
    return sum(d.feed(k)["records"] for k in SCHEMAS)


def test_every_polled_source_is_played():
    assert set(BLOCKS) == {"sensor-community", "luchtmeetnet", "parking-npr", "sensorthings", "knmi", "parking-cities", "ocpi", "rws-water",
                           "opensensemap", "netatmo", "ndw", "telraam"}


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_each_source_in_each_way(name, city, tmp_path):
    with Source((500, {}, b"")) as source:
        each_way(Poll(tmp_path, name, city.mqtt_port, source), city, example(name))


def each_way(poll, city, doc):
    for answer in [(500, {}, b"no"), (429, {"Retry-After": "2"}, b""), (503, {}, doc), (200, {}, doc, "cut"), (200, {}, doc, "cut-open")]:
        status, t, log = poll.ask(*answer)
        assert (status, t["stored"], t["records"]) == (2, 0, 0) and t["failures"] == 1, (answer[0], log)
    before = stored(city)
    status, first, log = poll.ask(200, {"ETag": '"1"'}, doc)
    n = first["stored"]
    assert n > 0 and status in (0, 1) and first["failures"] == first["unmappable"] == 0, log
    assert stored(city) == before + n
    for answer in [(304, {}, b""), (200, {"ETag": '"1"'}, doc)]:
        status, t, log = poll.ask(*answer)
        assert (status, t["unchanged"], t["records"], t["stored"]) == (0, 1, 0, 0), log
    # the same again, packed; and whatever it had been: nothing is stored twice
    status, t, log = poll.ask(200, {"Content-Encoding": "gzip", "ETag": '"2"'}, gzip.compress(doc + b"\n"))
    assert (t["stored"], t["duplicates"], t["failures"]) == (0, n + first["duplicates"], 0), log
    status, t, log = poll.ask(200, {"Content-Encoding": "gzip"}, gzip.compress(doc)[:-20])
    assert t["stored"] == 0 and t["undecodable"] + t["failures"] > 0, log
    # another shape with 200, an answer of nothing at all, a page of a proxy: said or left out, and the next round is as ever
    for other in [b'{"error": {"code": 7, "message": "maintenance"}}', b"", b"<html><body>Maintenance</body></html>", b"[[]]", b"null"]:
        status, t, log = poll.ask(200, {}, other)
        assert t["stored"] == 0 and t["unmappable"] == 0 and t["failures"] in (0, 1), (other, log)
        assert t["refused"] + t["ignored"] + t["undecodable"] + t["failures"] + t["unchanged"] > 0 or t["records"] == 0, (other, log)
    # a source whose clock jumped ahead by ten years, and back
    ahead = doc.replace(b"2026-", b"2036-").replace(b"17829072", b"20984400").replace(b"1796040", b"2111572")
    if ahead != doc:
        status, t, log = poll.ask(200, {}, ahead)
        assert t["stored"] == 0 and t["refused"] >= n, log
    status, t, log = poll.ask(200, {}, doc + b" ")
    assert (t["stored"], t["duplicates"]) == (0, n + first["duplicates"]), log
    assert stored(city) == before + n
