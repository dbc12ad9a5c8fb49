"""What the options of a plan must be to each other; each by itself is the model's business."""

from engine.errors import InputError
from engine.matching.store_columns import GROUPS
from engine.matching.transformations import SECTION as TRANSFORMATIONS
from engine.matching.transformations import is_square
from engine.plan.model import Plan
from engine.tables import near_names, shown


def require_consistent(plan: Plan, name: str) -> None:
    """Refuse a plan whose options contradict each other.

    Parameters
    ----------
    plan : Plan
    name : str
        Of its file, for the message.

    Raises
    ------
    InputError
        With section and option of the first fault.
    """
    _require_one_kind_of_file(plan, name)
    _require_width(plan, name)
    _require_parts_once(plan, name)
    _require_covariates(plan, name)
    _require_transformable(plan, name)


def _require_one_kind_of_file(plan: Plan, name: str) -> None:
    if plan.study.submission and plan.study.waves:
        raise InputError(
            "the plan names a submission and waves",
            where=f"{name}, [study]",
            rule="a study is made of one file, or of several waves of one service",
            repair="Take one of the two out",
        )


def _require_width(plan: Plan, name: str) -> None:
    if plan.matching.method == "radius" and plan.matching.caliper == "none":
        raise InputError(
            "a radius match has no caliper",
            where=f"{name}, [matching] caliper",
            rule="a radius match takes everybody within the caliper",
            repair="Give a width, such as '0.2 sd-logit'",
        )


def _require_parts_once(plan: Plan, name: str) -> None:
    if len(set(plan.sub_analyses.by)) < len(plan.sub_analyses.by):
        raise InputError(
            "a sub-analysis is declared twice",
            where=f"{name}, [sub_analyses] by",
            repair="Name each column once",
        )


def _require_covariates(plan: Plan, name: str) -> None:
    grouped = {one.name for group in plan.covariates.groups for one in GROUPS[group]}
    if not grouped.issuperset(plan.covariates.leave_out):
        raise InputError(
            "a column that shall be left out is in none of the groups",
            where=f"{name}, [covariates] leave_out",
            repair="Take it out of the list, or check its spelling",
        )
    if not set(plan.covariate_names).issuperset(plan.gate.covariates):
        raise InputError(
            "a covariate of the gate is none that is matched on",
            where=f"{name}, [gate] covariates",
            repair="Take it out of the list, check its spelling, or match on it too",
        )
    if not plan.covariates.groups and not plan.covariates.add:
        raise InputError(
            "there is nothing to match on",
            where=f"{name}, [covariates]",
            repair="Name groups of covariates",
        )


def _require_transformable(plan: Plan, name: str) -> None:
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
                    rule="a transformation stands beside a column of [covariates]; the file that "
                    "'justicelab plan' writes lists the columns of each group",
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
