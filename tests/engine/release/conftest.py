"""Results of matches that never happened, in the form that the engine hands to the release room."""

import copy
import itertools
import math
import random

import pyarrow as pa
import pytest

NAMES = [
    ("age at index date", "numeric"),
    ("previous_offences", "numeric"),
    ("copas_rate", "numeric"),
    ("sentence_days", "numeric"),
    ("sex=female", "level"),
    ("ethnicity=Asian or Asian British", "level"),
    ("ethnicity=Black or Black British", "level"),
    ("ethnicity=Mixed or multiple ethnic groups", "level"),
    ("ethnicity=White", "level"),
    ("index_offence=acquisitive", "level"),
    ("index_offence=drugs (import, export, supply)", "level"),
    ("index_offence=motoring", "level"),
    ("index_offence=public order", "level"),
    ("index_offence=violence against the person, excluding sexual offences", "level"),
    ("disposal=community order", "level"),
    ("disposal=custody under 12 months", "level"),
    ("disposal=custody of 12 months or more", "level"),
    ("region=North West", "level"),
    ("region=Yorkshire and the Humber", "level"),
    ("employed_before", "level"),
    ("benefit_days_before", "numeric"),
    ("foreign_national", "level"),
]


def _balance(random_numbers):
    rows = []
    for name, kind in NAMES:
        before, after = random_numbers.gauss(0, 0.25), random_numbers.gauss(0, 0.03)
        treated = random_numbers.uniform(0.1, 0.6) if kind == "level" else 30 + 9 * before
        binary = kind == "level"
        rows.append(
            {
                "name": name,
                "kind": kind,
                "mean_treated": treated,
                "mean_treated_matched": treated * 1.01,
                "mean_comparison_before": treated - 0.4 * before,
                "mean_comparison_after": treated - 0.4 * after,
                "smd_before": before,
                "smd_after": after,
                "variance_ratio_before": None if binary else 1.31,
                "variance_ratio_after": None if binary else 1.04,
                "ks_before": abs(before) * 0.5,
                "ks_after": abs(after) * 0.5,
            }
        )
    return rows


def summary_of(balance):
    """The summary that belongs to a balance table."""
    after = [abs(row["smd_after"]) for row in balance if row["smd_after"] is not None]
    before = [abs(row["smd_before"]) for row in balance if row["smd_before"] is not None]
    largest = max(
        (row for row in balance if row["smd_after"] is not None),
        key=lambda row: abs(row["smd_after"]),
        default={"name": None},
    )
    return {
        "denominator": "treated",
        "closely_matched": sum(one <= 0.05 for one in after),
        "fairly_matched": sum(0.05 < one <= 0.1 for one in after),
        "poorly_matched": len(balance) - sum(one <= 0.1 for one in after),
        "largest_smd_before": max(before, default=None),
        "largest_smd_after": max(after, default=None),
        "largest_smd_after_name": largest["name"],
        "rubin_b_before": 71.84,
        "rubin_b_after": 6.02,
        "rubin_r_before": 1.42,
        "rubin_r_after": 1.03,
        "auc_before": 0.7134,
        "auc_after": 0.5041,
    }


def _overlap():
    edges = [-6 + 0.25 * i for i in range(33)]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(edges)]

    def heap(centre, width, size):
        return [size * math.exp(-(((m - centre) / width) ** 2) / 2) for m in middles]

    return {
        "edges": edges,
        "treated": [round(one) for one in heap(-1.6, 0.9, 210)],
        "comparison_before": [round(one) for one in heap(-3.1, 1.1, 9000)],
        "comparison_after": heap(-1.65, 0.9, 205),
    }


def interval(method, difference, standard_error):
    """Another interval of an estimate."""
    return {
        "method": method,
        "standard_error": standard_error,
        "ci_low": difference - 1.96 * standard_error,
        "ci_high": difference + 1.96 * standard_error,
        "p_value": 0.2,
    }


def ratio(measure, value, low, high):
    """A ratio measure."""
    return {
        "measure": measure,
        "ratio": value,
        "standard_error_log": 0.08,
        "ci_low": low,
        "ci_high": high,
        "p_value": 0.21,
    }


def _e_value(measure, value, limit, note=""):
    return {
        "measure": measure,
        "ratio": 0.82,
        "e_value": value,
        "e_value_ci": limit,
        "note": note,
        "sentence": f"Something unseen would have to reach 1.74 times, from the {measure}.",
    }


