"""No person's data reach the terminal or a file when things fail.

A hundred invented people with names, dates of birth and numbers found nowhere else go through the
command; every run here is refused or breaks, and everything it printed or left behind is searched
for each of them in the forms in which text hides: capitals, reversed, hexadecimal, base64, UTF-16
and unkeyed hashes.
"""

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
        [sys.executable, "-P", "-c", "from cli.main import run; run()", *arguments],
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
