"""Decoders of devices (connectors/decoders): frames of tests/vectors/device-decoders.tsv, whose members were worked out by
hand from the makers' descriptions; any bytes give members or a refusal in words; how a block chooses one."""
import base64
import glob
import json
import os
import random
import subprocess

import pytest

from kit.connect import CONNECT, FOLDER
from kit.daemon import TOP

NAMES = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(FOLDER, "decoders/*.jq")))
ARGUMENTS = {"decentlab": ["DL-CTD10", "DL-IAM", "DL-TP", "DL-PR26 pmin=0 pmax=3", "DL-5TM", "DL-BLG", "DL-ZN2", "DL-DLR2-008",
                           "DL-KL66 f0=1 k=1", "DL-SDD", "DL-ATM41G2"], "dragino": ["LHT65", "LDDS75", "LSE01"],
             "yobiiq": ["EM4301", "SD1001"],
             "milesight": ["", "AM319", "WS301", "EM500-CO2"]}


def vectors():
    with open(os.path.join(TOP, "tests/vectors/device-decoders.tsv"), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]


def uplink(frame, port, **more):
    return {"end_device_ids": {"device_id": "d", "application_ids": {"application_id": "app"}, "dev_eui": "70B3D57ED0000001"},
            "received_at": "2026-11-30T12:00:00Z", "uplink_message": {"f_port": port, "frm_payload": base64.b64encode(frame).decode(), **more}}


def run(folder, rules, uplinks, settings=""):
    conf = os.path.join(str(folder), "connect.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f'connector-dir = "{FOLDER}"\ntarget "t" {{ }}\nconnector "c" {{\n\tsource = file\n\tpath = "x"\n\tdecoder = ndjson\n'
                f'\tmapping = "lorawan-tts/mapping.jq"\n\tsettings = {{ {settings} }}\n'
                f'\tdevice-decoders = {{ {", ".join(json.dumps(r) for r in rules)} }}\n}}\n')
    return subprocess.run([CONNECT, "-f", conf, "--filter", "c"], input="".join(json.dumps(u) + "\n" for u in uplinks),
                          capture_output=True, text=True, timeout=120, check=False)


def values(p):
    out = {}
    for line in p.stdout.splitlines():
        d = json.loads(line)["payload"]
        if d["refDevice"] != "d":
            d["controlledProperty"] += "@" + d["refDevice"][2:]
        out.update({"battery": d["batteryLevel"]} if "batteryLevel" in d else
                   {d["controlledProperty"]: [round(d["numValue"], 4), d["unit"]] if "unit" in d else round(d["numValue"], 4)})
        if "location" in d:
            out["location"] = d["location"]["coordinates"]
    return out


@pytest.mark.parametrize("row", vectors(), ids=lambda r: f"{r[0]}-{r[2][:12]}")
def test_frames(row, tmp_path):
    rule, port, frame, expected = row
    p = run(tmp_path, ["*=" + rule], [uplink(bytes.fromhex(frame), int(port))])
    if expected.startswith("{"):
        assert values(p) == json.loads(expected), p.stderr
    else:
        assert p.stdout == "" and expected in p.stderr, p


def test_every_decoder_has_vectors():
    assert set(NAMES) == {r[0].split(" ", maxsplit=1)[0] for r in vectors()}


@pytest.mark.parametrize("rule", [f"{n} {a}".strip() for n in NAMES for a in ARGUMENTS.get(n, [""])])
def test_any_bytes(rule, tmp_path):
    """Nothing that a device sends is more than one refused frame."""
    dice = random.Random(rule)
    good = [bytes.fromhex(r[2]) for r in vectors() if r[0].split(" ", maxsplit=1)[0] == rule.split(" ", maxsplit=1)[0]]
    frames = [g[:n] for g in good for n in range(1, len(g))] + [bytes(dice.randrange(256) for _ in range(dice.randrange(1, 60)))
                                                               for _ in range(300)]
    for g in good:
        for _ in range(20):
            at = dice.randrange(len(g))
            frames.append(g[:at] + bytes([dice.randrange(256)]) + g[at + 1:])
    p = run(tmp_path, ["*=" + rule], [uplink(f, dice.choice([1, 2, 3, 85])) for f in frames])
    assert "cannot be mapped" not in p.stderr and p.returncode in (0, 1), p.stderr[-2000:]
    for line in p.stdout.splitlines():
        json.loads(line)


