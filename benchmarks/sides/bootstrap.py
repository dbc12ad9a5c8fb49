"""Bootstrap replicates: with matches held fixed, and with fit and match made again."""

from collections.abc import Callable

import numpy as np

from benchmarks.population import (
    CATEGORIES,
    COEFFICIENTS,
    LEVELS,
    NUMBERS,
    SEED,
    one_hot_into,
    population,
    scores,
)
from benchmarks.sides.fit import MEAN_GRADIENT
from benchmarks.stopwatch import Stopwatch

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]


def multipliers(rows: int, replicates: int, *, everybody: bool = True) -> Run:
    """Time replicates of the linear form of a 1-NN match.

    Every person carries a part of it where the score was fitted here, and otherwise only who was
    matched.
    """
    from engine.effects.replicates import multiplier_replicates
    from engine.matching.pairing import pair_with_replacement
    from engine.matching.problem import Problem

    rng = np.random.default_rng([SEED, rows])
    logit, treated = scores(rows, 0.05)
    pairing = pair_with_replacement(Problem(logit, treated, np.ones(rows, dtype=np.bool_)))
    uses = np.bincount(pairing.partner, weights=pairing.share, minlength=rows)
    # Matched rows carry their residual, all rows the effect of the estimated score.
    phi = (treated - uses) * (rng.random(rows) - 0.4)
    if everybody:
        phi += 0.01 * rng.standard_normal(rows)
    unit = rng.integers(0, 2**64, rows, dtype=np.uint64)
    carrying = np.flatnonzero(phi)
    phi, unit = phi[carrying], unit[carrying]

    def run(watch: Stopwatch) -> Answer:
        with watch("replicates"):
            errors = multiplier_replicates(phi[None, :], unit, stop=replicates)
        return {"ratio": np.array(errors.std() / np.sqrt(float((phi * phi).sum())))}

    return run


def values_of(treated: np.ndarray) -> np.ndarray:
    """Return an outcome that the treated have one tenth more of."""
    return np.random.default_rng(SEED).random(len(treated)) + 0.1 * treated


def refits(rows: int, replicates: int) -> Run:
    """Time counts, warm refits and 1-NN matches of replicates; the full fit is outside."""
    from engine.effects.replicates import (
        MATCHED,
        FullFit,
        people_to_draw,
        rematched_replicates,
    )
    from engine.matching.design import Covariate, Design, code_columns
    from kernels.newton import fit
    from kernels.rematch import NEAREST, Recipe

    people = population(rows)
    numbers = tuple(Covariate(name, (), row) for row, name in enumerate(NUMBERS))
    categories = tuple(
        Covariate(name, tuple(f"level {k}" for k in range(levels)), row)
        for row, (name, levels) in enumerate(zip(CATEGORIES, LEVELS, strict=True))
    )
    none = np.empty(0)
    design = Design(numbers + categories, tuple(people.numbers), people.codes)
    columns, _ = code_columns(design, none)
    treated = people.treated.astype(np.uint8)
    active = np.ones(columns.n_terms, dtype=np.bool_)
    everybody = np.ones(rows, dtype=np.bool_)
    fitted = fit(columns, treated, none, active)
    full = FullFit(columns, treated, fitted.beta, fitted.information, active, everybody)
    nobody = np.empty(0, dtype=np.int64)
    recipe = Recipe(people.treated, everybody, nobody, 1, nobody, NEAREST, 1, 0, 0.2, True, False)
    values = values_of(people.treated)[:, None]
    draws = people_to_draw(people.treated, everybody)

    def run(watch: Stopwatch) -> Answer:
        with watch("replicates"):
            found = rematched_replicates(recipe, values, draws, full=full, stop=replicates)
        return {
            "warm": np.mean(found.status == MATCHED),
            "passes": found.passes,
            "estimates": (found.sums[:, 0, 0] - found.sums[:, 1, 0]) / found.matched,
        }

    return run


def scikit_learn(rows: int, replicates: int) -> Run:
    """Time the same with scikit-learn: rows drawn, logistic regression, nearest neighbour.

    The design matrix is made once, outside the clock; the fit stops where ours does.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestNeighbors

    people = population(rows)
    design = np.empty((rows, COEFFICIENTS), order="F")
    one_hot_into(people, 0, design)
    design = np.ascontiguousarray(design[:, 1:])
    mean, deviation = design.mean(axis=0), design.std(axis=0)
    design = (design - mean) / deviation
    treated, values = people.treated, values_of(people.treated)
    arms = [np.flatnonzero(treated == arm) for arm in (False, True)]
    rng = np.random.default_rng([SEED, rows])

    def replicate() -> float:
        drawn = np.concatenate([rng.choice(arm, len(arm)) for arm in arms])
        x, t, y = design[drawn], treated[drawn], values[drawn]
        model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=MEAN_GRADIENT).fit(x, t)
        logit = model.decision_function(x)[:, None]
        tree = NearestNeighbors(n_neighbors=1).fit(logit[~t])
        distance, partner = tree.kneighbors(logit[t])
        near = distance[:, 0] <= 0.2 * logit.std()
        return float((y[t] - y[~t][partner[:, 0]])[near].mean())

    def run(watch: Stopwatch) -> Answer:
        with watch("replicates"):
            found = [replicate() for _ in range(replicates)]
        return {"estimates": np.array(found)}

    return run
