"""Identities, grants and the audit, as the command line makes and shows them."""
import base64
import re

from kit import web


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


def must(d, *arguments, **options):
    done = d.oudp(*arguments, **options)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def add_key(d, name, organisation="vendor"):
    text = must(d, "identity", "add", name, "--organisation", organisation, "--key")
    return re.search(r"^oudp_[A-Za-z0-9_-]{43}$", text, re.M).group(0)


def grant(d, feed_name, rights, **options):
    arguments = [x for k, v in options.items() for x in ("--" + k, str(v))]
    text = must(d, "grant", "add", feed_name, "--rights", rights, *arguments)
    return re.search(r"grant (\d+)", text).group(1)


def audit(d):
    return [web.json.loads(x) for x in must(d, "audit", "list", "--json").splitlines()]
