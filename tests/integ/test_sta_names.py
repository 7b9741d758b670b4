"""SensorThings and the register of things: what is registered has the names and the place of its entry."""
import json
import urllib.parse

import pytest

from kit import city
from kit.daemon import Daemon, feed


@pytest.fixture(scope="module")
def d(tmp_path_factory):
    place = {"type": "object", "x-oudp": {"role": "location"}}
    d = Daemon(tmp_path_factory.mktemp("names"), {"air": feed("city/air/{thing}", schemas=["test-placed/1"])})
    city.write_schema(d.schemas, "test-placed", 1, city.air_schema(location=place))
    with d:
        yield d


def ask(d, path, **options):
    a = d.get("/sta/v1.1" + path + "?" + "&".join(f"${k}={urllib.parse.quote(v)}" for k, v in options.items()))
    assert a.status == 200, (path, a.status, a.body[:300])
    return json.loads(a.body)


def thing(d, name):
    found = ask(d, "/Things", filter=f"properties/thing eq '{name}'", expand="Locations,Datastreams($expand=Sensor,Observations($expand=FeatureOfInterest))")["value"]
    assert len(found) == 1, found
    return found[0]


def publish(d, name, **more):
    with d.client(name) as c:
        p = c.publish(f"city/air/{name}", city.air(3, note=None, **more))
        assert p.reason == 0, p


ENTRY = {"name": {"nl": "Paal bij de sluis", "en": "Pole at the lock"}, "description": {"en": "measures the air"},
         "owner": {"organisation": "Gemeente Test"}, "goal": {"nl": "Weten hoe schoon de lucht is"}, "legalGround": "Publieke taak",
         "personalData": False, "location": {"latitude": 52.5, "longitude": 4.5}}


def test_names_of_the_register(d, name):
    publish(d, name)
    t = thing(d, name)
    assert t["name"] == name and t["Locations"] == []
    assert d.admin("PUT", f"/v1/things/{name}", ENTRY).status == 201
    t = thing(d, name)
    assert (t["name"], t["description"]) == ("Paal bij de sluis", "measures the air")
    p = t["properties"]
    assert (p["feed"], p["thing"], p["organisation"]) == ("air", name, "gemeente-test")
    assert p["register"]["goal"] == ENTRY["goal"] and "name" not in p["register"]
    assert ask(d, "/Things", filter="properties/register/owner/organisation eq 'Gemeente Test' and name eq 'Paal bij de sluis'")["value"]
    assert t["Locations"][0]["location"] == {"type": "Point", "coordinates": [4.5, 52.5]}
    assert t["Datastreams"][0]["Observations"][0]["FeatureOfInterest"]["feature"] == {"type": "Point", "coordinates": [4.5, 52.5]}
    for e in (t["Locations"][0], t["Datastreams"][0], t["Datastreams"][0]["Sensor"],
              t["Datastreams"][0]["Observations"][0]["FeatureOfInterest"]):
        assert e["properties"]["organisation"] == "gemeente-test"
    publish(d, name, time=city.now(-5), location={"type": "Point", "coordinates": [4.9, 52.1]})
    t = thing(d, name)
    assert t["Locations"][0]["location"]["coordinates"] == [4.9, 52.1] and "said" in t["Locations"][0]["description"]
    assert d.admin("DELETE", f"/v1/things/{name}").status == 204
    t = thing(d, name)
    assert t["name"] == name and "register" not in t["properties"]


def test_names_are_found_again(d, name):
    publish(d, name)
    assert d.admin("PUT", f"/v1/things/{name}", ENTRY).status == 201
    d.restart()
    assert thing(d, name)["name"] == "Paal bij de sluis"
