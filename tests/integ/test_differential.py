"""Schemas and messages by chance, judged here and by python3-jsonschema: both must say the same. Fixed seeds, and one of
chance that is printed; DIFFERENTIAL_SEED=N repeats one, DIFFERENTIAL_SECONDS takes longer."""
import json
import os
import random
import subprocess
import time

import pytest

from kit.daemon import CLI, SHORT_LIVED

jsonschema = pytest.importorskip("jsonschema")

NAMES = ["a", "b", "kind", "x/y", "~", "ü", ""]
STRINGS = ["", "a", "ab", "abc", "b", "1", "ü", "\U0001f6b2", "2026-11-24", "a b"]
NUMBERS = [0, 1, 2, 3, -1, 1.0, 1.5, 0.1, 0.3, 100, 1e3, -2.5, 10**20]
PATTERNS = ["^a", "b$", "^[a-c]*$", "\\d", "^.$", "a|b"]
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


def equal(a, b):
    """As the standard has it: 1 is 1.0 and is not true, within arrays and objects too."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(v, b[k]) for k, v in a.items())
    return a == b


def enum(_, values, m, __):
    if not any(equal(m, v) for v in values):
        yield jsonschema.ValidationError("not in enum")


def unique(_, wanted, m, __):
    if wanted and isinstance(m, list) and any(equal(a, b) for i, a in enumerate(m) for b in m[:i]):
        yield jsonschema.ValidationError("not unique")


# Where the two disagreed and the standard is with us; the judge gets the rule from here instead.
KNOWN = {"enum": enum,           # finds [1] among [[true]]: asks Python's "in", to which 1 is True
         "uniqueItems": unique}  # sorts, and looks at neighbours only: [[1], [true], [1]] is unique to it
JUDGES = {2020: jsonschema.validators.extend(jsonschema.Draft202012Validator, KNOWN),
          7: jsonschema.validators.extend(jsonschema.Draft7Validator, KNOWN)}


def value(r, depth=2):
    kind = r.randrange(8 if depth else 5)
    if kind < 2:
        return r.choice(NUMBERS)
    if kind == 2:
        return r.choice(STRINGS)
    if kind == 3:
        return r.choice([True, False, None])
    if kind == 4:
        return r.choice(["a", "b", 1])
    if kind == 5:
        return [value(r, depth - 1) for _ in range(r.randrange(4))]
    return {n: value(r, depth - 1) for n in r.sample(NAMES, r.randrange(5))}


def message(r):
    """Half of them objects of a kind: schemas of many kinds are common, and quick here by a way of their own."""
    m = value(r, 3)
    if r.random() < 0.5:
        m = {**(m if isinstance(m, dict) else {}), "kind": r.choice(STRINGS[:5] + [1])}
        if r.random() < 0.5:
            m["a"] = value(r, 1)
    return m


def names(r):
    return r.sample(NAMES, r.randrange(3))


class Maker:
    """A schema of one draft: every keyword that is asserted, small values, refs to its own definitions."""

    def __init__(self, r, draft):
        self.r, self.draft, self.new = r, draft, draft == 2020
        self.defs = "$defs" if self.new else "definitions"

    def sub(self, depth):
        r = self.r
        if depth <= 0 or r.random() < 0.1:
            return r.choice([True, False, {}, {"type": r.choice(TYPES)}, {"const": value(r, 1)}])
        if r.random() < 0.08:
            return {"$ref": f"#/{self.defs}/{r.choice('pq')}"}
        s = {}
        for _ in range(r.randrange(1, 4)):
            r.choice(self.KEYWORDS)(self, s, depth - 1)
        return s

    def subs(self, depth):
        return [self.sub(depth) for _ in range(self.r.randrange(1, 4))]

    def type(self, s, _):
        s["type"] = self.r.choice(TYPES) if self.r.random() < 0.6 else self.r.sample(TYPES, 2)

    def values(self, s, _):
        s["enum" if self.r.random() < 0.5 else "const"] = value(self.r, 1)
        if "enum" in s:
            s["enum"] = [value(self.r, 1) for _ in range(3)]

    def number(self, s, _):
        s[self.r.choice(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])] = self.r.choice(NUMBERS)
        if self.r.random() < 0.3:
            s["multipleOf"] = self.r.choice([1, 2, 3, 0.5])

    def string(self, s, _):
        s[self.r.choice(["minLength", "maxLength"])] = self.r.randrange(3)
        if self.r.random() < 0.4:
            s["pattern"] = self.r.choice(PATTERNS)

    def array(self, s, depth):
        r = self.r
        s[r.choice(["minItems", "maxItems"])] = r.randrange(3)
        if r.random() < 0.3:
            s["uniqueItems"] = r.choice([True, False])
        if r.random() < 0.5:
            s["items"] = self.sub(depth)
        if r.random() < 0.3:
            s["prefixItems" if self.new else "items"] = self.subs(depth)
            if not self.new:
                s["additionalItems"] = self.sub(depth)
        if r.random() < 0.3:
            s["contains"] = self.sub(depth)
            if self.new and r.random() < 0.5:
                s[r.choice(["minContains", "maxContains"])] = r.randrange(3)

    def object(self, s, depth):
        r = self.r
        s["properties"] = {n: self.sub(depth) for n in names(r)}
        if r.random() < 0.5:
            s["required"] = names(r)
        if r.random() < 0.3:
            s["additionalProperties"] = self.sub(depth)
        if r.random() < 0.2:
            s["patternProperties"] = {r.choice(PATTERNS): self.sub(depth)}
        if r.random() < 0.1:
            s["propertyNames"] = self.sub(depth)
        if r.random() < 0.1:
            s[r.choice(["minProperties", "maxProperties"])] = r.randrange(3)
        if r.random() < 0.2:
            if self.new:
                s["dependentRequired"] = {n: names(r) for n in names(r)}
                s["dependentSchemas"] = {n: self.sub(depth) for n in names(r)}
            else:
                s["dependencies"] = {n: r.choice([names(r), self.sub(depth)]) for n in names(r)}

    def branches(self, s, depth):
        s[self.r.choice(["allOf", "anyOf", "oneOf"])] = self.subs(depth)

    def kinds(self, s, depth):
        """Branches that a member decides, or nearly."""
        r = self.r
        out = []
        for _ in range(r.randrange(2, 5)):
            decide = r.choice([{"const": r.choice(STRINGS)}, {"enum": r.sample(STRINGS, 2)}, {"enum": ["a", "b"]}, {"const": 1}])
            b = {"required": ["kind"], "properties": {"kind": decide, "a": self.sub(depth - 1)}}
            if r.random() < 0.15:
                del b["required"]
            out.append({"if": b, "then": self.sub(depth - 1)})
        way = r.choice(["allOf", "anyOf", "oneOf"])
        s[way] = out if way == "allOf" else [b["if"] for b in out]

    def turn(self, s, depth):
        if self.r.random() < 0.5:
            s["not"] = self.sub(depth)
        else:
            s["if"] = self.sub(depth)
            for k in ("then", "else"):
                if self.r.random() < 0.7:
                    s[k] = self.sub(depth)

    KEYWORDS = [type, values, number, string, array, object, object, branches, kinds, turn]

    def make(self):
        s = self.sub(3)
        if not isinstance(s, dict) or "$ref" in s:
            s = {"allOf": [s]}
        if self.r.random() < 0.3:
            self.kinds(s, 2)
        s[self.defs] = {"p": {"type": self.r.choice(TYPES)}, "q": self.sub(1)}
        if "q" in json.dumps(s[self.defs]["q"]) and "#/" in json.dumps(s[self.defs]["q"]):
            s[self.defs]["q"] = {"minimum": 1}  # one that leads to itself does not load
        s["$schema"] = "https://json-schema.org/draft/2020-12/schema" if self.new else "http://json-schema.org/draft-07/schema#"
        return s


def is_valid(judge, m):
    """None when the judge stumbles over its own words (it sorts items of different types for a sentence)."""
    try:
        return judge.is_valid(m)
    except TypeError:
        return None


def one_schema(r, folder, seed):
    draft = r.choice([2020, 7])
    schema = Maker(r, draft).make()
    judge = JUDGES[draft](schema)
    messages = [message(r) for _ in range(25)]
    path = os.path.join(folder, "schema.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    p = subprocess.run([CLI, "validate", path, "-l", "--json"], input="\n".join(json.dumps(m) for m in messages) + "\n",
                       capture_output=True, text=True, timeout=60, env={**os.environ, **SHORT_LIVED})
    assert p.returncode in (0, 1), f"seed {seed}: {p.stderr}\n{json.dumps(schema)}"
    ours = [json.loads(line) for line in p.stdout.splitlines()]
    assert len(ours) == len(messages)
    for m, o in zip(messages, ours):
        theirs = is_valid(judge, m)
        assert theirs is None or o["fits"] == theirs, (f"seed {seed}: {json.dumps(m)}\n  {json.dumps(schema)}\n"
                                     f"  here: {o}\n  there: {'fits' if theirs else next(judge.iter_errors(m)).message}")
    return sum(o["fits"] for o in ours), len(ours)


def rows_of(schema):
    """The places of a schema where a keyword stands."""
    if isinstance(schema, dict):
        yield from ((schema, k) for k in schema if not k.startswith("$"))
        for v in schema.values():
            yield from rows_of(v)
    elif isinstance(schema, list):
        for v in schema:
            yield from rows_of(v)


def change(r, schema, draft):
    """Another version of a schema: some keywords gone, other, or new."""
    new = json.loads(json.dumps(schema))
    for _ in range(r.randrange(1, 3)):
        places = list(rows_of({k: v for k, v in new.items() if k not in ("$defs", "definitions", "$schema")}))
        if not places:
            break
        owner, k = r.choice(places)
        if owner.get(k) is None:
            continue
        owner = owner if k not in new or owner[k] is not new[k] else new
        way = r.randrange(4)
        if way == 0:
            del owner[k]
        elif way == 1 and isinstance(owner[k], (int, float)) and not isinstance(owner[k], bool):
            owner[k] = max(0, owner[k] + r.choice([-1, 1])) if k.startswith(("min", "max")) else owner[k] + 1
        elif way == 2 and isinstance(owner[k], list) and owner[k]:
            (owner[k].pop if len(owner[k]) > 1 else list)()
        elif isinstance(owner.get("type"), str) and r.random() < 0.5:
            owner["type"] = [owner["type"], "null" if owner["type"] != "null" else "string"]
    return new


def one_change(r, folder, seed):
    """What the comparison calls compatible must be: each message that fitted fits."""
    draft = r.choice([2020, 7])
    versions = [Maker(r, draft).make()]
    versions.append(change(r, versions[0], draft))
    paths = [os.path.join(folder, f"v{i}.json") for i in (0, 1)]
    for path, v in zip(paths, versions):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(v, f)
    p = subprocess.run([CLI, "schema", "compare", *paths, "--json"], capture_output=True, text=True, timeout=60,
                       env={**os.environ, **SHORT_LIVED})
    if p.returncode == 2:  # the change does not load
        return None
    said = json.loads(p.stdout)
    assert (p.returncode == 0) == said["compatible"], p
    if versions[0] == versions[1]:
        assert said["changes"] == [], said
    if not said["compatible"] or any(c["detail"] == "is new and optional" for c in said["changes"]):
        return False
    old, new = map(JUDGES[draft], versions)
    for _ in range(60):
        m = message(r)
        assert not is_valid(old, m) or is_valid(new, m) is not False, (f"seed {seed}: {json.dumps(m)} fitted\n  {json.dumps(versions[0])}\n"
                                                        f"  {json.dumps(versions[1])}\n  {said['changes']}")
    return bool(said["changes"])


def run(folder, seed, seconds, least):
    """Until so many messages were judged and so many seconds are over. Neither answer may be rare."""
    r, fit, count = random.Random(seed), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or count < least:
        one = one_schema(r, folder, seed)
        fit, count = fit + one[0], count + one[1]
    assert 0.1 < fit / count < 0.9, (fit, count)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fixed(tmp_path, seed):
    run(tmp_path, seed, 0, 2500)


def test_by_chance(tmp_path):
    seed = int(os.environ.get("DIFFERENTIAL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"DIFFERENTIAL_SEED={seed}")
    run(tmp_path, seed, float(os.environ.get("DIFFERENTIAL_SECONDS", "3")), 1000)


def test_compatible_changes(tmp_path):
    seed = int(os.environ.get("DIFFERENTIAL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"DIFFERENTIAL_SEED={seed}")
    r, compatible, count = random.Random(seed), 0, 0
    end = time.monotonic() + float(os.environ.get("DIFFERENTIAL_SECONDS", "3"))
    while time.monotonic() < end or count < 60:
        said = one_change(r, tmp_path, seed)
        count, compatible = count + 1, compatible + bool(said)
    assert compatible > count / 20, (compatible, count)
