"""The plan: what a study asks for, fixed and hashed before any outcome is read.

One model for each section of ``plan.toml``. The same models write the file with its comments, check
it, and give every default, so that file, check and documentation cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.cohort.rules import IndexRules
from engine.matching.options import MatchOptions, check_options
from engine.matching.pool import SUBGROUPS, is_category
from engine.matching.store_columns import GROUPS
from engine.matching.transformations import Transformations

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
        description="The columns of each group:\n"
        + "\n".join(
            f"{group}: {', '.join(column.name for column in GROUPS[group])}"
            for group in ("demographics", "index", "history", "risk", "region")
        ),
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
    """A plan with all its sections; see :func:`engine.plan.reading.read_plan`."""

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
