"""The plan: what a study asks for, fixed and hashed before any outcome is read.

One model for each section of ``plan.toml``. The same models write the file with its comments, check
it, and give every default, so that file, check and documentation cannot differ.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.cohort.rules import IndexRules
from engine.errors import AccessError, InputError, JusticeLabError, UsageError
from engine.matching.options import MatchOptions, check_options
from engine.matching.pool import SUBGROUPS, is_category
from engine.matching.store_columns import GROUPS
from engine.matching.transformations import SECTION as TRANSFORMATIONS
from engine.matching.transformations import Transformations, is_square
from engine.tables import near_names, shown

FORMAT = 1
_LARGEST_FILE = 1 << 20
_TREATED, _ID = "treated", "disposal_id"

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Section(BaseModel):
    """A section: frozen, typed strictly, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Files(_Section):
    """The files of the study, seen from the folder of this one; no part of what is asked."""

    submission: str = Field(default="", description="The sender's file; empty: given to 'run'.")
    waves: tuple[Name, ...] = Field(
        default=(),
        description="Files of one service in place of it, analysed as one: each person once.",
    )
    description: str = Field(
        default="", description="A workbook with the sheet 'Description', if the file has none."
    )
    date_order: Literal["", "day", "month"] = Field(
        default="", description="What comes first in dates such as 03/04/2020, if not the day."
    )
    decisions: str = Field(
        default="", description="The filled review.xlsx of an earlier run of this study."
    )
    requested: str = Field(
        default="",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="The day on which it was asked for, such as 2026-04-30; counted by quarter.",
    )


class Service(_Section):
    """Words for the report where the submission has no description."""

    organisation: str = Field(default="", description="Empty: as the submission says.")
    service: str = Field(default="", description="Empty: as the submission says.")
    period: str = Field(default="", description="Empty: as the submission says.")
    comment: str = Field(default="", description="What the organisation says of the result.")


class Index(_Section):
    """How the sentence that a follow-up starts from is chosen."""

    index_types: tuple[Name, ...] = Field(
        default=IndexRules.index_types,
        description="Kinds of index disposals, the most severe first.",
    )
    custody_overlap: Literal["start", "any"] = Field(
        default=IndexRules.custody_overlap,
        description="In custody: the service starts there, or any of its days lies there.",
    )
    supervision_months: int = Field(
        default=IndexRules.supervision_months,
        description="Months after the index date in which the service starts.",
    )
    own_dates: bool = Field(
        default=IndexRules.own_dates,
        description="The sender's index and conviction dates go first.",
    )
    own_dates_days: int = Field(
        default=IndexRules.own_dates_days,
        description="Days by which those may differ from the records.",
    )
    drop_earlier_reoffenders: bool = Field(
        default=IndexRules.drop_earlier_reoffenders,
        description="Leave out who reoffended before the service began, on both sides.",
    )
    sexual_offences: bool = Field(
        default=IndexRules.sexual_offences, description="Keep people whose index offence is sexual."
    )
    youngest: int = Field(
        default=18, ge=10, le=120, description="Age on the index date, both included."
    )
    oldest: int = Field(default=120, ge=10, le=120, description="")

    def rules(self) -> IndexRules:
        """Return the rules as the cohort takes them."""
        return IndexRules(**self.model_dump())


class Linkage(_Section):
    """How sure a link to the national records must be."""

    preset: Literal["standard", "strict", "broad"] = Field(default="standard", description="")


class Covariates(_Section):
    """What the groups shall be alike in."""

    groups: tuple[Literal["demographics", "index", "history", "risk", "region"], ...] = Field(
        default=("demographics", "index", "history", "risk"),
        description="demographics, index, history, risk, region.",
    )
    add: tuple[Name, ...] = Field(default=(), description="More columns of the store.")
    leave_out: tuple[Name, ...] = Field(
        default=(), description="Columns of those groups to leave out."
    )


class TransformationsPlan(_Section):
    """What is made of the covariates, and matched on as well."""

    log: tuple[Name, ...] = Field(
        default=(),
        description="Columns whose logarithm is matched on too: log(1 + x); no number is below 0.",
    )
    square: tuple[Name, ...] = Field(
        default=(), description="Columns whose square is matched on too."
    )

    def asked(self) -> Transformations:
        """Return them as the pool takes them."""
        return Transformations(**self.model_dump())


