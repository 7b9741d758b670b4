"""oudp-promises(7): each promise of access, privacy, audit and TLS has one command; each is run, and says what the page says."""
import os
import re

import pytest

from kit import certs, examples
from kit.access import add_key, grant, must
from kit.daemon import PUBLIC, TOP, block, feed, free_ports
from test_examples import Desk

PAGE = os.path.join(TOP, "man", "oudp-promises.7")
PERSONAL = {"personal_data": True, "purpose": "How busy it is.", "legal_ground": "Public task.", "dpia": "https://example.nl/dpia",
            "keep_messages": "7d", "keep_series": "30d", "privacy": ["drop /name"]}


def promises():
    """(promise, command, what is in its output)"""
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r"^\.It (.+)\n\.Dl (.+)\n\.Ql (.+)$", text, re.M)
    assert len(found) == text.count("\n.It ") > 20, "a promise without a command, or without what it says"
    plain = [[examples.shown(x).replace('\\(dq', '"') for x in p] for p in found]
    assert len({p[0] for p in plain}) == len(plain)
    return plain


class Town(Desk):
    """The broker that the page describes."""

    def __init__(self, d, folder, ca, ports):
        super().__init__(d, folder)
        self.https, self.mqtts = ports
        must(d, "organisation", "add", "sensor-vendor")
        must(d, "organisation", "add", "partner")
        self.env.update(KEY=add_key(d, "noise-reader", "partner"), CURL_CA_BUNDLE=ca.path("ca"))
        grant(d, "noise", "subscribe", identity="noise-reader")
        self.as_described()

    def local(self, text):
        for a, b in (("https://data.example.nl", f"https://localhost:{self.https}"), ("data.example.nl:443", f"localhost:{self.https}"),
                     ("data.example.nl:8883", f"localhost:{self.mqtts}"), ("/etc/oudp/oudpd.conf", self.d.conf), ("sudo ", ""), ("/var/lib/oudp/oudpd.sock", self.d.socket_path), ("/var/lib/oudp", self.d.data_dir), ("/etc/oudp", self.etc)):
            text = text.replace(a, b)
        return examples.of_today(text)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    from kit import daemon
    folder = tmp_path_factory.mktemp("promises")
    ca = certs.Authority(folder / "ca")
    certificate, key = ca.sign("server", san="DNS:localhost,IP:127.0.0.1")
    ports = free_ports(2)
    extra = block("tls", "city", {"certificate": certificate, "key": key}) + "".join(
        f'listener "s-{p}" {{\n\tprotocol = {p}\n\tport = {n}\n\ttls = "city"\n}}\n' for p, n in zip(("http", "mqtt"), ports))
    d = daemon.Daemon(folder / "d", {
        "air-quality": feed("city/air/{thing}", ["air-quality-observed/1"], **PUBLIC),
        "noise": feed("city/noise/{thing}", ["noise-level-observed/1"], access="restricted"),
        "crowd-flow": feed("city/crowd/{thing}", ["crowd-flow-observed/1"], access="restricted", **PERSONAL),
        "parking": feed("city/parking/{thing}", ["off-street-parking/1"], registration="required")}, extra=extra)
    with d:
        yield Town(d, folder / "desk", ca, ports)


@pytest.mark.parametrize("promise,command,says", promises(), ids=[p[0].split(",")[0][:60] for p in promises()])
def test_promise(town, promise, command, says):
    out = town.run(command, None)
    assert says in out, f"{promise}\n{command}\nshould say: {says}\nsaid: {out[:3000]}"
