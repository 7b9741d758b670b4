"""The daemon under test: its configuration, its life and its death. OUDPD_BIN chooses another build than release."""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from . import city, mqtt, web

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BIN = os.path.abspath(os.environ.get("OUDPD_BIN", os.path.join(TOP, "build/release/oudpd")))
CLI = os.path.abspath(os.environ.get("OUDP_BIN", os.path.join(os.path.dirname(BIN), "oudp")))
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed|stack smashing).*")
# A command that ends at once gives nothing back, and need not: leaks are looked for in the daemon only.
SHORT_LIVED = {"ASAN_OPTIONS": "detect_leaks=0"}
MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") or "/usr/sbin/mosquitto"
SLOW = 4 if "asan" in BIN or "tsan" in BIN else 1  # a sanitizer's build may take so many times as long


def outside_address():
    """An address of this machine that is not loopback; without one the test has nowhere to listen, and is skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing
            address = s.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        import pytest  # pylint: disable=import-outside-toplevel  # the benchmarks need none
        pytest.skip("this machine has no address but loopback")
    return address


given = []  # of this process: names that other test processes see, until this one ends


def take_port(port):
    """Nobody listens at many of these yet, or just now; whoever draws the same one finds its name taken."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0oudp-test-port-{port}")
    except OSError:
        name.close()
        return False
    given.append(name)
    return True


def free_ports(n):
    """Ports below the range that outgoing connections take theirs from, so that a restart finds them free."""
    found = []
    while len(found) < n:
        port = random.randint(12000, 31000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if take_port(port):
            found.append(port)
    return found


def value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (list, tuple)):
        return "{ " + ", ".join(value(x) for x in v) + " }"
    if isinstance(v, int):
        return str(v)
    return '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"'


def block(kind, title, options):
    return f'{kind} "{title}" {{\n' + "".join(f"\t{k} = {value(v)}\n" for k, v in options.items()) + "}\n"


def feed(topics, schemas=("test-air/1",), **options):
    topics = [topics] if isinstance(topics, str) else topics
    return {"topics": topics, "schemas": list(schemas), **{k.replace("_", "-"): v for k, v in options.items()}}


# what a public feed must say
PUBLIC = {"access": "public", "description": "Of the tests.", "licence": "http://creativecommons.org/publicdomain/zero/1.0/",
          "contact": "mailto:data@example.nl",
          "theme": "http://publications.europa.eu/resource/authority/data-theme/ENVI"}

FEEDS = {
    "air": feed("city/air/{thing}", title="Air"),
    "raw": feed("raw/#", ["any"]),
    "keep": feed("city/keep/{thing}", duplicates="keep"),
}


