"""Calipers: a width, its named scale, and what it allows on every other scale.

Packages disagree on what '0.2' means (which score, whose standard deviation, with which
denominator), and users are hurt by it. Here the scale is part of the value: ``0.2 sd-logit``,
``0.05 logit``, ``0.01 probability``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, UsageError
from kernels.blocks import total, total_product
from kernels.elementary import logarithm, logistic

Scale = Literal["sd-logit", "logit", "probability"]
SCALES: tuple[Scale, ...] = ("sd-logit", "logit", "probability")


@dataclass(frozen=True)
class Caliper:
    """A caliper as the user gave it.

    Attributes
    ----------
    width : float
        In (0, inf); on the probability scale in (0, 1).
    scale : {'sd-logit', 'logit', 'probability'}
    """

    width: float
    scale: Scale

    @property
    def given(self) -> str:
        """The caliper in the form in which it is written."""
        return f"{_shortest(self.width)} {self.scale}"


@dataclass(frozen=True)
class CovariateCaliper:
    """A caliper on a covariate.

    Attributes
    ----------
    column : str
    width : float
        In [0, inf).
    in_sd : bool
        Whether the width counts standard deviations of the column over all rows.
    """

    column: str
    width: float
    in_sd: bool

    @property
    def given(self) -> str:
        """The caliper in the form in which it is written."""
        return f"{self.column} {_shortest(self.width)}" + (" sd" if self.in_sd else "")


def _shortest(value: float) -> str:
    """The shortest text that reads back as the same number, a whole one without a point."""
    return repr(value).removesuffix(".0")


def _number(text: str, option: str, example: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value < float("inf"):
        raise UsageError(
            f"the width in {option} is not a number of at least 0",
            rule=f"{option} takes a width and a name, for example '{example}'",
            repair="Write the number with a decimal point",
        )
    return value


def parse_caliper(text: str | None) -> Caliper | None:
    """Return the caliper written as ``WIDTH SCALE``, None for none.

    Raises
    ------
    UsageError
        The scale is missing or unknown, or the width is not a positive number.
    """
    if text is None:
        return None
    parts = text.split()
    scale = next((s for s in SCALES if len(parts) == 2 and parts[1] == s), None)
    if scale is None:
        raise UsageError(
            "the caliper does not name its scale",
            rule="a caliper is a width and a scale: sd-logit, logit or probability",
            repair="Write for example --caliper '0.2 sd-logit'",
        )
    width = _number(parts[0], "--caliper", "0.2 sd-logit")
    if width == 0.0 or (scale == "probability" and width >= 1.0):
        raise UsageError(
            "the caliper's width is outside its scale",
            rule="the width is above 0, and below 1 on the probability scale",
            repair="Use --exact to match on equal values",
        )
    return Caliper(width, scale)


def parse_covariate_caliper(text: str) -> CovariateCaliper:
    """Return the caliper written as ``COLUMN WIDTH`` or ``COLUMN WIDTH sd``.

    Raises
    ------
    UsageError
        There is no width, or it is not a number of at least 0.
    """
    parts = text.split()
    in_sd = len(parts) > 2 and parts[-1].lower() == "sd"
    if in_sd:
        parts = parts[:-1]
    if len(parts) < 2:
        raise UsageError(
            "a caliper on a covariate needs a column and a width",
            rule="--covariate-caliper takes 'COLUMN WIDTH', with 'sd' for standard deviations",
            repair="Write for example --covariate-caliper 'age 2'",
        )
    width = _number(parts[-1], "--covariate-caliper", "age 2")
    return CovariateCaliper(" ".join(parts[:-1]), width, in_sd)


def standard_deviation(values: NDArray[np.float64]) -> float:
    """Return the n - 1 standard deviation, by compensated sums; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    mean = float(total(values)) / len(values)
    deviation = values - mean
    return float(np.sqrt(float(total_product(deviation, deviation)) / (len(values) - 1)))


def width_on_logit(caliper: Caliper, logit: NDArray[np.float64]) -> float:
    """Return the raw width on the scale that matching compares.

    Parameters
    ----------
    caliper : Caliper
    logit : float64, shape (n,)
        Scores of all eligible rows.

    Returns
    -------
    float
        For ``sd-logit`` the width times the n - 1 standard deviation of the logits of all eligible
        rows. On the probability scale matching itself compares probabilities, and the width is
        returned as it is.

    Raises
    ------
    InputError
        All scores are equal, so their standard deviation is 0.
    """
    if caliper.scale != "sd-logit":
        return caliper.width
    deviation = standard_deviation(logit)
    if deviation == 0.0:
        raise InputError(
            "all propensity scores are equal",
            rule="a caliper in standard deviations needs scores that differ",
            repair="Give covariates that tell the groups apart, or a caliper on the logit scale",
        )
    return caliper.width * deviation


def widest_probability_gap(width_logit: float, logit: NDArray[np.float64]) -> float:
    """Return the widest gap in probability that a width on the logit allows.

    Parameters
    ----------
    width_logit : float
    logit : float64, shape (n,)
        Scores of all eligible rows.

    Returns
    -------
    float
        max over e of |F(e + c/2) - F(e - c/2)| for midpoints e that two scores in range can have;
        the logistic curve is steepest at 0, so the midpoint nearest to 0 decides.
    """
    if len(logit) == 0:
        return 0.0
    low, high = float(logit.min()), float(logit.max())
    width = min(width_logit, high - low)
    middle = min(max(0.0, low + width / 2.0), high - width / 2.0)
    ends = np.array([middle - width / 2.0, middle + width / 2.0])
    probability = np.empty(2)
    logistic(ends, probability)
    return float(probability[1] - probability[0])


def probabilities(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-logit)), float64, shape (n,)."""
    result = np.empty(len(logit))
    logistic(np.ascontiguousarray(logit), result)
    return result


def logits(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of probabilities strictly inside (0, 1), float64, shape (n,)."""
    odds = probability / (1.0 - probability)
    result = np.empty(len(odds))
    logarithm(odds, result)
    return result
