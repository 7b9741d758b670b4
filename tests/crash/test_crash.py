"""kill -9 at random moments under load. Afterwards the books of a publisher, of a subscriber and of the broker agree:
everything answered 0x00 is in the log exactly once, sequences are dense, the subscriber has seen each exactly once and
with the same content, everything answered 0x99 is in quarantine.

CRASH_KILLS (10) kills in rounds of ten; CRASH_SEED repeats a run.
"""
import json
import os
import random
import subprocess
import sys
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integ"))
from kit import daemon, web  # noqa: E402
from kit.daemon import SLOW, feed  # noqa: E402

KILLS = int(os.environ.get("CRASH_KILLS", "10"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1 << 30)
CONNECTIONS, WINDOW, RATE = 8, 100, 20000


class Subscriber(threading.Thread):
    """Follows the feed over WebSocket; after a break goes on after the last sequence that it has. books[i] is the note
    of sequence i + 1."""

    def __init__(self, d):
        super().__init__()
        self.d, self.books, self.complaints, self.resumed, self.stopping = d, [], [], 0, False
        self.epoch = None

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except (OSError, web.WsClosed, web.Refused, TimeoutError):
                time.sleep(0.03)
            except Exception as e:  # pylint: disable=broad-except
                self.complaints.append(repr(e))
                return

    def follow(self):
        after = f"{self.epoch}:{len(self.books)}" if self.epoch else "0"
        with self.d.ws("air", after=after) as ws:
            self.resumed += 1
            while not self.stopping:
                try:
                    e = ws.event(0.5)
                except TimeoutError:
                    continue
                if "sequence" in e:
                    n = int(e["sequence"])
                    if n != len(self.books) + 1:
                        self.complaints.append(f"sequence {n} came after {len(self.books)}")
                    self.books.append(e["data"]["note"])
                    self.epoch = int(e["id"].split(":")[1])
                elif e["type"] not in (web.LIVE, web.POSITION):
                    self.complaints.append(f"event {e}")


def kill_in_rounds(d, r, kills):
    """Restarts and kills. One in five dies while it starts."""
    for _ in range(kills):
        if r.random() < 0.2:
            d.launch()
            time.sleep(r.uniform(0, 0.15) * SLOW)
        else:
            d.start()
            time.sleep(r.choice([r.uniform(0.02, 0.3), r.uniform(0.2, 1.5)]) * SLOW)
        assert d.process.poll() is None, f"oudpd ended by itself with {d.process.returncode}:\n{d.errors()[-3000:]}"
        d.kill()


def quarantine_notes(d):
    notes, after = set(), None
    while True:
        a = d.admin("GET", "/v1/feeds/air/quarantine" + web.query(limit=1000, after=after)).json()
        notes |= {json.loads(row["payload"])["note"] for row in a["rows"]}
        after = a["next"]
        if after is None:
            return notes


@pytest.mark.parametrize("round_", range((KILLS + 9) // 10))
def test_books_agree_after_kills(tmp_path_factory, round_):
    r = random.Random(SEED + round_)
    print(f"CRASH_SEED={SEED} round {round_}")
    d = daemon.Daemon(tmp_path_factory.mktemp("crash"), {"air": feed("city/air/{thing}", quarantine_max=1000000)})
    load = subprocess.Popen([sys.executable, os.path.join(HERE, "load.py"), str(d.mqtt_port), f"r{round_}",
                             str(CONNECTIONS), str(WINDOW), str(RATE), str(30 * SLOW)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    subscriber = Subscriber(d)
    subscriber.start()
    try:
        kill_in_rounds(d, r, min(10, KILLS - 10 * round_))
        d.start()
        books = json.loads(load.communicate()[0])
        complaints = [f"connection {b['k']}: {c}" for b in books for c in b["complaints"]]
        assert not complaints, complaints
        assert not any(b["open"] for b in books), "everything is answered in the end"
        sent = sum(b["sent"] for b in books)
        assert sent > 1000 * min(10, KILLS), f"only {sent} messages: that was no load"

        events = d.all_events("air")
        assert [int(e["sequence"]) for e in events] == list(range(1, len(events) + 1)), "sequences are dense"
        notes = [e["data"]["note"] for e in events]
        seen = set(notes)
        expected = {f"r{round_}-{b['k']}-{n}" for b in books for n in range(1, b["sent"] + 1) if n % 97}
        assert len(notes) == len(seen), f"{len(notes) - len(seen)} messages are there more than once"
        assert not expected - seen, f"acknowledged and lost: {sorted(expected - seen)[:10]}"
        assert seen == expected
        refused = {f"r{round_}-{b['k']}-{n}" for b in books for n in range(97, b["sent"] + 1, 97)}
        assert refused == quarantine_notes(d)

        deadline = time.monotonic() + 20 * SLOW
        while len(subscriber.books) < len(notes) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not subscriber.complaints, subscriber.complaints[:5]
        assert subscriber.books == notes, "the subscriber has seen each once, and what is kept"
        lost = sum(b["lost"] for b in books)
        print(f"{sent} messages, {len(notes)} stored, {lost} broken connections, "
              f"{sum(b['duplicates'] for b in books)} resent after a lost answer, resumed {subscriber.resumed} times")
        assert subscriber.resumed > 1 and lost > 0
        d.stop()
    finally:
        subscriber.stopping = True
        load.kill()
        subscriber.join()
        d.kill()
