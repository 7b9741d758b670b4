"""Documents of other shapes than the examples: each member of each example in turn is left out, null, a text, a number, an
object, an empty array. A mapping may refuse or ignore what it gets; it may not fail, and what it gives is a message."""
import copy
import glob
import json
import os
import random
import re
import subprocess

import pytest

from kit.connect import CONNECT, FOLDER

MUTANTS = 250
GONE = object()
MILD = [GONE, None]  # of any optional member: costs that member, not the document
WILD = ["", "x", 0, -1, 1e30, True, [], {}, [None], {"value": None}]


def block_of(name):
    with open(os.path.join(FOLDER, "oudp-connect.conf"), encoding="utf-8") as f:
        return re.search(rf'^connector "{re.escape(name)}" \{{\n.*?^\}}\n', f.read(), re.M | re.S).group(0)


def examples():
    for path in sorted(glob.glob(os.path.join(FOLDER, "*/vectors/*/input.json"))):
        folder = os.path.dirname(path)
        name = os.path.relpath(path, FOLDER).split("/", maxsplit=1)[0]
        if os.path.exists(os.path.join(folder, "block")):
            with open(os.path.join(folder, "block"), encoding="utf-8") as f:
                name = f.read().strip()
        if not re.search(r"decoder = (senml|text|xml|csv)", block_of(name)):
            yield name, folder


def documents(path):
    with open(path, encoding="utf-8") as f:
        text, at, out = f.read(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = json.JSONDecoder().raw_decode(text, at)
        out.append(value)
    return out


def records(document, path):
    if not path:
        return [document]
    for name in [] if path == "." else path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, list) else [document]


def places(value, at=()):
    """The path of each member and element."""
    members = value.items() if isinstance(value, dict) else list(enumerate(value))[:3] if isinstance(value, list) else ()
    for key, v in members:
        yield at + (key,)
        yield from places(v, at + (key,))


def mutant(value, at, instead):
    out = copy.deepcopy(value)
    parent = out
    for key in at[:-1]:
        parent = parent[key]
    if instead is GONE:
        del parent[at[-1]]
    else:
        parent[at[-1]] = instead
    return out


@pytest.mark.parametrize("how", [MILD, WILD], ids=["mild", "wild"])
@pytest.mark.parametrize("name,folder", list(examples()), ids=lambda x: os.path.relpath(x, FOLDER) if "/" in x else None)
def test_no_shape_makes_a_mapping_fail(name, folder, how, tmp_path):
    block = block_of(name)
    path = re.search(r'records = \{ "([^"]*)" \}', block)
    whole = [r for d in documents(os.path.join(folder, "input.json")) for r in records(d, path and path.group(1))]
    dice = random.Random(folder[len(FOLDER):])
    every = [(r, at, instead) for r in whole for at in places(r) for instead in how]
    lines = [json.dumps(mutant(*x)) for x in dice.sample(every, min(MUTANTS, len(every)))]
    text = re.sub(r"^\t(decoder|records) = .*\n", "", block, flags=re.M).replace("\n}", "\n\tdecoder = ndjson\n}")
    conf = tmp_path / "connect.conf"
    conf.write_text(f'connector-dir = "{FOLDER}"\ntarget "t" {{ }}\n' + text)
    source = os.path.join(folder, "source.json")
    envelope = open(source, encoding="utf-8").read() if os.path.exists(source) else "{}"
    p = subprocess.run([CONNECT, "-f", str(conf), "--filter", name], input="\n".join(lines), capture_output=True, text=True, timeout=120,
                       check=False, env={**os.environ, "OUDP_SOURCE": envelope})
    words = r"record cannot be mapped|documented shape" if how is MILD else r"record cannot be mapped"
    bad = [(re.search(r"record=(\d+)", x).group(1), x) for x in p.stderr.splitlines() if re.search(words, x)]
    assert not bad, [(why, lines[int(n) - 1][:1500]) for n, why in bad[:3]]
    assert p.returncode in (0, 1), p.stderr[-300:]
    for line in p.stdout.splitlines():
        assert json.loads(line)["topic"].count("/") >= 1
