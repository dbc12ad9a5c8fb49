"""The same match gives the same bytes: over threads, row orders, file formats and runs."""

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather

from engine.match import match
from tests.kernels.support import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="thousands of rows: only with the compiler")

ROOT = Path(__file__).parents[2]
RECID = ROOT / "examples" / "recid.csv"
PENSIONS = ROOT / "tests" / "oracles" / "tables" / "401ksubs.csv.gz"
RUN_RECORDS = {"manifest.json"}

NEAREST = {
    "treatment": "workprg",
    "covariates": ["black", "married", "priors", "educ", "age", "tserved", "rules"],
    "categorical": ["black", "educ"],
    "caliper": "0.2 sd-logit",
    "outcome": ["returned:binary", "priors_later:count", "durat:time"],
    "id": "id",
    "squares": True,
    "interactions": True,
}
OTHERS = [
    {"exact": ["felon"], "order": "random", "ratio": 2, "seed": 9},
    {"replace": True, "ratio": 3, "ties": "all", "fit": "firth", "caliper": None},
    {"kernel": "tricube", "estimand": "atc", "pairs": True},
    {"order": "closest", "covariate_caliper": ["age 60"], "discard": "support"},
    {"mahalanobis": ["age", "priors"], "replace": True, "ratio": 2, "missing": "indicator"},
    {"radius": True, "path": True, "fit": "ridge", "caliper": "0.02 probability"},
    {"caliper": None, "keep_share": 0.9, "max_ratio": 3, "ratio": 2, "order": "smallest"},
]


@pytest.fixture(scope="module")
def recid():
    """The example's table with empty cells, a text column and a count added."""
    table = csv.read_csv(RECID)
    age = table["age"].to_numpy()
    rules = pa.array(table["rules"].to_numpy(), mask=age % 17 == 0)
    return (
        table.set_column(table.column_names.index("rules"), "rules", rules)
        .append_column("region", pa.array(np.array(["north", "south", "Wales"])[age % 3]))
        .append_column("priors_later", pa.array(age % 4))
    )


def files_of(folder):
    """SHA-256 of every file that must not change."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.name not in RUN_RECORDS
    }


def options(more, *, missing="indicator"):
    asked = {**NEAREST, "missing": missing, **more}
    return {**asked, "covariates": [*NEAREST["covariates"], "region"]}


def written(table, folder, **asked):
    match(table, out=folder, **asked)
    return files_of(folder)


# ------------------------------------------------------------------------------------ threads
THREADS = """
import hashlib, sys
from pathlib import Path
import numba, pyarrow as pa
from pyarrow import csv
from engine.match import match

table = csv.read_csv(sys.argv[1])
plans = [
    {"caliper": "0.1 sd-logit", "ratio": 2},
    {"replace": True, "ratio": 3, "ties": "all", "order": "largest"},
    {"kernel": "epanechnikov", "caliper": "0.1 sd-logit"},
    {"order": "closest", "caliper": "0.1 logit", "exact": "marr"},
    {"replace": True, "mahalanobis": ["age", "inc"], "caliper": "0.02 logit"},
    {"estimand": "atc", "replace": True, "fit": "firth"},
]
for number, plan in enumerate(plans):
    for threads in (1, 2, 4):
        numba.set_num_threads(threads)
        out = Path(sys.argv[2]) / f"{number}-{threads}"
        match(table, treatment="e401k", covariates=["inc", "marr", "male", "age", "fsize"], id="id",
              categorical=["fsize"], outcome="fsize:count", out=out, **plan)
        for file in sorted(out.iterdir()):
            if file.name != "manifest.json":
                print(number, threads, file.name, hashlib.sha256(file.read_bytes()).hexdigest())
