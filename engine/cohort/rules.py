"""The rules that choose an index disposal, one named function each, over whole columns of days.

A day is a number of days since 1970, ``NEVER`` where it is not known. The same functions serve the
treated and the comparison pool, so no rule can hold for one of them alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.store.dates import add_months
from engine.store.rules import FOLLOW_UP_MONTHS, INDEX_TYPES
from kernels.events import NEVER

Days: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]

RELEASE, SUSPENDED, ORDER = INDEX_TYPES[:3]
FOREVER = np.iinfo(np.int32).max
"""End of a stay in custody that has not ended."""

Overlap = Literal["start", "any"]


@dataclass(frozen=True)
class IndexRules:
    """What can be set about the rules.

    Parameters
    ----------
    index_types : tuple of str
        Kinds of index disposals, the most severe first; see
        :data:`engine.store.rules.INDEX_TYPES`. Cautions and other disposals, such as fines and
        discharges, are for analyses of their own.
    custody_overlap : {"start", "any"}
        Rule A: the intervention starts in the stay, or any of its days lies in it.
    supervision_months : int
        Rule B: months after the index date in which the intervention starts, 0 to 12.
    own_dates : bool
        Rule F: the sender's index or conviction date goes before the nearest disposal.
    own_dates_days : int
        Days by which the sender's dates may differ from the records.
    drop_earlier_reoffenders : bool
        Rule E.
    sexual_offences : bool
        Whether a sexual offence may be the principal offence of an index disposal.
    youngest, oldest : int or None
        Limits of the age on the index date, both included.

    Raises
    ------
    UsageError
        A setting is out of its range.
    """

    index_types: tuple[str, ...] = (RELEASE, SUSPENDED, ORDER)
    custody_overlap: Overlap = "start"
    supervision_months: int = 6
    own_dates: bool = True
    own_dates_days: int = 7
    drop_earlier_reoffenders: bool = True
    sexual_offences: bool = False
    youngest: int | None = 18
    oldest: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.index_types if name not in INDEX_TYPES]
        if unknown or not self.index_types or len(set(self.index_types)) < len(self.index_types):
            raise UsageError(
                "the kinds of index disposals are not known, none or named twice",
                rule=f"they are {', '.join(repr(name) for name in INDEX_TYPES)}",
            )
        if self.custody_overlap not in ("start", "any"):
            raise UsageError("the overlap with custody is 'start' or 'any'")
        if not 0 <= self.supervision_months <= FOLLOW_UP_MONTHS:
            raise UsageError(
                f"the months between index date and intervention are not 0 to {FOLLOW_UP_MONTHS}",
                rule="reoffences are known for the year after the index date",
            )
        if self.own_dates_days < 0:
            raise UsageError("the days by which dates may differ are negative")
        if self.youngest is not None and self.oldest is not None and self.youngest > self.oldest:
            raise UsageError("the youngest age is above the oldest")

    def as_object(self) -> dict[str, Any]:
        """Return the settings as plain values for a manifest."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def a_in_custody(
    start: Days, end: Days, received: Days, released: Days, overlap: Overlap = "start"
) -> Flags:
    """Rule A: whether the intervention lies in a stay in custody; its release is the index.

    Parameters
    ----------
    start, end : int32, shape (n,)
        Days of the intervention; an end that is not known is the start.
    received, released : int32, shape (n,)
        The stay; ``FOREVER`` for a person still inside.
    overlap : {"start", "any"}
        The start lies in the stay, or any day of the intervention.

    Notes
    -----
    The day of release is outside: an intervention that starts on it follows the release, and both
    readings give the same index disposal.

    Examples
    --------
    Inside from day 100 to day 200; started the day before, on the first and last day, on the day of
    release:

    >>> start = np.array([99, 100, 199, 200], np.int32)
    >>> inside = np.full(4, 100, np.int32), np.full(4, 200, np.int32)
    >>> a_in_custody(start, start + 5, *inside).tolist()
    [False, True, True, False]
    >>> a_in_custody(start, start + 5, *inside, overlap="any").tolist()
    [True, True, True, False]
    """
    last = start if overlap == "start" else np.maximum(start, end)
    return (start != NEVER) & (received <= last) & (start < released)


def b_under_supervision(start: Days, index: Days, months: int = 6) -> Flags:
    """Rule B: whether the intervention starts within so many months after the index date.

    Parameters
    ----------
    start, index : int32, shape (n,)
    months : int

    Notes
    -----
    The same day of a later month, or that month's last day, is still within.

    Examples
    --------
    Sentenced on 31 August 2019, so up to 29 February 2020:

    >>> index = np.full(4, 18139, np.int32)
    >>> b_under_supervision(np.array([18138, 18139, 18321, 18322], np.int32), index).tolist()
    [False, True, True, False]
    """
    known = (start != NEVER) & (index != NEVER)
    return known & (index <= start) & (start <= add_months(index, months))


def c_through_the_gate(end: Days, released: Days) -> Flags:
    """Rule C: whether an intervention that started in custody goes on after the release.

    The index disposal is the same as by rule A; the two are told apart in the results only.

    Examples
    --------
    Released on day 200; ended that day, the day after, not known:

    >>> end = np.array([200, 201, NEVER], np.int32)
    >>> c_through_the_gate(end, np.full(3, 200, np.int32)).tolist()
    [False, True, False]
    """
    return (end != NEVER) & (end > released)