def test_the_first_rule_that_fits_one_of_the_names(tmp_path):
    frame, port = bytes.fromhex("0100e2"), 5
    for rules, other in [(["x*=cayenne", "d=elsys", "*=cayenne"], {}), (["70B3D57E*=elsys"], {}), (["app=elsys"], {}),
                         (["elsys/ers-*=elsys"], {"version_ids": {"brand_id": "elsys", "model_id": "ers-co2"}})]:
        u = uplink(frame, port, **other)
        assert values(run(tmp_path, rules, [u])) == {"temperature": [22.6, "Cel"]}, rules
    p = run(tmp_path, ["other=elsys"], [uplink(frame, port)])
    assert p.stdout == "" and "the frame is not decoded" in p.stderr


def test_what_the_network_server_decoded_is_taken_first(tmp_path):
    p = run(tmp_path, ["*=elsys"], [uplink(bytes.fromhex("0100e2"), 5, decoded_payload={"humidity": 40})])
    assert values(p) == {"humidity": [40, "%"]}


def test_ones_own_decoder(tmp_path):
    own = tmp_path / "own.jq"
    own.write_text('include "bytes"; if .port != 7 then empty elif .argument != "b" then error("no argument") else\n'
                   '{temperature: float32(0), humidity: unsigned_le(4; 2), level: {value: bits(48; 4), unit: "cm"},\n'
                   ' co2: bits(52; 12), lamax: float32_le(8), name: text(12; 3), id: hex(14; 2), contact: bit(0; 6)} end')
    frame = bytes.fromhex("41ac0000" "2a00" "5190" "0000c842" "616200")
    p = run(tmp_path, [f"d={own} b"], [uplink(frame + b"\x00\xff", 7)])
    assert values(p) == {"temperature": [21.5, "Cel"], "humidity": [42, "%"], "waterLevel": [0.05, "m"], "co2": [0x190, "[ppm]"],
                         "LAmax": [100, "dB"], "contact": [1, "1"]}, p.stderr
    for port, rule, words in [(8, f"d={own} b", "the decoder own: it does not know this frame"), (7, f"d={own}", "the decoder own: no argument")]:
        p = run(tmp_path, [rule], [uplink(frame, port)])
        assert p.stdout == "" and words in p.stderr
    p = run(tmp_path, [f"d={own} b"], [uplink(frame[:6], 7)])
    assert p.stdout == "" and "the frame is too short" in p.stderr


@pytest.mark.parametrize("rule,words", [("d", "PATTERN=NAME"), ("=elsys", "PATTERN=NAME"), ("d=", "PATTERN=NAME"),
                                        ("d=nosuch", "no such decoder of devices"), ("d=./broken.jq", "syntax error")])
def test_a_rule_that_cannot_be_is_said(rule, words, tmp_path):
    (tmp_path / "broken.jq").write_text("{")
    p = run(tmp_path, [rule], [])
    assert p.returncode == 2 and words in p.stderr, p


@pytest.mark.parametrize("text,words", [("AQDiA", "is not base64"), ("AQ!i", "is not base64"), ("A" * 3000, "is not base64, or too long")])
def test_a_frame_that_is_no_text_of_bytes(text, words, tmp_path):
    u = uplink(b"", 5)
    u["uplink_message"]["frm_payload"] = text
    p = run(tmp_path, ["*=elsys"], [u])
    assert p.stdout == "" and words in p.stderr, p
