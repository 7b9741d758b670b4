"""Programs of npm and a browser for tests that can do without: fetched once into build/, else the test skips with a word."""
import os
import shutil
import subprocess

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
NODE = os.path.join(TOP, "build", "node")


def module(*names):
    """The directory that holds node_modules/ with these packages."""
    missing = [n for n in names if not os.path.isdir(os.path.join(NODE, "node_modules", n))]
    if missing:
        if not shutil.which("npm") or not shutil.which("node"):
            pytest.skip("npm and node are not there")
        os.makedirs(NODE, exist_ok=True)
        try:
            p = subprocess.run(["npm", "install", "--prefix", NODE, "--no-audit", "--no-fund", "--ignore-scripts", *missing],
                               capture_output=True, text=True, timeout=100, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not answer in time")
        if p.returncode:
            pytest.skip(f"npm could not install {missing}: {p.stderr.strip().splitlines()[-1:]}")
    return NODE


def browser():
    """The path of Debian's Chromium."""
    if not shutil.which("chromium"):
        try:
            subprocess.run([os.path.join(TOP, ".ci", "install"), "browser"], capture_output=True, timeout=100, check=False)
        except subprocess.TimeoutExpired:
            pass
    return shutil.which("chromium") or pytest.skip("chromium is not there and could not be installed")
