"""Methods in use elsewhere that are wrong for some match: the coverage gate must reject each.

Every function takes a finished cohort and returns an interval. They are written the way the mistake
is made, and live in the tests only.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.effects.estimates import Estimate
from engine.effects.intervals import (
    Interval,
    t_quantile,
    wald,
    wilson,
)
from engine.effects.linear_form import linear_form, local_pieces
from engine.effects.neighbourhoods import find_neighbourhoods
from engine.effects.sample import score_residual
from engine.effects.welch import describe_group, welch_interval
from engine.matching.problem import lay_out
from engine.matching.propensity import fit_propensity
from tests.certify.cohorts import Cohort
from tests.certify.matches import Finished

Planted = Callable[[Cohort, Finished, Estimate], Interval]
_NORMAL = float("inf")


def reuse_ignored(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Clustered by matched set, every use of a comparison person a new person."""
    assert estimate.form is not None
    return wald("planted", estimate.interval.estimate, estimate.form.set_variance, _NORMAL)


def distinct_once(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Every distinct comparison person once, with equal weight, in the standard error."""
    sample = done.sample
    own, other = cohort.outcome[sample.focal], cohort.outcome[sample.partners]
    variance = own.var(ddof=1) / len(own) + other.var(ddof=1) / len(other)
    return wald("planted", estimate.interval.estimate, float(variance), _NORMAL)


def pooled_form(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Abadie-Imbens with one variance for everybody (the sample form)."""
    sample = done.sample
    sets = sample.sets
    assert sets is not None
    owner = np.repeat(sample.focal, np.diff(sets.indptr))
    gap = cohort.outcome[owner] - cohort.outcome[sets.partner] - estimate.interval.estimate
    pooled = 0.5 * float(np.sum(sets.share * gap * gap)) / float(np.sum(sets.share))
    n = len(sample.focal)
    weight = sample.weight[sample.partners]
    variance = pooled * (n + float(np.sum(weight * weight))) / n**2
    return wald("planted", estimate.interval.estimate, variance, _NORMAL)


def score_as_known(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Abadie-Imbens as if the score had not been fitted."""
    assert estimate.form is not None
    return wald("planted", estimate.interval.estimate, estimate.form.neighbour_variance, _NORMAL)


def match_ignored(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Weighted two-sample standard error."""
    return welch_interval(estimate.treated, estimate.comparison, "planted", raw=False)


def raw_counts(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Two samples with the raw number of comparison people."""
    return welch_interval(estimate.treated, estimate.comparison, "planted", raw=True)


def correction_for_given_score(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """The score was given; the correction for a fitted one is applied all the same."""
    model = fit_propensity(done.rows.design, done.rows.treated)
    own = done.sample
    layout = lay_out(model.logit, own.is_focal, own.eligible, own.cell)
    residual = score_residual(model.logit, own.treated, own.estimand)
    sample = replace(
        own, model=model.fitted, logit=model.logit, score_residual=residual, layout=layout
    )
    form = linear_form(
        sample, done.near, *local_pieces([(sample, done.near, cohort.outcome)]), shrink=False
    )
    return wald("planted", estimate.interval.estimate, form.variance, _NORMAL)


def rows_as_people(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """A person's rows as different people."""
    assert estimate.form is not None
    squares = float(np.sum(estimate.form.phi**2))
    return wald("planted", estimate.interval.estimate, squares / len(done.sample.focal) ** 2, 1e9)


def no_calibration(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Wilson limits at the effective sizes as they stand."""
    n = float(len(done.sample.focal))
    t, c = estimate.treated, estimate.comparison
    q = t_quantile(_NORMAL, 0.95)
    low_t, high_t = wilson(t.mean, n, q)
    low_c, high_c = wilson(c.mean, c.effective, q)
    difference = t.mean - c.mean
    low = difference - np.hypot(t.mean - low_t, high_c - c.mean)
    high = difference + np.hypot(high_t - t.mean, c.mean - low_c)
    return replace(estimate.interval, low=float(low), high=float(high))


def people_for_events(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """A mean among those with the event, with people as the sample size."""
    assert estimate.form is not None
    n = len(done.sample.focal)
    return wald("planted", estimate.interval.estimate, estimate.form.variance, n - 1.0)


def two_neighbours(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Local means from two neighbours only."""
    near = find_neighbourhoods(done.sample, 2, 2)
    form = linear_form(done.sample, near, *local_pieces([(done.sample, near, cohort.outcome)]))
    return wald("planted", estimate.interval.estimate, form.variance, _NORMAL)


def divided_by_all_treated(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Divide by all treated people although the caliper dropped some."""
    assert estimate.form is not None
    share = len(done.sample.focal) / int(cohort.treated.sum())
    variance = estimate.form.variance * share**2
    return wald("planted", estimate.interval.estimate, variance, _NORMAL)


def weights_off_by_one(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Every partner has the weight of the next."""
    sample = done.sample
    weight = np.roll(sample.weight[sample.partners], 1)
    other = float(np.sum(weight * cohort.outcome[sample.partners])) / len(sample.focal)
    moved = float(np.mean(cohort.outcome[sample.focal])) - other
    return _moved(estimate, moved)


def unmatched_comparison(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Everybody who did not take part, unmatched."""
    pool = ~cohort.treated
    values = cohort.outcome
    own = describe_group(values[done.sample.focal], np.ones(len(done.sample.focal)))
    return welch_interval(
        own, describe_group(values[pool], np.ones(int(pool.sum()))), "planted", raw=True
    )


def events_rescued(cohort: Cohort, done: Finished, estimate: Estimate) -> Interval:
    """Plain Wald with three expected events, printed anyway."""
    return score_as_known(cohort, done, estimate)


def _moved(estimate: Estimate, moved: float) -> Interval:
    shift = moved - estimate.interval.estimate
    interval = estimate.interval
    return replace(interval, estimate=moved, low=interval.low + shift, high=interval.high + shift)


PLANTED: dict[str, Planted] = {
    "reuse ignored": reuse_ignored,
    "distinct once": distinct_once,
    "pooled form": pooled_form,
    "score as known": score_as_known,
    "match ignored": match_ignored,
    "raw counts": raw_counts,
    "correction for a given score": correction_for_given_score,
    "rows as people": rows_as_people,
    "no calibration": no_calibration,
    "people for events": people_for_events,
    "two neighbours": two_neighbours,
    "divided by all treated": divided_by_all_treated,
    "weights off by one": weights_off_by_one,
    "unmatched comparison": unmatched_comparison,
    "events rescued": events_rescued,
}
