"""MQTT over WebSocket: mqtt.Client on kit's own WebSocket. How packets are cut into frames is the test's to choose."""
import socket
import time

from . import mqtt, web


class Pipe:
    """What mqtt.Client needs of a socket. cut(data) gives the frames: (bytes, begins, ends) of messages."""

    def __init__(self, ws, cut=None):
        self.ws, self.cut, self.left = ws, cut, None

    def sendall(self, data):
        for part, begins, ends in self.cut(data) if self.cut else [(data, True, True)]:
            self.ws.send(part, 2 if begins else 0, ends)

    def settimeout(self, seconds):
        self.left = seconds

    def recv(self, _):
        try:
            data = self.ws.receive(self.left)
        except TimeoutError as e:
            raise socket.timeout() from e
        except web.WsClosed:
            return b""
        assert isinstance(data, bytes), "MQTT travels in binary frames"
        assert self.whole(data), "one packet a message is what some clients need"
        return data

    @staticmethod
    def whole(data):
        n, at = 0, 1
        while True:
            n |= (data[at] & 127) << 7 * (at - 1)
            at += 1
            if not data[at - 1] & 128:
                return len(data) == at + n

    def close(self):
        self.ws.sock.close()


class Client(mqtt.Client):
    def __init__(self, port, version=5, timeout=10, protocols=("mqtt",), cut=None, tls=None):  # pylint: disable=super-init-not-called
        self.version, self.timeout = version, timeout
        self.ws = web.WebSocket(port, "/mqtt", protocols, timeout=timeout, tls=tls)
        self.sock = Pipe(self.ws, cut)
        self.buffer, self.inbox, self.next_mid = bytearray(), [], 0

    def abort(self):
        self.close()

    def closed_with(self, timeout=None):
        """The close code; what comes before it is dropped."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            try:
                self.ws.receive(deadline - time.monotonic())
            except web.WsClosed as e:
                return e.code
