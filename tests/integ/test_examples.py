"""Every example of README.md and the manual pages does what it says: run as it stands, on a broker in the state that its page
describes. What stands for something else is replaced: addresses, directories, times. What cannot be run is in NOT_RUN, with why."""
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from kit import certs, city, examples
from kit.daemon import BIN, CLI, PUBLIC, SHORT_LIVED, TOP, feed, wait_for

SHARED = {"air-quality": ("air", "air-quality-observed"), "noise": ("noise", "noise-level-observed"), "weather": ("weather", "weather-observed"),
          "traffic-flow": ("traffic", "traffic-flow-observed"), "parking": ("parking", "off-street-parking"),
          "devices": ("device", "device-measurement"), "water": ("water", "water-observed"), "groundwater": ("groundwater", "phreatic-observed"),
          "crowd-flow": ("crowd", "crowd-flow-observed"), "parking-spots": ("parking-spot", "parking-spot"),
          "charging": ("charging", "ev-charging-station"), "waste": ("waste", "waste-container"), "lighting": ("lighting", "streetlight"),
          "environment": ("environment", "environment-observed"), "flood": ("flood", "flood-monitoring"),
          "corrections": ("correction", "series-corrected")}
FEEDS = {n: feed(f"city/{t}/{{thing}}", [s + "/1"], title=n, **PUBLIC) for n, (t, s) in SHARED.items()}
FEEDS["corrections"]["max-age"] = "0"  # of a month ago

# Beginning of the example: why it is not run here.
NOT_RUN = {
    "build/release/oudp-connect -f FILE --once": "FILE and NAME are the reader's; test_connect.py runs both options",
    "new WebSocket(url": "needs a page with a ticket; test_tokens.py opens such WebSockets",
    "curl -s https://opendata.ndw.nu": "needs the national access point; connectors/ndw/vectors has its file",
    "oudp-connect -f oudp-connect.conf --once --dry-run sensor-community": "needs the service; test_mappings.py has its answers",
    "ssh -L": "needs another machine; test_browser.py forwards a port to the socket as ssh does",
    "mosquitto_sub -v -t 'zigbee2mqtt/#'": "waits for devices for ever; test_mappings.py has what they send",
}
# Beginnings of displays that are no examples: pictures and lists of this program's own parts, shapes of messages.
PICTURES = {"oudp-internals.7": ("",), "README.md": ("sensor --MQTT-->",)}

# What comes out for each message of oudp-schema(7), "What a rejection says": schema, payload.
AIR = '{"dateObserved":"2026-11-24T12:00:00Z",%s}'
REFUSED = {
    "air-quality-observed/1: /pm25: 1200 is more than maximum 1000": AIR % '"pm25":1200',
    "air-quality-observed/1: /pm25: a string is not a number": AIR % '"pm25":"12"',
    'air-quality-observed/1: /: member "dateObserved" is missing': '{"pm25":12}',
    'air-quality-observed/1: /: none of the members "pm10", "pm25", "no2", "o3" and 25 more is there': AIR % '"name":"x"',
    'air-quality-observed/1: /dateObserved: "24-11-2026 12:00" is not an ISO 8601 date-time or interval':
        '{"dateObserved":"24-11-2026 12:00","pm25":12}',
    'air-quality-observed/1: /type: "WeatherObserved" is not "AirQualityObserved"': AIR % '"pm25":12,"type":"WeatherObserved"',
    'weather-observed/1: /pressureTendency: "rising" is not one of the allowed values': AIR % '"temperature":9,"pressureTendency":"rising"',
    'off-street-parking/1: /status/1: "busy" is not one of the allowed values':
        AIR % '"availableSpotNumber":1,"status":["open","busy"]',
    "off-street-parking/1: /category: items 0 and 1 are equal": AIR % '"availableSpotNumber":1,"category":["public","public"]',
    "payload: byte 51: a member name is given twice": AIR % '"pm25":1.25,"pm25":2',
}


def why_not(page, block):
    if page == "oudp-promises.7":
        return "test_promises.py runs each, and holds what it says against the page"
    if any(block.startswith(p) for p in PICTURES.get(page, ())):
        return "a picture"
    return next((why for start, why in NOT_RUN.items() if block.startswith(start)), None)


