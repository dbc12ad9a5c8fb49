"""The results of a match as one plain dictionary: the content of results.json.

Everything a page, a chart or a table shows is a key of this dictionary. It holds no time, path,
machine or thread count, so the same match gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import text_array, to_arrow
from engine.effects.estimates import Estimate
from engine.effects.intervals import Interval
from engine.effects.opened import Effects
from engine.matching.balance import (
    CLOSE,
    FAIR,
    BalanceRow,
    effective_size,
)
from engine.matching.options import MatchOptions
from engine.matching.propensity import PropensityModel
from engine.matching.rows import Rows
from engine.matching.score_balance import ScoreBalance
from engine.matching.scoring import Scoring
from engine.matching.search import PathPoint
from engine.matching.selection import Match, partners_in_windows
from engine.matching.terms import Sample
from engine.matching.unmatched import UnmatchedRow
from engine.release.plain import number, p_value, plain
from engine.release.resampled import resampled_results
from engine.release.sensitivity import headline_sensitivity, sensitivity_results


def estimand_label(match: Match, scoring: Scoring, options: MatchOptions) -> str:
    """Return whom the estimate is about: ATT or ATC, or 'matched participants' if some are lost."""
    if int(np.count_nonzero(match.matched)) < int(np.count_nonzero(scoring.problem.focal)):
        return "matched participants"
    return options.estimand.upper()


def assemble_results(
    rows: Rows,
    options: MatchOptions,
    scoring: Scoring,
    match: Match,
    balance: Sequence[BalanceRow],
    score_balance: ScoreBalance,
    unmatched: Sequence[UnmatchedRow],
    path: Sequence[PathPoint] | None,
    effects: Effects,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Return everything that results.json holds.

    Parameters
    ----------
    rows, options, scoring, match, balance, score_balance, unmatched, path, effects
        Results of the rooms before.
    warnings : sequence of str
        What the reader should know.

    Returns
    -------
    dict
        Plain values; None where a figure is not defined.
    """
    label = estimand_label(match, scoring, options)
    return {
        "format": 1,
        "kind": "match",
        "design": _design(options, scoring, rows, label),
        "counts": _counts(rows, options, scoring, match),
        "propensity": None if scoring.model is None else _propensity(scoring.model),
        "balance": balance_results(balance),
        "balance_summary": _balance_summary(options, balance, score_balance),
        "overlap": {
            "edges": [float(value) for value in score_balance.edges],
            "treated": [float(value) for value in score_balance.treated],
            "comparison_before": [float(value) for value in score_balance.comparison_before],
            "comparison_after": [float(value) for value in score_balance.comparison_after],
        },
        "unmatched": _unmatched(match, scoring, unmatched),
        "estimates": [
            _estimate(estimate, label)
            | {"sensitivity": sensitivity_results(own), "resampled": resampled_results(replicates)}
            for estimate, own, replicates in zip(
                effects.estimates, effects.sensitivity, effects.resampled, strict=True
            )
        ],
        "placebos": [plain(asdict(placebo)) for placebo in effects.placebos],
        "support": None if effects.support is None else plain(asdict(effects.support)),
        "path": None if path is None else [plain(asdict(point)) for point in path],
        "keep_share": _keep_share(options, scoring, match),
        "sensitivity": headline_sensitivity(effects.sensitivity),
        "certificate": asdict(match.certificate) | {"checks": _checks(match)},
        "warnings": list(warnings),
    }


def _checks(match: Match) -> list[dict[str, Any]]:
    return [asdict(check) for check in match.certificate.checks]


