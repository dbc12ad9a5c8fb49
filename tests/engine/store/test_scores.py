"""Risk scores equal the published vectors to the printed digit."""

import numpy as np
import pytest

from engine.records.code_lists import OFFENCE_GROUPS_20, OFFENCE_GROUPS_24
from engine.store.dates import age_on
from engine.store.scores import nearest_group24, offence_weights, risk_scores


def days(text):
    return np.array([text], dtype="datetime64[D]").astype(np.int32)


def score(born, convicted, start, total, first, weight3, *, female=0, weight4=0.03844, free=0.0):
    return risk_scores(
        female=np.array([female]),
        age_start=age_on(days(born), days(start)),
        age_now=age_on(days(born), days(convicted)),
        age_first=np.array([first]),
        previous=np.array([total - 1]),
        weight3=np.array([weight3]),
        weight4=np.array([weight4]),
        offence_free_months=free,
    )


@pytest.mark.parametrize(
    ("case", "copas", "one_year", "two_years"),
    [
        (("1991-07-17", "2021-08-05", "2021-12-12", 2, 21, -0.0607), -2.81664, 8.80, 16.54),
        (("1965-12-07", "2025-05-13", "2026-12-12", 2, 47, 0.7606), -3.00005, 8.32, 15.71),
    ],
)
def test_ogrs3_vectors(case, copas, one_year, two_years):
    result = score(*case)

    assert round(1.25112 * result.copas_rate[0], 5) == copas
    assert round(100 * result.ogrs3_1y[0], 2) == one_year
    assert round(100 * result.ogrs3_2y[0], 2) == two_years


def test_ogrs4_vector():
    result = score("1991-07-17", "2021-08-05", "2021-12-12", 2, 21, -0.0607, free=36.0)

    assert round(result.ogrs4g_logit[0], 5) == -3.10929
    assert round(100 * result.ogrs4g_2y[0], 2) == 4.27


def test_ogrs4_criminal_damage_vector():
    # the vector states its age polynomial, which is that of a man of 51
    polynomial = [
        (-0.142428460338541 * a + 0.0011000413899151 * a**2)
        + (0.0000198538471606 * a**3 - 0.0000002648918335 * a**4)
        for a in range(10, 100)
    ]
    age = int(np.argmin(np.abs(np.array(polynomial) + 3.22039))) + 10
    assert round(polynomial[age - 10], 5) == -3.22039
    result = risk_scores(
        female=np.array([0]),
        age_start=np.array([age]),
        age_now=np.array([age]),
        age_first=np.array([age - 16]),
        previous=np.array([1]),
        weight3=np.array([0.205]),
        weight4=offence_weights(("criminal damage",), 4),
    )

    assert round(100 * result.ogrs4g_2y[0], 2) == 13.66


def test_what_is_not_known_has_no_score():
    known = {
        "female": np.array([0]),
        "age_start": np.array([30]),
        "age_now": np.array([30]),
        "age_first": np.array([20]),
        "previous": np.array([3]),
        "weight3": np.array([0.0]),
        "weight4": np.array([0.0]),
    }
    assert np.isfinite(risk_scores(**known).ogrs3_2y[0])
    for name, value in (("female", -1), ("age_start", -1), ("age_first", -1), ("weight3", np.nan)):
        result = risk_scores(**{**known, name: np.array([value])})
        assert np.isnan(result.ogrs3_1y[0])
    assert np.isnan(risk_scores(**{**known, "age_start": np.array([9])}).ogrs4g_2y[0])


def test_every_group_has_a_weight():
    assert np.isfinite(offence_weights(OFFENCE_GROUPS_20, 3)).all()
    assert np.isfinite(offence_weights(OFFENCE_GROUPS_24, 4)).all()
    assert all(nearest_group24(group) in OFFENCE_GROUPS_24 for group in OFFENCE_GROUPS_20)
    assert nearest_group24("no such group") is None
