"""Match treated people with comparison people on any table: the method's table of contents.

Read the rows, fit the propensity score, set the caliper, match, certify, balance; only then open
the outcomes and estimate. Nobody can choose a match by the effect it gives.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.effects.cautions import support_cautions
from engine.effects.choice import parse_interval
from engine.effects.opened import Asked, estimate_effects
from engine.effects.outcome import Outcome, parse_outcomes, read_outcome
from engine.errors import UsageError
from engine.footprint import footprint_of, placed, require_text_fits
from engine.matching.balance import assess_balance
from engine.matching.options import MatchOptions, check_options
from engine.matching.rows import Rows, read_rows
from engine.matching.score_balance import assess_score
from engine.matching.scoring import Scoring, score_rows
from engine.matching.search import explore
from engine.matching.selection import Match, select_matches
from engine.matching.terms import Sample
from engine.matching.unmatched import profile_unmatched
from engine.memory import parse_ceiling
from engine.release.content import array_digest, content_digest
from engine.release.folder import check_folder
from engine.release.linear_form import linear_form_table
from engine.release.manifest import InputFacts, RunFacts
from engine.release.pack import output_folder, stage_balance, write_match
from engine.release.results import assemble_results, balance_results, match_tables
from engine.release.tables import balance_table
from engine.tables import TableSource, near_names, open_table, require_column

Progress = Callable[[str, float], None]

_HEAVY_REUSE = 0.1


@dataclass(frozen=True, repr=False)
class MatchResult:
    """A finished match.

    Attributes
    ----------
    results : dict
        Everything that results.json holds, by the same keys.
    pairs : pyarrow.Table or None
        treated_id, comparison_id, distance, weight; None for radius and kernel matches without
        ``pairs=True``.
    windows : pyarrow.Table or None
        treated_id, low, high, n for radius and kernel matches.
    weights : pyarrow.Table
        id, arm, weight of every row of the matched sample.
    scores : pyarrow.Table
        id, logit of every row.
    balance : pyarrow.Table
        One row for each term.
    """

    results: dict[str, Any]
    pairs: pa.Table | None
    windows: pa.Table | None
    weights: pa.Table
    scores: pa.Table
    balance: pa.Table

    def __repr__(self) -> str:
        """Return one line of counts: a prompt must not print the ids of everybody."""
        counts, certificate = self.results["counts"], self.results["certificate"]
        focal = "treated" if counts["focal"] == "treated" else "comparison_pool"
        return (
            f"MatchResult({counts['treated_matched']:,} of {counts[focal]:,} "
            f"{counts['focal']} people matched, {certificate['violations']:,} violations)"
        )

    def _repr_html_(self) -> str:
        """Return a short table for notebooks."""
        from engine.release.pages import notebook_html  # noqa: PLC0415 - templates load on demand

        return notebook_html(self.results)


class _Stages:
    """Seconds of each stage, and the progress that a caller sees."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time a stage; yields the function that takes its share done."""
        began = time.perf_counter()
        tell = self._teller(name)
        tell(0.0)
        yield tell
        tell(1.0)
        self.seconds[name] = round(time.perf_counter() - began, 3)

    def _teller(self, name: str) -> Callable[[float], None]:
        def tell(share: float) -> None:
            if self._progress is not None:
                self._progress(name, share)

        return tell


