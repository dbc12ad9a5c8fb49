"""A finished match made once more: from its table, or for a study from the store.

The folder of a match holds no outcomes, and that of a study neither outcomes nor covariates: what
draws sets or fits anew reads them where they were read before, and proves that they are the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.effects.measures import MEASURES, open_outcomes, values_of
from engine.effects.outcome import parse_outcomes, read_outcome
from engine.effects.sample import MatchedSample, matched_sample
from engine.errors import InputError, UsageError
from engine.jobs.finished import Finished, read_table
from engine.matching.designed import design_analysis
from engine.matching.options import MatchOptions
from engine.matching.pool import study_pool
from engine.matching.rows import Rows, read_rows
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import select_matches
from engine.release.linear_form import outcome_name
from engine.release.results import match_tables
from engine.store.reading import Store, open_store
from engine.tables import TableSource, open_table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Remade:
    """A match made once more.

    Attributes
    ----------
    options : MatchOptions
    rows : Rows
    scoring : Scoring
    sample : MatchedSample
    values : dict of str to float64, shape (n,)
        Outcomes in canonical order, by ``COLUMN:TYPE``.
    """

    options: MatchOptions
    rows: Rows
    scoring: Scoring
    sample: MatchedSample
    values: dict[str, Floats]


def remake(finished: Finished, source: Path | str) -> Remade:
    """Read again what a match was made from, fit its score and match.

    Parameters
    ----------
    finished : Finished
    source : path
        The table of a match, or the store of a study.

    Raises
    ------
    InputError
        It is not what the match was made from.
    """
    return (_from_store if finished.kind == "study" else _from_table)(finished, source)


def _from_table(finished: Finished, table: Path | str) -> Remade:
    source = open_table(table)
    require_same_table(finished, source)
    options = finished.options
    rows = read_rows(source, options)
    scoring = score_rows(rows, options)
    matched = select_matches(rows, scoring, options)
    sample = matched_sample(rows, scoring, matched, options)
    outcomes = parse_outcomes(finished.manifest["options"]["outcome"])
    values = {outcome_name(one): read_outcome(source, one, rows.identity) for one in outcomes}
    return Remade(options, rows, scoring, sample, values)


def _from_store(finished: Finished, path: Path | str) -> Remade:
    """Build the pool of the main analysis anew, and hold its match against the one on the disk."""
    store = open_store(path)
    require_same_store(finished, store)
    plan, options = finished.plan, finished.options
    removed = to_numpy(read_table(finished, "removed.parquet")["person_id"].combine_chunks())
    columns = tuple(dict.fromkeys((*plan.covariate_columns, *plan.matching.exact)))
    pool = study_pool(
        store,
        read_table(finished, "treated.parquet"),
        removed.astype(np.int64),
        plan.index.rules(),
        columns,
        (),
        plan.matching.seed,
        transformations=plan.transformations.asked(),
    )
    everybody = np.ones(len(pool.treated), dtype=np.bool_)
    designed = design_analysis(pool, everybody, options)
    made = match_tables(
        designed.rows, options, designed.scoring, designed.matched, designed.sample
    )["weights"]
    kept = read_table(finished, "weights.parquet")
    if made is None or not all(made[name].equals(kept[name]) for name in ("id", "weight")):
        raise InputError(
            "the match of the study cannot be made again from this store",
            where=Path(path).name,
            rule="the same people must have the same weights as in 'weights.parquet'",
            repair="Give the store that the study was made from, unchanged, or use --kind wild",
        )
    sample = matched_sample(designed.rows, designed.scoring, designed.matched, options)
    outcomes = open_outcomes(store, pool.position)
    values = {
        outcome_name(one.outcome): designed.rows.identity.gather(values_of(outcomes[one.name]))
        for one in MEASURES
    }
    return Remade(options, designed.rows, designed.scoring, sample, values)


def require_same_table(finished: Finished, source: TableSource) -> None:
    """Refuse a table with another hash than the one recorded."""
    recorded = finished.manifest["inputs"][0]["sha256"]
    if recorded is None:
        raise UsageError(
            "the match was made from a table in memory, which cannot be read again",
            rule="this kind of bootstrap needs the table",
            repair="Use --kind wild, or match a file",
        )
    if source.sha256() != recorded:
        raise InputError(
            "this is not the table that the match was made from",
            where=source.name,
            rule="the hash of the table stands in the manifest of the match",
            repair="Give the same file, byte for byte",
        )


def require_same_store(finished: Finished, store: Store) -> None:
    """Refuse a store of other records than the one recorded."""
    recorded = [one["sha256"] for one in finished.manifest["inputs"] if one["role"] == "store"]
    if recorded != [store.manifest["extract_sha256"]]:
        raise InputError(
            "this is not the store that the study was made from",
            rule="the hash of its records stands in the manifest of the study",
            repair="Give the store that was given to 'run'",
        )