class Matching(_Section):
    """How comparison people are found."""

    method: Literal["nearest", "radius"] = Field(
        default="nearest", description="radius takes everybody within the caliper."
    )
    ratio: int = Field(
        default=5, ge=1, le=100, description="Comparison people for each treated person."
    )
    further_ratios: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        default=(10, 20),
        description="Tried in this order, outcomes closed, where balance alone misses the gate.",
    )
    replace: bool = Field(default=True, description="A comparison person may serve more than once.")
    caliper: str = Field(
        default="0.2 sd-logit",
        description="Widest distance: a number and sd-logit, logit or probability; none for none.",
    )
    fit: Literal["ml", "ridge", "firth"] = Field(
        default="ml", description="Fit of the propensity score."
    )
    exact: tuple[Name, ...] = Field(default=(), description="Columns that must be equal.")
    seed: int = Field(default=0, ge=0, lt=1 << 128, description="Decides ties; public.")


class Region(_Section):
    """The analysis within regions."""

    control: bool = Field(default=True, description="Add the match of people in the same region.")
    column: Literal["probation_region", "police_force"] = Field(
        default="probation_region", description=""
    )


class Oasys(_Section):
    """The three runs with and without needs as assessed."""

    trio: bool = Field(default=True, description="Run them where the store has assessments.")


class SubAnalyses(_Section):
    """Parts of the cohort, declared before anything is known."""

    by: tuple[Name, ...] = Field(
        default=("sex", "completed"),
        description="Of " + ", ".join(SUBGROUPS) + ", or a further column of the submission.",
    )
    fewest_people: int = Field(
        default=60, ge=30, description="Treated people that a part must have."
    )
    most: int = Field(default=20, ge=0, le=500, description="Parts that are analysed at most.")


class Measures(_Section):
    """What is read off the outcomes: all eleven measures, always."""

    correction: tuple[Literal["holm", "benjamini_hochberg"], ...] = Field(
        default=(), description="Columns of p-values corrected for the number of tests."
    )


class GateLimits(_Section):
    """When outcomes may be opened."""

    matched_treated: int = Field(
        default=30, ge=2, description="Fewest treated people with a match."
    )
    matched_share: Share = Field(
        default=0.70, description="Smallest share of the treated with a match."
    )
    largest_smd: Positive = Field(
        default=0.10, description="Largest standardised mean difference of any covariate."
    )
    covariates: tuple[Name, ...] = Field(
        default=(), description="Covariates that have to keep it; empty: all that are matched on."
    )


class SensitivityPlan(_Section):
    """How the result is put to the test."""

    calipers: tuple[Positive, ...] = Field(
        default=(0.05, 0.1, 0.2, 0.5), description="Widths of other matches, in SD of the logit."
    )
    ratios: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        default=(1, 5, 10), description="Ratios of other matches."
    )
    orders: int = Field(
        default=20, ge=0, le=1000, description="Other orders of a match where it has one."
    )
    placebo: bool = Field(
        default=True,
        description="Match anew without what tells the last year, and look at that year.",
    )


class DisclosurePlan(_Section):
    """How people are protected in what is handed over."""

    fewest_people: int = Field(default=30, ge=30, description="In a published group; not under 30.")
    fewest_in_cell: int = Field(
        default=10, ge=10, description="On each side of a figure; not under 10."
    )
    count_base: int = Field(default=5, ge=5, description="Counts are rounded to it; not under 5.")


class Plan(_Section):
    """A plan with all its sections; see :func:`read_plan`."""

    format: Literal[1] = Field(default=1, description="Format of this file.")
    study: Files = Files()
    service: Service = Service()
    index: Index = Index()
    linkage: Linkage = Linkage()
    covariates: Covariates = Covariates()
    transformations: TransformationsPlan = TransformationsPlan()
    matching: Matching = Matching()
    region: Region = Region()
    oasys: Oasys = Oasys()
    sub_analyses: SubAnalyses = SubAnalyses()
    measures: Measures = Measures()
    gate: GateLimits = GateLimits()
    sensitivity: SensitivityPlan = SensitivityPlan()
    disclosure: DisclosurePlan = DisclosurePlan()

    def canonical(self) -> dict[str, Any]:
        """Return what is asked as plain values, every default resolved; files are no part of it."""
        return self.model_dump(mode="json", exclude={"study"})

    @property
    def sha256(self) -> str:
        """Hash of the canonical plan: what was asked, whatever the file looked like."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def covariate_columns(self) -> tuple[str, ...]:
        """Columns of the store that the main match is made on, in the order of the plan."""
        named = [column.name for group in self.covariates.groups for column in GROUPS[group]]
        left = [name for name in named if name not in self.covariates.leave_out]
        return tuple(dict.fromkeys([*left, *self.covariates.add]))

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Everything that the main match is made on: those columns, and what is made of them."""
        return (*self.covariate_columns, *self.transformations.asked().made)

    def match_options(self, covariates: tuple[str, ...], exact: tuple[str, ...]) -> MatchOptions:
        """Return the options of one match.

        Parameters
        ----------
        covariates : tuple of str
            Columns of the model.
        exact : tuple of str
            Columns that must be equal beyond those of the plan.
        """
        asked = self.matching
        radius = asked.method == "radius"
        return check_options(
            treatment=_TREATED,
            covariates=covariates,
            categorical=tuple(name for name in covariates if is_category(name)),
            exact=tuple(dict.fromkeys((*asked.exact, *exact))),
            id=_ID,
            fit=asked.fit,
            caliper=None if asked.caliper == "none" else asked.caliper,
            ratio=1 if radius else asked.ratio,
            radius=radius,
            replace=asked.replace,
            missing="indicator",
            smd_denominator="pooled",
            seed=asked.seed,
        )