"""


def test_one_two_and_four_threads_write_the_same_bytes(tmp_path):
    plain = tmp_path / "401ksubs.csv"
    plain.write_bytes(gzip.decompress(PENSIONS.read_bytes()))
    run = subprocess.run(
        [sys.executable, "-c", THREADS, str(plain), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NUMBA_NUM_THREADS": "4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen = {}
    for line in run.stdout.splitlines():
        number, threads, name, digest = line.split()
        seen.setdefault((number, name), {})[threads] = digest
    assert {number for number, _ in seen} == set("012345")
    assert {name for _, name in seen} >= {"results.json", "pairs.parquet", "report.html"}
    for (number, name), digests in seen.items():
        assert set(digests) == {"1", "2", "4"}
        assert len(set(digests.values())) == 1, (number, name)


def test_the_number_of_threads_of_a_process_is_not_seen(tmp_path, recid):
    before = numba.get_num_threads()
    wanted = written(recid, tmp_path / "a", **options({}))
    try:
        numba.set_num_threads(1)
        assert written(recid, tmp_path / "b", **options({})) == wanted
    finally:
        numba.set_num_threads(before)


# --------------------------------------------------------------------------------- row orders
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_twenty_row_orders_write_the_same_bytes(tmp_path, recid, kind):
    rng = np.random.default_rng(20)
    save = csv.write_csv if kind == "csv" else pq.write_table
    path = tmp_path / f"people.{kind}"
    plan = options({} if kind == "csv" else {"order": "random", "exact": ["felon"]})
    save(recid, path)
    wanted = written(path, tmp_path / "out", **plan)
    assert "results.json" in wanted
    for _ in range(20):
        save(recid.take(rng.permutation(len(recid))), path)
        assert written(path, tmp_path / "out", **plan) == wanted


@pytest.mark.parametrize("more", OTHERS, ids="-".join)
def test_two_row_orders_of_every_kind_of_match(tmp_path, recid, more):
    plan = options(more)
    wanted = written(recid, tmp_path / "out", **plan)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(recid))
        assert written(recid.take(order), tmp_path / "out", **plan) == wanted


def test_chunks_of_a_table_and_orders_of_its_columns_are_not_seen(tmp_path, recid):
    wanted = written(recid, tmp_path / "out", **options({}))
    pieces = pa.concat_tables([recid.slice(0, 10), recid.slice(10, 700), recid.slice(710)])
    assert pieces["age"].num_chunks == 3
    assert written(pieces, tmp_path / "out", **options({})) == wanted
    names = recid.column_names[::-1]
    assert written(recid.select(names), tmp_path / "out", **options({})) == wanted


def test_without_an_id_the_order_of_rows_may_matter_and_names_them(recid):
    result = match(recid, **{**options({}), "id": None})
    assert result.scores["id"].to_pylist() == list(range(1, len(recid) + 1))


def test_data_order_follows_the_rows(recid):
    # A caliper in which people compete, so that it matters who is served first.
    plan = {**options({"order": "data"}), "interactions": False}
    one = match(recid, **plan)
    backwards = recid.take(np.arange(len(recid))[::-1])
    other = match(backwards, **plan)
    assert not one.pairs.equals(other.pairs)
    assert one.scores.equals(other.scores)


# ------------------------------------------------------------------------------------ formats
def formats(table, folder):
    """The same table in every form in which it can be handed over."""
    semicolons = csv.WriteOptions(delimiter=";")
    csv.write_csv(table, folder / "people.csv")
    csv.write_csv(table, folder / "people.tsv", csv.WriteOptions(delimiter="\t"))
    csv.write_csv(table, folder / "semicolons.csv", semicolons)
    text = (folder / "people.csv").read_text()
    (folder / "excel.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    commas = (folder / "semicolons.csv").read_text().replace(".", ",")
    (folder / "commas.csv").write_bytes(b"\xef\xbb\xbf" + commas.replace("\n", "\r\n").encode())
    pq.write_table(table, folder / "people.parquet", row_group_size=400)
    feather.write_feather(table, folder / "people.feather")
    with pa.ipc.new_stream(folder / "people.arrows", table.schema) as stream:
        stream.write_table(table)
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    return {name: folder / name for name in names} | {
        "pandas": table.to_pandas(),
        "pandas-arrow": table.to_pandas(types_mapper=pd.ArrowDtype),
        "polars": pl.from_arrow(table),
        "dictionary": table.set_column(
            table.column_names.index("region"), "region", table["region"].dictionary_encode()
        ),
    }


def test_every_format_gives_the_same_match(tmp_path, recid):
    plan = options({"covariate_caliper": ["ldurat 0.5"]})
    wanted = match(recid, **plan)
    (tmp_path / "forms").mkdir()
    forms = formats(recid, tmp_path / "forms")
    assert len(forms) == 12
    for name, table in forms.items():
        found = match(table, **plan)
        notes = [note for note in found.results["warnings"] if "decimal comma" in note]
        assert bool(notes) == (name == "commas.csv"), name
        rest = [note for note in found.results["warnings"] if note not in notes]
        assert {**found.results, "warnings": rest} == wanted.results, name
        assert found.pairs.equals(wanted.pairs.cast(found.pairs.schema)), name
        assert found.weights["weight"].equals(wanted.weights["weight"]), name
        assert found.scores["logit"].equals(wanted.scores["logit"]), name


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.uint16(), pa.int64(), pa.dictionary(pa.int8(), pa.string())]
)
def test_numbers_as_ids_mean_the_same_in_every_width(recid, kind):
    numbers = pa.array(np.arange(len(recid)) * 7 % 5003)
    plain = recid.set_column(0, "id", numbers)
    if pa.types.is_dictionary(kind):
        plain = recid
        other = recid.set_column(0, "id", recid["id"].dictionary_encode())
    else:
        other = recid.set_column(0, "id", numbers.cast(kind))
    plan = {**options({"order": "random"}), "interactions": False}
    assert match(other, **plan).results == match(plain, **plan).results


def test_the_seed_decides_ties_and_nothing_that_has_none(recid):
    tied = {"treatment": "workprg", "covariates": ["black", "felon"], "id": "id"}
    one, other = (match(recid, **tied, seed=seed) for seed in (0, 1))
    assert not one.pairs.sort_by("treated_id").equals(other.pairs.sort_by("treated_id"))
    again = match(recid, **tied, seed=1)
    assert again.pairs.equals(other.pairs)
    large = match(recid, **tied, seed=2**128 - 1)
    assert large.results["design"]["seed"] == 2**128 - 1
