"""No person's data reach the terminal or a file when things fail.

A hundred invented people with names, dates of birth and numbers found nowhere else go through the
command; every run here is refused or breaks, and everything it printed or left behind is searched
for each of them in the forms in which text hides: capitals, reversed, hexadecimal, base64, UTF-16
and unkeyed hashes.
"""

import base64
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = [
    {
        "id": f"2001/07{i:05d}Q",
        "name": f"Qx{chr(97 + i % 26)}vorth{i:03d} Blenk{chr(97 + i // 26)}ipp",
        "born": f"19{50 + i % 50}-{1 + i % 12:02d}-{11 + i % 17}T{i:03d}",
        "treated": int(i % 3 == 0),
        "age": 18 + (i * 7) % 50,
        "sex": "MF"[i % 2],
        "returned": int(i % 4 == 0),
    }
    for i in range(100)
]
COLUMNS = list(PEOPLE[0])
SECRETS = [str(p[c]) for p in PEOPLE for c in ("id", "name", "born")]


def forms(text):
    yield from (text, text.upper(), text.lower(), text[::-1])
    raw = text.encode()
    yield raw.hex()
    # the middle of a base64 text does not depend on what stands around the word
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + raw).decode()[4:-4]
    for name in ("md5", "sha1", "sha256"):
        yield hashlib.new(name, raw).hexdigest()


NEEDLES = sorted(
    {f for text in SECRETS for f in forms(text)} | {p["name"].split()[0] for p in PEOPLE}
)


def found_in(content):
    texts = [content.decode("utf-8", "replace"), content.decode("utf-16-le", "replace")]
    return [needle for needle in NEEDLES if any(needle in text for text in texts)]


def csv_text(people=PEOPLE, columns=COLUMNS, delimiter=","):
    rows = [columns, *([str(p[c]) for c in columns] for p in people)]
    return "".join(f"{delimiter.join(row)}\n" for row in rows)


def spoilt(column, place, value):
    return [{**p, column: value} if i == place else p for i, p in enumerate(PEOPLE)]


def damaged_parquet():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(PEOPLE), sink, compression="none", use_dictionary=False)
    raw = bytearray(sink.getvalue().to_pybytes())
    raw[4:60] = b"\xff" * 56
    return bytes(raw)


GOOD = csv_text()
NAME = PEOPLE[41]["name"]
BASE = ("--treatment", "treated", "--covariates", "age,sex", "--id", "id")
# What goes in, the options, and the exit codes that are right.
FAILURES = {
    "score-is-text": (GOOD, (*BASE, "--score", "name"), {65}),
    "number-column-with-a-name": (csv_text(spoilt("age", 41, NAME)), BASE, {65}),
    "score-with-a-name": (csv_text(spoilt("age", 41, NAME)), (*BASE, "--score", "age"), {65}),
    "treatment-is-text": (GOOD, ("--treatment", "name", "--covariates", "age"), {65}),
    "treated-value-absent": (GOOD, (*BASE, "--treated", "elsewhere"), {65}),
    "treatment-with-a-name": (csv_text(spoilt("treated", 3, NAME)), BASE, {65}),
    "treatment-empty-cell": (csv_text(spoilt("treated", 3, "")), BASE, {65}),
    "id-twice": (csv_text(spoilt("id", 3, PEOPLE[4]["id"])), BASE, {65}),
    "id-empty": (csv_text(spoilt("id", 3, "")), BASE, {65}),
    "covariate-empty-cell": (csv_text(spoilt("age", 3, "")), BASE, {65}),
    "outcome-is-text": (GOOD, (*BASE, "--outcome", "name:binary"), {65}),
    "outcome-is-date": (GOOD, (*BASE, "--outcome", "born:time"), {65}),
    "outcome-type-unknown": (GOOD, (*BASE, "--outcome", "returned:maybe"), {2}),
    "caliper-on-text": (GOOD, (*BASE, "--covariate-caliper", "name 2"), {2, 65}),
    "mahalanobis-on-text": (
        GOOD,
        (*BASE, "--mahalanobis", "name", "--caliper", "1 logit"),
        {2, 65},
    ),
    "column-misspelt": (GOOD, (*BASE, "--exact", "nmae"), {65}),
    "no-header": (GOOD.split("\n", 1)[1], BASE, {65}),
    "uneven-line": (GOOD + f"{NAME},1\n", BASE, {65}),
    "too-many-cells": (GOOD + f"a,{NAME},c,1,2,M,0,{NAME}\n", BASE, {65}),
    "open-quotation-mark": (GOOD.replace(NAME, f'"{NAME}'), BASE, {65}),
    "nul-bytes": (GOOD.replace(NAME, f"{NAME}\0"), BASE, {65}),
    "zip-with-names": (b"PK\x03\x04" + GOOD.encode(), BASE, {65}),
    "damaged-parquet": (damaged_parquet(), BASE, {65}),
    "cut-parquet": (damaged_parquet()[:900], BASE, {65}),
    "everybody-treated": (csv_text([{**p, "treated": 1} for p in PEOPLE]), BASE, {65}),
    "radius-without-caliper": (GOOD, (*BASE, "--radius"), {2}),
}