def executable(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


class Desk:
    """A shell in a directory, with programs that find the broker under test."""

    def __init__(self, broker, folder):
        self.d, self.folder = broker, str(folder)
        programs, etc = os.path.join(self.folder, "bin"), os.path.join(self.folder, "etc")
        self.etc = etc
        for path in (programs, etc, etc + "/tls", self.folder + "/backups", self.folder + "/try", self.folder + "/lib"):
            os.makedirs(path)
        os.rmdir(self.folder + "/try")
        executable(programs + "/oudp", f'case $1 in pub|bench) c=$1; shift; set -- "$c" -p {broker.mqtt_port} "$@";; esac\nexec {CLI} "$@"')
        executable(programs + "/oudpd", f'exec {BIN} -f {broker.conf} "$@"')
        executable(programs + "/oudp-connect", f'exec {os.path.join(os.path.dirname(BIN), "oudp-connect")} "$@"')
        executable(programs + "/systemctl", f'case "$*" in "reload oudpd") kill -HUP {broker.process.pid};; "stop oudpd"|"start oudpd"|"restart oudpd"|'
                   '"enable --now oudp-backup.timer") ;; *) exit 1;; esac')
        executable(programs + "/mail", "cat; echo to: $3")
        for name in ("mosquitto_pub", "mosquitto_sub"):
            executable(f"{programs}/{name}", f'exec {shutil.which(name) or "/usr/bin/" + name} -p {broker.mqtt_port} "$@"')
        self.env = {**os.environ, "PATH": programs + ":" + os.environ["PATH"], "OUDP_URL": f"http://127.0.0.1:{broker.web_port}",
                    "OUDP_SOCKET": broker.socket_path, "STATE_DIRECTORY": broker.data_dir, **SHORT_LIVED}
        for name, text in (("reading.json", AIR % '"pm25":12.5'),
                           ("sensors.csv", "id,name.nl,owner.organisation,goal.nl,legalGround,personalData\n"
                            "S1,Paal,Gemeente Test,Lucht,Publieke taak,nee\n")):
            self.write(name, examples.of_today(text))
        for name in ("fullchain.pem", "privkey.pem"):
            self.write(name, "-\n")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def local(self, text):
        """The example with what stands for the reader's own replaced."""
        web = f"http://127.0.0.1:{self.d.web_port}"
        for a, b in (("curl ", "curl -f "), ("sudo -u oudp ", ""), ("sudo ", ""), ("http://127.0.0.1:8080", web), ("https://data.example.nl", web),
                     ("/var/lib/oudp/oudpd.sock", self.d.socket_path), ("/var/lib/oudp", self.folder + "/lib"), ("/var/backups/oudp", self.folder + "/backups"),
                     ("/var/tmp/oudp-try", self.folder + "/try"), ("/etc/oudp", self.etc), ("-o oudp -g oudp ", ""), ("-o root -g oudp ", ""),
                     ("python3 /usr/share/doc/oudp/check-oudp", f"{sys.executable} {TOP}/conf/check-oudp"), ("-d 10", "-d 1"),
                     (" show 17 ", f" show {self.refused} ")):
            text = text.replace(a, b)
        return examples.of_today(text)

    def run(self, command, status=0):
        """What it says. status None: any, it is what it says that counts."""
        if command.startswith("make "):  # the build that is under test is not made anew: only whether make knows how
            command = f"make -n -C {TOP} {command[5:]}"
        p = subprocess.run(["sh", "-c", self.local(command)], cwd=self.folder, env=self.env, capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=60, check=False)
        assert status is None or p.returncode == status, f"{command}\n{p.stdout}{p.stderr}"
        if status is not None:
            assert "usage:" not in p.stderr and "(RC:1" not in p.stdout, p  # a PUBACK from 0x80 on
        return p.stdout + p.stderr

    def as_described(self):
        """Some data, a refusal of each kind, things with a series: what a page takes for granted."""
        with self.d.client("examples") as c:
            for thing in ("ams-01", "pole-1"):
                assert c.publish(f"city/air/{thing}", city.air(12)).reason == 0
            assert c.publish("city/noise/plein-1", json.dumps({"dateObserved": city.now(), "LAeq": 50})).reason == 0
            assert c.publish("city/air/broken", city.air(1200)).reason == 0x99
            assert c.publish("city/ari/mistyped", city.air(1)).reason == 0x90
        self.refused = self.d.quarantine("air-quality")[-1]["id"]
        wait_for("the series", lambda: self.d.get("/v1/datastreams?thing=ams-01").json()["datastreams"])


@pytest.fixture(scope="module")
def blocks():
    return list(examples.all_blocks())


PAGES = sorted({p for p, b in examples.all_blocks() if examples.is_command(b) and not why_not(p, b)})
# what a page's commands meet that is not as usual: a beginning, its exit status
STATUS = {"oudp quarantine retry": 1,  # what was refused is refused again: nothing was mended
          "oudp quarantine show 17": 1,  # what was refused does not fit, and is told why
          "oudp-connect -f oudp-connect.conf --filter ngsi": 1}  # the test's file has an entity without an id
PREPARE = {
    "oudp-connect.8": lambda d: shutil.copy(glob.glob(TOP + "/connectors/luchtmeetnet/vectors/*/input.*")[0], d.folder + "/page.json"),
    "oudp-connectors.7": lambda d: shutil.copy(sorted(glob.glob(TOP + "/connectors/ngsi/vectors/*/input.json"))[0], d.folder + "/notification.json"),
}


@pytest.mark.parametrize("page", PAGES)
def test_commands(own, tmp_path, blocks, page):
    d = own(dict(FEEDS))
    d.start()
    desk = Desk(d, tmp_path / "desk")
    desk.as_described()
    shutil.copy(TOP + "/connectors/oudp-connect.conf", desk.folder)
    with open(desk.folder + "/oudp-connect.conf", "a", encoding="utf-8") as f:
        f.write(f'connector-dir = "{TOP}/connectors"\n')
    PREPARE.get(page, lambda _: None)(desk)
    n = 0
    for block in [b for p, b in blocks if p == page and examples.is_command(b) and not why_not(p, b)]:
        for command in examples.commands(block):
            if command.startswith("oudp tail air-quality --after 0"):
                command = command.split(" #")[0] + " --limit 1"  # which it would print for ever
            if "text/event-stream" in command:
                command = "timeout 1 " + command + "; [ $? = 124 ]"
            desk.run(command, next((s for start, s in STATUS.items() if command.removeprefix("sudo ").startswith(start)), 0))
            n += 1
    assert n, page


def test_nothing_is_left_out(blocks):
    """An example is a command, or one of what the tests below look at, or in a list that says why not; and the lists are true."""
    used = set()
    for page, block in blocks:
        if why_not(page, block):
            used |= {s for s in NOT_RUN if block.startswith(s)}
            continue
        assert examples.is_command(block) or kind(page, block), f"{page}: nobody runs this example:\n{block}"
    assert used == set(NOT_RUN), set(NOT_RUN) - used


def kind(page, block):
    if block.startswith("#!/bin/sh"):
        return "script"
    if re.match(r'(#.*\n)?(feed|organisation|schemas|tls)\b', block):
        return "configuration"
    if block.startswith('include "bytes"'):
        return "decoder"
    if page == "oudp-connectors.7" and re.match(r"[a-z-]+ = \{", block):
        return "connector"
    if block.startswith("{") or block.startswith('"x-oudp"'):
        return "json"
    if block.startswith("v1.1/"):
        return "filters"
    if page in ("oudp-schema.7", "oudp-mqtt.7"):
        return "words" if re.match(r"[a-z/][\w/.-]*: ", block) else None
    return None


def of_kind(blocks, which):
    found = [(p, b) for p, b in blocks if not examples.is_command(b) and not why_not(p, b) and kind(p, b) == which]
    assert found
    return found


def test_configurations(own, tmp_path, blocks):
    d = own(feeds={}, schema_dirs=[TOP + "/schemas", TOP + "/tests/schemas", str(tmp_path / "own")])
    city.write_schema(str(tmp_path / "own"), "passage", 1, {
        "type": "object", "required": ["t", "count"], "properties": {
            "t": {"type": "string", "x-oudp": {"role": "time"}}, "driver": {"type": "string"}, "plate": {"type": "string"},
            "count": {"type": "integer", "x-oudp": {"role": "result", "name": "count", "unit": "1", "observedProperty": "https://x.nl/c"}}}})
    key = tmp_path / "plate.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o400)
    certificate, secret = certs.Authority(tmp_path / "ca").sign("server")
    options, n = d.conf_text(), 0
    for page, block in of_kind(blocks, "configuration"):
        if block.startswith("schemas"):
            block = f'feed "some" {{\n{block}\ntopics = {{ "some/{{thing}}" }}\n}}'
        text = block
        for path, real in (("plate.key", key), ("tls/city.pem", certificate), ("tls/city.key", secret)):
            text = text.replace("/etc/oudp/" + path, str(real))
        d.write_conf(text if "organisation" in text else options + text)
        p = subprocess.run([BIN, "-n", "-f", d.conf], capture_output=True, text=True, timeout=30, check=False,
                           env={**os.environ, "STATE_DIRECTORY": d.data_dir, **SHORT_LIVED})
        assert p.returncode == 0, f"{page}\n{block}\n{p.stderr}"
        n += 1
    assert n >= 4


def test_settings_of_connectors(tmp_path, blocks):
    """With the decoder that the page writes, as own.jq: -n compiles it."""
    (_, decoder), = of_kind(blocks, "decoder")
    (tmp_path / "own.jq").write_text(decoder)
    sample = open(TOP + "/connectors/oudp-connect.conf", encoding="utf-8").read()
    block = re.search(r'^connector "lorawan-tts" \{\n.*?^\}\n', sample, re.M | re.S).group(0)
    for page, lines in of_kind(blocks, "connector"):
        conf = tmp_path / "connect.conf"
        conf.write_text(f'connector-dir = "{TOP}/connectors"\ntarget "t" {{ }}\n'
                        + block.replace("\n}", "\n" + lines.replace("/etc/oudp", str(tmp_path)) + "\n}").replace("password-file", "# "))
        p = subprocess.run([os.path.join(os.path.dirname(BIN), "oudp-connect"), "-f", str(conf), "-n"], capture_output=True, text=True, timeout=60,
                           check=False, env={**os.environ, **SHORT_LIVED})
        assert p.returncode == 0, (page, lines, p.stderr)


def test_scripts(own, tmp_path, blocks):
    d = own(dict(FEEDS))
    d.start()
    desk = Desk(d, tmp_path / "desk")
    for _, block in of_kind(blocks, "script"):
        desk.write("script", block)
        out = subprocess.run(["sh", "script", "silent", "air", "ams-01", "x", "It is silent."], cwd=desk.folder, env=desk.env, capture_output=True,
                             text=True, timeout=20, check=True).stdout
        assert "It is silent." in out and "to: beheer@voorbeeld.nl" in out


def test_json(blocks):
    """The vendor's message and schema are those that test_schemas.py publishes; the others are JSON."""
    folder = TOP + "/tests/schemas/vendor-a17/1"
    known = {}
    for path in glob.glob(folder + "/**/*.json", recursive=True):
        with open(path, encoding="utf-8") as f:
            known[os.path.basename(path)] = json.load(f)
    texts = []
    for _, text in of_kind(blocks, "json"):
        text = text if text.startswith("{") else "{" + text + "}"
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            texts.append(value)
            text = text[end:].lstrip()
    assert known["schema.json"] in texts and known["buffered.json"] in texts


def test_filters(own, blocks):
    d = own({"air": feed("city/air/{thing}", ["any"])})
    d.start()
    with d.client("reader") as c:
        for page, block in of_kind(blocks, "filters"):
            for line in block.splitlines():
                assert c.subscribe(line) == [0], f"{page}: {line}"


def test_words_of_a_rejection(tmp_path, blocks):
    """Each message that the manual shows comes out, word for word."""
    said = [line for page, b in of_kind(blocks, "words") for line in b.splitlines() if line in REFUSED]
    assert set(said) == set(REFUSED), set(REFUSED) - set(said)
    for words, payload in REFUSED.items():
        schema = words.split(": ")[0].replace("payload", "air-quality-observed/1")
        path = tmp_path / "payload"
        path.write_text(payload)
        p = subprocess.run([CLI, "validate", schema, str(path)], capture_output=True, text=True, timeout=20, check=False,
                           env={**os.environ, **SHORT_LIVED})
        assert words.split(": ", 1)[1] in p.stdout + p.stderr, (words, p)
        assert p.returncode == 1


def test_commands_in_sentences_exist():
    """.Ql oudp THIS THAT: the command, and what it does, stand in its help."""
    n = 0
    for page, words in examples.inline_commands():
        command, *rest = words.split()[1:]
        p = subprocess.run([CLI, "help", command], capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **SHORT_LIVED})
        assert p.returncode == 0, (page, words, p.stderr)
        several = re.search(r" (list|check NEW)\b", p.stdout.splitlines()[0])
        for word in rest[:1] * bool(several) + [w for w in rest if w.startswith("-")]:
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", p.stdout), (page, words, word)
            n += 1
    assert n >= 15
