"""SenML packs, from the outside: decode = senml."""
import json

from kit import city
from kit.daemon import feed

FEEDS = {"senml": feed(["senml", "senml/{thing}"], ["any"], decode="senml", duplicates="keep")}


def test_a_pack_is_read_and_kept_as_it_came(broker, name):
    t = city.parse_time(city.now(-60))
    payload = ('[ {"bn": "urn:dev:mac:%s:", "bt": %.3f,\n "n": "voltage", "u":"V","v":1.20e2}, {"n":"current","t":30,"v":1.5,"u":"A"},'
               '{"n":"lat","u":"lat","v":52.1},{"n":"lon","u":"lon","v":4.3} ]' % (name, t))
    with broker.client(name) as c:
        assert c.publish("senml", payload).reason == 0
    a = broker.get(f"/v1/feeds/senml/events?thing=urn:dev:mac:{name}&property=current")
    e, = [x for x in json.loads(a.body) if "sequence" in x]
    assert f'"data":{payload}' in a.body.decode() or e["data"] == json.loads(payload), a
    assert e["subject"] == f"urn:dev:mac:{name}"
    assert abs(city.parse_time(e["observedtime"]) - (t + 30)) < 0.01
    for query, n in (("property=nosuch", 0), ("property=voltage", 1), ("bbox=4,52,5,53", 1), ("bbox=5,52,6,53", 0)):
        events = json.loads(broker.get(f"/v1/feeds/senml/events?thing=urn:dev:mac:{name}&{query}").body)
        assert len([x for x in events if "sequence" in x]) == n, query


def test_a_gateway_names_itself_in_the_topic(broker, name):
    with broker.client(name) as c:
        two = '[{"bn":"a/","n":"x","v":1},{"bn":"b/","n":"x","v":2}]'
        p = c.publish("senml", two)
        assert p.reason == 0x99 and p.props["reason"].startswith("senml: /1: one message is about two things"), p
        assert c.publish(f"senml/{name}", two).reason == 0
    e, = [x for x in json.loads(broker.get(f"/v1/feeds/senml/events?thing={name}").body) if "sequence" in x]
    assert e["data"] == json.loads(two)


def test_what_is_not_senml_is_refused(broker, name):
    with broker.client(name) as c:
        for payload, reason in (("x", "payload: byte 0"), ('{"n":"a","v":1}', "senml: /: a SenML pack is an array of records"),
                                ('[{"n":"a","v":1,"u":"furlong"}]', 'senml: /0/u: "furlong" is no unit of SenML'),
                                ('[{"n":"a","v":1,"t":1}]', None), ('[{"n":"a","v":1,"t":1276020076}]', "/0/t: time 2010")):
            p = c.publish("senml", payload)
            assert p.reason == (0x99 if reason else 0), p
            assert reason is None or reason in p.props["reason"], p