def _design(options: MatchOptions, scoring: Scoring, rows: Rows, label: str) -> dict[str, Any]:
    caliper = None
    if options.caliper is not None or options.keep_share is not None:
        caliper = {
            "given": options.caliper.given
            if options.caliper is not None
            else f"smallest that keeps {options.keep_share:g}",
            "scale": options.caliper.scale if options.caliper is not None else "logit",
            "width_logit": number(scoring.width_logit),
            "widest_probability_gap": number(scoring.widest_gap),
        }
    without = not options.replace
    return {
        "treatment": options.treatment,
        "treated_value": options.treated,
        "covariates": list(options.covariates),
        "categorical": list(options.categorical),
        "exact": list(options.exact),
        "anti_exact": list(options.anti_exact),
        "caliper": caliper,
        "covariate_calipers": [
            {"column": limit.column, "given": limit.given, "width": number(width)}
            for limit, width in zip(options.covariate_caliper, rows.width, strict=True)
        ],
        "mahalanobis": list(options.mahalanobis),
        "method": options.method,
        "kernel": options.kernel,
        "ratio": None if options.by_window else options.ratio,
        "max_ratio": options.max_ratio,
        "replace": options.replace,
        "reuse_max": (options.reuse_max or 1) if without else None,
        "ties": options.ties,
        "order": options.order if without else None,
        "estimand": options.estimand,
        "estimand_label": label,
        "discard": options.discard,
        "missing": options.missing,
        "id": options.id,
        "person": options.person,
        "one_per_person": options.one_per_person,
        "score": None
        if options.score is None
        else {"column": options.score, "scale": options.score_scale},
        "fit": options.fit if options.score is None else None,
        "seed": options.seed,
    }


def _counts(rows: Rows, options: MatchOptions, scoring: Scoring, match: Match) -> dict[str, Any]:
    focal, eligible = scoring.problem.focal, scoring.problem.eligible
    partners = match.weight[~focal]
    partners = partners[partners > 0]
    matched = int(np.count_nonzero(match.matched))
    left_out = scoring.model.left_out if scoring.model is not None else np.zeros(0, dtype=bool)
    return {
        "rows": rows.n_rows,
        "treated": int(np.count_nonzero(rows.treated)),
        "comparison_pool": int(np.count_nonzero(~rows.treated)),
        "focal": "treated" if options.estimand == "att" else "comparison",
        "off_support_treated": int(np.count_nonzero(scoring.off_support & rows.treated)),
        "off_support_comparison": int(np.count_nonzero(scoring.off_support & ~rows.treated)),
        "comparison_without_treated_level": int(np.count_nonzero(left_out)),
        "treated_matched": matched,
        "treated_unmatched": int(np.count_nonzero(focal)) - matched,
        "no_partner": int(np.count_nonzero(focal & eligible & ~match.matched)),
        "not_chosen": int(np.count_nonzero(~focal & eligible)) - len(partners),
        "comparison_used": len(partners),
        "effective_comparison": number(effective_size(partners)),
        "maximum_matchable": match.maximum_matchable,
        "pairs": match.n_pairs,
    }


def _propensity(model: PropensityModel) -> dict[str, Any]:
    return {
        "terms": [
            {
                "name": term.name,
                "coefficient": number(term.coefficient),
                "standard_error": number(term.standard_error),
            }
            for term in model.terms
        ],
        "iterations": model.iterations,
        "converged": model.converged,
        "deviance": number(model.deviance),
        "null_deviance": number(model.null_deviance),
        "scaled_gradient": number(model.scaled_gradient),
        "condition_number": number(model.condition_number),
        "largest_coefficient": number(model.largest_coefficient),
        "treated_per_parameter": number(model.treated_per_parameter),
        "method": model.method,
        "dropped": [asdict(term) for term in model.dropped],
        "separation": [asdict(item) for item in model.separation],
    }


def balance_results(balance: Sequence[BalanceRow]) -> list[dict[str, Any]]:
    """Return the balance of a match as results.json holds it."""
    return [plain(asdict(row)) for row in balance]


def _largest(values: Sequence[tuple[str, float]]) -> tuple[str | None, float | None]:
    defined = [(abs(value), name) for name, value in values if not np.isnan(value)]
    if not defined:
        return None, None
    largest = max(value for value, _ in defined)
    return next(name for value, name in defined if value == largest), largest