def read_plan(path: Path | None) -> Plan:
    """Read a plan and check it.

    Parameters
    ----------
    path : pathlib.Path or None
        ``plan.toml``; None for the defaults.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        The file is missing or no TOML, or a section, option or value is wrong; the message names
        the option and the rule.
    AccessError
        It may not be read.
    """
    if path is None:
        return Plan()
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(
            "there is no such plan", where=path.name, repair="Write one with 'justicelab plan'"
        ) from None
    except PermissionError:
        raise AccessError("the plan may not be read by this user", where=path.name) from None
    except OSError:
        raise InputError("the plan cannot be read", where=path.name) from None
    if len(data) > _LARGEST_FILE:
        raise InputError("the plan is larger than a plan can be", where=path.name)
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line \d+, column \d+", str(error))
        raise InputError(
            "the plan is no TOML file",
            where=f"{path.name}{', ' + place[0] if place else ''}",
            rule="text stands in quotation marks, a list in square brackets, yes and no are true "
            "and false",
            repair="Start from the file that 'justicelab plan' writes",
        ) from None
    return check_plan(content, path.name)


def check_plan(content: dict[str, Any], name: str) -> Plan:
    """Check the content of a plan; parameters and errors as of :func:`read_plan`."""
    try:
        plan = Plan.model_validate(_tuples(content))
    except ValidationError as error:
        raise _refusal(error, name) from None
    _check_together(plan, name)
    _check_transformations(plan, name)
    try:
        plan.index.rules()
        plan.match_options(("sex",), ())
    except UsageError as error:
        raise InputError(
            error.found, where=name, rule=error.rule, repair=error.repair or "Change the plan"
        ) from None
    return plan


def _check_together(plan: Plan, name: str) -> None:
    repeated = [by for by in plan.sub_analyses.by if plan.sub_analyses.by.count(by) > 1]
    unused = [
        column
        for column in plan.covariates.leave_out
        if column not in {one.name for g in plan.covariates.groups for one in GROUPS[g]}
    ]
    problem: JusticeLabError | None = None
    if plan.study.submission and plan.study.waves:
        problem = InputError(
            "the plan names a submission and waves",
            where=f"{name}, [study]",
            rule="a study is made of one file, or of several waves of one service",
            repair="Take one of the two out",
        )
    elif plan.matching.method == "radius" and plan.matching.caliper == "none":
        problem = InputError(
            "a radius match has no caliper",
            where=f"{name}, [matching] caliper",
            rule="a radius match takes everybody within the caliper",
            repair="Give a width, such as '0.2 sd-logit'",
        )
    elif repeated:
        problem = InputError(
            "a sub-analysis is declared twice",
            where=f"{name}, [sub_analyses] by",
            repair="Name each column once",
        )
    elif unused:
        problem = InputError(
            "a column that shall be left out is in none of the groups",
            where=f"{name}, [covariates] leave_out",
            repair="Take it out of the list, or check its spelling",
        )
    elif any(column not in plan.covariate_names for column in plan.gate.covariates):
        problem = InputError(
            "a covariate of the gate is none that is matched on",
            where=f"{name}, [gate] covariates",
            repair="Take it out of the list, check its spelling, or match on it too",
        )
    elif not plan.covariates.groups and not plan.covariates.add:
        problem = InputError(
            "there is nothing to match on",
            where=f"{name}, [covariates]",
            repair="Name groups of covariates",
        )
    if problem is not None:
        raise problem


