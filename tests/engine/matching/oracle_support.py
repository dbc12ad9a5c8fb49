"""What the oracle tests share: stored results, and tables read as the engine reads them."""

import functools
import gzip
import json
import tempfile
from collections import defaultdict
from csv import DictReader
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.columns import as_boolean_treatment, as_codes, as_float64
from engine.matching.design import Design, read_design
from engine.matching.identity import Identity, identify
from engine.matching.mahalanobis import whiten
from engine.matching.pairing import (
    Pairing,
    pair_with_replacement,
    pair_without_replacement,
    variable_quota,
)
from engine.matching.problem import Problem
from engine.tables import TableSource, column, open_table
from tests.kernels.support import COMPILED

ORACLES = Path(__file__).parents[2] / "oracles"

UNCOMPILED = not COMPILED
"""Without the compiler the oracles would take hours; small tables test the kernels there."""


@functools.cache
def results(name):
    """A file of stored results, by its path in the folder of the oracles."""
    return json.loads((ORACLES / name).read_text(encoding="utf-8"))


@functools.cache
def stored_pairs(path):
    """The stored pairs of every configuration as a set of (treated id, k, control id)."""
    pairs = defaultdict(set)
    with gzip.open(ORACLES / path, "rt", newline="") as file:
        for row in DictReader(file):
            pair = int(row["treated_id"]), int(row["k"]), int(row["control_id"])
            pairs[row["config"]].add(pair)
    return pairs


class Table(NamedTuple):
    """An open table in the engine's canonical order."""

    source: TableSource
    identity: Identity

    def numbers(self, name):
        values = as_float64(column(self.source, name, "covariate"), name=name, source=self.source)
        return self.identity.gather(values)

    def codes(self, name):
        values = column(self.source, name, "category")
        coded = as_codes(values, name=name, source=self.source, forced=True)
        return self.identity.gather(coded.codes).astype(np.int64)

    def arm(self, name):
        values = column(self.source, name, "treatment")
        return self.identity.gather(
            as_boolean_treatment(values, None, name=name, source=self.source)
        )

    def design(self, columns, categorical) -> Design:
        return read_design(self.source, columns, categorical, self.identity, "error")

    @property
    def ids(self):
        return self.identity.ids.to_numpy()


@functools.cache
def table_of(path):
    """A stored table, unpacked and opened as a csv file; rows named by the column ``id``."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / Path(path).stem
        plain.write_bytes(gzip.decompress((ORACLES / path).read_bytes()))
        source = open_table(plain)
        source.sha256()  # waits for the thread that reads the file
    return Table(source, identify(source, "id", 0))


def off(found, stored, floor=0.0):
    """Difference relative to the stored value, but never to less than ``floor``."""
    return abs(found - stored) / max(abs(stored), floor, np.finfo(float).tiny)


def weights_of(table, fit):
    """The frequency weights of a stored fit, None without."""
    return table.numbers(fit["weights"]) if "weights" in fit else None


# ---------------------------------------------------------------------------------- matching
def cells_of(table, columns):
    """The exact-match cell of every row, None without exact columns."""
    if not columns:
        return None
    codes = np.stack([table.codes(name) for name in columns])
    return np.unique(codes, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)


def problem_of(table, design, score=None):
    """The rows and conditions of a stored MatchIt design; its score is ``lp`` unless given."""
    treated = table.arm("treat")
    score = table.numbers("lp") if score is None else score
    more = {}
    if design.get("antiexact"):
        more["anti"] = np.stack([table.codes(name) for name in design["antiexact"]])
    if design.get("covariate_caliper"):
        more["covariate"] = np.stack([table.numbers(c) for c in design["covariate_caliper"]])
        more["width"] = np.array(list(design["covariate_caliper"].values()), dtype=np.float64)
    if design.get("mahalanobis"):
        columns = np.stack([table.numbers(name) for name in design["mahalanobis"]])
        more["position"] = whiten(columns, treated, tuple(design["mahalanobis"]))
    return Problem(
        score,
        treated if design["estimand"] == "att" else ~treated,
        np.ones(len(score), dtype=np.bool_),
        cell=cells_of(table, design.get("exact")),
        person=table.codes(design["unit_id"]) if "unit_id" in design else None,
        caliper=design.get("caliper", float("inf")),
        **more,
    )


def has_our_quota(design):
    """Whether our variable ratio can say this one: a whole mean, and at least one partner each."""
    return design["min_controls"] == 1 and float(design["ratio"]).is_integer()


def stored_quota(problem, design):
    """The numbers wanted by focal row, ascending by row, from the oracle's stored counts."""
    focal_rows = np.flatnonzero(problem.focal)
    score = problem.score[focal_rows]
    wanted = design["target_counts"]
    higher = score.mean() > problem.score[~problem.focal].mean()
    quota = np.empty(len(focal_rows), dtype=np.int64)
    quota[np.argsort(-score if higher else score)] = np.repeat(wanted["controls"], wanted["units"])
    return quota


def pair_as(table, problem, design) -> Pairing:
    """Run a stored MatchIt design with the engine's own functions."""
    quota = None
    ratio = design["ratio"]
    if "max_controls" in design:
        ratio = design["max_controls"]
        if has_our_quota(design):
            quota = variable_quota(problem, int(design["ratio"]), ratio)
        else:
            quota = stored_quota(problem, design)
    if not design["replace"]:
        return pair_without_replacement(
            problem,
            ratio=ratio,
            quota=quota,
            reuse_max=design.get("reuse_max", 1),
            one_per_person="unit_id" in design,
            order=design["order"],
            data_position=table.identity.data_position(),
        )
    pairing = pair_with_replacement(problem, ratio=ratio)
    return pairing if quota is None else shortened(pairing, quota)


def shortened(pairing, quota):
    """The first ``quota`` partners of each set: with replacement sets do not touch each other."""
    size = np.minimum(pairing.set_size, quota)
    place = np.arange(len(pairing.partner)) - np.repeat(pairing.indptr[:-1], pairing.set_size)
    kept = place < np.repeat(size, pairing.set_size)
    indptr = np.concatenate([[0], np.cumsum(size)])
    return Pairing(pairing.focal, indptr, pairing.partner[kept], 1.0 / np.repeat(size, size))


def focal_of_pairs(pairing):
    """The focal row of every pair."""
    return np.repeat(pairing.focal, pairing.set_size)


def numbered_pairs(table, problem, pairing):
    """The pairs as a set of (treated id, k, control id), k from 1 in the order of taking."""
    focal = focal_of_pairs(pairing)
    k = np.arange(len(focal)) - np.repeat(pairing.indptr[:-1], pairing.set_size) + 1
    one, other = table.ids[focal], table.ids[pairing.partner]
    if len(focal) and not bool(problem.focal[table.arm("treat")].all()):
        one, other = other, one
    return set(zip(one.tolist(), k.tolist(), other.tolist(), strict=True))


def matched_weights(problem, pairing):
    """Row weights: 1 for a focal row with partners, the sum of its shares for a partner."""
    weight = np.zeros(len(problem.score))
    np.add.at(weight, pairing.partner, pairing.share)
    weight[pairing.focal[pairing.set_size > 0]] = 1.0
    return weight
