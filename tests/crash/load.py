#!/usr/bin/env python3
"""A publisher with books: sends numbered messages on several connections as fast as its window allows, outlives the
broker's deaths, and sends again what was not answered. When its input ends it sends nothing new, waits until all is
answered, and writes its books as JSON.

    load.py PORT PREFIX CONNECTIONS WINDOW RATE SECONDS_TO_DRAIN

RATE is messages a second over all, in bursts of 2 ms, so that the books stay small enough to be compared.
Connection k publishes at QoS 1 (k even) or 2 (odd), with MQTT 5, each fourth one with 3.1.1. Message n of connection k
has the note PREFIX-k-n; each 97th breaks the schema. Nothing else is in a message, so that it can be made again.
"""
import collections
import json
import os
import random
import selectors
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integ"))
from kit import city, mqtt  # noqa: E402

START = city.now()
BAD_EACH = 97


def bad(n):
    return n % BAD_EACH == 0


class Connection:
    def __init__(self, k, port, prefix, window, select):
        self.k, self.port, self.select, self.window = k, port, select, window
        self.qos, self.version = 1 + k % 2, 4 if k % 4 == 3 else 5
        self.head = b'{"dateObserved":"%s","pm25":' % START.encode()
        self.note = b',"note":"%s-%d-' % (prefix.encode(), k)
        self.topic = mqtt.text(f"city/air/thing-{k}")
        self.next = 1             # number of the next new message
        self.again = collections.deque()
        self.waiting = {}         # packet id: number, until answered
        self.releasing = set()    # packet ids of QoS 2 until PUBCOMP
        self.free = collections.deque(range(1, window + 1))
        self.answered = self.duplicates = self.refused = self.lost = 0
        self.complaints = []
        self.sock, self.retry_at, self.up = None, 0, False
        self.out, self.buffer = bytearray(), bytearray()

    def open(self):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.out, self.buffer, self.up = bytearray(mqtt.connect(f"load-{self.k}", self.version)), bytearray(), False
        self.select.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def lose(self):
        """All that was not answered is sent again, in order, before anything new."""
        self.select.unregister(self.sock)
        self.sock.close()
        self.sock, self.retry_at, self.lost = None, time.monotonic() + 0.03, self.lost + self.up
        self.again.extendleft(sorted(self.waiting.values(), reverse=True))
        self.waiting, self.releasing, self.up = {}, set(), False
        self.free = collections.deque(range(1, self.window + 1))

    def publish(self, n):
        mid = self.free.popleft()
        self.waiting[mid] = n
        value = b"5000" if bad(n) else b"%d" % (n % 900)
        body = b"".join((self.topic, mid.to_bytes(2, "big"), b"\x00" if self.version == 5 else b"", self.head, value,
                         self.note, b'%d"}' % n))
        self.out += bytes((0x30 | self.qos << 1,)) + mqtt.varint(len(body)) + body

    def fill(self, allowed):
        """Sends again what must be, then at most so many new ones. Gives how many new ones it sent."""
        first = self.next
        while self.up and self.free and len(self.out) < 100000:
            if self.again:
                self.publish(self.again.popleft())
            elif self.next - first < allowed:
                self.publish(self.next)
                self.next += 1
            else:
                break
        return self.next - first

    def writable(self):
        if self.out:
            try:
                del self.out[:self.sock.send(self.out)]
            except BlockingIOError:
                pass
            except OSError:
                self.lose()

    def readable(self):
        try:
            data = self.sock.recv(1 << 17)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lose()
            return
        self.buffer += data
        for p in mqtt.split(self.buffer, self.version):
            self.packet(p)

    def packet(self, p):
        if p.kind in (mqtt.PUBACK, mqtt.PUBREC):
            n = self.waiting.pop(p.mid, None)
            if n is None:
                self.complaints.append(f"{p} answers nothing")
                return
            expected = 0x99 if bad(n) and self.version == 5 else 0
            if p.reason != expected or p.kind != (mqtt.PUBACK if self.qos == 1 else mqtt.PUBREC):
                self.complaints.append(f"message {n} got {p}")
            self.answered += 1
            self.refused += bad(n)
            self.duplicates += p.props.get("reason", "").startswith("duplicate of")
            if p.kind == mqtt.PUBREC and p.reason < 0x80:
                self.releasing.add(p.mid)
                self.out += mqtt.ack(mqtt.PUBREL, p.mid)
            else:
                self.free.append(p.mid)
        elif p.kind == mqtt.PUBCOMP:
            if p.mid not in self.releasing:
                self.complaints.append(f"{p} completes nothing")
            self.releasing.discard(p.mid)
            self.free.append(p.mid)
        elif p.kind == mqtt.CONNACK and p.reason == 0:
            self.up = True
        elif p.kind != mqtt.DISCONNECT:
            self.complaints.append(f"unexpected {p}")

    def idle(self):
        return not self.waiting and not self.again and not self.releasing and (self.up or not self.next > 1)


def run(port, prefix, connections, window, rate, drain):
    select = selectors.DefaultSelector()
    all_ = [Connection(k, port, prefix, window, select) for k in range(connections)]
    select.register(sys.stdin, selectors.EVENT_READ, None)
    stop_at, allowed, allow_at = None, 0, time.monotonic()
    while True:
        now = time.monotonic()
        if now >= allow_at:
            allowed, allow_at = rate // 500, now + 0.002
        random.shuffle(all_)
        for c in all_:
            if not c.sock and now >= c.retry_at:
                c.open()
            allowed -= c.fill(0 if stop_at else allowed)
            if c.sock:
                select.modify(c.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if c.out else 0), c)
        if stop_at and (all(c.idle() for c in all_) or now > stop_at):
            break
        for key, events in select.select(0.002):
            c = key.data
            if c is None:
                if not os.read(0, 100):
                    select.unregister(sys.stdin)
                    stop_at = time.monotonic() + drain
                continue
            if events & selectors.EVENT_WRITE:
                c.writable()
            if c.sock and events & selectors.EVENT_READ:
                c.readable()
    json.dump([{"k": c.k, "version": c.version, "qos": c.qos, "sent": c.next - 1, "answered": c.answered,
                "open": sorted(set(c.waiting.values()) | set(c.again)), "duplicates": c.duplicates, "lost": c.lost,
                "refused": c.refused, "complaints": c.complaints[:5]} for c in sorted(all_, key=lambda c: c.k)], sys.stdout)


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