def make_sensitivity():
    """Every sensitivity figure of a clear difference of shares."""
    covariates = [
        {
            "name": name,
            "share_focal": 0.41,
            "share_partner": 0.33,
            "outcome_with": 0.42,
            "outcome_without": 0.29,
            "shift": 0.0104,
            "difference": -0.0596,
            "ci_low": -0.1085,
            "ci_high": -0.0107,
            "inconclusive": False,
            "times": times,
            "strength": 1.7,
        }
        for name, times in (("previous_offences", 1.42), ("region=North West", None))
    ]
    return {
        "rosenbaum": {
            "gamma": 1.3817,
            "p_value": 0.00004,
            "alpha": 0.05,
            "alternative": "two-sided",
            "direction": "less",
            "test": "McNemar",
            "sets": 1_851,
            "informative_sets": 803,
            "exact": False,
            "note": "Some comparison people serve in several sets, so Gamma is approximate.",
            "sentence": "To explain this away one would have to be more than 1.3 times as likely.",
        },
        "e_values": [
            _e_value("odds ratio", 1.6, 1.3, "The outcome is common."),
            _e_value("risk ratio", 1.74, 1.31),
            _e_value("risk difference", None, 1.31),
        ],
        "left_out": {
            "sentence": "It would have to be more than 1.4 times as strong as what we can see.",
            "covariates": covariates,
            "covariates_in_all": 22,
        },
        "instability": {
            "runs": 20,
            "undefined": 0,
            "median": -0.068,
            "low": -0.0741,
            "high": -0.0622,
            "inner_low": -0.073,
            "inner_high": -0.0631,
            "same_sign": 1.0,
            "standard_error": 0.0258,
            "sentence": "The match was repeated 20 times in another order and moved a little.",
        },
    }


def make_results():
    """A match of a service's people with an extract, one binary outcome, inconclusive."""
    balance = _balance(random.Random(20))
    return {
        "format": 1,
        "kind": "match",
        "design": {
            "treatment": "took_part",
            "treated_value": None,
            "covariates": [
                "age at index date",
                "previous_offences",
                "copas_rate",
                "sentence_days",
                "sex",
                "ethnicity",
                "index_offence",
                "disposal",
                "region",
                "employed_before",
                "benefit_days_before",
                "foreign_national",
            ],
            "categorical": ["sex", "ethnicity", "index_offence", "disposal", "region"],
            "exact": ["sex"],
            "anti_exact": [],
            "caliper": {
                "given": "0.2 sd-logit",
                "scale": "sd-logit",
                "width_logit": 0.36214,
                "widest_probability_gap": 0.08213,
            },
            "covariate_calipers": [{"column": "age at index date", "given": "2", "width": 2.0}],
            "mahalanobis": [],
            "method": "nearest",
            "kernel": None,
            "ratio": 1,
            "max_ratio": None,
            "replace": False,
            "reuse_max": None,
            "ties": "first",
            "order": "largest",
            "estimand": "att",
            "estimand_label": "matched participants",
            "discard": "support",
            "missing": "error",
            "id": "person_id",
            "person": None,
            "one_per_person": False,
            "score": None,
            "seed": 0,
        },
        "counts": {
            "rows": 104_218,
            "treated": 1_874,
            "comparison_pool": 102_344,
            "off_support_treated": 6,
            "off_support_comparison": 1_209,
            "comparison_without_treated_level": 402,
            "treated_matched": 1_851,
            "treated_unmatched": 23,
            "no_partner": 17,
            "not_chosen": 98_882,
            "comparison_used": 1_851,
            "effective_comparison": 1_851.0,
            "maximum_matchable": 1_866,
            "pairs": 1_851,
            "focal": "treated",
        },
        "propensity": {
            "terms": [
                {"name": "(intercept)", "coefficient": -3.41872, "standard_error": 0.21133},
                *(
                    {"name": name, "coefficient": 0.1 * i - 0.9, "standard_error": 0.01 + 0.004 * i}
                    for i, (name, _) in enumerate(NAMES)
                ),
            ],
            "iterations": 7,
            "converged": True,
            "deviance": 14_211.43,
            "null_deviance": 16_802.1,
            "scaled_gradient": 3.1e-12,
            "condition_number": 214.7,
            "largest_coefficient": 3.41872,
            "treated_per_parameter": 81.5,
            "method": "ml",
            "dropped": [{"name": "region=Wales", "reason": "the same as other columns"}],
            "separation": [],
        },
        "balance": balance,
        "balance_summary": summary_of(balance),
        "overlap": _overlap(),
        "unmatched": {
            "n": 23,
            "profile": [
                {
                    "name": name,
                    "mean_matched": 0.4,
                    "mean_unmatched": 0.4 + 0.05 * i,
                    "smd": -0.11 * i,
                }
                for i, (name, _) in enumerate(NAMES)
            ],
        },
        "estimates": [
            {
                "outcome": "reoffended",
                "type": "binary",
                "measure": "difference in means",
                "treated": 0.31172,
                "comparison": 0.33225,
                "difference": -0.02053,
                "standard_error": 0.01532,
                "degrees_of_freedom": 3_697.4,
                "ci_low": -0.05057,
                "ci_high": 0.00951,
                "p_value": 0.180412,
                "level": 0.95,
                "interval_method": "design-based MOVER-Newcombe",
                "interval_asked": "auto",
                "interval_why": "Each comparison person serves at most once: the linear form.",
                "refused": [
                    {"method": "refit", "reason": "it covered 97 to 100 %"},
                    {"method": "set-clustered", "reason": "it takes the score as known"},
                ],
                "secondary": [
                    interval("clustered by matched set", -0.02053, 0.0151),
                    interval("exact McNemar test", 0, 0)
                    | {"standard_error": None, "ci_low": None, "ci_high": None},
                ],
                "ratios": [
                    ratio("risk ratio", 0.9382, 0.8541, 1.0306),
                    ratio("odds ratio", 0.9101, 0.7933, 1.0441),
                ],
                "adjusted": {
                    "difference": -0.0188,
                    **interval("g-computation on the propensity terms", -0.0188, 0.015),
                },
                "adjusted_note": "",
                "estimand_label": "matched participants",
                "n_treated": 1_851,
                "n_comparison": 1_851,
                "effective_comparison": 1_851.0,
                "expected_events": 577.0,
                "publishable": True,
                "enough_events": True,
                "people": 1_851,
                "largest_person_share": 0.004,
                "cautions": [],
                "sensitivity": make_sensitivity(),
                "resampled": [],
            }
        ],
        "placebos": [],
        "support": {"scarce_share": 0.021, "window_bias": -0.0042},
        "path": None,
        "keep_share": None,
        "sensitivity": None,
        "certificate": {
            "pairs_checked": 1_851,
            "violations": 0,
            "checks": [
                {"check": "every pair is inside the caliper", "checked": 1_851, "violations": 0},
                {"check": "nobody is used twice", "checked": 3_702, "violations": 0},
                {"check": "exact columns are equal", "checked": 1_851, "violations": 0},
                {"check": "weights sum to the matched treated", "checked": 2, "violations": 0},
            ],
        },
        "warnings": ["3 columns have the same name in upper and lower case."],
    }


