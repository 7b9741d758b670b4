"""Local clocks and the pieces that a period cuts time into, beside Python's zoneinfo: every zone there is, around the
moments when clocks change and at random ones."""
import datetime
import os
import random
import subprocess
import zoneinfo

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOL = os.path.join(TOP, "build/release/tools/pieces")
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
NAIVE = datetime.datetime(1970, 1, 1)
SECOND = datetime.timedelta(seconds=1)
LONG = ["PT2H", "PT6H", "PT12H", "PT36H", "P1D", "P2D", "P1W", "P1M", "P3M", "P1Y"]
SHORT = ["PT5M", "PT15M", "PT1H"]
LENGTH = {"PT2H": 7200, "PT6H": 21600, "PT12H": 43200, "PT36H": 129600, "PT5M": 300, "PT15M": 900, "PT1H": 3600}


def offset(zone, t):
    """Seconds east of UTC at t seconds."""
    return int((EPOCH + t * SECOND).astimezone(zone).utcoffset().total_seconds())


def first_shown(zone, local):
    """When a clock first shows the naive time; the change itself when it never does."""
    at = local.replace(tzinfo=zone, fold=0)
    t = int((at.astimezone(UTC) - EPOCH).total_seconds())
    if (EPOCH + t * SECOND).astimezone(zone).replace(tzinfo=None) == local:
        return t
    low, high = t - 86400 * 2, t  # the clocks went forward between
    while offset(zone, low) != offset(zone, low + 86400):
        low -= 86400
    before = offset(zone, low)
    assert before != offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def beginnings(zone, period, t):
    """Naive local times of beginnings around t."""
    local = NAIVE + (t + offset(zone, t)) * SECOND
    if period in LENGTH:
        n = LENGTH[period]
        k = int((local - NAIVE).total_seconds()) // n
        return [NAIVE + (k + i) * n * SECOND for i in range(-3, 4)]
    n, unit = int(period[1:-1]), period[-1]
    if unit in "DW":
        day = (local.date() - datetime.date(1970, 1, 1)).days
        n *= 7 if unit == "W" else 1
        shift = 3 if unit == "W" else 0
        k = (day + shift) // n
        return [NAIVE + datetime.timedelta(days=(k + i) * n - shift) for i in range(-3, 4)]
    n *= 12 if unit == "Y" else 1
    k = (local.year * 12 + local.month - 1) // n
    return [datetime.datetime((k + i) * n // 12, (k + i) * n % 12 + 1, 1) for i in range(-3, 4)]


def piece_long(zone, period, t):
    starts = sorted({first_shown(zone, b) for b in beginnings(zone, period, t)})
    return max(s for s in starts if s <= t), min(s for s in starts if s > t)


def piece_short(zone, period, t):
    n = LENGTH[period]

    def begins(u):
        return (u + offset(zone, u)) % n == 0 or (offset(zone, u) - offset(zone, u - 1)) % n != 0

    step = 30  # every change since 1972 was at a whole half minute
    begin = t - t % step
    while not begins(begin):
        begin -= step
    end = t - t % step + step
    while not begins(end):
        end += step
    return begin, end


def ask(lines):
    out = subprocess.run([TOOL], input="".join(f"{z} {p} {t}\n" for z, p, t in lines), capture_output=True, text=True,
                         check=True, timeout=60)
    return out.stdout.splitlines()


def changes(zone, year):
    t = int((datetime.datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    out = []
    for day in range(366):
        low, high = t + day * 86400, t + (day + 1) * 86400
        if offset(zone, low) != offset(zone, high):
            before = offset(zone, low)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
            out.append(high)
    return out


def test_every_zone_and_period():
    rng = random.Random(7)
    names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    assert len(names) > 400
    lines, expected = [], []
    often = ["Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu",
             "Pacific/Apia", "Africa/Casablanca", "America/Godthab", "Asia/Gaza", "Europe/Dublin"]
    for name in names + often * 10:
        zone = zoneinfo.ZoneInfo(name)
        moments = [rng.randrange(86400 * 1000, 86400 * 365 * 110) for _ in range(2)]
        for change in changes(zone, rng.randrange(1973, 2075))[:2]:
            moments += [change - 1, change, change + rng.randrange(-90000, 90000)]
        for t in moments:
            period = rng.choice(LONG + SHORT)
            begin, end = (piece_long if period in LONG else piece_short)(zone, period, t)
            lines.append((name, period, t * 1000))
            expected.append((name, period, t, offset(zone, t), begin, end))
    wrong = []
    for answer, e in zip(ask(lines), expected):
        got = answer.split()
        if [int(got[i]) for i in (0, 1, 3, 4)] != [e[2] * 1000, e[3] * 1000, e[4] * 1000, e[5] * 1000]:
            wrong.append((e, answer))
        local = (EPOCH + e[2] * SECOND).astimezone(zoneinfo.ZoneInfo(e[0])).isoformat()
        if e[3] % 60 == 0 and got[2].replace("Z", "+00:00") != local:
            wrong.append((e, answer))
    assert not wrong, wrong[:5]
    assert len(expected) > 2000


def test_a_year_of_days_in_amsterdam():
    zone = zoneinfo.ZoneInfo("Europe/Amsterdam")
    t = first_shown(zone, datetime.datetime(2026, 1, 1))
    lengths = []
    while t < first_shown(zone, datetime.datetime(2027, 1, 1)):
        answer = ask([("Europe/Amsterdam", "P1D", t * 1000)])[0].split()
        assert int(answer[3]) == t * 1000
        lengths.append(int(answer[4]) // 1000 - t)
        t = int(answer[4]) // 1000
    assert len(lengths) == 365
    assert (lengths.count(23 * 3600), lengths.count(25 * 3600)) == (1, 1)


def test_what_is_no_zone_or_period():
    for zone, period in (("../etc/passwd", "P1D"), ("/etc/passwd", "P1D"), ("Europe/Nergenshuizen", "P1D"),
                         ("Europe", "P1D"), ("Europe/", "P1D"), (".", "P1D"), ("posixrules/..", "P1D"),
                         ("UTC", "P"), ("UTC", "PT"), ("UTC", "1D"), ("UTC", "P1H"), ("UTC", "PT1D"), ("UTC", "P1DT1H"),
                         ("UTC", "P0D"), ("UTC", "P-1D"), ("UTC", "P1.5D"), ("UTC", "PT1S1M"), ("UTC", "P1M1M"),
                         ("UTC", "P101Y"), ("UTC", "PT0.0001S"), ("UTC", "PT99999999999999999999S"), ("UTC", "p1d")):
        assert ask([(zone, period, 0)])[0].startswith("error "), (zone, period)
