"""MQTT 3.1.1 and 5.0 written by hand, so that tests see bytes and not what a library made of them.

encode: publish(), connect(), ... give bytes. decode: packets() splits a stream into Packet objects.
Client: a blocking connection that keeps what arrives in order.
"""
import socket
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = 8, 9, 10, 11, 12, 13, 14, 15
NAMES = ["?", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"]

# property: (identifier, kind); kinds: 1 byte, 2 and 4 byte integers, variable integer, string, bytes, pair
PROPERTIES = {
    "payload_format": (0x01, "b"), "message_expiry": (0x02, "i"), "content_type": (0x03, "s"),
    "response_topic": (0x08, "s"), "correlation_data": (0x09, "d"), "subscription_identifier": (0x0B, "v"),
    "session_expiry": (0x11, "i"), "assigned_client_id": (0x12, "s"), "server_keep_alive": (0x13, "h"),
    "authentication_method": (0x15, "s"), "authentication_data": (0x16, "d"), "request_problem": (0x17, "b"),
    "will_delay": (0x18, "i"), "request_response": (0x19, "b"), "response_information": (0x1A, "s"),
    "server_reference": (0x1C, "s"), "reason": (0x1F, "s"), "receive_maximum": (0x21, "h"),
    "topic_alias_maximum": (0x22, "h"), "topic_alias": (0x23, "h"), "maximum_qos": (0x24, "b"),
    "retain_available": (0x25, "b"), "user": (0x26, "p"), "maximum_packet_size": (0x27, "i"),
    "wildcard_available": (0x28, "b"), "subscription_ids_available": (0x29, "b"), "shared_available": (0x2A, "b"),
}
BY_ID = {ident: (name, kind) for name, (ident, kind) in PROPERTIES.items()}


def varint(n):
    out = bytearray()
    while True:
        n, b = n >> 7, n & 127
        out.append(b | (128 if n else 0))
        if not n:
            return bytes(out)


def text(s):
    b = s.encode() if isinstance(s, str) else s
    return struct.pack(">H", len(b)) + b


def properties(props):
    """{"reason": "x", "user": [("a", "b")]} -> length and properties."""
    out = bytearray()
    for name, value in (props or {}).items():
        ident, kind = PROPERTIES[name]
        for v in value if isinstance(value, list) else [value]:
            out.append(ident)
            if kind == "p":
                out += text(v[0]) + text(v[1])
            elif kind in "sd":
                out += text(v)
            elif kind == "v":
                out += varint(v)
            else:
                out += struct.pack({"b": ">B", "h": ">H", "i": ">I"}[kind], v)
    return varint(len(out)) + bytes(out)


def packet(first, *body):
    b = b"".join(body)
    return bytes([first]) + varint(len(b)) + b


def connect(client_id="", version=5, clean=True, keepalive=60, props=None, will=None, user=None, password=None):
    """will: (topic, payload, qos, retain, props)"""
    flags = 2 if clean else 0
    if will:
        flags |= 4 | will[2] << 3 | (32 if will[3] else 0)
    flags |= (128 if user is not None else 0) | (64 if password is not None else 0)
    body = [text("MQTT"), bytes([version, flags]), struct.pack(">H", keepalive)]
    if version == 5:
        body.append(properties(props))
    body.append(text(client_id))
    if will:
        if version == 5:
            body.append(properties(will[4] if len(will) > 4 else None))
        body += [text(will[0]), text(will[1])]
    body += [text(x) for x in (user, password) if x is not None]
    return packet(0x10, *body)


def publish(topic, payload, qos=0, mid=0, retain=False, dup=False, props=None, version=5):
    if isinstance(payload, str):
        payload = payload.encode()
    return packet(0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0), text(topic),
                  struct.pack(">H", mid) if qos else b"", properties(props) if version == 5 else b"", payload)


def ack(kind, mid, reason=None, props=None):
    """PUBACK, PUBREC, PUBREL or PUBCOMP; two bytes of body unless a reason is given."""
    body = [struct.pack(">H", mid)]
    if reason is not None:
        body += [bytes([reason]), properties(props)]
    return packet(kind << 4 | (2 if kind == PUBREL else 0), *body)


def subscribe(mid, filters, version=5, props=None):
    """filters: [(filter, options byte)]"""
    return packet(0x82, struct.pack(">H", mid), properties(props) if version == 5 else b"",
                  *[text(f) + bytes([o]) for f, o in filters])


def unsubscribe(mid, filters, version=5):
    return packet(0xA2, struct.pack(">H", mid), properties(None) if version == 5 else b"", *[text(f) for f in filters])


def disconnect(reason=None, props=None):
    return packet(0xE0) if reason is None else packet(0xE0, bytes([reason]), properties(props))


PING = b"\xc0\x00"


