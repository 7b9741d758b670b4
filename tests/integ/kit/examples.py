"""The examples of README.md and the manual pages, as who reads them would copy them."""
import datetime
import glob
import os
import re

from .daemon import TOP

PROGRAMS = ("oudp", "oudpd", "oudp-connect", "curl", "mosquitto_pub", "mosquitto_sub", "sudo", "ssh", "install", "make", "head",
            "python3", "build/release/oudp-connect")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def shown(line):
    """What mandoc shows of a line of a display."""
    return re.sub(r"^\\&", "", line).replace("\\e", "\\").replace("\\(aq", "'").replace("\\-", "-")


def blocks_of_page(text):
    """Texts of .Bd -literal and of .Dl."""
    out, block = [], None
    for line in text.splitlines():
        if line.startswith(".Bd "):
            assert "-literal" in line, line
            block = []
        elif line == ".Ed":
            out.append("\n".join(block))
            block = None
        elif block is not None:
            block.append(shown(line))
        elif line.startswith(".Dl "):
            out.append(shown(line[4:]))
    return out


def blocks_of_readme(text):
    """Indented blocks, and code within a line that is a command; not of what is said to be missing."""
    text = re.sub(r"^Not there yet: .*?\n\n", "\n", text, flags=re.M | re.S)
    out = ["\n".join(x[4:] for x in b.splitlines()) for b in re.findall(r"(?:^    \S.*\n)+", text, re.M)]
    return out + [re.sub(r"\s+", " ", c) for c in re.findall(r"`([^`]+)`", text) if c.split()[0] in PROGRAMS and " " in c]


def is_command(block):
    return block.split()[0] in PROGRAMS


def commands(block):
    """Lines that go on with a backslash or a bar are one."""
    return [c.rstrip() for c in re.sub(r"(\\|\|)\n\s*", lambda m: "" if m[1] == "\\" else "| ", block).splitlines() if c.strip()]


def all_blocks():
    """(page, text) of each."""
    for path in [os.path.join(TOP, "README.md"), *sorted(glob.glob(os.path.join(TOP, "man", "*.[1578]")))]:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for block in blocks_of_readme(text) if path.endswith(".md") else blocks_of_page(text):
            yield os.path.basename(path), block


def inline_commands():
    """(page, words) of commands that stand within a sentence."""
    for path in sorted(glob.glob(os.path.join(TOP, "man", "*.[1578]"))):
        with open(path, encoding="utf-8") as f:
            for words in re.findall(r"^\.Ql (oudp [a-z].*?)(?: [.,:;)]+)?$", f.read(), re.M):
                yield os.path.basename(path), words.replace(" Fl -", " --").replace(" Ar ", " ").replace(" ---", " --")


def of_today(text):
    """Times as if the newest of them were a minute ago."""
    times = [datetime.datetime.fromisoformat(t[:-1] + "+00:00") for t in TIME.findall(text)]
    if not times:
        return text
    shift = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1) - max(times)
    return TIME.sub(lambda m: (datetime.datetime.fromisoformat(m[0][:-1] + "+00:00") + shift).strftime("%Y-%m-%dT%H:%M:%SZ"), text)
