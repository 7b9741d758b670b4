"""HTTP, server-sent events and WebSocket from the wire up: blocking, small, strict.

http.client does the requests; the WebSocket client is ours, because Debian's python3-websockets is asyncio only
(one test uses it as an independent peer).
"""
import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import time
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """status, headers (lower case names), body; json() parses it."""

    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {k.lower(): v for k, v in response.getheaders()}

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"HTTP {self.status} {self.headers.get('content-type')} {self.body[:400]!r}"


def request(where, method, path, body=None, headers=None, timeout=15, tls=None):
    """where: a TCP port on loopback, or the path of a Unix socket. body: bytes, text, or something for JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    if tls:  # an ssl.SSLContext
        c = http.client.HTTPSConnection("localhost", where, timeout=timeout, context=tls)
    elif isinstance(where, int):
        c = http.client.HTTPConnection("127.0.0.1", where, timeout=timeout)
    else:
        c = UnixConnection(where, timeout)
    try:
        c.request(method, path, body, headers)
        return Answer(c.getresponse())
    finally:
        c.close()


def query(**values):
    values = {k: v for k, v in values.items() if v is not None}
    return "?" + urllib.parse.urlencode(values) if values else ""


def link_next(answer):
    """The target of Link: <...>; rel="next", or None."""
    for part in answer.headers.get("link", "").split(","):
        target, _, parameters = part.partition(";")
        if 'rel="next"' in parameters or "rel=next" in parameters:
            target = target.strip()[1:-1]
            u = urllib.parse.urlsplit(target)
            return u.path + ("?" + u.query if u.query else "")
    return None


class Events:
    """A stream of server-sent events."""

    def __init__(self, port, path, headers=None, timeout=15, tls=None):
        self.timeout = timeout
        self.connection = http.client.HTTPSConnection("localhost", port, timeout=timeout, context=tls) if tls else \
            http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", **(headers or {})})
        self.response = self.connection.getresponse()
        self.headers = {k.lower(): v for k, v in self.response.getheaders()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def next(self):
        """{"id":..., "event":..., "data":...} of the next event that has data; comments are skipped."""
        event, deadline = {}, time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            line = self.response.readline()
            if not line:
                raise EOFError("the stream ended")
            line = line.decode().rstrip("\r\n")
            if not line:
                if "data" in event:
                    return event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                event[name] = event[name] + "\n" + value if name == "data" and name in event else value
        raise TimeoutError("no event came")

    def event(self):
        e = self.next()
        return {**json.loads(e["data"]), "_id": e.get("id")}


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"HTTP {status} {body[:300]!r}")
        self.status, self.headers, self.body = status, headers, body


class WsClosed(Exception):
    def __init__(self, code, reason):
        super().__init__(f"closed {code} {reason}")
        self.code, self.reason = code, reason


class WebSocket:
    """A blocking client. Answers pings. Refuses frames that a server may not send."""

    def __init__(self, port, path, protocols=("cloudevents.json",), headers=None, timeout=15, tls=None):
        self.timeout = timeout
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:  # an ssl.SSLContext
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if protocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer, self.at = bytearray(), 0
        self.messages, self.pings, self.parts = [], 0, []
        self.handshake(key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def handshake(self, key):
        deadline = time.monotonic() + self.timeout
        while b"\r\n\r\n" not in self.buffer:
            self.fill(deadline, "in the handshake")
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
        self.buffer = bytearray(rest)
        if self.status != 101:
            try:
                while len(self.buffer) < int(self.headers.get("content-length", "100000")):
                    self.fill(time.monotonic() + 2, "in the body")
            except (WsClosed, TimeoutError):
                pass
            self.sock.close()
            raise Refused(self.status, self.headers, bytes(self.buffer))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert self.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        self.protocol = self.headers.get("sec-websocket-protocol")

    def fill(self, deadline, where="in a frame"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing came {where}")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            raise WsClosed(1006, "no close frame")
        self.buffer += data

    def send(self, data, opcode=None, final=True):
        if isinstance(data, str):
            data, opcode = data.encode(), opcode if opcode is not None else 1
        n, mask = len(data), os.urandom(4)
        head = bytes([(128 if final else 0) | (2 if opcode is None else opcode)])
        head += bytes([128 | n]) if n < 126 else struct.pack(">BH", 254, n) if n < 65536 else struct.pack(">BQ", 255, n)
        self.sock.sendall(head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def parse(self):
        """Moves whole frames of the buffer to self.messages; raises WsClosed at a close frame after earlier messages."""
        buffer, at = self.buffer, 0
        while len(buffer) - at >= 2:
            first, n, head = buffer[at], buffer[at + 1], 2
            assert not n & 128, "a server never masks"
            assert not first & 0x70, "reserved bits set"
            if n == 126:
                head = 4
            elif n == 127:
                head = 10
            if len(buffer) - at < head:
                break
            if head > 2:
                n = int.from_bytes(buffer[at + 2:at + head], "big")
            if len(buffer) - at < head + n:
                break
            data = bytes(buffer[at + head:at + head + n])
            at += head + n
            opcode = first & 15
            if opcode == 8:
                code = int.from_bytes(data[:2], "big") if data else 1005
                self.messages.append(WsClosed(code, data[2:].decode()))
            elif opcode == 9:
                self.pings += 1
                self.send(data, 10)
            elif opcode == 10:
                pass
            else:
                self.parts.append((opcode, data))
                if first & 128:
                    kind, whole = self.parts[0][0], b"".join(d for _, d in self.parts)
                    self.messages.append(whole.decode() if kind == 1 else whole)
                    self.parts = []
        del buffer[:at]

    def receive(self, timeout=None):
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.messages:
            self.parse()
            if not self.messages:
                self.fill(deadline)
        m = self.messages.pop(0)
        if isinstance(m, WsClosed):
            self.messages.insert(0, m)
            raise m
        return m

    def event(self, timeout=None):
        m = self.receive(timeout)
        assert isinstance(m, str), "a CloudEvent travels in a text frame"
        return json.loads(m)

    def close(self, code=1000):
        self.send(struct.pack(">H", code), 8)
        while True:
            try:
                self.receive()
            except WsClosed as e:
                self.sock.close()
                return e.code


LIVE, GAP, POSITION = "nl.oudp.feed.live.v1", "nl.oudp.feed.gap.v1", "nl.oudp.feed.position.v1"


def until_live(ws):
    """The records' events up to the live event, which must come."""
    out = []
    while True:
        e = ws.event()
        if e["type"] == LIVE:
            assert "sequence" not in e, "a control event has no sequence"
            return out
        out.append(e)
