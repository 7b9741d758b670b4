"""oudp-connect from outside: its configuration and life; servers that play a source."""
import http.server
import json
import os
import signal
import subprocess
import threading
import time

from .daemon import BIN, TOP, value

CONNECT = os.path.join(os.path.dirname(BIN), "oudp-connect")
FOLDER = os.path.join(TOP, "connectors")
MAPPING = 'include "oudp"; if .bad then error("no such shape") else {topic: ("city/air/" + .s), payload: {dateObserved: .t, pm25: .v, note: .n}} end'
TIME = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Source:
    """Plays answers in turn; the last one is repeated. (status, headers, body[, how]); how: cut (half of it),
    cut-open (half of it, and then nothing for a while)."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                source.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, time.monotonic()))
                answer = source.answers.pop(0) if len(source.answers) > 1 else source.answers[0]
                status, headers, body, how = (*answer, None)[:4]
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:len(body) // 2] if how else body if status != 304 else b"")
                if how:
                    self.wfile.flush()
                    time.sleep(10 if how == "cut-open" else 0)
                    self.close_connection = True

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/data?page=1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def rows(n, start=0, **more):
    return [{"s": f"s{i % 7}", "t": TIME, "v": 10, "n": f"r{i}", **more} for i in range(start, start + n)]


def body(*items):
    return json.dumps({"made": TIME, "data": list(items)}).encode()


class Connector:
    def __init__(self, folder, port, mapping=MAPPING, top="", **options):
        self.folder, self.process = str(folder), None
        os.makedirs(self.folder, exist_ok=True)
        self.state, self.conf, self.log = (os.path.join(self.folder, n) for n in ("state", "connect.conf", "log"))
        with open(os.path.join(self.folder, "map.jq"), "w", encoding="utf-8") as f:
            f.write(mapping)
        options = {"source": "http", "mapping": options.pop("mapping_name", "map.jq"), "records": ["data"], "interval": "1s", **options}
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f'{top}state-dir = "{self.state}"\nconnector-dir = "{FOLDER}"\ntarget "t" {{ port = {port} }}\n'
                    'connector "c" {\n' + "".join(f"\t{k.replace('_', '-')} = {value(v)}\n" for k, v in options.items()) + "}\n")

    def run(self, *arguments, input=None, timeout=60, env=None):
        return subprocess.run([CONNECT, "-f", self.conf, *arguments], input=input, capture_output=True, text=True,
                              timeout=timeout, check=False, env={**os.environ, **(env or {})})

    def once(self):
        p = self.run("--once")
        line = [x for x in p.stderr.splitlines() if x.startswith("c: ")][-1]
        return p.returncode, {k: int(v) for k, v in (w.split("=") for w in line.split()[1:])}, p.stderr

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([CONNECT, "-f", self.conf], stdout=log, stderr=log)
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def logged(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def position(self):
        try:
            with open(os.path.join(self.state, "c.json"), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}


def kill_in_turn(c, d, dice, times, least, most):
    """The connector and the broker, each killed at random in its turn and started again."""
    for i in range(times):
        time.sleep(dice.uniform(least, most))
        if i % 2:
            d.restart()
        else:
            c.stop(signal.SIGKILL)
            c.start()