def match(
    table: Any,
    *,
    outcome: str | tuple[str, ...] | list[str] = (),
    interval: str = "auto",
    replicates: int = 0,
    placebo: str | tuple[str, ...] | list[str] = (),
    orders: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    memory: str | None = None,
    **options: Any,
) -> MatchResult:
    """Match treated people with comparison people.

    Parameters
    ----------
    table : path or table
        csv, Parquet, Arrow or Feather file, or a table of pandas, polars, pyarrow or DuckDB.
    outcome : str or sequence of str
        ``COLUMN:binary``, ``COLUMN:count`` or ``COLUMN:time``; opened after the balance is settled.
    interval : str
        ``auto`` lets the design of the match decide; see docs/intervals.md for the others. One
        that is wrong for the match is refused with the reason.
    replicates : int
        Replicates of resampling beside the interval of the design; 0 for none.
    placebo : str or sequence of str
        Columns like ``outcome`` that were known before anybody took part: the match must find no
        effect on them.
    orders : int, optional
        Matches in other orders for the instability band; by default 20 for up to 100,000 rows.
    out : path, optional
        Folder for the files of the match.
    progress : callable, optional
        Called with the name of a stage and the share of it done.
    memory : str, optional
        Ceiling of the memory of this process, such as ``4GB``. What is larger is worked on in
        files, with the same result; what cannot be done within it is refused before it starts.
    **options
        The options of ``justicelab match`` by the same names with underscores: ``treatment``,
        ``treated``, ``covariates``, ``categorical``, ``exact``, ``anti_exact``, ``id``, ``person``,
        ``one_per_person``, ``score``, ``score_scale``, ``fit``, ``caliper``, ``covariate_caliper``,
        ``mahalanobis``, ``ratio``, ``max_ratio``, ``radius``, ``kernel``, ``replace``,
        ``reuse_max``, ``ties``, ``order``, ``estimand``, ``discard``, ``missing``, ``keep_share``,
        ``path``, ``squares``, ``interactions``, ``smd_denominator``, ``pairs``, ``seed``.

    Returns
    -------
    MatchResult

    Raises
    ------
    UsageError
        The options do not make sense, alone or together.
    InputError
        The table cannot be used, or nobody can be matched.
    AccessError, CannotCreateError, BusyError, StorageError
        The output folder cannot be written, or the ceiling on memory is too low.
    """
    started = datetime.now(UTC)
    checked = _checked(options)
    asked = Asked(
        parse_outcomes(outcome),
        parse_outcomes(placebo),
        parse_interval(interval, replicates),
        replicates,
        orders,
    )
    _check_placebos(asked.placebos, checked)
    if out is not None:
        check_folder(out)
    ceiling = parse_ceiling(memory)
    require_text_fits(table, ceiling)
    stages = _Stages(progress)
    with ExitStack() as files:
        with stages.stage("read") as tell:
            source = open_table(table)
            _require_columns(source, checked, (*asked.outcomes, *asked.placebos))
            footprint = footprint_of(source, checked, asked, written=out is not None)
            near = None if out is None else Path(out).absolute().parent
            space = files.enter_context(placed(footprint, ceiling, near))
            rows = read_rows(source, checked, tell, space)
        return _matched(rows, source, checked, asked, out, stages, started, progress)


def _matched(
    rows: Rows,
    source: TableSource,
    checked: MatchOptions,
    asked: Asked,
    out: str | Path | None,
    stages: _Stages,
    started: datetime,
    progress: Progress | None,
) -> MatchResult:
    """Match rows that are read, and estimate."""
    with stages.stage("score"):
        scoring = score_rows(rows, checked)
    with stages.stage("match"):
        matched = select_matches(rows, scoring, checked)
    sample = Sample.of(rows.treated, matched.weight)
    with stages.stage("balance") as tell:
        balance = assess_balance(
            rows.design,
            sample,
            denominator=checked.smd_denominator,
            squares=checked.squares,
            interactions=checked.interactions,
            progress=tell,
        )
        score_balance = assess_score(scoring.logit, sample)
        unmatched = profile_unmatched(rows.design, scoring.problem.focal, matched.matched)
    path = None
    if checked.path:
        with stages.stage("path") as tell:
            path = explore(rows, scoring, checked, balance, tell)
    with ExitStack() as stack:
        held = None
        if out is not None:
            held = stack.enter_context(output_folder(out))
            stage_balance(held, balance_results(balance))
        # From here on outcomes may be read: the balance is settled, and on disk where it is wanted.
        seen: list[str] = []

        def read(outcome: Outcome) -> NDArray[np.float64]:
            values = read_outcome(source, outcome, rows.identity)
            seen.append(array_digest(values))
            return values

        with stages.stage("estimate") as tell:
            effects = estimate_effects(asked, read, rows, scoring, matched, checked, tell)
        warnings = [
            *source.notes,
            *scoring.warnings,
            *_match_warnings(matched, scoring, checked),
            *(() if effects.support is None else support_cautions(effects.support)),
        ]
        results = assemble_results(
            rows,
            checked,
            scoring,
            matched,
            balance,
            score_balance,
            unmatched,
            path,
            effects,
            warnings,
        )
        tables = match_tables(rows, checked, scoring, matched, sample)
        if held is not None:
            sign = 1.0 if checked.estimand == "att" else -1.0
            tables["linear-form"] = linear_form_table(rows, effects.estimates, sign)
            threads = numba.get_num_threads()
            with stages.stage("digest"):
                content = content_digest(rows, seen, source.notes, threads=threads)
            plan = {**checked.as_given(), **asked.as_given()}
            inputs = [_input_facts(source)]
            facts = RunFacts(plan, inputs, content, started, stages.seconds, threads)
            write_match(held, results, tables, facts, progress=progress)
    return MatchResult(
        results,
        tables["pairs"],
        tables["windows"],
        tables["weights"],
        tables["scores"],
        balance_table(results),
    )


