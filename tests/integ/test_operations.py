"""What an administrator puts beside the broker: alert rules, the check from another machine, the unit."""
import os
import re
import shutil
import subprocess

import pytest

from kit import daemon, web
from kit.daemon import TOP, feed

CHECK = os.path.join(TOP, "conf", "check-oudp")
RULES = os.path.join(TOP, "conf", "oudp-alerts.yml")
UNIT = os.path.join(TOP, "conf", "oudpd.service")


def check(*words):
    p = subprocess.run([CHECK, *words], capture_output=True, text=True, timeout=30)
    return p.returncode, p.stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    with daemon.Daemon(tmp_path_factory.mktemp("operations"), {"one": feed("one/{thing}", ["any"]), "none": feed("none/#", ["any"])}) as d:
        with d.client("operations") as c:
            c.publish("one/a", "1")
        yield d


def test_the_check_from_another_machine(fresh):
    url = f"http://127.0.0.1:{fresh.web_port}"
    assert check(url) == (0, "OUDP OK - 3 feeds\n")
    assert check(url + "/", "one=5m") == (0, "OUDP OK - 3 feeds, 1 of them fresh\n")
    status, text = check(url, "one=0s", "none=1d", "other=1h")
    assert status == 2 and "one: nothing stored for 0 minutes" in text
    assert "none has stored nothing yet" in text and "other is not there" in text
    assert check(url, "one=soon")[0] == 3
    assert check()[0] == 3
    port = daemon.free_ports(1)[0]
    assert check(f"http://127.0.0.1:{port}")[0] == 2


def test_alert_rules_ask_for_metrics_that_are_there(fresh):
    with open(RULES, encoding="utf-8") as f:
        rules = f.read()
    metrics = web.request(fresh.admin_port, "GET", "/metrics").body.decode()
    there = set(re.findall(r"^(oudp_\w+)", metrics, re.M))
    asked = set(re.findall(r"\b(oudp_\w+)", "\n".join(re.findall(r"expr: (.*(?:\n {10}.*)*)", rules))))
    assert len(asked) >= 5 and asked <= there, asked - there
    for kind in re.findall(r'kind="(\w+)"', rules):
        assert f'kind="{kind}"' in metrics
    for verdict in re.findall(r'verdict="(\w+)"', rules):
        assert f'verdict="{verdict}"' in metrics


def test_the_unit_starts_what_is_installed_and_is_shut_in():
    with open(UNIT, encoding="utf-8") as f:
        unit = f.read()
    assert "ExecStart=/usr/sbin/oudpd -d -f /etc/oudp/oudpd.conf" in unit and "Type=notify" in unit
    for word in ("NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service"):
        assert word in unit


def test_the_packages_configuration_is_right(tmp_path):
    """conf/debian/oudpd.conf with its first feed, as the package installs them."""
    os.makedirs(tmp_path / "feeds.d")
    with open(os.path.join(TOP, "conf/debian/oudpd.conf"), encoding="utf-8") as f:
        text = f.read() + f'\ndata-dir = "{tmp_path}/data"\nschema-dirs = {{ "{TOP}/schemas" }}\n'
    (tmp_path / "oudpd.conf").write_text(text)
    shutil.copy(os.path.join(TOP, "conf/debian/air-quality.conf"), tmp_path / "feeds.d" / "air-quality.conf")
    p = subprocess.run([daemon.BIN, "-n", "-f", tmp_path / "oudpd.conf"], capture_output=True, text=True, timeout=30,
                       env={**os.environ, **daemon.SHORT_LIVED})
    assert p.returncode == 0, p.stdout + p.stderr
