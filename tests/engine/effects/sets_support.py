"""Matched sets written as lists, focal person first, as the arrays that the engine takes."""

import json
from pathlib import Path

import numpy as np

ORACLES = Path(__file__).parents[2] / "oracles"


def stored(name):
    return json.loads((ORACLES / "results" / name).read_text(encoding="utf-8"))


def arrays(sets):
    """Return focal, indptr, partner and outcome of sets."""
    sizes = np.array([len(one) for one in sets], dtype=np.int64)
    y = np.array([value for one in sets for value in one], dtype=np.float64)
    focal = np.cumsum(sizes) - sizes
    partner = np.setdiff1d(np.arange(len(y)), focal)
    indptr = np.concatenate([[0], np.cumsum(sizes - 1)])
    return focal, indptr, partner, y


def pairs(focal_only, partner_only, agree=0):
    return [(1, 0)] * focal_only + [(0, 1)] * partner_only + [(1, 1)] * agree + [(0, 0)] * agree
