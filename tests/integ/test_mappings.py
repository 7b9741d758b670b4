"""The mappings of connectors/: each connector's own examples through its block of the sample configuration."""
import glob
import json
import os
import re
import subprocess

import pytest

from kit.daemon import BIN, TOP

CONNECT = os.path.join(os.path.dirname(BIN), "oudp-connect")
FOLDER = os.path.join(TOP, "connectors")
SAMPLE = os.path.join(FOLDER, "oudp-connect.conf")
VECTORS = sorted(os.path.dirname(p) for p in glob.glob(os.path.join(FOLDER, "*/vectors/*/expected.ndjson")))


def sample():
    with open(SAMPLE, encoding="utf-8") as f:
        return f.read()


def block_of(name):
    """Its text; the others need not be compiled."""
    return re.search(rf'^connector "{re.escape(name)}" \{{\n.*?^\}}\n', sample(), re.M | re.S).group(0)


def read(path, default=None):
    if default is not None and not os.path.exists(path):
        return default
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.mark.parametrize("folder", VECTORS, ids=[os.path.relpath(v, FOLDER) for v in VECTORS])
def test_vectors(folder, tmp_path):
    """A folder has input.*, expected.ndjson, and where they are needed: block (its name), options (more of it) and source.json
    (the envelope), and said: the words of each refusal, in their order; what is only left out says nothing."""
    conf = tmp_path / "connect.conf"
    block = read(os.path.join(folder, "block"), os.path.relpath(folder, FOLDER).split("/", maxsplit=1)[0]).strip()
    options = read(os.path.join(folder, "options"), "").replace("@FOLDER@", folder)
    conf.write_text(f'connector-dir = "{FOLDER}"\ntarget "t" {{ }}\n' + block_of(block).replace("\n}", "\n" + options + "}"))
    source, = glob.glob(os.path.join(folder, "input.*"))
    with open(source, "rb") as f:
        p = subprocess.run([CONNECT, "-f", str(conf), "--filter", block], stdin=f, capture_output=True, text=True, timeout=60,
                           check=False, env={**os.environ, "OUDP_SOURCE": read(os.path.join(folder, "source.json"), "{}")})
    expected = read(os.path.join(folder, "expected.ndjson"))
    assert [json.loads(x) for x in p.stdout.splitlines()] == [json.loads(x) for x in expected.splitlines()], p.stderr
    assert p.returncode in (0, 1) and "cannot be mapped" not in p.stderr, p.stderr
    if os.path.exists(os.path.join(folder, "said")):
        why = re.findall(r'record refused connector=\S+ (record=\d+ why=".*")', p.stderr)
        assert why == read(os.path.join(folder, "said")).splitlines(), p.stderr


def test_every_connector_has_vectors_a_block_and_a_section():
    folders = {os.path.basename(os.path.dirname(p)) for p in glob.glob(os.path.join(FOLDER, "*/mapping.jq"))}
    assert folders == {os.path.relpath(v, FOLDER).split("/", maxsplit=1)[0] for v in VECTORS}
    manual = read(os.path.join(TOP, "man/oudp-connectors.7"))
    blocks = set(re.findall(r'^connector "([^"]+)"', sample(), re.M))
    assert folders <= blocks
    for f in sorted(folders):
        assert re.search(rf"^\.Ss .*\b{re.escape(f)}\b", manual, re.M), f"oudp-connectors(7) has no section on {f}"
    for b in sorted(blocks):
        assert any(b == f or b.startswith(f + "-") for f in folders), b


def test_every_connector_refuses_something_in_words():
    """Of each there is an example in the shape that its documentation describes, with what is missing in it and what is wrong."""
    silent = {"amsterdam-traveltime", "json", "netatmo", "opensensemap", "senml", "telraam"}  # one shape only, or the decoder says it
    said = {os.path.relpath(p, FOLDER).split("/", maxsplit=1)[0] for p in glob.glob(os.path.join(FOLDER, "*/vectors/*/said"))}
    assert said == {os.path.relpath(v, FOLDER).split("/", maxsplit=1)[0] for v in VECTORS} - silent


def test_the_sample_is_valid(tmp_path):
    """All its mappings compile."""
    conf = tmp_path / "connect.conf"
    conf.write_text(sample() + f'connector-dir = "{FOLDER}"\n')
    p = subprocess.run([CONNECT, "-f", str(conf), "-n"], capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 0, p.stderr


@pytest.mark.parametrize("text,words", [(None, "No such file"), ('{"topic": "sites/1"}\n', "1: not a message"), ("\n[]\n", "2: not a message")])
def test_a_table_that_cannot_be_read_is_said(tmp_path, text, words):
    table = tmp_path / "sites.ndjson"
    if text is not None:
        table.write_text(text)
    conf = tmp_path / "connect.conf"
    conf.write_text(f'connector-dir = "{FOLDER}"\ntarget "t" {{ }}\n'
                    + block_of("ndw").replace("\n}", '\n\ttables = { "sites=sites.ndjson" }\n}'))
    p = subprocess.run([CONNECT, "-f", str(conf), "-n"], capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 2 and f"{table}:" in p.stderr and words in p.stderr, p.stderr
