"""The options of a match: parsed and checked before a table is touched."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from engine.errors import UsageError
from engine.matching.balance import Denominator
from engine.matching.caliper import (
    Caliper,
    CovariateCaliper,
    parse_caliper,
    parse_covariate_caliper,
)
from engine.matching.design import Missing
from engine.matching.pairing import Order
from engine.matching.propensity import FitMethod
from engine.matching.radius import Kernel

Estimand = Literal["att", "atc"]
Discard = Literal["none", "support"]
ScoreScale = Literal["logit", "probability"]
Ties = Literal["first", "all"]

_LARGEST_SEED = (1 << 128) - 1


@dataclass(frozen=True)
class MatchOptions:
    """What a match was asked for, checked.

    The names are those of ``justicelab match``; see docs/match.md for what each does.
    """

    treatment: str
    treated: str | None
    covariates: tuple[str, ...]
    categorical: tuple[str, ...]
    exact: tuple[str, ...]
    anti_exact: tuple[str, ...]
    id: str | None
    person: str | None
    one_per_person: bool
    score: str | None
    score_scale: ScoreScale
    fit: FitMethod
    caliper: Caliper | None
    covariate_caliper: tuple[CovariateCaliper, ...]
    mahalanobis: tuple[str, ...]
    ratio: int
    max_ratio: int | None
    radius: bool
    kernel: Kernel | None
    replace: bool
    reuse_max: int | None
    ties: Ties
    order: Order
    estimand: Estimand
    discard: Discard
    missing: Missing
    keep_share: float | None
    path: bool
    squares: bool
    interactions: bool
    smd_denominator: Denominator
    pairs: bool
    seed: int

    @property
    def by_window(self) -> bool:
        """Whether everybody within the caliper is taken: radius or kernel."""
        return self.radius or self.kernel is not None

    @property
    def method(self) -> str:
        """``nearest``, ``radius`` or ``kernel``."""
        if self.kernel is not None:
            return "kernel"
        return "radius" if self.radius else "nearest"

    def as_given(self) -> dict[str, Any]:
        """Every option with its resolved value, in the form that :func:`check_options` takes."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        given["caliper"] = None if self.caliper is None else self.caliper.given
        given["covariate_caliper"] = tuple(one.given for one in self.covariate_caliper)
        return given

    @property
    def has_rules(self) -> bool:
        """Whether pairs must pass rules beyond the exact columns and the caliper."""
        return bool(self.anti_exact or self.covariate_caliper or self.person or self.mahalanobis)


def _names(value: str | Sequence[str] | None, option: str) -> tuple[str, ...]:
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(name, str) and name for name in names):
        raise UsageError(
            f"{option} holds something that is not a column name",
            repair=f"Give {option} as a list of column names",
        )
    return names


def _choice(value: Any, kind: Any, option: str) -> Any:
    allowed = get_args(kind)
    if value not in allowed:
        listed = ", ".join(str(name) for name in allowed)
        raise UsageError(f"{option} is not one of {listed}", repair=f"Choose one of: {listed}")
    return value


def _whole(value: Any, option: str, low: int, high: int | None = None) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not good or (high is not None and value > high):
        raise UsageError(
            f"{option} is not a whole number of at least {low}"
            + (f" and at most {high}" if high is not None else ""),
            repair=f"Give {option} as a whole number",
        )
    return int(value)


def check_options(
    *,
    treatment: str,
    treated: object = None,
    covariates: str | Sequence[str] = (),
    categorical: str | Sequence[str] = (),
    exact: str | Sequence[str] = (),
    anti_exact: str | Sequence[str] = (),
    id: str | None = None,  # noqa: A002 - the option's name
    person: str | None = None,
    one_per_person: bool = False,
    score: str | None = None,
    score_scale: str = "logit",
    fit: str = "ml",
    caliper: str | None = None,
    covariate_caliper: str | Sequence[str] = (),
    mahalanobis: str | Sequence[str] = (),
    ratio: int = 1,
    max_ratio: int | None = None,
    radius: bool = False,
    kernel: str | None = None,
    replace: bool = False,
    reuse_max: int | None = None,
    ties: str = "first",
    order: str = "largest",
    estimand: str = "att",
    discard: str = "none",
    missing: str = "error",
    keep_share: float | None = None,
    path: bool = False,
    squares: bool = False,
    interactions: bool = False,
    smd_denominator: str | None = None,
    pairs: bool = False,
    seed: int = 0,
) -> MatchOptions:
    """Return the options of a match, checked for sense and against each other.

    Raises
    ------
    UsageError
        Names the option, the rule and the repair.
    """
    effect_on: Estimand = _choice(estimand, Estimand, "--estimand")
    own = "treated" if effect_on == "att" else "comparison"
    options = MatchOptions(
        treatment=treatment,
        treated=None if treated is None else _treated_text(treated),
        covariates=_names(covariates, "--covariates"),
        categorical=_names(categorical, "--categorical"),
        exact=_names(exact, "--exact"),
        anti_exact=_names(anti_exact, "--anti-exact"),
        id=id,
        person=person,
        one_per_person=one_per_person,
        score=score,
        score_scale=_choice(score_scale, ScoreScale, "--score-scale"),
        fit=_choice(fit, FitMethod, "--fit"),
        caliper=parse_caliper(caliper),
        covariate_caliper=tuple(
            parse_covariate_caliper(text)
            for text in _names(covariate_caliper, "--covariate-caliper")
        ),
        mahalanobis=_names(mahalanobis, "--mahalanobis"),
        ratio=_whole(ratio, "--ratio", 1),
        max_ratio=None if max_ratio is None else _whole(max_ratio, "--max-ratio", 1),
        radius=radius,
        kernel=None if kernel is None else _choice(kernel, Kernel, "--kernel"),
        replace=replace or radius or kernel is not None,
        reuse_max=None if reuse_max is None else _whole(reuse_max, "--reuse-max", 1),
        ties=_choice(ties, Ties, "--ties"),
        order=_choice(order, Order, "--order"),
        estimand=effect_on,
        discard=_choice(discard, Discard, "--discard"),
        missing=_choice(missing, Missing, "--missing"),
        keep_share=keep_share,
        path=path,
        squares=squares,
        interactions=interactions,
        smd_denominator=_choice(smd_denominator or own, Denominator, "--smd-denominator"),
        pairs=pairs,
        seed=_whole(seed, "--seed", 0, _LARGEST_SEED),
    )
    _check_together(options, order=order)
    return options