def _balance_summary(
    options: MatchOptions, balance: Sequence[BalanceRow], score: ScoreBalance
) -> dict[str, Any]:
    after = [abs(row.smd_after) for row in balance if not np.isnan(row.smd_after)]
    close = sum(value <= CLOSE for value in after)
    fair = sum(value <= FAIR for value in after) - close
    _, largest_before = _largest([(row.name, row.smd_before) for row in balance])
    name_after, largest_after = _largest([(row.name, row.smd_after) for row in balance])
    return {
        "denominator": options.smd_denominator,
        "closely_matched": close,
        "fairly_matched": fair,
        "poorly_matched": len(balance) - close - fair,
        "largest_smd_before": largest_before,
        "largest_smd_after": largest_after,
        "largest_smd_after_name": name_after,
        "rubin_b_before": number(score.rubin_b_before),
        "rubin_b_after": number(score.rubin_b_after),
        "rubin_r_before": number(score.rubin_r_before),
        "rubin_r_after": number(score.rubin_r_after),
        "auc_before": number(score.auc_before),
        "auc_after": number(score.auc_after),
    }


def _unmatched(match: Match, scoring: Scoring, profile: Sequence[UnmatchedRow]) -> dict[str, Any]:
    lost = int(np.count_nonzero(scoring.problem.focal & ~match.matched))
    return {"n": lost, "profile": [plain(asdict(row)) for row in profile]}


def _interval(interval: Interval) -> dict[str, Any]:
    return {
        "method": interval.method,
        "standard_error": number(interval.standard_error),
        "ci_low": number(interval.low),
        "ci_high": number(interval.high),
        "p_value": p_value(interval.p_value),
    }


def _ratio(interval: Interval) -> dict[str, Any]:
    return {
        "measure": interval.method,
        "ratio": number(interval.estimate),
        "standard_error_log": number(interval.standard_error),
        "ci_low": number(interval.low),
        "ci_high": number(interval.high),
        "p_value": p_value(interval.p_value),
    }


def _estimate(estimate: Estimate, label: str) -> dict[str, Any]:
    interval, form = estimate.interval, estimate.form
    return {
        "outcome": estimate.outcome.column,
        "type": estimate.outcome.type,
        "measure": estimate.measure,
        "treated": number(estimate.treated.mean),
        "comparison": number(estimate.comparison.mean),
        "difference": number(interval.estimate),
        "standard_error": number(interval.standard_error),
        "degrees_of_freedom": number(interval.degrees_of_freedom),
        "ci_low": number(interval.low),
        "ci_high": number(interval.high),
        "p_value": p_value(interval.p_value),
        "level": interval.level,
        "interval_method": interval.method,
        "interval_asked": estimate.choice.asked,
        "interval_why": estimate.choice.why,
        "refused": [asdict(refusal) for refusal in estimate.choice.refused],
        "secondary": [_interval(other) for other in estimate.secondary],
        "ratios": [_ratio(ratio) for ratio in estimate.ratios],
        "adjusted": None
        if estimate.adjusted is None
        else {"difference": number(estimate.adjusted.estimate), **_interval(estimate.adjusted)},
        "adjusted_note": estimate.adjusted_note,
        "estimand_label": label,
        "n_treated": estimate.treated.n,
        "n_comparison": estimate.comparison.n,
        "effective_comparison": number(estimate.comparison.effective),
        "expected_events": number(estimate.expected_events),
        "publishable": estimate.publishable,
        "enough_events": estimate.enough_events,
        "people": None if form is None else form.people,
        "largest_person_share": None if form is None else number(form.largest_share),
        "cautions": list(estimate.cautions),
    }


