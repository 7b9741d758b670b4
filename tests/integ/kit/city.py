"""Schemas and messages of the city under test. The schemas are the tests' own, so that a rule tested here does not
move when the published schemas do; those are tested from their valid/ and invalid/ folders."""
import datetime
import itertools
import json
import os

PM25 = "http://example.org/property/pm25"
counter = itertools.count()


def now(offset_s=0.0):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    return t.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(s):
    return datetime.datetime.fromisoformat(s.replace("Z", "+00:00")).timestamp()


def air_schema(maximum=1000, **more):
    result = {"role": "result", "observedProperty": PM25, "unit": "ug/m3"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Air quality of the tests",
        "type": "object",
        "required": ["dateObserved", "pm25"],
        "properties": {
            "id": {"type": "string", "x-oudp": {"role": "thing"}},
            "dateObserved": {"type": "string", "format": "date-time", "x-oudp": {"role": "time", "time": "rfc3339"}},
            "pm25": {"type": "number", "minimum": 0, "maximum": maximum, "x-oudp": result},
            "note": {"type": "string"},
            **more,
        },
        "additionalProperties": False,
    }


def write_schema(folder, name, version, schema):
    path = os.path.join(folder, name, str(version))
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "schema.json"), "w", encoding="utf-8") as f:
        json.dump(schema, f)


def air(pm25=12.5, time=None, **more):
    """A message that fits test-air/1, different from every other one."""
    more.setdefault("note", f"n{next(counter)}")
    return json.dumps({"dateObserved": time or now(), "pm25": pm25, **{k: v for k, v in more.items() if v is not None}})
