"""Health and metrics."""
import re

from kit import city, web

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABELS = r'\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,(?=[a-zA-Z_])|(?=\})))*\}'
SAMPLE = re.compile(rf"({NAME})({LABELS})? (NaN|[+-]?Inf|[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)")


def metrics(broker):
    """Reads the Prometheus text format strictly. Gives {(name, labels): value} and {name: type}."""
    a = web.request(broker.admin_port, "GET", "/metrics")
    assert a.status == 200 and a.headers["content-type"].startswith("text/plain; version=0.0.4"), a
    text = a.body.decode()
    assert text.endswith("\n")
    samples, types, helps, family, done = {}, {}, set(), None, set()
    for line in text.splitlines():
        if not line:
            continue
        m = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if m:
            kind, name, rest = m.groups()
            if name != family:
                assert name not in done, f"{name} comes in two places"
                done.add(family)
                family = name
            if kind == "TYPE":
                assert rest in ("counter", "gauge", "histogram", "summary", "untyped") and name not in types, line
                types[name] = rest
            else:
                assert name not in helps, line
                helps.add(name)
            continue
        assert not line.startswith("#"), f"a comment of no kind: {line}"
        m = SAMPLE.fullmatch(line)
        assert m, f"not a sample: {line!r}"
        name, labels, value = m.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if name not in types else name
        assert base == family, f"{name} stands under {family}"
        assert (name, labels) not in samples, f"twice: {line}"
        samples[name, labels] = float(value)
    for name, kind in types.items():
        assert name in helps, f"{name} has no HELP"
        if kind == "counter":
            assert name.endswith("_total"), f"counter {name} does not end in _total"
        if kind == "histogram":
            buckets = [(k, v) for k, v in samples.items() if k[0] == name + "_bucket"]
            assert any('le="+Inf"' in k[1] for k, _ in buckets), f"{name} lacks +Inf"
    return samples, types


def total(samples, part):
    return sum(v for (n, l), v in samples.items() if n.endswith("_total") and part in n + (l or ""))


def test_metrics(broker, name):
    before, _ = metrics(broker)
    with broker.client(name) as c:
        for _ in range(5):
            c.publish(f"city/air/{name}", city.air())
        c.publish(f"city/air/{name}", city.air(1200))
        c.publish("nowhere", "x")
        after, types = metrics(broker)
    assert all(n.startswith(("oudp_", "oudpd_", "process_")) for n in types), sorted(types)
    assert total(after, "stored") - total(before, "stored") >= 5
    assert total(after, "quarantined") + total(after, "refused") > total(before, "quarantined") + total(before, "refused")
    for (n, labels), v in before.items():
        if n.endswith("_total") and (n, labels) in after:
            assert after[n, labels] >= v, f"{n} went back"


def test_health(broker):
    for path in ("/livez", "/readyz"):
        assert web.request(broker.admin_port, "GET", path).status == 200
    assert web.request(broker.admin_port, "GET", "/nosuch").status == 404
    assert web.request(broker.admin_port, "POST", "/metrics", b"").status == 405


def test_admin_listener_serves_nothing_else(broker):
    assert web.request(broker.admin_port, "GET", "/v1/feeds").status == 404


def test_web_listener_has_no_metrics(broker):
    assert broker.get("/metrics").status == 404