def _treated_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check_together(options: MatchOptions, *, order: str) -> None:
    """Refuse combinations that contradict each other or would be ignored."""
    for wrong, found, rule, repair in (
        (
            not options.covariates and options.score is None,
            "there is nothing to match on",
            "a propensity score comes from --covariates, or is given with --score",
            "Name the columns on which the groups should be alike",
        ),
        (
            options.by_window and options.caliper is None,
            "--radius and --kernel need a caliper",
            "a radius match takes everybody within the caliper, so its width must be given",
            "Add for example --caliper '0.2 sd-logit'",
        ),
        (
            options.radius and options.kernel is not None,
            "--radius and --kernel exclude each other",
            "a radius match weights everybody in the window evenly, a kernel by distance",
            "Give one of the two",
        ),
        (
            options.by_window and (options.ratio != 1 or options.max_ratio is not None),
            "--ratio has no meaning in a radius or kernel match",
            "everybody within the caliper is taken",
            "Leave out --ratio and --max-ratio, or leave out --radius and --kernel",
        ),
        (
            options.by_window and (options.has_rules or options.one_per_person),
            "a radius or kernel match takes no pair rules",
            "anti-exact, calipers on covariates, persons and Mahalanobis distance need pairs",
            "Use --exact and --caliper, or match the nearest with --ratio and --replace",
        ),
        (
            options.replace and options.reuse_max is not None,
            "--reuse-max contradicts matching with replacement",
            "with replacement everybody may be used without limit",
            "Leave out --replace; --reuse-max N alone allows N uses",
        ),
        (
            options.replace and options.one_per_person,
            "--one-per-person contradicts matching with replacement",
            "with replacement everybody may be used without limit",
            "Leave out --replace",
        ),
        (
            options.one_per_person and options.person is None,
            "--one-per-person needs to know the persons",
            "a person may have several rows",
            "Add --person with the column that names the person",
        ),
        (
            options.one_per_person and options.reuse_max is not None,
            "--one-per-person contradicts --reuse-max",
            "a person enters the match once",
            "Give one of the two",
        ),
        (
            options.ties == "all" and not options.replace,
            "--ties all needs matching with replacement",
            "all those tied can be taken only if they may be used again",
            "Add --replace, or leave out --ties",
        ),
        (
            options.ties == "all" and options.by_window,
            "--ties has no meaning in a radius or kernel match",
            "everybody within the caliper is taken",
            "Leave out --ties",
        ),
        (
            options.max_ratio is not None
            and (options.replace or options.max_ratio <= options.ratio),
            "--max-ratio needs matching without replacement and must exceed --ratio",
            "in a variable ratio everybody gets 1 to --max-ratio partners, --ratio on average",
            "Leave out --replace, or give a larger --max-ratio",
        ),
        (
            options.replace and order != "largest" and not options.by_window,
            "--order has no meaning with replacement",
            "with replacement nobody's choice depends on anybody else's",
            "Leave out --order",
        ),
        (
            bool(options.mahalanobis) and options.caliper is None,
            "--mahalanobis needs a caliper on the score",
            "Mahalanobis distance chooses among those inside the caliper on the score",
            "Add for example --caliper '0.2 sd-logit'",
        ),
        (
            options.keep_share is not None and not 0.0 < options.keep_share <= 1.0,
            "--keep-share is not a share",
            "a share lies above 0 and is at most 1",
            "Give for example --keep-share 0.95",
        ),
        (
            options.keep_share is not None and options.caliper is not None,
            "--keep-share and --caliper exclude each other",
            "--keep-share finds the smallest caliper that keeps the share",
            "Give one of the two",
        ),
        (
            options.score is not None and options.fit != "ml",
            "--fit has no meaning with a score of your own",
            "no propensity model is fitted when --score is given",
            "Leave out --fit or --score",
        ),
        (
            options.treatment in options.covariates,
            "the treatment is among the covariates",
            "a covariate was there before the treatment",
            f"Leave '{options.treatment}' out of --covariates",
        ),
    ):
        if wrong:
            raise UsageError(found, rule=rule, repair=repair)
    for name in (options.id, options.person):
        if name is not None and name in options.covariates:
            raise UsageError(
                f"the column '{name}' is both a covariate and an identifier",
                rule="an identifier says nothing about what people are like",
                repair=f"Leave '{name}' out of --covariates",
            )
