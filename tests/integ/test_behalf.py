"""Messages mapped from a raw feed: who sent the raw record is written down by the broker, carried along by the connector,
asked for a right by the admission, and told the verdict."""
import json
import signal

import pytest

from kit import mqtt
from kit.access import add_key, bearer, grant, must
from kit.connect import TIME, Connector
from kit.daemon import SLOW, feed, wait_for

FEEDS = {"air": feed("city/air/{thing}", access="restricted"), "raw": feed("raw/{thing}/#", ["any"], access="restricted")}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def town(own):
    """Two vendors, each with an API key, that may send raw data: a of its own things, b of all."""
    d = own(FEEDS).start()
    for o in ("vendor-a", "vendor-b"):
        must(d, "organisation", "add", o, "--title", o)
    d.keys = {n: add_key(d, f"gw@{n}", n) for n in ("vendor-a", "vendor-b")}
    grant(d, "raw", "publish", identity="gw@vendor-a", thing="a-*")
    d.second = grant(d, "raw", "publish", identity="gw@vendor-b")
    return d


@pytest.fixture
def connector(town, tmp_path):
    c = Connector(tmp_path / "c", town.mqtt_port, '{topic: ("city/air/" + .s), payload: {dateObserved: .t, pm25: .v, note: .n}}',
                  source="feed", url=[f"http://127.0.0.1:{town.web_port}/v1/feeds/raw"], records=[])
    yield c
    c.stop(signal.SIGKILL)


def row(note, thing, **more):
    return json.dumps({"s": thing, "t": TIME, "v": 10, "n": note, **more}).encode()


def vendor(d, name, client):
    return d.client(client, user=f"gw@{name}", password=d.keys[name])


def raw_events(d):
    return d.page("raw", withTopic="true", limit=100).json()


def notes(d):
    return sorted(e["data"]["note"] for e in d.all_events("air"))


def test_the_broker_writes_down_who_sent_a_raw_record(town):
    with vendor(town, "vendor-b", "b1") as b:
        b.publish("raw/a-1/up", b"{}", 1, props={"user": [("oudp-identity", "gw@vendor-a"), ("k", "v")]})
        b.publish("raw/x/up", b"{}", 1)
    assert town.post("/v1/feeds/raw/events?topic=raw/a-1/up", b"{}", {**JSON, **bearer(town.keys["vendor-a"])}).status == 201
    assert town.post("/v1/feeds/raw/events?topic=raw/a-1/up", b"{}", JSON).status == 201
    events = [e for e in raw_events(town) if "sequence" in e]
    assert [e.get("identity") for e in events] == ["gw@vendor-b", "gw@vendor-b", "gw@vendor-a", None]
    assert all("identity" not in e for e in town.page("raw").json())


def test_what_is_mapped_is_admitted_for_who_sent_it(town, connector):
    """Vendor a may send of things a-*: also by way of a mapping it has no others. Vendor b may send of all."""
    with vendor(town, "vendor-a", "a1") as a, vendor(town, "vendor-b", "b1") as b:
        a.publish("raw/a-1/up", row("own", "a-1"), 1)
        a.publish("raw/a-1/up", row("stolen", "b-1"), 1)
        b.publish("raw/any/up", row("b", "b-1"), 1)
    status, t, log = connector.once()
    assert (status, t["stored"], t["refused"]) == (1, 2, 1), log
    assert "may not publish about this thing" in log
    assert notes(town) == ["b", "own"]


def test_a_grant_on_the_feed_itself_does_too(town, connector):
    grant(town, "air", "publish", identity="gw@vendor-a", thing="b-1")
    with vendor(town, "vendor-a", "a1") as a:
        a.publish("raw/a-1/up", row("allowed", "b-1"), 1)
    assert connector.once()[1]["stored"] == 1


def test_a_grant_that_was_taken_away_counts_for_what_is_not_mapped_yet(town, connector):
    with vendor(town, "vendor-b", "b1") as b:
        b.publish("raw/x/up", row("late", "x"), 1)
    must(town, "grant", "suspend", town.second)
    status, t, log = connector.once()
    assert (t["stored"], t["refused"]) == (0, 1), log


def test_the_verdict_goes_to_the_identity_also_when_it_came_over_http(town, connector):
    connector.start()
    wait_for("it runs", lambda: "connected" in connector.logged())
    with vendor(town, "vendor-a", "watch") as a, vendor(town, "vendor-b", "watch") as b:
        for v in (a, b):
            v.subscribe("$oudp/verdicts/+")
        assert town.post("/v1/feeds/raw/events?topic=raw/a-1/up", row("bad", "a-1", v=5000),
                         {**JSON, **bearer(town.keys["vendor-a"])}).status == 201
        p = a.expect(mqtt.PUBLISH, timeout=15 * SLOW)
        told = json.loads(p.payload)
        assert p.topic == "$oudp/verdicts/http" and told["verdict"] == "refused" and "/pm25" in told["reason"]
        assert told["origin"].startswith("raw:")
        b.expect_quiet()


@pytest.mark.parametrize("name,stored", [("gw@vendor-a", False), ("gw@vendor-b", True), ("nobody", False)])
def test_without_a_connector(town, name, stored):
    """What a mapper says makes its rights less, never more."""
    with town.client("mapper") as m:
        p = m.publish("city/air/b-1", json.dumps({"dateObserved": TIME, "pm25": 10}), 1,
                      props={"user": [("oudp-identity", name), ("oudp-origin", f"raw:{town.feed('raw')['epoch']}:1")]})
        assert p.reason == (0 if stored else 0x87)
    with vendor(town, "vendor-a", "a1") as a:
        p = a.publish("city/air/b-1", b"{}", 1, props={"user": [("oudp-identity", "gw@vendor-b")]})
        assert p.reason == 0x87
