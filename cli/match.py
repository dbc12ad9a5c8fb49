"""``justicelab match``: the options of the matching engine, one engine call, the results."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.boundary import guarded

# Panels of the help page.
DESIGN = "Who is compared with whom"
SCORE = "Propensity score"
MATCHING = "Matching"
REUSE = "Order and repeated use"
RESULTS = "Outcomes and results"
RUNNING = "Running"

Names = list[str] | None


@guarded
def match(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            readable=False,  # the engine refuses it with the exit code of a permission
            help="csv, tsv, Parquet, Arrow or Feather file, or a folder of Parquet or Arrow parts.",
            show_default=False,
        ),
    ],
    *,
    treatment: Annotated[
        str,
        typer.Option(
            metavar="COL",
            help="Column that says who was treated: boolean or 0/1, or see --treated.",
            rich_help_panel=DESIGN,
            show_default=False,
        ),
    ],
    treated: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="The value that means treated.", rich_help_panel=DESIGN),
    ] = None,
    covariates: Annotated[
        Names,
        typer.Option(
            metavar="A,B,C",
            help="Columns the groups are made alike on. Text columns are categories.",
            rich_help_panel=DESIGN,
        ),
    ] = None,
    categorical: Annotated[
        Names,
        typer.Option(
            metavar="A,B", help="Covariates whose numbers are categories.", rich_help_panel=DESIGN
        ),
    ] = None,
    exact: Annotated[
        Names,
        typer.Option(
            metavar="A,B", help="Columns that must be equal in a match.", rich_help_panel=DESIGN
        ),
    ] = None,
    anti_exact: Annotated[
        Names,
        typer.Option(
            metavar="A,B", help="Columns that must differ in a match.", rich_help_panel=DESIGN
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COL",
            help="Unique row name: makes results independent of the order of rows.",
            rich_help_panel=DESIGN,
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="COL",
            help="Names the person where one has several rows; nobody is matched to themselves.",
            rich_help_panel=DESIGN,
        ),
    ] = None,
    one_per_person: Annotated[
        bool,
        typer.Option(
            "--one-per-person",
            help="A comparison person is used at most once over all of their rows.",
            rich_help_panel=DESIGN,
        ),
    ] = False,
    estimand: Annotated[
        Literal["att", "atc"],
        typer.Option(help="Effect on the treated, or on the comparison.", rich_help_panel=DESIGN),
    ] = "att",
    missing: Annotated[
        Literal["error", "indicator"],
        typer.Option(
            help="Empty cells of covariates: refuse, or keep with an indicator term.",
            rich_help_panel=DESIGN,
        ),
    ] = "error",
    score: Annotated[
        str | None,
        typer.Option(
            metavar="COL",
            help="A propensity score of your own; none is fitted.",
            rich_help_panel=SCORE,
        ),
    ] = None,
    score_scale: Annotated[
        Literal["logit", "probability"],
        typer.Option(help="Scale of --score.", rich_help_panel=SCORE),
    ] = "logit",
    fit: Annotated[
        Literal["ml", "ridge", "firth"],
        typer.Option(
            help="Maximum likelihood, ridge, or Firth with intercept correction.",
            rich_help_panel=SCORE,
        ),
    ] = "ml",
    discard: Annotated[
        Literal["none", "support"],
        typer.Option(
            help="Drop rows outside the common support before matching.", rich_help_panel=SCORE
        ),
    ] = "none",
    caliper: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTH",
            help="Largest distance, such as '0.2 sd-logit', '0.1 logit' or '0.01 probability'.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    covariate_caliper: Annotated[
        Names,
        typer.Option(
            metavar="LIMIT",
            help="Largest difference in a covariate, such as 'age 2'. Repeatable.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    mahalanobis: Annotated[
        Names,
        typer.Option(
            metavar="A,B",
            help="Choose by Mahalanobis distance on these columns inside --caliper.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    ratio: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Matches for each person.", rich_help_panel=MATCHING),
    ] = 1,
    max_ratio: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Variable ratio: at most this many, --ratio on average.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    radius: Annotated[
        bool,
        typer.Option(
            "--radius", help="All within --caliper, equally weighted.", rich_help_panel=MATCHING
        ),
    ] = False,
    kernel: Annotated[
        Literal["epanechnikov", "tricube"] | None,
        typer.Option(
            metavar="NAME",
            help="All within --caliper, nearer ones weighted more: epanechnikov or tricube.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace/--no-replace",
            help="Whether one comparison person may serve several times.",
            rich_help_panel=REUSE,
        ),
    ] = False,
    reuse_max: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="At most this many uses of one comparison person.",
            rich_help_panel=REUSE,
        ),
    ] = None,
    ties: Annotated[
        Literal["first", "all"],
        typer.Option(
            help="Exactly --ratio by the tie rule, or share among all tied.",
            rich_help_panel=REUSE,
        ),
    ] = "first",
    order: Annotated[
        Literal["largest", "smallest", "closest", "data", "random"],
        typer.Option(
            metavar="ORDER",
            help="Who chooses first, without replacement: largest or smallest score, closest "
            "pair, data (order of rows) or random.",
            rich_help_panel=REUSE,
        ),
    ] = "largest",
    keep_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="Use the smallest caliper that keeps this share of the treated.",
            rich_help_panel=MATCHING,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Seed of everything random.", rich_help_panel=MATCHING
        ),
    ] = 0,
    outcome: Annotated[
        Names,
        typer.Option(
            metavar="COL:TYPE",
            help="An outcome: binary, count, or time (days to event, empty: none). Repeatable.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    interval: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto lets the design of the match decide; others: docs/intervals.md.",
            rich_help_panel=RESULTS,
        ),
    ] = "auto",
    replicates: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Replicates of resampling, beside the interval of the design.",
            rich_help_panel=RESULTS,
        ),
    ] = 0,
    placebo: Annotated[
        Names,
        typer.Option(
            metavar="COL:TYPE",
            help="Something known before taking part, on which there can be no effect. Repeatable.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    orders: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Matches in other orders, to see how far the estimate moves; 20 in small tables.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    path: Annotated[
        bool,
        typer.Option(
            "--path",
            help="Also show what other calipers and ratios would give.",
            rich_help_panel=RESULTS,
        ),
    ] = False,
    squares: Annotated[
        bool, typer.Option("--squares", help="Balance of squares too.", rich_help_panel=RESULTS)
    ] = False,
    interactions: Annotated[
        bool,
        typer.Option(
            "--interactions", help="Balance of products of two too.", rich_help_panel=RESULTS
        ),
    ] = False,
    smd_denominator: Annotated[
        Literal["treated", "comparison", "pooled"] | None,
        typer.Option(
            metavar="GROUP",
            help="Whose standard deviation differences are divided by: treated, comparison or "
            "pooled.",
            show_default="the focal group's",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs", help="Write pairs for --radius and --kernel too.", rich_help_panel=RESULTS
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            readable=False,
            help="Folder for results, pairs, weights, charts and the page.",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print results.json instead.", rich_help_panel=RUNNING),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="No messages, only the result.", rich_help_panel=RUNNING
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check names and print what would be done.", rich_help_panel=RUNNING
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; results do not depend on it.",
            show_default="all cores",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Ceiling on memory, such as 4GB; larger tables are worked on in files.",
            show_default="none",
            rich_help_panel=RUNNING,
        ),
    ] = None,
) -> None:
    """Match treated people with comparison people on any table of your own.

    Example: justicelab match people.csv --treatment treated
    --covariates age,sex,priors --outcome reoffended:binary --out matched
    """
    options: dict[str, Any] = {
        "treatment": treatment,
        "treated": treated,
        "covariates": _names(covariates),
        "categorical": _names(categorical),
        "exact": _names(exact),
        "anti_exact": _names(anti_exact),
        "id": id_column,
        "person": person,
        "one_per_person": one_per_person,
        "score": score,
        "score_scale": score_scale,
        "fit": fit,
        "caliper": caliper,
        "covariate_caliper": tuple(covariate_caliper or ()),
        "mahalanobis": _names(mahalanobis),
        "ratio": ratio,
        "max_ratio": max_ratio,
        "radius": radius,
        "kernel": kernel,
        "replace": replace,
        "reuse_max": reuse_max,
        "ties": ties,
        "order": order,
        "estimand": estimand,
        "discard": discard,
        "missing": missing,
        "outcome": tuple(outcome or ()),
        "interval": interval,
        "replicates": replicates,
        "placebo": tuple(placebo or ()),
        "orders": orders,
        "keep_share": keep_share,
        "path": path,
        "squares": squares,
        "interactions": interactions,
        "smd_denominator": smd_denominator,
        "pairs": pairs,
        "seed": seed,
    }
    if dry_run:
        _show_plan(table, options, out, as_json=as_json)
        return
    _run(table, options, out, threads, memory, as_json=as_json, quiet=quiet)


def _run(
    table: Path,
    options: dict[str, Any],
    out: Path | None,
    threads: int | None,
    memory: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Match, then print the results to stdout and what the reader should know to stderr."""
    from cli.progress import noting, progress_bar
    from engine.match import match as match_table
    from engine.warm_up import compile_note, set_threads

    if threads is not None:
        set_threads(threads)
    with progress_bar(quiet=quiet) as progress:
        if not quiet and (note := compile_note()):
            progress = noting(progress, note)
        result = match_table(table, **options, out=out, progress=progress, memory=memory)
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(result.results).decode(), nl=False)
    else:
        from cli.summary import summary

        typer.echo(summary(result.results), nl=False)
    if not quiet:
        if not as_json:  # in JSON they are part of the result
            from cli.summary import message

            for warning in result.results.get("warnings", []):
                typer.echo(message(f"Note: {warning}", sys.stderr), err=True)
        if out is not None:
            typer.echo(f"Written to {out}; the page is {out / 'report.html'}.", err=True)