def _check_transformations(plan: Plan, name: str) -> None:
    """Refuse what the plan alone shows to be wrong; the store knows which columns hold numbers."""
    asked = plan.transformations
    for option in type(asked).model_fields:
        where = f"{name}, {TRANSFORMATIONS} {option}"
        columns = getattr(asked, option)
        for column in columns:
            if column not in plan.covariate_columns:
                near = near_names(column, plan.covariate_columns)
                raise InputError(
                    f"the column '{shown(column)}' is none that is matched on",
                    where=where,
                    rule="a transformation stands beside a column of [covariates]",
                    repair=f"Did you mean {' or '.join(repr(one) for one in near)}?"
                    if near
                    else "Take it out of the list, or name it in [covariates] add",
                )
            if columns.count(column) > 1:
                raise InputError(
                    f"the column '{shown(column)}' stands in the list twice",
                    where=where,
                    repair="Name each column once",
                )
            if option == "log" and is_square(column):
                raise InputError(
                    f"the column '{shown(column)}' is a square",
                    where=where,
                    rule="the logarithm is taken of the column itself",
                    repair=f"Name the column that '{shown(column)}' is the square of",
                )


def _tuples(value: Any) -> Any:
    """Return lists as tuples, which strict models ask for."""
    if isinstance(value, dict):
        return {key: _tuples(one) for key, one in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(one) for one in value)
    return value


_RULES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotation marks",
    "tuple_type": "a list in square brackets",
    "finite_number": "a finite number",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a shorter text",
    "model_type": "a section with options",
    "model_attributes_type": "a section with options",
}


def _refusal(error: ValidationError, name: str) -> InputError:
    """Return the first problem in our words; a model's own message quotes the value."""
    problem = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in problem["loc"]]
    place = _place(path)
    context = problem.get("ctx") or {}
    if problem["type"] == "extra_forbidden":
        known = list(Plan.model_fields) if len(path) == 1 else _options(path[0])
        near = near_names(path[-1], known)
        return InputError(
            f"the plan has no {'section or option' if len(path) == 1 else 'option'} of that name",
            where=f"{name}, {place}",
            rule=f"it is one of {', '.join(known)}",
            repair=f"Did you mean {' or '.join(repr(one) for one in near)}?" if near else "",
        )
    limits = {
        "greater_than_equal": "ge",
        "less_than_equal": "le",
        "greater_than": "gt",
        "less_than": "lt",
    }
    words = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    if problem["type"] in limits:
        key = limits[problem["type"]]
        rule = f"{words[key]} {context[key]:g}"
    elif problem["type"] == "literal_error":
        rule = f"one of {context['expected']}"
    else:
        rule = _RULES.get(problem["type"], "as in the file that 'justicelab plan' writes")
    return InputError(
        "an option of the plan has a value that it cannot have",
        where=f"{name}, {place}",
        rule=f"it is {rule}",
        repair="Change it, or take the line out for the default",
    )


_ADVICE = re.compile(
    r"--(" + "|".join(Matching.model_fields) + r")\b(?: ('[^']*'|ml|ridge|firth|\d+))?"
)


def in_words_of_the_plan(error: JusticeLabError) -> JusticeLabError:
    """Return an error of the matching with the options of ``match`` as a plan has them."""

    def named(found: re.Match[str]) -> str:
        name, value = found.groups()
        if value is None:
            return f"{name} in the plan's [matching]"
        plain = value.strip("'")
        return (
            f"{name} = {plain if plain.isdigit() else json.dumps(plain)} in the plan's [matching]"
        )

    parts = {part: _ADVICE.sub(named, getattr(error, part)) for part in ("where", "rule", "repair")}
    return type(error)(_ADVICE.sub(named, error.found), **parts)


def _options(section: str) -> list[str]:
    model = Plan.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return list(model.model_fields)


def _place(path: list[str]) -> str:
    if len(path) == 1:
        return path[0]
    nth = f", entry {int(path[2]) + 1}" if len(path) > 2 and path[2].isdigit() else ""
    return f"[{path[0]}] {path[1]}{nth}"


def plan_text(plan: Plan | None = None, *, files: bool = True) -> str:
    """Return a plan as a commented TOML file.

    Parameters
    ----------
    plan : Plan, optional
        The defaults where it is not given.
    files : bool
        Whether to name the files of the study; what is handed over does not.

    Returns
    -------
    str
        Reading it gives the same plan.
    """
    plan = plan or Plan()
    lines = [
        "# Plan of a study. Every line shows the default; change what shall be different.",
        "# The plan is hashed before any outcome is read, and its hash stands in the report.",
        "",
        f"format = {plan.format}",
    ]
    for section in type(plan).model_fields:
        model = getattr(plan, section)
        if not isinstance(model, BaseModel) or (section == "study" and not files):
            continue
        lines += ["", f"# {(type(model).__doc__ or '').splitlines()[0]}", f"[{section}]"]
        for name, field in type(model).model_fields.items():
            lines += [f"# {field.description}"] if field.description else []
            lines.append(f"{name} = {_toml(getattr(model, name))}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # a basic string of TOML, in which the one control character beyond JSON's is escaped too
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