def d_before_the_sentence(start: Days, index: Days, in_custody: Flags) -> Flags:
    """Rule D: whether a disposal comes after the intervention has started outside custody.

    Such a disposal is no appropriate sentence: the intervention cannot have followed it.

    Examples
    --------
    >>> start, index = np.array([90, 100, 90], np.int32), np.full(3, 100, np.int32)
    >>> d_before_the_sentence(start, index, np.array([False, False, True])).tolist()
    [True, False, False]
    """
    return ~in_custody & (start != NEVER) & (start < index)


def e_reoffended_before(delay: Days, days_to_first: Days) -> Flags:
    """Rule E: whether the first proven reoffence comes before the intervention starts.

    Who takes part has stayed free of offences until then; without this rule on both sides that
    time would count for the intervention (immortal time).

    Parameters
    ----------
    delay : int32, shape (n,)
        Days from the index date to the start, of the intervention or of one drawn for a
        comparison disposal; 0 where it started before or on the index date.
    days_to_first : int32, shape (n,)
        Days from the index date to the first proven reoffence, ``NEVER`` for none.

    Notes
    -----
    An offence on the day of the start is not before it.

    Examples
    --------
    >>> delay = np.array([30, 30, 30, 0], np.int32)
    >>> e_reoffended_before(delay, np.array([29, 30, NEVER, 1], np.int32)).tolist()
    [True, False, False, False]
    """
    return (days_to_first != NEVER) & (days_to_first < delay)


def f_preference(
    near: NDArray[np.int64], severity: NDArray[np.int8], sentence: Days, number: NDArray[np.int64]
) -> tuple[NDArray[Any], ...]:
    """Rule F: the keys by which the best of several disposals comes first, for ``np.lexsort``.

    Parameters
    ----------
    near : int64, shape (n,)
        Days between the index date and what it is sought for; less is better.
    severity : int8, shape (n,)
        Place among the kinds of index disposals, 0 the most severe.
    sentence : int32, shape (n,)
        Days of the sentence, ``FOREVER`` where indeterminate, -1 for none; more is better.
    number : int64, shape (n,)
        ``disposal_id``, the last resort.

    Returns
    -------
    tuple of ndarray
        The last key is the first to be compared.

    Examples
    --------
    An order six days before; a release and an order on the day; a longer sentence, released too:

    >>> keys = f_preference(
    ...     np.array([6, 0, 0, 0]), np.array([2, 0, 2, 0], np.int8),
    ...     np.array([-1, 90, -1, 120], np.int32), np.array([1, 2, 3, 4]))
    >>> np.lexsort(keys).tolist()
    [3, 1, 2, 0]
    """
    return number, -sentence.astype(np.int64), severity, near


def g_index_disposal(
    excluded: NDArray[np.int32], kind: NDArray[np.int32], allowed: NDArray[np.bool_], index: Days
) -> Flags:
    """Rule G: whether a disposal is an index disposal at all, and of a kind that is analysed.

    Parameters
    ----------
    excluded : int32, shape (n,)
        Number of the store's reason for exclusion (no proven offence, breach only, recall of a life
        sentence, remand only, excluded by the data owner, such as a court abroad), -1 for none.
    kind : int32, shape (n,)
        Number of the kind of index disposal, -1 for none.
    allowed : bool, shape (kinds,)
    index : int32, shape (n,)

    Examples
    --------
    >>> kind, index = np.array([0, 0, 1, -1], np.int32), np.full(4, 100, np.int32)
    >>> excluded = np.array([-1, 3, -1, -1], np.int32)
    >>> g_index_disposal(excluded, kind, np.array([True, False]), index).tolist()
    [True, False, False, False]
    """
    return (excluded < 0) & np.append(allowed, False)[kind] & (index != NEVER)


def h_cannot_be_seen() -> str:
    """Rule H: what no rule can do, as a caveat for the report.

    Examples
    --------
    >>> h_cannot_be_seen().split(":")[0]
    'Death, deportation and removal in the year of follow-up are not removed'
    """
    return (
        "Death, deportation and removal in the year of follow-up are not removed: the police "
        "records do not show them, so such people count as not reoffending in both groups. Where "
        "other records show them, a sensitivity run leaves them out."
    )


def within_ages(age: NDArray[np.int32], youngest: int | None, oldest: int | None) -> Flags:
    """Whether ages lie within the limits; an age that is not known (-1) lies within no limits.

    Examples
    --------
    >>> within_ages(np.array([17, 18, 60, -1], np.int32), 18, None).tolist()
    [False, True, True, False]
    """
    if youngest is None and oldest is None:
        return np.ones(len(age), dtype=bool)
    low = 0 if youngest is None else youngest
    high = np.iinfo(np.int32).max if oldest is None else oldest
    return (age >= max(low, 0)) & (age <= high)


def near_own_date(own: Days, recorded: Days, days: int) -> Flags:
    """Whether a date of the sender is one of the records, within so many days.

    Examples
    --------
    >>> near_own_date(
    ...     np.array([100, 108, NEVER], np.int32), np.full(3, 100, np.int32), 7).tolist()
    [True, False, False]
    """
    known = (own != NEVER) & (recorded != NEVER)
    return known & (np.abs(own.astype(np.int64) - recorded) <= days)