def _keep_share(options: MatchOptions, scoring: Scoring, match: Match) -> dict[str, Any] | None:
    if options.keep_share is None:
        return None
    return {
        "share": options.keep_share,
        "caliper_width_logit": number(scoring.width),
        "caliper_sd_logit": number(scoring.width / scoring.sd_logit)
        if scoring.sd_logit > 0
        else None,
        "treated_matched": int(np.count_nonzero(match.matched)),
    }


def match_tables(
    rows: Rows, options: MatchOptions, scoring: Scoring, match: Match, sample: Sample
) -> dict[str, pa.Table | None]:
    """Return the tables of a match: pairs, windows, weights, scores.

    Parameters
    ----------
    rows, options, scoring, match
        Results of the rooms before.
    sample : Sample
        The matched sample.

    Returns
    -------
    dict of str to pyarrow.Table or None
        ``weights`` holds the rows of the matched sample only; ``scores`` every row, with a null
        logit for rows that the model left out.
    """
    ids = rows.identity.ids
    kept = np.sort(np.concatenate(sample.rows))
    arm = pa.DictionaryArray.from_arrays(
        to_arrow(rows.treated[kept].astype(np.int8)), text_array(["comparison", "treated"])
    )
    finite = np.isfinite(scoring.logit)
    logit = to_arrow(scoring.logit, finite)
    return {
        "pairs": _pairs(rows, options, scoring, match),
        "windows": _windows(rows, match),
        "weights": pa.table(
            {"id": ids.take(to_arrow(kept)), "arm": arm, "weight": to_arrow(match.weight[kept])}
        ),
        "scores": pa.table({"id": ids, "logit": logit}),
    }


def _pair_table(
    rows: Rows,
    focal: NDArray[np.int64],
    partner: NDArray[np.int64],
    distance: NDArray[np.float64],
    share: NDArray[np.float64],
    options: MatchOptions,
) -> pa.Table:
    ids = rows.identity.ids
    own, other = ids.take(to_arrow(focal)), ids.take(to_arrow(partner))
    if options.estimand == "atc":
        own, other = other, own
    return pa.table(
        {
            "treated_id": own,
            "comparison_id": other,
            "distance": to_arrow(distance),
            "weight": to_arrow(share),
        }
    )


def _pairs(rows: Rows, options: MatchOptions, scoring: Scoring, match: Match) -> pa.Table | None:
    problem = scoring.problem
    if match.pairing is not None:
        pairing = match.pairing
        focal = np.repeat(pairing.focal, pairing.set_size)
        partner = pairing.partner
        if problem.position is None:
            distance = np.abs(problem.score[focal] - problem.score[partner])
        else:
            gap = problem.position[:, focal] - problem.position[:, partner]
            squared = np.zeros(len(focal))
            for values in gap:
                squared += values * values
            distance = np.sqrt(squared)
        return _pair_table(rows, focal, partner, distance, pairing.share, options)
    if match.windows is None or not options.pairs:
        return None
    owner, partner = partners_in_windows(match.windows)
    focal = match.windows.focal[owner]
    distance = np.abs(problem.score[focal] - problem.score[partner])
    relative = distance / problem.caliper
    if options.kernel == "epanechnikov":
        kernel = 1.0 - relative * relative
    elif options.kernel == "tricube":
        inner = 1.0 - relative * relative * relative
        kernel = inner * inner * inner
    else:
        kernel = np.ones(len(relative))
    whole = match.windows.total[owner]
    share = np.divide(kernel, whole, out=np.zeros_like(kernel), where=whole > 0)
    return _pair_table(rows, focal, partner, distance, share, options)


def _windows(rows: Rows, match: Match) -> pa.Table | None:
    windows = match.windows
    if windows is None:
        return None
    return pa.table(
        {
            "treated_id": rows.identity.ids.take(to_arrow(windows.focal)),
            "low": to_arrow(windows.low),
            "high": to_arrow(windows.high),
            "n": to_arrow(windows.high - windows.low),
        }
    )
