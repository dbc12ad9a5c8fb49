"""Coverage of the reference in two cells of the published table, with planted wrong methods.

Usage: python -m tests.reference.simulate [RUNS] [SEED]

Cell `binary`: 120 treated, pool 4,000, 30 %, good overlap, 1-NN with caliper 0.2 SD of the logit.
Cell `varying`: 120 treated, pool 2,000, continuous outcome, the effect varies with strong
prognosis, radius 0.05 SD of the logit. Minutes for 400 runs; not part of the tests.
"""

import sys

import numpy as np

from tests.reference.closed_forms import abadie_imbens, adjusted, set_clustered
from tests.reference.cohorts import (
    binary_cohort,
    continuous_cohort,
    fit_logistic,
    nearest_with_replacement,
    within_radius,
)
from tests.reference.intervals import arm_variances, binary_difference, wald_difference
from tests.reference.linear_form import linear_form


def logit_sd(eta, treated):
    """SD of the logit within arms, pooled as the root of the mean of the two variances."""
    return np.sqrt((eta[treated].var(ddof=1) + eta[~treated].var(ddof=1)) / 2)


def matched(cohort, method, width):
    """Fit, match and linear form of one cohort; `width` in SDs of the logit."""
    fit = fit_logistic(cohort.X, cohort.treated)
    focal, pool = np.flatnonzero(cohort.treated), np.flatnonzero(~cohort.treated)
    caliper = width * logit_sd(fit.eta, cohort.treated)
    if method == "radius":
        sets = within_radius(fit.eta, focal, pool, caliper)
    else:
        sets = nearest_with_replacement(fit.eta, focal, pool, 1, caliper)
    form = linear_form(
        fit.eta, fit.F, cohort.X, fit.information, cohort.treated, cohort.y, sets, dropped="zero"
    )
    return fit, sets, form


def binary_run(rng):
    """Interval by method for one cohort of the cell `binary`."""
    cohort = binary_cohort(rng, 120, 4000, 0.3)
    fit, _, form = matched(cohort, "nearest", 0.2)
    unmatched = cohort.y[cohort.treated].mean() - cohort.y[~cohort.treated].mean()
    spread = cohort.y[cohort.treated].var(ddof=1) / 120 + cohort.y[~cohort.treated].var() / 4000
    half = 1.96 * np.sqrt(spread)
    V_adj, _ = adjusted(form, cohort.X, fit.information)
    return cohort.truth, {
        "MOVER, V_lin": interval(binary_difference(form)),
        "MOVER, V_adj": interval(binary_difference(form, V=V_adj)),
        "planted: unmatched comparison": (unmatched, unmatched - half, unmatched + half, spread),
        "planted: whole pool as sample size": interval(binary_difference(form, V=spread)),
    }


def varying_run(rng):
    """Interval by method for one cohort of the cell `varying`."""
    cohort = continuous_cohort(rng, 120, 2000, varying=True)
    fit, sets, form = matched(cohort, "radius", 0.05)
    V_adj, _ = adjusted(form, cohort.X, fit.information)
    partner_mean = form.y[form.focal].mean() - form.tau.mean()
    weighted = sum(arm_variances(form.y, form.focal, form.K, partner_mean))
    return cohort.truth, {
        "Wald-t, V_lin": interval(wald_difference(form)),
        "Wald-t, V_adj": interval(wald_difference(form, V=V_adj)),
        "planted: V_AI, score as known": interval(wald_difference(form, V=abadie_imbens(form))),
        "planted: set-clustered, reuse ignored": interval(
            wald_difference(form, V=set_clustered(form.y, sets))
        ),
        "planted: weighted two-sample": interval(wald_difference(form, V=weighted)),
    }


def interval(made):
    """Estimate, limits and variance of an Interval."""
    return made.estimate, made.lower, made.upper, made.variance


CELLS = {"binary": binary_run, "varying": varying_run}


def study(cell, runs, seed=1):
    """Coverage, its Monte Carlo error and mean SE over true SD of every method of a cell."""
    collected = {}
    for r in range(runs):
        truth, made = CELLS[cell](np.random.default_rng([seed, r]))
        for name, (estimate, lower, upper, V) in made.items():
            collected.setdefault(name, []).append(
                (estimate, lower <= truth <= upper, np.sqrt(V), estimate - truth)
            )
    table = {}
    for name, rows in collected.items():
        rows = np.array(rows, dtype=float)
        covered = rows[:, 1].mean()
        table[name] = {
            "coverage": float(covered),
            "error": float(np.sqrt(max(covered * (1 - covered), 0.05 * 0.95) / runs)),
            "se_ratio": float(rows[:, 2].mean() / rows[:, 0].std(ddof=1)),
            "bias": float(rows[:, 3].mean() / rows[:, 0].std(ddof=1)),
        }
    return table


def band(runs, low=0.938, high=0.968, sigma=3):
    """The gate's band, widened by `sigma` Monte Carlo errors of a perfect method."""
    widen = sigma * np.sqrt(0.05 * 0.95 / runs)
    return low - widen, min(high + widen, 1.0)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    low, high = band(runs)
    for cell in CELLS:
        print(f"{cell}: {runs} runs, seed {seed}, band {low:.3f} to {high:.3f}")
        for name, row in study(cell, runs, seed).items():
            print(
                f"  {name:40} coverage {100 * row['coverage']:5.1f} +- {100 * row['error']:.1f}"
                f"  SE ratio {row['se_ratio']:.2f}  bias {row['bias']:+.2f} SE"
            )