def _show_plan(table: Path, options: dict[str, Any], out: Path | None, *, as_json: bool) -> None:
    """Print the table, the options as resolved and the output folder; read no cell."""
    from engine.tables import open_table, require_column

    source = open_table(table)
    for role, names in _named_columns(options):
        for name in names:
            require_column(source, name, role)
    plan = {
        "table": source.name,
        "rows": source.n_rows,
        "columns": len(source.columns),
        **options,
        "out": str(out) if out else None,
    }
    if as_json:
        import json

        typer.echo(json.dumps(plan, indent=1))
        return
    for key, value in plan.items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        typer.echo(f"{key:<18} {'-' if shown in ('', None) else shown}")
    typer.echo("Nothing was read or written beyond the names of the columns.", err=True)


def _named_columns(options: dict[str, Any]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Yield each role with the columns that the options name for it."""
    for role in ("treatment", "id", "person", "score"):
        if options[role] is not None:
            yield role, (options[role],)
    yield "covariate", options["covariates"]
    yield "categorical", options["categorical"]
    yield "exact", options["exact"]
    yield "anti-exact", options["anti_exact"]
    yield "mahalanobis", options["mahalanobis"]
    yield "caliper", tuple(c.rpartition(" ")[0].strip() for c in options["covariate_caliper"])
    yield "outcome", tuple(o.rpartition(":")[0] or o for o in options["outcome"])


def _names(given: Names) -> tuple[str, ...]:
    """Return column names from repeated, comma-separated options; quotes protect a comma."""
    rows = csv.reader(given or [], skipinitialspace=True)
    return tuple(name.strip() for row in rows for name in row if name.strip())
