"""The truth of a synthetic nation found again: the engine's intervals cover the true effects.

A study as its owner would do it, but for the links, which the truth file gives: index disposals
from the store, comparison people by the same rules of entry, a match on what the records show, the
effect with its interval. The true effect on the very people matched stands in the truth file.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.match import match
from engine.records.code_lists import NEEDS
from engine.records.synthetic.interventions import (
    BY_NEED,
    INTERVENTIONS,
    PRISON,
    UNOBSERVED,
    Intervention,
)
from engine.records.synthetic.nation import YEARS
from engine.store.reading import Store, read_years

SHORTEST_STAY, FIRST_DAYS, ADULT = 42, 14, 18
"""Rules of entry of the nation's services: days inside, days on one of which it starts, age."""
NUMBERS = (
    "age_at_index",
    "previous_custodial_sentences",
    "log_previous_offences",
    "ogrs3_2y",
    "days_employed_year_before",
    "days_benefits_year_before",
)
CODES = ("sex", "offence_group13", "index_type")
_READ = (
    *("disposal_id", "person_id", "index_type", "excluded", "index_date", "index_year"),
    *("time_served_days", "indeterminate", "age_at_disposal", *NUMBERS, *CODES[:2], *NEEDS),
)
_YEAR = 366
"""Days that the follow-up of an index date may touch."""
_LONG = 1 << 20
"""More days than a career has."""
_MISSES, _NORMAL = 1e-3, 3.29
"""Chance that a check of nominal intervals fails, and the normal quantile of it, two-sided."""


class Recovered(NamedTuple):
    """One submission's estimate beside the truth.

    Parameters
    ----------
    name, selection : str
    treated : int
        People matched.
    estimate, low, high : float
        Effect on the one-year rate with its interval, shares from -1 to 1.
    se : float
    truth : float
        True mean effect on the people matched.
    """

    name: str
    selection: str
    treated: int
    estimate: float
    low: float
    high: float
    se: float
    truth: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high

    @property
    def z(self) -> float:
        """Error of the estimate in standard errors."""
        return (self.estimate - self.truth) / self.se


def recover(store: Store, truth: Path, seed: int = 0) -> list[Recovered]:
    """Analyse every submission of a nation.

    Parameters
    ----------
    store : Store
        Prepared from the nation's extract.
    truth : path
        Its ``truth/people.parquet``.
    seed : int
        Of the days on which services would have begun.
    """
    people = pq.read_table(truth)
    people = people.filter(people["person_id"].is_valid())
    index = read_years(store, "index", list(dict.fromkeys(_READ)))
    outcomes = read_years(store, "outcomes", ["reoffended", "days_to_first_reoffence"])
    for name in outcomes.column_names:
        index = index.append_column(name, outcomes[name])
    inside = pc.and_(
        pc.greater_equal(index["index_year"], YEARS[0]),
        pc.less_equal(index["index_year"], store.last_index_date.year),
    )
    usable = _quarterly(index.filter(pc.and_(index["excluded"].is_null(), inside)))
    found = []
    for one in INTERVENTIONS:
        own = people.filter(pc.equal(people["submission"], one.name))
        if own.num_rows:
            treated = index.filter(pc.is_in(index["disposal_id"], value_set=own["disposal_id"]))
            pool = _pool(one, people, index, usable, seed)
            found.append(_study(one, own, treated, pool))
    return found


def _pool(
    one: Intervention, people: pa.Table, index: pa.Table, usable: pa.Table, seed: int
) -> pa.Table:
    """Return the disposals that one submission is compared with, all of those it might have met.

    Services chose in turn, nobody twice. So people of an earlier service were not there to choose.
    The service's own people were, until it met them: without the disposals that came before, the
    comparison would lack the prolific, whom a service of many people has met in the end. People of
    a later one are there with what they would have done without it: to leave out the people whom
    an unobserved motive chose would leave a pool that is worse than it was. Only their other index
    dates whose year that service changed a part of are left out.
    """
    place = {each.name: number for number, each in enumerate(INTERVENTIONS)}
    number = np.array([place[name] for name in people["submission"].to_pylist()]) - place[one.name]
    changed = np.array([each.strength > 0 for each in INTERVENTIONS])[number + place[one.name]]
    earlier = people.filter(pa.array(number < 0))["person_id"].combine_chunks()
    pool = usable.filter(pc.invert(pc.is_in(usable["person_id"], value_set=earlier)))
    since = _gap(pool, _rows_of(people.filter(pa.array(number == 0)), index))
    later = people.filter(pa.array(number > 0))
    gap = _gap(pool, _rows_of(people.filter(pa.array((number > 0) & changed)), index))
    pool = pool.filter(pa.array((since < 0) & ((gap == 0) | (np.abs(gap) >= _YEAR))))
    pool = pool.filter(_may_enter(one, pool, seed))
    order = pc.index_in(pool["disposal_id"], value_set=later["disposal_id"].combine_chunks())
    without = pc.greater(later["reoffences_without"].take(order), 0)
    column = pool.column_names.index("reoffended")
    return pool.set_column(column, "reoffended", pc.coalesce(without, pool["reoffended"]))


def _rows_of(people: pa.Table, index: pa.Table) -> pa.Table:
    """Return the index disposals at which services met people of the truth file."""
    return index.filter(pc.is_in(index["disposal_id"], value_set=people["disposal_id"]))


