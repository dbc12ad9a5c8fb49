"""The tables of one partition: index disposals with their covariates, and outcomes beside them.

Both have one row for each disposal in the same order, by year of the index date and then by
person. Outcomes are a file of their own, so that matching cannot see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.records import code_lists as codes
from engine.store.careers import (
    History,
    Offences,
    Outcomes,
    histories,
    nearest_assessments,
    offence_arrays,
    outcomes,
    rows_of,
)
from engine.store.coding import GROUPS, Lists, code_numbers, coded_array
from engine.store.dates import age_on, year_and_quarter
from engine.store.partition_input import PartitionInput, column
from engine.store.rules import (
    EXCLUSIONS,
    INDETERMINATE_BAND,
    INDEX_TYPES,
    LONGEST_BAND,
    SENTENCE_BANDS,
    YOUNGEST_OFFENDER,
)
from engine.store.scores import log1p_counts, nearest_group24, offence_weights, risk_scores
from engine.store.support import support_columns
from kernels.events import NEVER

Whole = np.ndarray[Any, Any]
BANDS = (*(name for name, _ in SENTENCE_BANDS), LONGEST_BAND, INDETERMINATE_BAND)
CLASS_COLUMNS = tuple(
    "previous_" + name.replace(" ", "_").replace("-", "_") for name in codes.OFFENCE_GROUPS_13
)

MEASURES = {
    "reoffended": "indicator_1y_reoff_excpnds",
    "n_reoffences": "freq_reoff_court_caution_1y",
    "days_to_first_reoffence": "days_to_reoff_1y",
    "first_reoffence_indictable": "severe_ITS1_1y_reoff_excpnds",
    "first_reoffence_either_way": "severe_ITS2_1y_reoff_excpnds",
    "first_reoffence_summary": "severe_ITS3_1y_reoff_excpnds",
    "n_reoffences_indictable": "severe_ITS1_reoff_court_caution_1y",
    "n_reoffences_either_way": "severe_ITS2_reoff_court_caution_1y",
    "n_reoffences_summary": "severe_ITS3_reoff_court_caution_1y",
    "custody_for_first_reoffence": "custody_for_reoff_1y_excPNDs",
    "n_custodial_sentences": "freq_prison_for_reoff_1y_excpnds",
}
"""The eleven outcome measures, each with the name that the published code has for it. All but the
first two are empty for people without a proven reoffence."""


@dataclass(frozen=True)
class PartitionTables:
    """What one partition gives to the store.

    Parameters
    ----------
    index, outcomes : pyarrow.Table
        Row by row the same disposals.
    years : tuple of (int, int)
        Year of the index date and number of rows, in the order of the rows; year 0 for none.
    """

    index: pa.Table
    outcomes: pa.Table
    years: tuple[tuple[int, int], ...]


def partition_tables(source: PartitionInput, lists: Lists) -> PartitionTables:
    """Compute the index disposals and outcomes of one partition."""
    offences = offence_arrays(source, lists)
    history = histories(source, offences, lists)
    result = outcomes(source, offences, lists)
    index_day = column(source.disposals, "index_date", np.int32)
    year, quarter = year_and_quarter(index_day)
    index = _index_columns(source, offences, history, lists, year, quarter)
    order = np.argsort(year, kind="stable")
    places = pa.array(order)
    counts = np.unique(year, return_counts=True)
    return PartitionTables(
        pa.table(index).take(places),
        pa.table(_outcome_columns(source, result)).take(places),
        tuple((int(y), int(n)) for y, n in zip(*counts, strict=True)),
    )


def _index_columns(
    source: PartitionInput,
    offences: Offences,
    history: History,
    lists: Lists,
    year: Whole,
    quarter: Whole,
) -> dict[str, Any]:
    """Columns of the index disposals, in the order of the source."""
    table = source.disposals
    person = rows_of(
        column(source.people, "person_id", np.int64), column(table, "person_id", np.int64)
    )
    index_day = column(table, "index_date", np.int32)
    disposal_day = column(table, "disposal_date", np.int32)
    birth = np.append(column(source.people, "birth", np.int32), NEVER)[person]
    principal = rows_of(offences.offence_id, column(table, "principal_offence_id", np.int64))
    first_day = np.where(history.first_sanction == NEVER, disposal_day, history.first_sanction)
    ages = {
        "age_at_index": age_on(birth, index_day),
        "age_at_disposal": age_on(birth, disposal_day),
        "age_at_first_sanction": age_on(birth, first_day),
    }
    profile = {
        name: coded_array(_pick(code_numbers(source.people[name]), person), lists[name])
        for name in ("sex", "ethnicity_self", "ethnicity_observed", "nationality_group")
    }
    groups = {name: _pick(offences.groups[name], principal) for name in GROUPS}
    release = column(table, "release_date", np.int32)
    start = column(table, "custody_start", np.int32)
    return {
        "disposal_id": table["disposal_id"],
        "person_id": table["person_id"],
        "index_date": _dates(index_day),
        "index_year": pa.array(year, mask=year == 0),
        "index_quarter": pa.array(quarter, mask=year == 0),
        "index_type": _index_types(table, lists),
        "excluded": _exclusions(source, offences, ages["age_at_index"], index_day),
        "disposal_date": _dates(disposal_day),
        **{
            name: coded_array(code_numbers(table[name]), lists[name])
            for name in (
                "disposal_type",
                "court_type",
                "release_type",
                "police_force",
                "probation_region",
                "prison",
                "local_authority",
            )
        },
        "custody_start": _dates(start),
        "sentence_days": _known(column(table, "sentence_days", np.int32), 0),
        "log_sentence_days": _log_known(column(table, "sentence_days", np.int32)),
        "sentence_band": _bands(table, lists),
        "indeterminate": table["indeterminate"],
        "time_served_days": pa.array(
            release.astype(np.int64) - start,
            type=pa.int32(),
            mask=(release == NEVER) | (start == NEVER) | (release < start),
            safe=False,
        ),
        **{f"offence_{name}": coded_array(groups[name], lists[name]) for name in GROUPS},
        "trial_mode": coded_array(_pick(offences.kind, principal), codes.TRIAL_MODES),
        "severity": _floats(_pick(offences.severity, principal, np.nan)),
        **profile,
        **{name: _known(age, 0) for name, age in ages.items()},
        "age_at_index_squared": _known(
            np.where(ages["age_at_index"] < 0, -1, ages["age_at_index"].astype(np.int32) ** 2), 0
        ),
        **_history_columns(history, disposal_day),
        **_score_columns(profile["sex"], ages, history, groups, lists),
        **_assessment_columns(source),
        **support_columns(source, lists),
    }


def _history_columns(history: History, disposal_day: Whole) -> dict[str, Any]:
    """Columns of the criminal history."""
    none = history.first_sanction == NEVER
    career = np.where(none, 0, disposal_day.astype(np.int64) - history.first_sanction)
    since = np.where(none, -1, disposal_day.astype(np.int64) - history.last_sanction)
    return {
        "previous_offences": _small(history.offences),
        "previous_sanctions": _small(history.sanctions),
        "previous_convictions": _small(history.convictions),
        "previous_cautions": _small(history.cautions),
        "previous_custodial_sentences": _small(history.custody),
        "previous_court_orders": _small(history.orders),
        "previous_breach_or_bail": _small(history.breaches),
        **{name: _small(history.of_class[:, place]) for place, name in enumerate(CLASS_COLUMNS)},
        "career_days": pa.array(career.astype(np.int32)),
        "days_since_last_sanction": _known(since.astype(np.int32), 0),
        "log_previous_offences": pa.array(log1p_counts(history.offences)),
        "log_previous_sanctions": pa.array(log1p_counts(history.sanctions)),
        "log_career_days": pa.array(log1p_counts(career)),
        "log_days_since_last_sanction": _log_known(since),
        "previous_offences_squared": pa.array(history.offences.astype(np.int32) ** 2),
        "previous_sanctions_squared": pa.array(history.sanctions.astype(np.int32) ** 2),
    }


def _score_columns(
    sex: pa.DictionaryArray,
    ages: dict[str, Whole],
    history: History,
    groups: dict[str, Whole],
    lists: Lists,
) -> dict[str, Any]:
    """Columns of the risk scores."""
    sexes = np.asarray(sex.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    female = np.full(len(sexes), -1, np.int8)
    female[sexes == lists["sex"].index("M")] = 0
    female[sexes == lists["sex"].index("F")] = 1
    weight3 = np.append(offence_weights(lists["group20"], 3), np.nan)[groups["group20"]]
    own = np.append(offence_weights(lists["group24"], 4), np.nan)[groups["group24"]]
    nearest = offence_weights(tuple(nearest_group24(name) or "" for name in lists["group20"]), 4)
    weight4 = np.where(groups["group24"] >= 0, own, np.append(nearest, np.nan)[groups["group20"]])
    scores = risk_scores(
        female=female,
        age_start=ages["age_at_index"],
        age_now=ages["age_at_disposal"],
        age_first=ages["age_at_first_sanction"],
        previous=history.sanctions,
        weight3=weight3,
        weight4=weight4,
    )
    return {name: _floats(values) for name, values in vars(scores).items()}


def _assessment_columns(source: PartitionInput) -> dict[str, Any]:
    """Columns of the nearest assessment, empty where there is none in the window."""
    latest, days = nearest_assessments(source)
    found: dict[str, Any] = {"oasys_days_before": _known(days, 0)}
    for name in codes.NEEDS:
        values = _pick(column(source.assessments, name, np.int8), latest)
        found[name] = _known(values, 0)
    for name in codes.ASSESSMENT_SCORES:
        values = _pick(column(source.assessments, name, np.float32), latest, np.nan)
        found[f"oasys_{name}"] = _floats(values)
    return found


def _outcome_columns(source: PartitionInput, result: Outcomes) -> dict[str, Any]:
    """Columns of the eleven measures, and of what cut a follow-up short."""
    none = result.reoffences == 0
    index_day = column(source.disposals, "index_date", np.int32)
    unknown = index_day == NEVER
    person = rows_of(
        column(source.people, "person_id", np.int64),
        column(source.disposals, "person_id", np.int64),
    )

    def of_reoffenders(values: Whole, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=none)

    def cut_short(name: str) -> pa.Array:
        day = np.append(column(source.people, name, np.int32), NEVER)[person]
        return pa.array((day != NEVER) & (day > index_day) & (day <= result.end), mask=unknown)

    return {
        "disposal_id": source.disposals["disposal_id"],
        "reoffended": pa.array(~none, mask=unknown),
        "n_reoffences": pa.array(_clipped(result.reoffences), mask=unknown),
        "days_to_first_reoffence": of_reoffenders(result.days_to_first, pa.int16()),
        **{
            f"first_reoffence_{name}": of_reoffenders(result.first_kind == kind, pa.bool_())
            for kind, name in enumerate(("indictable", "either_way", "summary"))
        },
        **{
            f"n_reoffences_{name}": of_reoffenders(_clipped(result.of_kind[:, kind]), pa.int16())
            for kind, name in enumerate(("indictable", "either_way", "summary"))
        },
        "custody_for_first_reoffence": of_reoffenders(result.first_custody == 1, pa.bool_()),
        "n_custodial_sentences": of_reoffenders(_clipped(result.custodial_sentences), pa.int16()),
        "died_in_follow_up": cut_short("died_on"),
        "deported_in_follow_up": cut_short("deported_on"),
    }


def _index_types(table: pa.Table, lists: Lists) -> pa.DictionaryArray:
    """Type of index event of each disposal."""
    kinds = {
        codes.CUSTODY: 0,
        codes.YOUTH_CUSTODY: 0,
        codes.SUSPENDED_SENTENCE: 1,
        codes.COMMUNITY_ORDER: 2,
        codes.YOUTH_REHABILITATION: 2,
        codes.CAUTION: 3,
        codes.YOUTH_CAUTION: 3,
    }
    numbers = np.array([*(kinds.get(name, 4) for name in lists["disposal_type"]), 4], np.int8)
    return coded_array(numbers[code_numbers(table["disposal_type"])], INDEX_TYPES)


def _exclusions(
    source: PartitionInput, offences: Offences, age: Whole, index_day: Whole
) -> pa.DictionaryArray:
    """First reason that holds why a disposal is no index disposal, null for none."""
    table = source.disposals
    n = table.num_rows
    known = offences.disposal >= 0
    led_to = offences.disposal[known]
    of_all = np.bincount(led_to, minlength=n)
    of_breach = np.bincount(led_to, weights=offences.breach[known], minlength=n)
    proven = np.bincount(led_to, weights=offences.counts[known], minlength=n)
    ends = rows_of(
        column(source.spell_ends, "disposal_id", np.int64), column(table, "disposal_id", np.int64)
    )
    reasons = (
        code_numbers(table["excluded_reason"]) >= 0,
        index_day == NEVER,
        (proven == 0) & ~((of_all > 0) & (of_breach == of_all)),
        (of_all > 0) & (of_breach == of_all),
        _pick(column(source.spell_ends, "life_recall", np.int8), ends) == 1,
        _pick(column(source.spell_ends, "remand_only", np.int8), ends) == 1,
        (age >= 0) & (age < YOUNGEST_OFFENDER),
    )
    found = np.full(n, -1, np.int8)
    for number in reversed(range(len(reasons))):
        found[reasons[number]] = number
    return coded_array(found, EXCLUSIONS)


def _bands(table: pa.Table, lists: Lists) -> pa.DictionaryArray:
    """Band of the length imposed, for custody alone."""
    days = column(table, "sentence_days", np.int32)
    limits = np.array([limit for _, limit in SENTENCE_BANDS])
    band = np.searchsorted(limits, days, side="right").astype(np.int8)
    band[days < 0] = -1
    band[column(table, "indeterminate", np.bool_)] = BANDS.index(INDETERMINATE_BAND)
    kinds = np.array([*(name in codes.CUSTODIAL_TYPES for name in lists["disposal_type"]), False])
    band[~kinds[code_numbers(table["disposal_type"])]] = -1
    return coded_array(band, BANDS)


def _pick(values: Whole, rows: Whole, missing: Any = -1) -> Whole:
    """Return values at rows, and ``missing`` where the row is -1."""
    return np.append(values, np.array([missing], dtype=values.dtype))[rows]


def _dates(days: Whole) -> pa.Array:
    return pa.array(days, pa.int32(), mask=days == NEVER).cast(pa.date32())


def _known(values: Whole, least: int) -> pa.Array:
    return pa.array(values, mask=values < least)


def _log_known(values: Whole) -> pa.Array:
    return pa.array(log1p_counts(np.maximum(values, 0)), mask=np.asarray(values) < 0)


def _floats(values: Whole) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _clipped(values: Whole) -> Whole:
    return np.minimum(values, np.iinfo(np.int16).max).astype(np.int16)


def _small(values: Whole) -> pa.Array:
    return pa.array(_clipped(values))
