"""kill -9 while several write over HTTP, over and over: the frame of the tests that look at what is there afterwards."""
import json
import random
import threading
import time

from kit import web


def written(d, method, path, body):
    """The answer, None where the daemon died under it."""
    try:
        return web.request(d.web_port, method, path, json.dumps(body), {"Content-Type": "application/json"}, timeout=5)
    except Exception:  # a half answer, or none  pylint: disable=broad-except
        return None


def lives(d, n, write, seed, writers=3, longest=.5):
    """n lives: write(life, writer, k) is called with k = 1, 2, ... by each writer until it says False or the daemon dies; then it starts again."""
    r = random.Random(seed)
    for life in range(n):
        stop = threading.Event()

        def go(w, life=life, stop=stop):
            k = 1
            while not stop.is_set() and write(life, w, k) is not False:
                k += 1
        threads = [threading.Thread(target=go, args=(w,)) for w in range(writers)]
        for t in threads:
            t.start()
        time.sleep(r.uniform(.05, longest))
        d.kill()
        stop.set()
        for t in threads:
            t.join()
        d.start()
        yield life