def make_rich():
    """Three outcomes of three kinds, a path of calipers, a kept share, a supplied score."""
    results = make_results()
    first = results["estimates"][0]
    results["estimates"] = [
        first | {"treated": 0.31, "comparison": 0.38, "difference": -0.07, "ci_low": -0.1189,
                 "ci_high": -0.0211, "p_value": 0.00002},
        first | {"outcome": "offences in the year", "type": "count", "treated": 1.2231,
                 "interval_method": "design-based Wald-t", "expected_events": 2_264.0,
                 "ratios": [ratio("rate ratio", 1.11, 1.02, 1.2)], "secondary": [],
                 "cautions": ["One person makes up 7 % of the variance."],
                 "adjusted": None, "adjusted_note": "There are too few people for a model.",
                 "comparison": 1.1044, "difference": 0.1187, "standard_error": 0.05,
                 "ci_low": 0.0204, "ci_high": 0.217, "p_value": 0.0179},
        first | {"outcome": "days to the first offence", "type": "time", "treated": 131.4,
                 "comparison": 126.9, "difference": 4.5, "standard_error": 5.1, "ci_low": -5.6,
                 "ci_high": 14.6, "p_value": 0.377, "n_treated": 577, "n_comparison": 615,
                 "interval_method": "design-based Wald-t of a linearised ratio", "ratios": [],
                 "effective_comparison": 615.0,
                 "sensitivity": dict.fromkeys(make_sensitivity()) | {"e_values": []},
                 "resampled": []},
    ]  # fmt: skip
    results["placebos"] = [
        {"name": name, "difference": 0.31, "ci_low": low, "ci_high": 0.63, "p_value": 0.04,
         "alarm": low > 0, "sentence": f"{'Differed' if low > 0 else 'Did not'} in '{name}'."}
        for name, low in (("height", -0.01), ("offences five years before", 0.02))
    ]  # fmt: skip
    results["path"] = [
        {
            "caliper_sd_logit": caliper,
            "caliper_width_logit": None if caliper is None else caliper * 1.81,
            "ratio": ratio,
            "treated_matched": 1_800 + 10 * ratio,
            "matched_share": 0.95 + 0.01 * ratio,
            "effective_comparison": 1_400.25 * ratio,
            "largest_smd": 0.08 / ratio,
        }
        for caliper in (0.05, 0.1, 0.2, None)
        for ratio in (1, 3, 5)
    ]
    results["keep_share"] = {
        "share": 0.95,
        "caliper_width_logit": 0.0634,
        "caliper_sd_logit": 0.0351,
        "treated_matched": 1_781,
    }
    return results


