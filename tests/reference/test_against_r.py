"""The reference agrees with stored results of R (tests/oracles)."""

import csv
import functools
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tests.reference.bounds import (
    aligned_ranks,
    bias_factor_of_risk_difference,
    binary_pairs_upper,
    binary_sets_upper,
    e_value,
    separable_upper,
    signed_rank_upper,
)
from tests.reference.closed_forms import (
    matching_variance,
    nearest_with_ties,
    own_arm_variances,
    set_clustered,
    set_clustered_contrast,
)
from tests.reference.intervals import linearised_ratio, wilson
from tests.reference.linear_form import equal_shares, set_differences, use_of_partners, variance
from tests.reference.two_samples import mcnemar_exact, newcombe, welch

pytestmark = pytest.mark.oracle
ORACLES = Path(__file__).resolve().parent.parent / "oracles"


@functools.cache
def result(name):
    return json.loads((ORACLES / "results" / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def table(path):
    with gzip.open(ORACLES / path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        try:
            columns[name] = np.array([float(v) if v else np.nan for v in values])
        except ValueError:
            columns[name] = np.array(values)
    return columns


# ------------------------------------------------------------------------------ Abadie and Imbens


@functools.cache
def match_of(path, score, estimand, k):
    treated = table(path)["treat"] == 1
    focal = treated if estimand == "att" else ~treated
    return nearest_with_ties(table(score)["lp"], np.flatnonzero(focal), np.flatnonzero(~focal), k)


@functools.cache
def variances_of(path, score, outcome, J):
    people = table(path)
    return own_arm_variances(people[outcome], table(score)["lp"], people["treat"] == 1, J)


@pytest.mark.parametrize("estimand", ["att", "atc"])
@pytest.mark.parametrize("name", ["nhefs", "recid", "persons"])
def test_abadie_imbens_errors_of_matching(name, estimand):
    checked = 0
    for case in result("abadie_imbens")["estimates"]:
        if not case["name"].startswith(name) or case["estimand"] != estimand:
            continue
        sets = match_of(case["table"], case["score"], estimand, case["neighbours"])
        y = table(case["table"])[case["outcome"]]
        sign = 1 if estimand == "att" else -1
        variances = None
        if case["variance_neighbours"] > 0:
            key = (case["table"], case["score"], case["outcome"], case["variance_neighbours"])
            variances = variances_of(*key)

        assert sum(len(p) for _, p, _ in sets) == case["pairs"]
        assert sign * set_differences(y, sets).mean() == pytest.approx(case["estimate"], rel=1e-10)
        made = matching_variance(y, sets, variances, case["form"]) ** 0.5
        assert made == pytest.approx(case["standard_error"], rel=1e-8), case["name"]
        checked += 1
    assert checked >= 32


# ------------------------------------------------------------------------------------- clustered


@functools.cache
def pairs_by_design(path):
    """Focal and partner ids of every design of a pairs file, by the design's name."""
    rows = table(path)
    designs = {}
    for config, treated, control in zip(
        rows["config"], rows["treated_id"], rows["control_id"], strict=True
    ):
        designs.setdefault(str(config), []).append((int(treated), int(control)))
    return designs


def sets_of(case):
    """Sets of a stored design, as row numbers of its table (ids count from 1)."""
    if case["cluster"] == "person":
        stored = next(
            s for s in result("clustered")["persons"] if case["design"][-1] == str(s["neighbours"])
        )
        partners = np.array(stored["control_id"]).reshape(-1, stored["neighbours"]) - 1
        return equal_shares(zip(np.array(stored["treated_id"]) - 1, partners, strict=True))
    groups = {}
    for treated, control in pairs_by_design(case["pairs"])[case["design"]]:
        focal, partner = (treated, control) if case["estimand"] == "att" else (control, treated)
        groups.setdefault(focal, []).append(partner)
    return equal_shares([(f - 1, np.array(p) - 1) for f, p in groups.items()])


def contrast_weights(measure, m_focal, m_partner):
    """Value of the measure (focal over partner) and the derivatives by the two means."""
    if measure == "difference":
        return m_focal - m_partner, 1.0, 1.0
    if measure == "log_ratio":
        return np.log(m_focal / m_partner), 1 / m_focal, 1 / m_partner
    odds = [m / (1 - m) for m in (m_focal, m_partner)]
    value = np.log(odds[0] / odds[1])
    return value, 1 / (m_focal * (1 - m_focal)), 1 / (m_partner * (1 - m_partner))


def plain_psi(y, sets, a_focal, a_partner):
    """Influence of a weighted comparison of means, the match taken as given."""
    K, _ = use_of_partners(sets, len(y))
    focal = [i for i, _, _ in sets]
    m_partner = np.sum(K * y) / len(focal)
    psi = -a_partner * K * (y - m_partner)
    psi[focal] = a_focal * (y[focal] - y[focal].mean())
    return psi


def test_clustered_errors_of_weighted_regressions():
    kinds = set()
    for case in result("clustered")["regressions"]:
        y = table(case["table"])[case["outcome"]]
        sets = sets_of(case)
        focal = [i for i, _, _ in sets]
        m_focal = y[focal].mean()
        m_partner = m_focal - set_differences(y, sets).mean()
        value, a_focal, a_partner = contrast_weights(case["measure"], m_focal, m_partner)
        sign = 1 if case["estimand"] == "att" else -1

        assert sign * value == pytest.approx(case["estimate"], rel=1e-9, abs=1e-12)
        if case["cluster"] == "set":
            V = set_clustered_contrast(y, sets, a_focal, a_partner)
            if case["measure"] == "difference":
                assert pytest.approx(set_clustered(y, sets), rel=1e-12) == V
        else:
            psi = plain_psi(y, sets, a_focal, a_partner)
            used = np.flatnonzero(use_of_partners(sets, len(y))[0] + np.isin(range(len(y)), focal))
            person = table(case["table"])["person"][used]
            V = variance(psi[used], len(sets), person, case["clusters"])
            assert len(np.unique(person)) == case["clusters"]
        assert pytest.approx(case["survey"], rel=1e-8) == V**0.5, case
        kinds.add((case["cluster"], case["measure"]))
    assert len(kinds) == 6


def test_conditional_means_of_the_survey_package():
    for case in result("clustered")["conditional"]:
        people = table(case["table"])
        sets = sets_of(case)
        focal = np.array([i for i, _, _ in sets])
        K, _ = use_of_partners(sets, len(people["id"]))
        event = people[case["event"]]
        r_focal, r_partner, z = linearised_ratio(event, people[case["outcome"]], focal, K)
        sign = 1 if case["estimand"] == "att" else -1

        assert sign * (r_focal - r_partner) == pytest.approx(case["estimate"], rel=1e-10)
        assert event[people["treat"] == 1][0] in {0, 1}
        if case["cluster"] == "set":
            V = set_clustered(z, sets)
        else:
            psi = plain_psi(z, sets, 1.0, 1.0)
            used = np.flatnonzero(K + np.isin(range(len(K)), focal))
            V = variance(psi[used], len(sets), people["person"][used], case["clusters"])
        assert pytest.approx(case["survey"], rel=1e-8) == V**0.5


# --------------------------------------------------------------------------------- plain tests


def test_welch():
    for case in result("two_samples")["welch"]:
        people = table(case["table"])
        y = people[case["outcome"]]
        one, two = (y[(people["treat"] == arm) & ~np.isnan(y)] for arm in (1, 0))
        made = welch(one, two, level=case["level"])

        assert made.df == pytest.approx(case["df"], rel=1e-12)
        assert made.p_value == pytest.approx(case["p_value"], rel=1e-10)
        assert [made.lower, made.upper] == pytest.approx([case["lower"], case["upper"]], rel=1e-10)
        weighted = welch(one, two, np.full(len(two), 3.0), level=case["level"])
        assert weighted.lower == pytest.approx(made.lower, rel=1e-12)


def test_wilson_and_newcombe():
    from scipy import stats

    for case in result("two_samples")["rates"]:
        q = stats.norm.ppf((1 + case["level"]) / 2)
        counts = [case[k] for k in ("events_treated", "treated", "events_comparison", "comparison")]

        limits = wilson(counts[0] / counts[1], counts[1], q)
        assert limits == pytest.approx(case["wilson_treated"], abs=1e-12)
        assert newcombe(*counts, case["level"]) == pytest.approx(case["newcombe"], abs=1e-10)


def test_newcombe_by_the_published_examples():
    # Newcombe (1998), Stat Med 17, 873-890, Table II, method 10, examples (a) to (h)
    published = {
        (56, 70, 48, 80): (0.0524, 0.3339),
        (9, 10, 3, 10): (0.1705, 0.8090),
        (6, 7, 2, 7): (0.0582, 0.8062),
        (5, 56, 0, 29): (-0.0381, 0.1926),
        (0, 10, 0, 20): (-0.1611, 0.2775),
        (0, 10, 0, 10): (-0.2775, 0.2775),
        (10, 10, 0, 20): (0.6791, 1.0),
        (10, 10, 0, 10): (0.6075, 1.0),
    }
    for counts, limits in published.items():
        assert newcombe(*counts) == pytest.approx(limits, abs=5.1e-5)


def test_mcnemar():
    for case in result("two_samples")["mcnemar"]:
        made = mcnemar_exact(case["treated_only"], case["comparison_only"])

        assert made == pytest.approx(case["exact_p_value"], rel=1e-12)
        assert made == pytest.approx(case["package_p_value"], rel=1e-9)


# --------------------------------------------------------------------------------- sensitivity


def test_bounds_of_binary_pairs():
    for case in result("hidden_bias")["binary_pairs"]:
        sides = case["treated_only"], case["comparison_only"]
        upper = binary_pairs_upper(max(sides), sum(sides), case["gamma"])
        lower = binary_pairs_upper(max(sides), sum(sides), 1 / case["gamma"])

        assert upper == pytest.approx(case["upper"], rel=1e-11)
        assert lower == pytest.approx(case["lower"], rel=1e-11)
        assert upper == pytest.approx(case["upper_mantel_haenszel"], rel=1e-9)
        # the strict inequality of rbounds: the observed count is left out
        beyond = binary_pairs_upper(max(sides) + 1, sum(sides), case["gamma"])
        assert beyond == pytest.approx(case["rbounds_upper"], abs=1e-12)


def test_bounds_of_binary_sets():
    for case in result("hidden_bias")["binary_sets"]:
        made = [binary_sets_upper(case["tables"], gamma) for gamma in case["gamma"]]
        assert made == pytest.approx(case["upper"], rel=1e-8)


def test_bounds_of_signed_ranks():
    for case in result("hidden_bias")["pairs"].values():
        made = [signed_rank_upper(case["differences"], gamma) for gamma in case["gamma"]]
        assert made == pytest.approx(case["signed_rank_upper"], abs=1e-12)


def test_bounds_of_sets_by_aligned_ranks():
    for case in result("hidden_bias")["sets"]:
        scores = aligned_ranks(case["outcomes"])
        made = [separable_upper(scores, gamma) for gamma in case["gamma"]]

        assert sum(q[0] for q in scores) == case["aligned_rank_statistic"]
        expectation, spread, upper = zip(*made, strict=True)
        assert expectation == pytest.approx(case["aligned_rank_expectation"], rel=1e-12)
        assert spread == pytest.approx(case["aligned_rank_variance"], rel=1e-9)
        assert upper == pytest.approx(case["aligned_rank_upper"], abs=1e-10)


def test_e_values():
    for case in result("hidden_bias")["e_values"]:
        ratios = case["risk_ratio"]
        if case["measure"] == "odds_ratio":
            power = 1.0 if case["rare"] else 0.5
            limits = case["estimate"], case["lower"], case["upper"]
            assert ratios == pytest.approx([x**power for x in limits])
        assert e_value(ratios[0]) == pytest.approx(case["e_value"], rel=1e-12)
        near = 1 if ratios[0] > 1 else 2
        stored = case["e_value_lower" if near == 1 else "e_value_upper"]
        crosses = ratios[1] <= 1 <= ratios[2]
        if stored is not None:
            assert stored == pytest.approx(1.0 if crosses else e_value(ratios[near]))


def test_e_values_of_risk_differences():
    for case in result("hidden_bias")["risk_differences"]:
        exposed = case["events_exposed"] + case["others_exposed"]
        unexposed = case["events_unexposed"] + case["others_unexposed"]
        factor = bias_factor_of_risk_difference(
            case["events_exposed"] / exposed,
            case["events_unexposed"] / unexposed,
            exposed / (exposed + unexposed),
        )
        assert e_value(factor) == pytest.approx(case["e_value"], rel=1e-10)
