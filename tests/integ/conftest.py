"""Fixtures: `broker` is shared by the tests of a module, `own` makes daemons for one test alone."""
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import daemon as kit_daemon  # noqa: E402

names = itertools.count()


@pytest.fixture(scope="module")
def broker(request, tmp_path_factory):
    """Tests of the module may set FEEDS and OPTIONS. Each test must be content with what others left behind."""
    d = kit_daemon.Daemon(tmp_path_factory.mktemp("broker"), getattr(request.module, "FEEDS", None),
                          **getattr(request.module, "OPTIONS", {}))
    d.start()
    try:
        yield d
        d.stop()
    finally:
        d.kill()


@pytest.fixture(autouse=True)
def still_alive(request):
    """A test that ends the shared daemon fails itself, and the next test gets a new one."""
    yield
    d = request.node.funcargs.get("broker") if hasattr(request.node, "funcargs") else None
    if d and d.process and d.process.poll() is not None:
        status, errors = d.process.returncode, d.errors()
        d.start()
        pytest.fail(f"oudpd ended with {status}:\n{errors[-6000:]}")


@pytest.fixture
def own(tmp_path):
    """own(feeds=..., ...) gives a Daemon, not started, with a directory of its own."""
    made = []

    def make(*args, **options):
        d = kit_daemon.Daemon(tmp_path / f"d{len(made)}", *args, **options)
        made.append(d)
        return d

    yield make
    try:
        for d in made:
            d.stop()
    finally:
        for d in made:
            d.kill()


@pytest.fixture
def name():
    """A word that no other test uses: for client ids, things and topics."""
    return f"t{os.getpid()}-{next(names)}"


@pytest.fixture(params=[5, 4], ids=["v5", "v311"])
def version(request):
    return request.param