def make_bare():
    """The least a match can hold: a supplied score, one level, nothing unmatched, no outcome."""
    results = make_results()
    results["design"] |= {
        "covariates": ["x"], "categorical": [], "exact": [], "caliper": None, "discard": "none",
        "covariate_calipers": [], "estimand": "atc", "estimand_label": "ATC", "replace": True,
        "score": {"column": "ps", "scale": "probability"}, "ratio": 3,
    }  # fmt: skip
    row = dict.fromkeys(results["balance"][0], None) | {"name": "x", "kind": "numeric"}
    results["balance"] = [row]
    results["balance_summary"] = dict.fromkeys(summary_of([row])) | {
        "denominator": "comparison", "closely_matched": 0, "fairly_matched": 0, "poorly_matched": 1,
    }  # fmt: skip
    results["counts"] = {
        "rows": 9, "treated": 4, "comparison_pool": 5, "off_support_treated": 0,
        "off_support_comparison": 0, "comparison_without_treated_level": 0, "treated_matched": 5,
        "treated_unmatched": 0, "no_partner": 0, "not_chosen": 0, "comparison_used": 4,
        "effective_comparison": 2.7, "maximum_matchable": None, "pairs": 15, "focal": "comparison",
    }  # fmt: skip
    results |= {
        "propensity": None,
        "overlap": {"edges": [], "treated": [], "comparison_before": [], "comparison_after": []},
        "unmatched": {"n": 0, "profile": []},
        "estimates": [],
        "support": None,
        "warnings": [],
    }
    return results


def make_extreme():
    """Numbers at the edge: huge and undefined differences, separation, violations, 120 terms."""
    results = make_results()
    rows = []
    for i in range(120):
        row = copy.deepcopy(results["balance"][i % len(NAMES)])
        row["name"] = f"x{i}:{row['name']}"
        row["kind"] = "interaction"
        rows.append(row)
    rows[0] |= {"smd_before": 4.0e12, "smd_after": -37.5, "mean_treated": 1.23e16}
    rows[1] |= {"smd_before": None, "smd_after": None}
    rows[2] |= {"smd_before": 1.2, "smd_after": None}
    results["balance"] = rows
    results["balance_summary"] = summary_of(rows) | {"auc_after": 0.71}
    results["propensity"] |= {
        "converged": False,
        "method": "firth-flic",
        "separation": [{"name": "region=Wales", "kind": "quasi"}],
    }
    results["certificate"] |= {"violations": 2}
    results["overlap"] |= {"comparison_after": [0.0] * 32}
    results["overlap"]["edges"] = [-350 + 22.5 * i for i in range(33)]
    results["estimates"].append(
        copy.deepcopy(results["estimates"][0])
        | {
            "outcome": "convicted abroad",
            "treated": 0.004,
            "comparison": 0.02,
            "difference": -0.016,
            "ci_low": -0.0246,
            "ci_high": -0.0091,
            "publishable": False,
            "enough_events": False,
            "expected_events": 7.4,
            "interval_asked": "welch-kish",
            "interval_method": "welch-kish (not design-based)",
            "cautions": ["Only 7.4 events are expected: this result must not be published."],
        }
    )
    results["estimates"][0] |= {"standard_error": None, "degrees_of_freedom": None,
                                "ci_low": None, "ci_high": None, "p_value": None,
                                "sensitivity": None}  # fmt: skip
    results["support"]["scarce_share"] = None
    return results


CASES = {
    "plain": make_results,
    "rich": make_rich,
    "bare": make_bare,
    "extreme": make_extreme,
}


@pytest.fixture
def results():
    return make_results()


@pytest.fixture(params=CASES)
def any_results(request):
    return CASES[request.param]()


@pytest.fixture
def tables():
    ids = pa.array([f"P{i:05d}" for i in range(500)])
    return {
        "pairs": pa.table(
            {
                "treated_id": ids[:200],
                "comparison_id": ids[200:400],
                "distance": [0.001 * i for i in range(200)],
                "weight": [1.0] * 200,
            }
        ),
        "windows": None,
        "weights": pa.table({"id": ids, "arm": ["treated"] * 250 + ["comparison"] * 250,
                             "weight": [1.0] * 500}),
        "scores": pa.table({"id": ids, "logit": [0.01 * i - 3 for i in range(500)]}),
    }  # fmt: skip
