"""Copas rate, OGRS3 and OGRS4/G (static, two years) from age, history and offence.

The coefficients are those of the published calculators. Logarithms and exponentials are the
kernels' own, so that a score has the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.records.code_lists import OFFENCE_GROUPS_20, OFFENCE_GROUPS_24
from kernels.elementary import logarithm, logistic

Floats = np.ndarray[Any, np.dtype[np.float64]]

_BAND_STARTS = np.array([10, 12, 14, 16, 18, 21, 25, 30, 35, 40, 50])
_MALE = np.array(
    (0.0, 0.08392, 0.07578, -0.0616, -0.6251, -1.0515, -1.1667, -1.326, -1.368, -1.4997, -2.0253)
)
# The three youngest female bands carry the sign of the ministry's own code; another public version
# has them negative. No adult is touched.
_FEMALE = np.array(
    (
        0.785,
        0.61385,
        0.66952,
        -0.9592,
        -0.8975,
        -1.0285,
        -1.0528,
        -1.1291,
        -1.4219,
        -1.5247,
        -2.4498,
    )
)
_WEIGHT_OGRS3 = {
    "violence": 0.0,
    "robbery": -0.6348,
    "public order": 0.1819,
    "sexual (not against child)": 0.0328,
    "sexual (against child)": -0.6534,
    "soliciting or prostitution": 0.7606,
    "burglary (domestic)": -0.1239,
    "burglary (other)": 0.2406,
    "theft (non-motor)": 0.6612,
    "handling stolen goods": 0.3519,
    "fraud and forgery": 0.1599,
    "absconding or bail offences": 0.7334,
    "taking and driving away and related": 0.3801,
    "theft from vehicles": 0.4272,
    "drink driving": -0.1214,
    "other motoring": 0.2622,
    "criminal damage": 0.205,
    "drug import/export/production": -0.7956,
    "drug possession/supply": 0.0772,
    "other": -0.0607,
}
_VIOLENCE_OGRS4 = -0.11008
_WEIGHT_OGRS4 = {
    "violence (serious)": _VIOLENCE_OGRS4,
    "violence (assault)": _VIOLENCE_OGRS4,
    "violence (common assault)": _VIOLENCE_OGRS4,
    "possession of weapons": _VIOLENCE_OGRS4,
    "firearms": _VIOLENCE_OGRS4,
    "acquisitive violence": -0.11921,
    "public order and harassment": 0.08544,
    "criminal damage": 0.12168,
    "sexual (not against child)": 0.16997,
    "sexual (against child)": 0.11162,
    "burglary (domestic)": 0.15594,
    "burglary (other)": 0.20602,
    "theft (non-motor)": 0.46255,
    "handling stolen goods": 0.08841,
    "fraud and forgery": -0.43479,
    "welfare fraud": -1.15395,
    "vehicle theft": 0.17341,
    "drink driving": -0.26472,
    "motoring": -0.04400,
    "drunkenness": 0.58749,
    "drug import/export/production": -0.46825,
    "drug possession/supply": 0.02041,
    "absconding or bail offences": 0.32549,
    "other": 0.03844,
}
# An extract without the 24 groups: each of the 20 by the nearest of them.
GROUP24_OF_GROUP20 = {
    "violence": "violence (assault)",
    "robbery": "acquisitive violence",
    "public order": "public order and harassment",
    "soliciting or prostitution": "other",
    "taking and driving away and related": "vehicle theft",
    "theft from vehicles": "theft (non-motor)",
    "other motoring": "motoring",
}


@dataclass(frozen=True)
class Scores:
    """Scores of each row; nan where age, sex, offence or history is not known.

    Parameters
    ----------
    copas_rate : float64, shape (n,)
        ln((1 + previous sanctions) / (10 + age now - age at first sanction)).
    ogrs3_1y, ogrs3_2y : float64, shape (n,)
        Probabilities.
    ogrs3_logit : float64, shape (n,)
        Logit of ``ogrs3_2y``.
    ogrs4g_2y, ogrs4g_logit : float64, shape (n,)
    """

    copas_rate: Floats
    ogrs3_1y: Floats
    ogrs3_2y: Floats
    ogrs3_logit: Floats
    ogrs4g_2y: Floats
    ogrs4g_logit: Floats


def risk_scores(
    *,
    female: Any,
    age_start: Any,
    age_now: Any,
    age_first: Any,
    previous: Any,
    weight3: Floats,
    weight4: Floats,
    offence_free_months: Any = 0.0,
) -> Scores:
    """Return the scores of index disposals.

    Parameters
    ----------
    female : int8, shape (n,)
        1 female, 0 male, -1 not known.
    age_start, age_now, age_first : int, shape (n,)
        Whole years at the start of the follow-up, at the disposal and at the first sanction; -1
        where not known.
    previous : int, shape (n,)
        Sanctions before this one.
    weight3, weight4 : float64, shape (n,)
        Weights of the offence from :func:`offence_weights`; nan where not known.
    offence_free_months : float or float64, shape (n,)
        Months since the start of the follow-up without an offence, counted up to 36; 0 where the
        score is taken at its start.

    Returns
    -------
    Scores

    References
    ----------
    Howard, P., Francis, B., Soothill, K., Humphreys, L. (2009). OGRS 3: the revised Offender Group
    Reconviction Scale. Ministry of Justice Research Summary 7/09.
    """
    a = np.asarray(age_start, dtype=np.float64)
    gap = np.asarray(age_now, dtype=np.float64) - np.asarray(age_first, dtype=np.float64)
    n = np.asarray(previous, dtype=np.float64)
    woman = np.asarray(female) == 1
    known = (
        (np.asarray(female) >= 0)
        & (a >= _BAND_STARTS[0])
        & (np.asarray(age_first) >= 0)
        & (gap >= 0)
        & (n >= 0)
    )
    copas = _log(np.where(gap >= 0, (1.0 + n) / (10.0 + np.maximum(gap, 0.0)), 1.0))
    copas[~known] = np.nan
    band = np.clip(np.searchsorted(_BAND_STARTS, a, side="right") - 1, 0, len(_BAND_STARTS) - 1)
    status = np.where(n > 0, 0.46306, 0.12614)
    total = np.where(woman, _FEMALE[band], _MALE[band]) + status + 1.25112 * copas + weight3
    two_years = 2.1217 + total
    fourth = _ogrs4(a, gap, n + 1.0, woman, weight4, offence_free_months)
    fourth = np.where(known, fourth, np.nan)
    return Scores(
        copas,
        _probability(1.40256 + total),
        _probability(two_years),
        two_years,
        _probability(fourth),
        fourth,
    )


def _ogrs4(
    a: Floats, gap: Floats, sanctions: Floats, woman: Any, weight: Floats, free: Any
) -> Floats:
    """Linear predictor of OGRS4/G."""
    men = a * (
        -0.142428460338541
        + a * (0.0011000413899151 + a * (0.0000198538471606 - a * 0.0000002648918335))
    )
    women = -2.95224200717183 + a * (
        -0.0175014516689226
        + a * (0.0001625346907234 + a * (0.0000003645241305 - a * 0.0000000746220588))
    )
    second = -3.06189212045904 + gap * np.where(woman, -0.0427998315841607, -0.0432051839161834)
    r = _log(sanctions / (np.maximum(gap, 0.0) + 26.0))
    further = np.where(
        woman,
        r * (1.01980307124196 - r * 0.039439197041062),
        r * (1.55298303083717 + r * 0.129334968245905),
    )
    history = np.where(sanctions == 1, -3.94357049933093, np.where(sanctions == 2, second, further))
    m = np.minimum(np.asarray(free, dtype=np.float64), 36.0)
    quiet = m * (
        -0.0762086223169624
        + m * (0.0016230134182902 + m * (0.0000224473135387 - m * 0.0000012808638685))
    )
    z: Floats = (
        5.01702292499072
        + np.where(woman, women, men)
        + weight
        - 0.0042757301284995 * sanctions
        + history
        + quiet
    )
    return z


def offence_weights(groups: tuple[str, ...], version: int) -> Floats:
    """Return the weight of each group, nan for a name that the score does not know.

    Parameters
    ----------
    groups : tuple of str
        Of the 20 groups for version 3, of the 24 for version 4.
    version : int
        3 or 4.
    """
    table = _WEIGHT_OGRS3 if version == 3 else _WEIGHT_OGRS4
    return np.array([table.get(name, np.nan) for name in groups])


def nearest_group24(group20: str) -> str | None:
    """Return the group of the 24 that stands for one of the 20, None where the name is unknown."""
    if group20 not in OFFENCE_GROUPS_20:
        return None
    name = GROUP24_OF_GROUP20.get(group20, group20)
    return name if name in OFFENCE_GROUPS_24 else None


def _log(x: Any) -> Floats:
    values = np.ascontiguousarray(x, dtype=np.float64)
    out = np.empty_like(values)
    logarithm(values, out)
    return out


def _probability(z: Floats) -> Floats:
    known = np.isfinite(z)
    values = np.where(known, z, 0.0)
    out = np.empty_like(values)
    logistic(values, out)
    out[~known] = np.nan
    return out


def log1p_counts(counts: Any) -> Floats:
    """Return ln(1 + count)."""
    return _log(1.0 + np.asarray(counts, dtype=np.float64))