def _input_facts(source: TableSource) -> InputFacts:
    return InputFacts(
        "table", source.name, source.sha256(), source.bytes, source.n_rows, len(source.columns)
    )


def _checked(options: dict[str, Any]) -> MatchOptions:
    """Check the options; a wrong name is a usage error that offers near ones."""
    known = check_options.__kwdefaults__ or {}
    for name in options:
        if name != "treatment" and name not in known:
            near = near_names(name, ["treatment", *known])
            raise UsageError(
                f"there is no option '{name}'",
                repair=f"Did you mean {' or '.join(repr(n) for n in near)}?" if near else "",
            )
    if "treatment" not in options:
        raise UsageError("there is no treatment", repair="Name the column that says who took part")
    return check_options(**options)


def _check_placebos(placebos: tuple[Outcome, ...], options: MatchOptions) -> None:
    matched_on = {*options.covariates, *options.exact}
    for placebo in placebos:
        if placebo.column in matched_on:
            raise UsageError(
                f"the placebo outcome '{placebo.column}' is a column that the match is made on",
                rule="balance on a covariate is what the match made, not what it proves",
                repair="Name something known before taking part that is not a covariate",
            )


def _require_columns(
    source: TableSource, options: MatchOptions, outcomes: tuple[Outcome, ...]
) -> None:
    """Refuse a misspelt column before anything is read, outcomes included."""
    named = [
        ("treatment", (options.treatment,)),
        ("covariate", options.covariates),
        ("exact", options.exact),
        ("anti-exact", options.anti_exact),
        ("id", (options.id,)),
        ("person", (options.person,)),
        ("score", (options.score,)),
        ("caliper", tuple(limit.column for limit in options.covariate_caliper)),
        ("Mahalanobis", options.mahalanobis),
        ("outcome", tuple(outcome.column for outcome in outcomes)),
    ]
    for role, names in named:
        for name in names:
            if name is not None:
                require_column(source, name, role)


def _match_warnings(matched: Match, scoring: Scoring, options: MatchOptions) -> list[str]:
    """What a careful reader of the match would point out."""
    notes = []
    n_focal = int(np.count_nonzero(scoring.problem.focal))
    n_matched = int(np.count_nonzero(matched.matched))
    who = "treated" if options.estimand == "att" else "comparison"
    if n_matched < n_focal:
        notes.append(
            f"{n_focal - n_matched:,} of {n_focal:,} {who} people have no match, so the estimate "
            "is about the matched participants and not about everybody."
        )
    partners = matched.weight[~scoring.problem.focal]
    heaviest = float(partners.max(initial=0.0))
    if heaviest > _HEAVY_REUSE * n_matched and n_matched > 1:
        notes.append(
            f"One partner carries {100.0 * heaviest / n_matched:.0f} % of the weight of the "
            "comparison group; the estimate hangs on few people."
        )
    if matched.certificate.violations:
        notes.append(
            f"The certificate found {matched.certificate.violations:,} violations; do not use "
            "this match and report it as a fault of the software."
        )
    if options.caliper is None and options.keep_share is None and not options.exact:
        notes.append(
            "No caliper was set, so a match counts however far away the nearest partner is. Look "
            "at the balance, and consider --caliper '0.2 sd-logit'."
        )
    return notes
