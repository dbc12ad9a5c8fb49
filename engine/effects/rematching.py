"""How a finished match is made again in a bootstrap replicate, or why it cannot be."""

import numpy as np

from engine.errors import UsageError
from engine.matching.options import MatchOptions
from engine.matching.problem import Problem
from engine.matching.radius import KERNEL_SHAPES
from kernels.rematch import GREEDY, NEAREST, WINDOW, Recipe


def recipe_for(problem: Problem, options: MatchOptions, *, hold_caliper: bool = False) -> Recipe:
    """Return how replicates of a match are matched again.

    Parameters
    ----------
    problem : Problem
        Of the match itself: who takes part, cells, people, caliper.
    options : MatchOptions
    hold_caliper : bool
        Keep the raw width of the match. Otherwise a caliper in standard deviations is recomputed
        from each replicate's own logits, as another sample would have had it; a width found from
        the data (``--keep-share``) or given on another scale is always held.

    Returns
    -------
    Recipe

    Raises
    ------
    UsageError
        The match has rules for which a drawn copy has no meaning or no kernel.

    Notes
    -----
    Who takes part is held as it was: common support is not found again.
    """
    unsupported = {
        "--anti-exact": bool(options.anti_exact),
        "--covariate-caliper": bool(options.covariate_caliper),
        "--mahalanobis": bool(options.mahalanobis),
        "--one-per-person": options.one_per_person,
        "--max-ratio": options.max_ratio is not None,
        "--ties all": options.ties == "all" and options.replace,
        "--reuse-max": not options.replace and (options.reuse_max or 1) > 1,
        f"--order {options.order}": not (
            options.replace or options.by_window or options.order == "largest"
        ),
    }
    found = [name for name, used in unsupported.items() if used]
    if found:
        raise UsageError(
            f"a match with {' and '.join(found)} is not made again in a bootstrap",
            rule="nearest neighbours on the score, with replacement or largest score first, and "
            "radius and kernel matches are, inside exact cells",
            repair="Use the bootstrap with matches held fixed, which serves every match",
        )
    none = np.empty(0, dtype=np.int64)
    cell = none if problem.cell is None else problem.cell
    given = options.caliper
    in_deviations = given is not None and given.scale == "sd-logit"
    per_deviation = in_deviations and options.keep_share is None and not hold_caliper
    caliper = given.width if given is not None and per_deviation else problem.caliper
    design = WINDOW if options.by_window else (NEAREST if options.replace else GREEDY)
    return Recipe(
        problem.focal,
        problem.eligible,
        cell,
        int(cell.max(initial=0)) + 1,
        none if problem.person is None else problem.person,
        design,
        options.ratio,
        KERNEL_SHAPES[options.kernel],
        float(caliper),
        per_deviation,
        given is not None and given.scale == "probability",
    )