def _gap(pool: pa.Table, treated: pa.Table) -> np.ndarray:
    """Return the days of each row since its person's treated one, far below 0 where there is none.

    A person's rows of one day are one, as :func:`_quarterly` keeps one of a quarter.
    """
    place = pc.index_in(pool["person_id"], value_set=treated["person_id"].combine_chunks())
    known = place.is_valid().to_numpy()
    gap = np.full(pool.num_rows, -_LONG)
    gap[known] = _days(pool)[known] - _days(treated)[place.drop_null().to_numpy()]
    return gap


def _days(index: pa.Table) -> np.ndarray:
    """Return index dates in days since 1970-01-01."""
    return index["index_date"].cast(pa.int32()).to_numpy().astype(np.int64)


def _study(one: Intervention, own: pa.Table, treated: pa.Table, pool: pa.Table) -> Recovered:
    """Match one submission's people and estimate the effect."""
    table = pa.concat_tables([treated, pool]).unify_dictionaries()
    flags = np.arange(table.num_rows) < treated.num_rows
    table = table.append_column("treated", pa.array(flags))
    needs = NEEDS if one.selection == BY_NEED else ()
    for name in (*NUMBERS, *needs, *CODES):
        table = table.filter(table[name].is_valid())
    result = match(
        table,
        treatment="treated",
        covariates=(*NUMBERS, *needs, *CODES),
        categorical=CODES,
        id="disposal_id",
        person="person_id",
        outcome="reoffended:binary",
        replace=True,
        ratio=5,
        caliper="0.2 sd-logit",
    )
    (estimate,) = result.results["estimates"]
    matched = result.weights.filter(pc.equal(result.weights["arm"], "treated"))
    kept = own.filter(pc.is_in(own["disposal_id"], value_set=matched["id"].cast(pa.int64())))
    change = [
        (with_it > 0) - (without > 0)
        for without, with_it in zip(
            kept["reoffences_without"].to_pylist(), kept["reoffences_with"].to_pylist(), strict=True
        )
    ]
    return Recovered(
        one.name, one.selection, kept.num_rows, *_figures(estimate), float(np.mean(change))
    )


def _may_enter(one: Intervention, pool: pa.Table, seed: int) -> pa.Array:
    """Return who the service would have met, by the rules that its own people passed."""
    kind = pc.cast(pool["index_type"], pa.utf8())
    adult = pc.greater_equal(pool["age_at_disposal"], ADULT)
    if one.setting == PRISON:
        stays = pc.greater_equal(pool["time_served_days"], SHORTEST_STAY)
        rule = pc.and_(pc.equal(kind, "release from custody"), pc.invert(pool["indeterminate"]))
    else:
        # nobody who offended before the service began, on a day that is drawn as the nation does
        wait = np.random.default_rng((seed, 1)).integers(0, FIRST_DAYS, pool.num_rows)
        first = pc.fill_null(pool["days_to_first_reoffence"], 999)
        stays = pc.greater_equal(first, pa.array(wait))
        orders = pa.array(["suspended sentence", "community order"])
        rule = pc.is_in(kind, value_set=orders)
    return pc.fill_null(pc.and_(pc.and_(adult, stays), rule), False)


def _quarterly(index: pa.Table) -> pa.Table:
    """Return each person's first index disposal of each quarter, which the services chose from.

    People who come back within a quarter are the most prolific: with all their disposals in the
    pool the comparison would reoffend too often.
    """
    day = _days(index)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    cell = index["person_id"].to_numpy() * 4096 + month // 3
    order = np.lexsort((index["disposal_id"].to_numpy(), day, cell))
    first = np.ones(len(order), dtype=bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return index.take(pa.array(np.sort(order[first])))


def _figures(estimate: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return estimate, limits and standard error."""
    names = ("difference", "ci_low", "ci_high", "standard_error")
    value, low, high, error = (float(estimate[name]) for name in names)
    return value, low, high, error


def broken(found: list[Recovered], level: float = 0.95) -> list[str]:
    """Return what is not as it should be of nominal intervals, nothing where all is well.

    Notes
    -----
    Only submissions whose people were selected at random or on what records show are held to it:
    as many intervals cover as chance allows (binomial), errors have mean zero and the size that the
    standard errors say. Each check fails once in a thousand for intervals that are exactly right.
    """
    observed = [one for one in found if one.selection != UNOBSERVED]
    n = len(observed)
    covered = sum(one.covered for one in observed)
    least = next(k for k in range(n + 1) if _at_most(k, n, level) > _MISSES)
    wrong = []
    if covered < least:
        wrong.append(f"{covered} of {n} intervals cover the truth, at least {least} should")
    mean = sum(one.z for one in observed) / math.sqrt(n)
    if abs(mean) > _NORMAL:
        wrong.append(f"errors have a mean {mean:+.1f} standard errors from zero")
    square = sum(one.z**2 for one in observed) / n
    # Wilson and Hilferty: the cube root of a chi-square over n is close to normal
    spread = (square ** (1 / 3) - 1 + 2 / (9 * n)) / math.sqrt(2 / (9 * n))
    if abs(spread) > _NORMAL:
        wrong.append(f"squared errors are {square:.2f} times what the standard errors say")
    return wrong


def _at_most(k: int, n: int, level: float) -> float:
    """Return the chance of at most k successes of n."""
    return sum(math.comb(n, i) * level**i * (1 - level) ** (n - i) for i in range(k + 1))
