"""A thousand invented people go through checks that fail, and nothing shows any of them.

Every surname, forename, site and reference holds one of a few stems found nowhere else, so that one
search finds them all, in the forms in which text hides; dates, numbers and unkeyed hashes are
compared word by word.
"""

import base64
import contextlib
import datetime as dt
import errno
import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import urllib.parse
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import engine.submission.check as check_module
import engine.submission.workbook as workbook_module
from cli.main import app
from engine.identifiers import check_letter
from engine.submission.sandbox import Sandbox
from tests.engine.submission.support import parquet_file, repacked, text, xlsx_file, zip_file

ROOT = Path(__file__).resolve().parents[3]
STEMS = ("Qxvorthbelmik", "Zblenkarrumst", "Vjaskrupolend")
HEADS = ["Surname", "Forename", "DOB", "Sex", "PNC", "Prison No", "Start date", "End date", "Ref"]


def letters(i):
    return "".join(chr(97 + (i // 26**k) % 26) for k in range(3))


def person(i):
    born = dt.date(1951, 1, 5) + dt.timedelta(13 * i)
    start = dt.date(2018, 1, 9) + dt.timedelta(i)
    serial = 1_700_000 + 37 * i
    return [
        f"{STEMS[0]}{letters(i)}",
        f"{STEMS[1]}{letters(i)}",
        born.strftime("%d/%m/%Y"),
        "MF"[i % 2],
        f"02/{serial}{check_letter(int(f'02{serial:07d}'))}",
        f"Q{7000 + i}VJ",
        start.strftime("%d/%m/%Y"),
        (start + dt.timedelta(50)).strftime("%d/%m/%Y"),
        f"{STEMS[2]}{i}",
    ]


PEOPLE = [person(i) for i in range(1_000)]


def words_of(row):
    """Yield the words that stand for a person: numbers, dates in six formats, in the forms in which
    text hides, and unkeyed hashes."""
    born = dt.datetime.strptime(row[2], "%d/%m/%Y").replace(tzinfo=dt.UTC)
    dates = [
        born.strftime(form) for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d")
    ]
    dates.append(str((born.date() - dt.date(1899, 12, 30)).days))
    for value in (*dates, *row[4:6], row[0], row[1], row[8]):
        yield from (value, value.upper(), value.lower(), value[::-1], value.encode().hex())
        yield base64.b64encode(value.encode()).decode().rstrip("=")
        for name in ("md5", "sha1", "sha256"):
            yield hashlib.new(name, value.encode()).hexdigest()


WORDS = {word for row in PEOPLE for word in words_of(row)}


def stems():
    for stem in STEMS:
        yield from (stem, stem.upper(), stem.lower(), stem[::-1], urllib.parse.quote(stem))
        yield stem.encode().hex()
        yield stem.encode("utf-16-le").decode("latin-1")
        for shift in range(3):
            yield base64.b64encode(b"\0" * shift + stem.encode()).decode()[4:-4]


NEEDLES = sorted(set(stems()))


def found_in(content):
    plain = content.decode("utf-8", "replace") + "\n" + content.decode("latin-1")
    words = set(re.findall(r"[\w/.-]+", plain))
    words |= {word.strip(".-/") for word in words}
    return [n for n in NEEDLES if n in plain] + sorted(words & WORDS)


def opened(path):
    """Return the bytes of a file, with the entries of an archive unpacked."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data += b"\n".join(archive.read(name) for name in archive.namelist())
    return data


def spoilt(place, value, every=1):
    return [
        [*row[:place], value(row) if callable(value) else value, *row[place + 1 :]]
        if i % every == 0
        else row
        for i, row in enumerate(PEOPLE)
    ]


GOOD = text(PEOPLE, HEADS)
BOOK = xlsx_file({"People": [HEADS, *PEOPLE]})
PARQUET = parquet_file(PEOPLE, HEADS)
NAME = PEOPLE[7][0]
# What goes in and the exit codes that are right.
FAILURES = {
    "no-heads": (GOOD.split("\r\n", 1)[1], {65}),
    "names-in-the-heads": (text(PEOPLE, [*HEADS[:8], NAME]), {0}),
    "name-as-every-head": (text(PEOPLE, PEOPLE[0]), {65}),
    "birth-is-a-name": (text(spoilt(2, lambda r: r[0], 7), HEADS), {0}),
    "birth-impossible": (text(spoilt(2, lambda r: "31/02" + r[2][5:], 7), HEADS), {0}),
    "birth-in-two-orders": (
        text(spoilt(2, lambda r: f"{r[2][3:5]}/{r[2][:2]}{r[2][5:]}", 2), HEADS),
        {0},
    ),
    "start-is-a-name": (text(spoilt(6, lambda r: r[1], 3), HEADS), {0}),
    "end-before-start": (text(spoilt(7, "05/05/2011"), HEADS), {65}),
    "gender-is-a-name": (text(spoilt(3, lambda r: r[0]), HEADS), {65}),
    "number-is-a-name": (text(spoilt(4, lambda r: r[0]), HEADS), {0}),
    "number-letter-wrong": (text(spoilt(4, lambda r: r[4][:-1] + "A"), HEADS), {0}),
    "numbers-in-wrong-columns": (text(spoilt(4, lambda r: r[5]), HEADS), {0}),
    "number-of-everybody": (text(spoilt(4, PEOPLE[0][4]), HEADS), {0}),
    "name-is-a-formula": (text(spoilt(0, lambda r: f"={r[0]}", 9), HEADS), {0}),
    "name-is-markup": (text(spoilt(0, lambda r: f"<b>{r[0]}</b>", 9), HEADS), {0}),
    "names-too-long": (text(spoilt(0, lambda r: r[0] * 50, 9), HEADS), {0}),
    "everybody-twice": (text([*PEOPLE, *PEOPLE], HEADS), {0}),
    "one-person-many-times": (text([PEOPLE[5]] * 100, HEADS), {65}),
    "too-wide": (GOOD.replace(NAME, f"{NAME},{NAME}"), {0}),
    "open-quotation-mark": (GOOD.replace(NAME, f'"{NAME}'), {0, 65}),
    "nul": (GOOD.replace(NAME, f"{NAME}\0"), {65}),
    "not-utf-8": (GOOD.replace("vorth", "v\xf6rth").encode("cp1252"), {0}),
    "utf-16": (GOOD.encode("utf-16")[:-3], {0}),
    "pdf": (b"%PDF-1.7\n" + GOOD.encode(), {65}),
    "gzip": (gzip.compress(GOOD.encode()), {65}),
    "zip-of-csv": (zip_file({f"{NAME}.csv": GOOD}), {65}),
    "cut-workbook": (BOOK[:-300], {65}),
    "damaged-sheet": (
        repacked(BOOK, {"xl/worksheets/sheet1.xml": lambda old: old[: len(old) // 2]}),
        {0, 65},
    ),
    "strings-missing": (repacked(BOOK, {"xl/sharedStrings.xml": lambda _: b"<sst"}), {65}),
    "two-tables": (xlsx_file({"A": [HEADS, *PEOPLE], NAME: [HEADS, *PEOPLE]}), {65}),
    "cut-parquet": (PARQUET[:-100], {65}),
    "damaged-parquet": (PARQUET[:200] + b"\xff" * 400 + PARQUET[600:], {65}),
    "web-page": (f"<html><td>{NAME}</td></html>", {65}),
}


def left_behind(folder, source):
    return [path for path in folder.rglob("*") if path != source]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_check_shows_nobody(tmp_path, monkeypatch, failure):
    content, codes = FAILURES[failure]
    source = tmp_path / "people.csv"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    for options in (["--problems", "out.xlsx"], ["--json"]):
        result = CliRunner().invoke(app, ["check", "people.csv", *options])
        assert result.exit_code in codes, result.output[:500]
        assert found_in(result.output.encode()) == []
        assert "Traceback" not in result.output
        assert "Internal error" not in result.output
    left = left_behind(tmp_path, source)
    assert [path.name for path in left] == ["out.xlsx"]
    assert found_in(opened(left[0])) == []
    assert left[0].stat().st_mode & 0o077 == 0


def raising(error):
    def fail(*_arguments, **_options):
        raise error

    return fail


FAULTS = {
    "unexpected": (check_module, "find_people", ValueError(f"bad cell {NAME}"), 70),
    "key": (check_module, "read_people", KeyError(NAME), 70),
    "memory": (check_module, "read_people", MemoryError(), 74),
    "disk-full": (workbook_module.os, "fsync", OSError(errno.ENOSPC, NAME), 74),
    "no-process": (Sandbox, "_running", OSError(errno.EAGAIN, NAME), 74),
    "permission": (check_module, "first_bytes", PermissionError(errno.EACCES, NAME), 77),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_program_shows_nobody(tmp_path, monkeypatch, fault):
    where, name, error, code = FAULTS[fault]
    (tmp_path / "people.csv").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(where, name, raising(error))
    result = CliRunner().invoke(app, ["check", "people.csv", "--problems", "out.xlsx"])

    assert result.exit_code == code, result.output
    assert found_in(result.output.encode()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]


def test_a_killed_check_leaves_nothing(tmp_path):
    (tmp_path / "people.xlsx").write_bytes(BOOK)
    for delay in (0.2, 0.6, 1.0):
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-c", "from cli.start import run; run()"),
                *("check", "people.xlsx", "--problems", "out.xlsx"),
            ],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        assert found_in(output) == []
        left = left_behind(tmp_path, tmp_path / "people.xlsx")
        assert [path.name for path in left if path.name != "out.xlsx"] == []
        for path in left:
            assert found_in(opened(path)) == []
            path.unlink()


def test_the_search_finds_what_it_looks_for():
    row = PEOPLE[41]
    for value in (row[0], row[2], row[4], row[5], row[8]):
        assert found_in(f'{{"x": "{value}"}}'.encode())
        assert found_in(hashlib.sha256(value.encode()).hexdigest().encode())
        assert found_in(f"x={base64.b64encode(value.encode()).decode()}".encode())
        assert found_in(f"[{value.encode().hex()}]".encode())
    assert found_in(row[0].encode("utf-16"))
    assert found_in(base64.b64encode(f"before {row[0]} after".encode()))
    assert found_in(row[0].encode().hex().encode())
    assert not found_in(b'{"row": 41, "column": "date_of_birth", "repair": "25/12/1980"}')
    assert len(FAILURES) >= 30
    assert len({row[0] for row in PEOPLE}) == 1_000
