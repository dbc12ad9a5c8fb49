"""What a study is made of: its plan, its files, and the id that both give its stages."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numba
import pyarrow as pa

from engine.cohort.choose import index_evidence
from engine.errors import InputError, UsageError
from engine.link import checked
from engine.linkage.link import Wanted
from engine.linkage.review import read_review
from engine.matching.pool import SUBGROUPS, is_category
from engine.matching.store_columns import DELAY
from engine.matching.transformations import SECTION as TRANSFORMATIONS
from engine.plan.model import Plan
from engine.plan.reading import read_plan
from engine.release.manifest import InputFacts, RunFacts, code_sha256
from engine.store.reading import INDEX, Store, read_years
from engine.submission.check import Check
from engine.submission.dates import Order
from engine.submission.sandbox import Sandbox
from engine.tables import near_names, shown


@dataclass(frozen=True)
class Request:
    """What a study is made of: its plan and its files.

    Parameters
    ----------
    plan : Plan
    files : tuple of Path
        The sender's file, or the waves of a service.
    description : Path or None
        A workbook with the sheet 'Description', where the submission has none.
    order : {"day", "month"} or None
        The order of day and month that the sender declares.
    decisions : Path or None
        A filled workbook of the review band.
    """

    plan: Plan
    files: tuple[Path, ...]
    description: Path | None = None
    order: Order | None = None
    decisions: Path | None = None

    def check(self, store: Store, today: dt.date | None, sandbox: Sandbox | None = None) -> Check:
        """Check the files; see :func:`engine.link.checked`."""
        return checked(
            self.files if len(self.files) > 1 else self.files[0],
            store,
            description=self.description,
            order=self.order,
            today=today,
            sandbox=sandbox,
        )


def request_of(
    plan: str | Path | Plan | None,
    submission: str | Path | None = None,
    *,
    description: Path | None = None,
    order: Order | None = None,
    decisions: Path | None = None,
) -> Request:
    """Return what a study is made of: what is given goes before what its plan names.

    Parameters
    ----------
    plan : path or Plan, optional
        The files that it names are looked for from its own folder, those of a Plan from the
        current one. The defaults where it is not given.
    submission, description, order, decisions
        See :class:`Request`.

    Raises
    ------
    InputError
        The plan is wrong.
    UsageError
        Neither names a submission.
    """
    asked = plan if isinstance(plan, Plan) else read_plan(None if plan is None else Path(plan))
    home = Path() if plan is None or isinstance(plan, Plan) else Path(plan).parent
    named = asked.study
    files = [Path(submission)] if submission is not None else [
        home / name for name in (named.waves or ((named.submission,) if named.submission else ()))
    ]  # fmt: skip
    if not files:
        raise UsageError(
            "there is no submission",
            rule="a study is made of the file of an organisation",
            repair="Give --submission, or name it in the plan: [study] submission",
        )
    if submission is None:
        description = description or (home / named.description if named.description else None)
        decisions = decisions or (home / named.decisions if named.decisions else None)
    return Request(asked, tuple(files), description, order or named.date_order or None, decisions)


def facts_of(request: Request, store: Store) -> RunFacts:
    """Return what a study is made of; its content is the id of its stages."""
    role = "wave" if len(request.files) > 1 else "submission"
    inputs = [_file_facts(role, file) for file in request.files]
    for name, path in (("description", request.description), ("decisions", request.decisions)):
        inputs += [_file_facts(name, path)] if path is not None else []
    rows = sum(count for part in store.manifest["partitions"] for _, count in part["years"])
    inputs.append(InputFacts("store", "store", store.manifest["extract_sha256"], None, rows, 0))
    named = "\0".join(
        [
            request.plan.sha256,
            code_sha256(),
            store.manifest["code_sha256"],
            *(str(i.sha256) for i in inputs),
        ]
    )
    return RunFacts(
        request.plan.canonical(),
        inputs,
        hashlib.sha256(named.encode()).hexdigest(),
        dt.datetime.now(dt.UTC),
        {},
        numba.get_num_threads(),
    )


def _file_facts(role: str, path: Path) -> InputFacts:
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return InputFacts(role, path.name, digest, path.stat().st_size, 0, 0)
    except FileNotFoundError:
        raise InputError(f"there is no such {role}", where=path.name) from None


def wanted_of(request: Request, check: Check, store: Store) -> Wanted:
    """Return how the people of a study are looked for."""
    return Wanted(
        check.table,
        request.plan.linkage.preset,
        None if request.decisions is None else partial(read_review, request.decisions),
        partial(index_evidence, store=store, rules=request.plan.index.rules()),
    )


def require_columns(plan: Plan, store: Store, check: Check) -> None:
    """Refuse a plan that names columns which neither store nor submission has, or not as it asks.

    Raises
    ------
    InputError
        Names the option, the column and near ones.
    """
    schema = read_years(store, INDEX, years=()).schema
    known = [*schema.names, DELAY]
    columns = [] if check.table is None else check.table.column_names
    extra = [name.removeprefix("group: ") for name in columns]
    for names, choice, place in (
        (plan.covariates.add, known, "[covariates] add"),
        (plan.matching.exact, known, "[matching] exact"),
        (plan.sub_analyses.by, [*SUBGROUPS, *extra], "[sub_analyses] by"),
    ):
        for name in names:
            if name not in choice:
                near = near_names(name, choice)
                raise InputError(
                    f"there is no column '{shown(name)}'",
                    where=f"the plan, {place}",
                    repair=f"Did you mean {' or '.join(repr(shown(n)) for n in near)}?"
                    if near
                    else "Check its spelling",
                )
    _require_transformable(plan, schema)


def _require_transformable(plan: Plan, schema: pa.Schema) -> None:
    """Refuse to transform what holds no numbers, and to make what the store has."""
    asked = plan.transformations.asked()
    for option, columns in vars(asked).items():
        for column in columns:
            if not _holds_numbers(column, schema):
                raise InputError(
                    f"the column '{shown(column)}' does not hold numbers, or is a category",
                    where=f"the plan, {TRANSFORMATIONS} {option}",
                    rule="what is transformed are columns of numbers",
                    repair="Take it out of the list",
                )
    for option, made in (("log", asked.logarithms), ("square", asked.squares)):
        for name in made:
            if name in schema.names:
                raise InputError(
                    f"the store has the column '{shown(name)}' already",
                    where=f"the plan, {TRANSFORMATIONS} {option}",
                    rule="a column that is made has a name of its own",
                    repair="Take it out of the list; it is matched on as a covariate"
                    if name in plan.covariate_columns
                    else f"Take it out of the list, and name '{shown(name)}' in [covariates] add",
                )


def _holds_numbers(column: str, schema: pa.Schema) -> bool:
    """Whether a column of the pool holds numbers that are no names of something."""
    if column == DELAY:
        return True
    kind = schema.field(column).type
    return not is_category(column) and (pa.types.is_integer(kind) or pa.types.is_floating(kind))
