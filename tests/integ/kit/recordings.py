"""Recordings of public services and the examples of others are not part of the repository, for they are not ours to give:
who has them puts them beside it. What they showed is in tests/vectors and in tests of its own, and runs everywhere."""
import os

import pytest

from kit.daemon import TOP

FOLDER = os.path.join(TOP, "..", "shared", "payloads")


def folder(*parts):
    return os.path.join(FOLDER, *parts)


def needs(*parts):
    """The mark of a test that reads them."""
    path = folder(*parts)
    return pytest.mark.skipif(not os.path.exists(path), reason=f"not part of the repository: recordings of others, looked for in "
                              f"{os.path.relpath(path, TOP)}")
