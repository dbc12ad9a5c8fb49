"""A match with its columns in files, block by block, has the bytes of one in memory."""

from contextlib import contextmanager

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine.match
from engine import spill as spills
from engine.jobs import sums as sums_module
from engine.jobs.backends import Here, Processes
from engine.jobs.sums import SharedSums, write_columns
from engine.match import match
from engine.matching import certificate, identity, ranges, sorting
from engine.matching.design import Covariate, Design
from engine.matching.propensity import fit_propensity
from engine.spill import spilling
from kernels import shares
from kernels.logistic import linear_predictor
from tests.engine.test_match_determinism import files_of
from tests.kernels.support import COMPILED, make_table

pytestmark = pytest.mark.skipif(not COMPILED, reason="thousands of rows: only with the compiler")
N = 9_000
OPTIONS = {
    "treatment": "treated",
    "covariates": ["age", "priors", "gap", "area", "band"],
    "categorical": ["band"],
    "id": "id",
    "outcome": ["returned:binary"],
    "caliper": "0.1 sd-logit",
    "orders": 0,
}
OTHERS = {
    "without replacement": {},
    "smallest first, twice, in cells": {"order": "smallest", "ratio": 2, "exact": ["area"]},
    "reuse and people": {"reuse_max": 2, "ratio": 2, "person": "person", "anti_exact": ["band"]},
    "with replacement and ties": {
        "replace": True,
        "ratio": 3,
        "ties": "all",
        "missing": "indicator",
    },
    "variable ratio": {"ratio": 2, "max_ratio": 4, "fit": "ridge"},
    "an order that cannot be cut": {"order": "random", "estimand": "atc", "caliper": None},
    "radius": {"radius": True, "fit": "firth", "covariates": ["age", "area"], "categorical": []},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(8)
    age = rng.integers(18, 60, N).astype(float)
    logit = (age - 40) / 12 - 1.2 + rng.normal(size=N) / 2
    gap = rng.exponential(3.0, N)
    return pa.table(
        {
            "id": rng.permutation(10 * N)[:N],
            "person": rng.integers(0, N // 2, N),
            "treated": rng.random(N) < 1 / (1 + np.exp(-logit)),
            "age": age,
            "priors": rng.integers(0, 6, N),
            "gap": gap,
            "area": pa.array(rng.choice(["north", "south", "Wales"], N)),
            "band": rng.integers(0, 4, N),
            "returned": rng.integers(0, 2, N),
        }
    )


@pytest.fixture(scope="module")
def small_parts():
    """Blocks and ranges so small that a table of thousands of rows is worked on in many."""
    sizes = (
        (spills, "_SMALL", 0),
        (identity, "_BLOCK", 1_000),
        (identity, "_BUCKET", 1_000),
        (identity, "_GATHERED", 1_000),
        (sorting, "_BLOCK", 1_000),
        (sorting, "_RANGE", 1_000),
        (certificate, "_PART", 1_000),
    )
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in sizes:
            patch.setattr(module, name, value)
        patch.setattr(ranges.cut, "__defaults__", (500,))
        patch.setattr(engine.match, "placed", _in_files)
        yield


@contextmanager
def _in_files(_footprint, _ceiling, _near):
    with spilling(1 << 34) as spill:
        yield spill


@pytest.fixture(scope="module")
def in_memory(table, tmp_path_factory):
    """The files of each match, made in memory."""
    folder = tmp_path_factory.mktemp("in-memory")
    found = {}
    for name, options in OTHERS.items():
        match(table, **(OPTIONS | options), out=folder / name.replace(" ", "-"))
        found[name] = files_of(folder / name.replace(" ", "-"))
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_the_files_of_a_match_are_the_same(in_memory, small_parts, table, tmp_path, name):
    shuffled = table.take(np.random.default_rng(1).permutation(N))
    parts = tmp_path / "people"
    parts.mkdir()
    for part in range(3):
        pq.write_table(shuffled.slice(part * 3_000, 3_000), parts / f"{part}.parquet")
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        match(parts, **(OPTIONS | OTHERS[name]), out=tmp_path / "out")
    finally:
        numba.set_num_threads(threads)
    assert files_of(tmp_path / "out") == in_memory[name]


def a_design(n, seed=5):
    rng = np.random.default_rng(seed)
    covariates = (
        Covariate("x", (), 0),
        Covariate("f", ("a", "b", "c"), 0),
        Covariate("y", (), 1),
        Covariate("g", tuple("abcdefgh"), 1),
    )
    numeric = (rng.normal(size=n), rng.exponential(size=n) * 100)
    codes = np.stack([rng.integers(0, 3, n), rng.integers(0, 8, n)]).astype(np.uint16)
    treated = rng.random(n) < 1 / (1 + np.exp(2 - numeric[0] - codes[1] / 5))
    return Design(covariates, numeric, codes), treated


def facts_of(model):
    return (
        model.terms,
        model.iterations,
        model.deviance,
        model.scaled_gradient,
        model.condition_number,
        model.logit.tobytes(),
        model.fitted.information.tobytes(),
    )


@pytest.fixture
def few_chunks(monkeypatch):
    monkeypatch.setattr(shares, "BLOCK", 2)


@pytest.mark.parametrize("method", ["ml", "ridge"])
def test_a_fit_over_mapped_columns_is_that_of_memory(few_chunks, method):
    design, treated = a_design(70_001)
    weights = np.random.default_rng(2).integers(0, 3, len(treated)).astype(float)
    with spilling(1 << 34) as spill:
        mapped = Design(design.covariates, design.numeric, design.codes, spill)
        for given in (None, weights):
            found = fit_propensity(mapped, treated, method=method, weights=given)
            assert facts_of(found) == facts_of(
                fit_propensity(design, treated, method=method, weights=given)
            )


def fitted_by(backend, design, treated, folder, weights=None):
    made = []

    def sums(columns, label, mass):
        made.append(SharedSums(folder, columns, label, mass, backend))
        return made[0]

    model = fit_propensity(design, treated, sums=sums, weights=weights)
    made[0].close()
    return model


def test_a_fit_whose_sums_travel_is_that_of_one_process(few_chunks, tmp_path):
    design, treated = a_design(30_000)
    weights = np.random.default_rng(3).integers(0, 3, len(treated)).astype(float)
    for name, given in (("plain", None), ("weighted", weights)):
        found = fitted_by(Here(), design, treated, tmp_path / name, given)
        assert facts_of(found) == facts_of(fit_propensity(design, treated, weights=given))
        left = sorted(file.name for file in (tmp_path / name).iterdir())
        assert left == ["cells.arrow", "columns.arrow", "model.json"]


def test_two_processes_that_map_the_same_columns_give_the_same_fit(tmp_path):
    # More blocks than one: 131,072 rows each.
    design, treated = a_design(300_000)
    found = fitted_by(Processes(2), design, treated, tmp_path / "fit")
    assert facts_of(found) == facts_of(fit_propensity(design, treated))


def test_columns_without_categories_are_mapped_as_they_were(tmp_path):
    table = make_table(500, 2, (), seed=4)
    write_columns(tmp_path / "fit", table.columns, table.treated, np.empty(0))
    columns, treated, weights, _ = sums_module._opened(str(tmp_path / "fit"))
    assert columns.cell_term.shape == (0, 1)
    assert columns.cells.shape == (0, 500)
    assert np.array_equal(treated, table.treated)
    assert len(weights) == 0
    beta = np.array([0.3, -1.0, 2.0])
    found, wanted = np.empty(500), np.empty(500)
    linear_predictor(columns, beta, found)
    linear_predictor(table.columns, beta, wanted)
    assert np.array_equal(found, wanted)