class Daemon:
    """One data directory and one configuration; may be started and stopped many times."""

    def __init__(self, folder, feeds=None, data_dir=None, binary=None, arguments=(), extra="", **options):
        self.folder, self.process, self.binary, self.arguments = str(folder), None, binary or BIN, list(arguments)
        self.extra = extra  # more blocks, as text
        os.makedirs(self.folder, exist_ok=True)
        self.feeds = dict(FEEDS if feeds is None else feeds)
        self.options = {k.replace("_", "-"): v for k, v in options.items()}
        self.data_dir = data_dir or os.path.join(self.folder, "data")
        self.schemas = os.path.join(self.folder, "schemas")
        city.write_schema(self.schemas, "test-air", 1, city.air_schema())
        self.mqtt_port, self.web_port, self.admin_port = free_ports(3)
        self.conf, self.log = os.path.join(self.folder, "oudpd.conf"), os.path.join(self.folder, "log")
        self.write_conf()

    def conf_text(self):
        options = {"organisation": "gemeente-test", "oin": "00000001234567890000", "system": "oudp", "domain": "stad",
                   "series-size": "4GB", "data-dir": self.data_dir, "schema-dirs": [self.schemas, os.path.join(TOP, "schemas")],
                   **self.options}
        listener = [("mqtt", self.mqtt_port, "mqtt"), ("web", self.web_port, "http"), ("admin", self.admin_port, "admin")]
        return "".join(f"{k} = {value(v)}\n" for k, v in options.items()) + "".join(
            f'listener "{n}" {{\n\tprotocol = {p}\n\taddress = "127.0.0.1"\n\tport = {port}\n}}\n'
            for n, port, p in listener) + "".join(block("feed", n, o) for n, o in self.feeds.items()) + self.extra

    def write_conf(self, text=None):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(self.conf_text() if text is None else text)

    socket_path = property(lambda self: os.path.join(self.data_dir, "oudpd.sock"))

    # life
    def launch(self):
        assert os.path.exists(self.binary), f"{self.binary} is not built"
        self.log_start = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, "-d", "-f", self.conf, *self.arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, timeout=10):
        self.launch()
        deadline = time.monotonic() + timeout * SLOW
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"oudpd ended with {self.process.returncode} at start:\n{self.errors()}")
            try:
                if web.request(self.admin_port, "GET", "/readyz", timeout=2).status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.01)
        self.kill()
        raise AssertionError(f"oudpd was not ready after {timeout * SLOW} s:\n{self.errors()}")

    def errors(self):
        """What it wrote on stderr since it was last started."""
        with open(self.log, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode(errors="replace")

    def wait_error(self, text, timeout=5):
        """Waits for a line on stderr that holds text; gives the line."""
        deadline = time.monotonic() + timeout * SLOW
        while time.monotonic() < deadline:
            for line in self.errors().splitlines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line with {text!r} in:\n{self.errors()}")

    def stop(self, timeout=20):
        """SIGTERM; must end by itself with status 0 and without a sanitizer's report."""
        if not self.process:
            return
        early = self.process.poll()
        if early is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            self.process = None
            raise AssertionError(f"oudpd did not end within {timeout * SLOW} s of SIGTERM:\n{self.errors()}")
        self.process = None
        self.no_report()
        assert early is None, f"oudpd had ended by itself with {early}:\n{self.errors()[-4000:]}"
        assert status == 0, f"oudpd ended with {status} after SIGTERM:\n{self.errors()[-4000:]}"

    def no_report(self):
        m = REPORT.search(self.errors())
        assert not m, self.errors()[max(0, m.start() - 200):m.start() + 6000]

    def kill(self):
        """kill -9. The books of a broker that is killed must be right."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        self.kill()
        return self.start()

    def alive(self):
        assert self.process and self.process.poll() is None, f"oudpd ended:\n{self.errors()[-4000:]}"

    def reload(self):
        self.alive()
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()

    # faces
    def client(self, client_id=None, version=5, **options):
        c = mqtt.Client(self.mqtt_port, version, timeout=10 * SLOW)
        if client_id is not None:
            c.open(client_id, **options)
        return c

    def get(self, path, headers=None, **options):
        return web.request(self.web_port, "GET", path, headers=headers, **options)

    def post(self, path, body=None, headers=None, **options):
        return web.request(self.web_port, "POST", path, body, headers, **options)

    def admin(self, method, path, body=None, headers=None):
        """As the administrator: over the Unix socket."""
        return web.request(self.socket_path, method, path, body, headers)

    def ws(self, feed, protocols=("cloudevents.json",), **parameters):
        parameters = {k.rstrip("_"): v for k, v in parameters.items()}
        return web.WebSocket(self.web_port, f"/v1/feeds/{feed}/events" + web.query(**parameters), protocols,
                             timeout=15 * SLOW)

    def page(self, feed, **parameters):
        a = self.get(f"/v1/feeds/{feed}/events" + web.query(**parameters), timeout=30 * SLOW)
        assert a.status == 200, a
        return a

    def all_events(self, feed, after=0):
        """Every record, page by page along rel=next."""
        out, path = [], f"/v1/feeds/{feed}/events" + web.query(after=after, limit=1000)
        while path:
            a = self.get(path, timeout=30 * SLOW)
            assert a.status == 200, a
            events = a.json()
            out += [e for e in events if "sequence" in e]
            path = web.link_next(a) if events else None
        return out

    def feed(self, name):
        return self.get(f"/v1/feeds/{name}").json()

    def quarantine(self, feed=None, **parameters):
        path = f"/v1/feeds/{feed}/quarantine" if feed else "/v1/unrouted"
        a = self.admin("GET", path + web.query(**parameters))
        assert a.status == 200, a
        return a.json()["rows"]

    def oudp(self, *arguments, input=None, timeout=30):
        """The command line; gives the finished process with text in stdout and stderr."""
        env = {**os.environ, "OUDP_URL": f"http://127.0.0.1:{self.web_port}", "OUDP_SOCKET": self.socket_path,
               "STATE_DIRECTORY": self.data_dir, **SHORT_LIVED}
        arguments = list(arguments)
        if arguments and arguments[0] == "pub":
            arguments += ["-p", str(self.mqtt_port)]
        return subprocess.run([CLI, *arguments], input=input, capture_output=True, text=True, env=env,
                              timeout=timeout * SLOW)

    def memory_kb(self, field="RssAnon"):
        self.alive()
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(rf"{field}:\s+(\d+)", f.read()).group(1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(what, condition, timeout=10):
    """Calls condition until it gives something true; gives that."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout * SLOW} s for {what}"
        time.sleep(0.02)
