"""A made-up population, the same for every side of a race: a pure function of its size.

Ten numbers on different scales and ten categories of unequal levels give 79 coefficients with the
intercept, as a national extract does. Synthetic on purpose: no real table has five million rows
that may be handed out.
"""

from typing import NamedTuple

import numpy as np

SEED = 20_250_101
LEVELS = (2, 2, 4, 5, 6, 8, 10, 12, 14, 15)
NUMBERS = (
    "age",
    "priors",
    "gap",
    "income",
    "score_a",
    "score_b",
    "score_c",
    "score_d",
    "u_a",
    "u_b",
)
CATEGORIES = tuple(f"cat_{i}" for i in range(len(LEVELS)))
COEFFICIENTS = 1 + len(NUMBERS) + sum(LEVELS) - len(LEVELS)
_CALIBRATION_ROWS = 100_000


class Population(NamedTuple):
    """Covariates and treatment of a population.

    Attributes
    ----------
    numbers : float64, shape (10, n)
    codes : uint16, shape (10, n)
        Level codes, 0 for the reference level.
    treated : bool, shape (n,)
    """

    numbers: np.ndarray
    codes: np.ndarray
    treated: np.ndarray


def _numbers(rng: np.random.Generator, n: int) -> np.ndarray:
    numbers = np.empty((len(NUMBERS), n))
    numbers[0] = np.clip(np.rint(34.0 + 11.0 * rng.standard_normal(n)), 18.0, 80.0)
    numbers[1] = np.floor(rng.exponential(6.0, n))
    numbers[2] = rng.exponential(400.0, n)
    numbers[3] = np.exp(9.5 + 0.6 * rng.standard_normal(n))
    for j in range(4, 8):
        numbers[j] = rng.standard_normal(n) + 0.3 * (numbers[j - 1] if j > 4 else 0.0)
    for j in range(8, 10):
        numbers[j] = rng.random(n)
    return numbers


def _codes(rng: np.random.Generator, n: int) -> np.ndarray:
    codes = np.empty((len(LEVELS), n), dtype=np.uint16)
    for row, levels in zip(codes, LEVELS, strict=True):
        # Level k is chosen with probability proportional to 1 / (k + 2): common and rare ones.
        share = 1.0 / np.arange(2, levels + 2)
        row[:] = np.searchsorted(np.cumsum(share / share.sum())[:-1], rng.random(n))
    return codes


def _logit(rng: np.random.Generator, numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    scale = np.array([11.0, 6.0, 400.0, 9_000.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.3])
    slopes = rng.uniform(-0.25, 0.25, len(NUMBERS)) / scale
    effects = [rng.uniform(-0.5, 0.5, levels) for levels in LEVELS]
    logit = np.zeros(numbers.shape[1])
    for slope, x in zip(slopes, numbers, strict=True):
        logit += slope * x
    for effect, code in zip(effects, codes, strict=True):
        logit += effect[code]
    return logit


def population(rows: int, treated_share: float = 0.05, part: int = 0) -> Population:
    """Return a population of ``rows`` people, about ``treated_share`` of them treated.

    Populations of one size that differ in ``part`` are parts of a larger one.
    """
    rng = np.random.default_rng([SEED, rows, part] if part else [SEED, rows])
    numbers, codes = _numbers(rng, rows), _codes(rng, rows)
    logit = _logit(np.random.default_rng(SEED), numbers, codes)
    head = logit[:_CALIBRATION_ROWS]
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        share = float(np.mean(1.0 / (1.0 + np.exp(-(head + middle)))))
        low, high = (middle, high) if share < treated_share else (low, middle)
    logit += low
    np.negative(logit, out=logit)
    np.exp(logit, out=logit)
    logit += 1.0
    np.reciprocal(logit, out=logit)
    return Population(numbers, codes, rng.random(rows) < logit)


def scores(rows: int, treated_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return tie-free logits and who is treated, with treated people higher but overlapping."""
    rng = np.random.default_rng([SEED, rows, int(1000 * treated_share)])
    treated = rng.random(rows) < treated_share
    logit = rng.standard_normal(rows)
    logit += np.where(treated, -2.2, -3.0)
    return logit, treated


def one_hot_into(people: Population, first: int, out: np.ndarray) -> None:
    """Fill the design rows from ``first`` on: intercept, numbers, levels but the reference.

    Parameters
    ----------
    people : Population
    first : int
        Row of the population that goes into row 0 of ``out``.
    out : float64, shape (m, 79)
        Either memory order.
    """
    part = slice(first, first + len(out))
    out[:, 0] = 1.0
    out[:, 1 : 1 + len(NUMBERS)] = people.numbers[:, part].T
    place = 1 + len(NUMBERS)
    out[:, place:] = 0.0
    here = np.arange(len(out))
    for code, levels in zip(people.codes, LEVELS, strict=True):
        level = code[part].astype(np.int64)
        some = level > 0
        out[here[some], place - 1 + level[some]] = 1.0
        place += levels - 1


def scaled_gradient(people: Population, coefficients: np.ndarray) -> float:
    """Return max |g_j| / sqrt(I_jj) of a logistic model at the coefficients, in plain NumPy."""
    rows = len(people.treated)
    gradient = np.zeros(COEFFICIENTS)
    diagonal = np.zeros(COEFFICIENTS)
    for first in range(0, rows, 8192):
        design = np.empty((min(8192, rows - first), COEFFICIENTS))
        one_hot_into(people, first, design)
        probability = 1.0 / (1.0 + np.exp(-(design @ coefficients)))
        gradient += design.T @ (people.treated[first : first + len(design)] - probability)
        diagonal += (probability * (1.0 - probability)) @ (design * design)
    return float(np.max(np.abs(gradient) / np.sqrt(diagonal)))