def justice(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-P", "-c", "from cli.start import run; run()", *arguments],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_shows_nobody(tmp_path, failure):
    content, options, codes = FAILURES[failure]
    table = tmp_path / "table.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = justice(tmp_path, "match", "table.csv", *options, "--out", "out")

    assert result.returncode in codes, result.stderr.decode()
    assert found_in(result.stdout + result.stderr) == []
    assert b"Traceback" not in result.stderr
    left = [p for p in tmp_path.rglob("*") if p != table]
    assert [p.name for p in left if found_in(p.name.encode())] == []
    # a refused run leaves no figures behind
    assert [p.name for p in left if p.is_file()] == []


def excel(people=PEOPLE):
    """Write the people as a spreadsheet of a country with decimal commas does."""
    text = csv_text([{**p, "age": f"{p['age']},5"} for p in people], delimiter=";")
    return ("\ufeff" + text.replace("\n", ";;\r\n")).encode()


def dressed(form):
    return csv_text([{**p, "age": form.format(p["age"])} for p in people_of_means()])


def people_of_means():
    return [{**p, "age": 1000 + 7 * i} for i, p in enumerate(PEOPLE)]


COVARIATES = ("--treatment", "treated", "--covariates")
# Exports and slips of users: in one process, because there are many. 0 is a run that succeeds.
EXPORTS = {
    "excel": (excel(), BASE, {0}),
    "excel-name-as-covariate": (excel(), (*COVARIATES, "name,age"), {65}),
    "excel-utf-16-with-a-name-in-age": (
        csv_text(spoilt("age", 7, NAME), delimiter="\t").encode("utf-16"),
        BASE,
        {65},
    ),
    "windows-1252": (GOOD.replace("vorth", "v\xf6rth").encode("cp1252"), BASE, {0}),
    "name-as-category": (GOOD, (*COVARIATES, "age,name"), {65}),
    "birthday-as-category": (GOOD, (*COVARIATES, "age,born"), {65}),
    "id-as-category": (GOOD, (*COVARIATES, "age,id"), {65}),
    "names-exact": (GOOD, (*BASE, "--exact", "name"), {65}),
    "thousands": (dressed('"{:,}"'), BASE, {65}),
    "pounds": (dressed("\u00a3{}"), BASE, {65}),
    "per-cent": (dressed("{}%"), BASE, {65}),
    "space-that-does-not-break": (dressed("{}\u00a0"), BASE, {65}),
    "title-line": (f"{NAME},,,,,,\n" + GOOD, BASE, {65}),
    "totals-line": (GOOD + f"{NAME},,,{NAME},,,\n", BASE, {65}),
    "treated-yes": (GOOD, ("--treatment", "sex", "--covariates", "age"), {65}),
    "treated-is-a-name": (GOOD, (*BASE, "--treated", "2"), {65}),
    "header-twice": (GOOD.replace("returned", "age", 1), BASE, {65}),
    "line-end-in-a-name": (GOOD.replace(NAME, f'"{NAME[:9]}\n{NAME[9:]}"'), BASE, {0}),
    "quotation-mark-inside": (GOOD.replace(NAME, f'"{NAME[:9]}"{NAME[9:]}'), BASE, {0, 65}),
    "gzip": (gzip.compress(GOOD.encode()), BASE, {65}),
    "old-excel": (b"\xd0\xcf\x11\xe0" + GOOD.encode("utf-16-le"), BASE, {65}),
    "infinite-age": (csv_text(spoilt("age", 7, "inf")), BASE, {65}),
    "outcome-in-words": (
        csv_text([{**p, "returned": "yes" if p["returned"] else "no"} for p in PEOPLE]),
        (*BASE, "--outcome", "returned:binary"),
        {65},
    ),
    "no-rows": (csv_text([]), BASE, {65}),
    "one-row": (csv_text(PEOPLE[:1]), BASE, {65}),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_or_a_slip_shows_nobody(tmp_path, monkeypatch, export):
    content, options, codes = EXPORTS[export]
    table = tmp_path / "table.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["match", "table.csv", *options, "--out", "out"])

    assert result.exit_code in codes, result.output
    assert found_in(result.output.encode()) == []
    if result.exit_code == 0:
        return
    assert "Internal error" not in result.output
    # what, where, and the rule or the repair
    assert result.stderr.startswith("justicelab: ")
    assert result.stderr.count(". ") >= 1
    assert [p.name for p in tmp_path.rglob("*") if p.is_file() and p != table] == []


def test_an_output_folder_of_somebody_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "table.csv").write_text(GOOD)
    other = tmp_path / "out"
    other.mkdir(mode=0o700)
    (other / "letter.txt").write_text("mine")
    result = justice(tmp_path, "match", "table.csv", *BASE, "--out", "out")

    assert result.returncode in {73, 77}, result.stderr.decode()
    assert found_in(result.stdout + result.stderr) == []
    assert [p.name for p in other.iterdir()] == ["letter.txt"]


def test_the_search_finds_what_it_looks_for():
    for text in (NAME, NAME.upper(), NAME[::-1], NAME.encode().hex()):
        assert found_in(f"... {text} ...".encode())
    assert found_in(f"xx{NAME}".encode("utf-16-le"))
    assert found_in(base64.b64encode(f"some words before {NAME} and after".encode()))
    assert found_in(hashlib.sha256(NAME.encode()).hexdigest().encode())
    assert not found_in(b"nobody is here")
    assert len(set(SECRETS)) == 300
    assert np.unique([p["name"] for p in PEOPLE]).size == 100