class Packet:
    """One packet from the server. Strict: anything that a server may not send raises ValueError."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body, self.at = first >> 4, first & 15, body, 0
        self.mid = self.reason = None
        self.props = {}
        kind = self.kind
        if kind == CONNACK:
            self.session_present, self.reason = self.byte(), self.byte()
            if version == 5:
                self.read_properties()
        elif kind == PUBLISH:
            self.qos, self.retain, self.dup = self.flags >> 1 & 3, bool(self.flags & 1), bool(self.flags & 8)
            self.topic = self.string()
            if self.qos:
                self.mid = self.u16()
            if version == 5:
                self.read_properties()
            self.payload, self.at = body[self.at:], len(body)
        elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            if self.flags != (2 if kind == PUBREL else 0):
                raise ValueError(f"{self.name} with flags {self.flags}")
            self.mid, self.reason = self.u16(), 0
            if version == 5 and len(body) > 2:
                self.reason = self.byte()
                if len(body) > 3:
                    self.read_properties()
        elif kind in (SUBACK, UNSUBACK):
            self.mid = self.u16()
            if version == 5:
                self.read_properties()
            self.codes, self.at = list(body[self.at:]), len(body)
        elif kind == DISCONNECT:
            if version != 5:
                raise ValueError("a 3.1.1 server never sends DISCONNECT")
            self.reason = self.byte() if body else 0
            if len(body) > 1:
                self.read_properties()
        elif kind != PINGRESP:
            raise ValueError(f"a server never sends {self.name}")
        if self.at != len(body):
            raise ValueError(f"{len(body) - self.at} bytes too many in {self.name}: {body.hex()}")

    name = property(lambda self: NAMES[self.kind])

    def take(self, n):
        if self.at + n > len(self.body):
            raise ValueError(f"{self.name} is too short: {self.body.hex()}")
        self.at += n
        return self.body[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack(">H", self.take(2))[0]

    def string(self):
        return self.take(self.u16()).decode()

    def variable(self):
        n = shift = 0
        while True:
            b = self.byte()
            n, shift = n | (b & 127) << shift, shift + 7
            if not b & 128:
                return n

    def read_properties(self):
        end = self.variable() + self.at
        while self.at < end:
            name, kind = BY_ID[self.variable()]
            if kind == "p":
                value = (self.string(), self.string())
            elif kind == "s":
                value = self.string()
            elif kind == "d":
                value = self.take(self.u16())
            elif kind == "v":
                value = self.variable()
            else:
                value = int.from_bytes(self.take({"b": 1, "h": 2, "i": 4}[kind]), "big")
            if name in ("user", "subscription_identifier"):
                self.props.setdefault(name, []).append(value)
            elif name in self.props:
                raise ValueError(f"{self.name} has {name} twice")
            else:
                self.props[name] = value
        if self.at != end:
            raise ValueError(f"properties of {self.name} run past their length")

    def __repr__(self):
        more = {k: v for k, v in self.__dict__.items() if k not in ("kind", "flags", "body", "at") and v not in (None, {})}
        return f"{self.name}{more}"


def split(buffer, version):
    """Takes the whole packets off the front of a bytearray."""
    out, at = [], 0
    while len(buffer) - at >= 2:
        n, i = 0, 1
        while True:
            if at + i >= len(buffer):
                n = -1
                break
            b = buffer[at + i]
            n |= (b & 127) << 7 * (i - 1)
            i += 1
            if not b & 128:
                break
            if i > 4:
                raise ValueError("remaining length of more than four bytes")
        if n < 0 or len(buffer) - at < i + n:
            break
        out.append(Packet(buffer[at], bytes(buffer[at + i:at + i + n]), version))
        at += i + n
    del buffer[:at]
    return out


class Closed(Exception):
    """The server closed the connection."""


class Client:
    """A blocking connection. What was received and not yet asked for stays in self.inbox, in order."""

    def __init__(self, port, version=5, host="127.0.0.1", timeout=10, tls=None):
        self.version, self.timeout = version, timeout
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:  # an ssl.SSLContext
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer, self.inbox, self.next_mid = bytearray(), [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def abort(self):
        """Ends with a reset: no DISCONNECT, no FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, *packets):
        self.sock.sendall(b"".join(packets))

    def mid(self):
        self.next_mid = self.next_mid % 65535 + 1
        return self.next_mid

    def receive(self, timeout=None):
        """The next packet; TimeoutError when none comes, Closed at the end of the stream."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.inbox:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no packet came")
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 18)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                raise Closed()
            self.buffer += data
            self.inbox += split(self.buffer, self.version)
        return self.inbox.pop(0)

    def expect(self, kind, timeout=None):
        p = self.receive(timeout)
        assert p.kind == kind, f"expected {NAMES[kind]}, got {p}"
        return p

    def expect_closed(self, timeout=None):
        """Nothing more may come but the end of the stream."""
        try:
            p = self.receive(timeout)
        except Closed:
            return
        raise AssertionError(f"expected the connection to close, got {p}")

    def expect_quiet(self, seconds=0.3):
        try:
            p = self.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing, got {p}")

    def ping(self):
        """A round trip: all that was sent before has been read by the server, unless it waits for a commit."""
        self.send(PING)
        self.expect(PINGRESP)

    # what most tests do
    def open(self, client_id="", **options):
        self.send(connect(client_id, version=self.version, **options))
        p = self.expect(CONNACK)
        assert p.reason == 0, f"refused: {p}"
        return p

    def publish(self, topic, payload, qos=1, **options):
        """Publishes and gives the last answer of the flow (None for QoS 0)."""
        mid = self.mid() if qos else 0
        self.send(publish(topic, payload, qos, mid, version=self.version, **options))
        if qos == 0:
            return None
        p = self.expect(PUBACK if qos == 1 else PUBREC)
        assert p.mid == mid, f"answer for packet {p.mid}, not {mid}"
        if qos == 2 and p.reason < 0x80:
            self.send(ack(PUBREL, mid))
            done = self.expect(PUBCOMP)
            assert (done.mid, done.reason) == (mid, 0), done
        return p

    def subscribe(self, *filters, props=None):
        """filters: "a/b" (QoS 0) or ("a/b", options). Gives the codes."""
        mid = self.mid()
        self.send(subscribe(mid, [f if isinstance(f, tuple) else (f, 0) for f in filters], self.version, props))
        p = self.expect(SUBACK)
        assert p.mid == mid
        return p.codes

    def unsubscribe(self, *filters):
        mid = self.mid()
        self.send(unsubscribe(mid, filters, self.version))
        p = self.expect(UNSUBACK)
        assert p.mid == mid
        return p.codes
