"""One connection of HTTP/1.1, byte by byte: what http.client does not do. Requests as bytes, answers read to their end
and not further, and what comes after them."""
import socket
import time


class Ended(Exception):
    """The connection ended in order; at: what had come of an answer."""

    def __init__(self, at=b""):
        super().__init__(f"ended after {at[:200]!r}")
        self.at = at


def request(method, path, body=None, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    stays = property(lambda self: self.headers.get("connection") == "keep-alive")

    def __repr__(self):
        return f"HTTP {self.status} {self.headers} {self.body[:300]!r}"


class Connection:
    """where: a port of loopback, or the path of a Unix socket. receive: bytes that the client's socket holds."""

    def __init__(self, where, timeout=15, tls=None, receive=None):
        if isinstance(where, int):
            self.sock = socket.socket()
            if receive:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            self.sock.settimeout(timeout)
            self.sock.connect(("127.0.0.1", where))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(where)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.rest = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data, cuts=(), pause=0.002):
        """In pieces that end at the cuts."""
        edges = [0, *sorted(cuts), len(data)]
        for a, b in zip(edges, edges[1:]):
            if a != b:
                self.sock.sendall(data[a:b])
            if b != len(data):
                time.sleep(pause)

    def fill(self):
        piece = self.sock.recv(1 << 16)
        if not piece:
            raise Ended(bytes(self.rest))
        self.rest += piece

    def take_some(self, n):
        """n bytes more than there are, to be read with the rest."""
        n += len(self.rest)
        while len(self.rest) < n:
            self.fill()

    def take(self, n):
        while len(self.rest) < n:
            self.fill()
        out = bytes(self.rest[:n])
        del self.rest[:n]
        return out

    def line(self):
        while b"\r\n" not in self.rest:
            self.fill()
        out = self.take(self.rest.index(b"\r\n") + 2)
        return out[:-2].decode()

    def head(self):
        first, headers = self.line(), {}
        assert first.startswith("HTTP/1."), first
        while True:
            text = self.line()
            if not text:
                return int(first.split()[1]), headers
            name, _, value = text.partition(":")
            headers[name.strip().lower()] = value.strip()

    def answer(self, method="GET"):
        """The next answer to a request of that method, interim ones passed over."""
        status, headers = self.head()
        while status < 200 and status != 101:
            status, headers = self.head()
        body = b""
        if method == "HEAD" or status in (101, 204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while True:
                n = int(self.line(), 16)
                body += self.take(n)
                assert self.line() == ""
                if not n:
                    break
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        else:
            try:
                while True:
                    self.fill()
            except Ended:
                body, self.rest = bytes(self.rest), bytearray()
        return Answer(status, headers, body)

    def ask(self, method, path, body=None, *headers):
        self.send(request(method, path, body, *headers))
        return self.answer(method)

    def ends(self):
        """Whether nothing more comes but the end, and no reset."""
        if self.rest:
            return False
        return self.sock.recv(1) == b""
