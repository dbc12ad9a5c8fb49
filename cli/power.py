"""``justicelab power``: what size of cohort could show what size of effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.boundary import guarded

ASSUMED = "A cohort that is planned"
SHOWN = "What is shown"


@guarded
def power(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A finished match: what could it have shown?", show_default=False),
    ] = None,
    *,
    base_rate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of similar people with the outcome, such as 0.4.",
            rich_help_panel=ASSUMED,
            show_default=False,
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Smallest difference that matters, such as 0.05 for 5 in every 100.",
            rich_help_panel=ASSUMED,
            show_default="0.05",
        ),
    ] = None,
    direction: Annotated[
        Literal["fewer", "more"] | None,
        typer.Option(
            metavar="WAY",
            help="Whether treated people have the outcome less or more often: fewer or more.",
            rich_help_panel=ASSUMED,
            show_default="fewer",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Effective comparison people for each treated person.",
            rich_help_panel=ASSUMED,
            show_default="1",
        ),
    ] = None,
    design_effect: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Variance of the match over that of independent people; a finished match has one.",
            rich_help_panel=ASSUMED,
            show_default="1",
        ),
    ] = None,
    attrition: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the people submitted who cannot be analysed.",
            rich_help_panel=ASSUMED,
            show_default="0",
        ),
    ] = None,
    power_: Annotated[
        float,
        typer.Option(
            "--power",
            metavar="SHARE",
            help="Chance of showing the difference.",
            rich_help_panel=SHOWN,
        ),
    ] = 0.8,
    alpha: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Largest p-value that counts.", rich_help_panel=SHOWN),
    ] = 0.05,
    chart: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.svg", help="Also draw the plan as a chart.", rich_help_panel=SHOWN
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all figures as JSON.", rich_help_panel=SHOWN)
    ] = False,
) -> None:
    """Say what size of cohort could show what size of effect.

    Example: justicelab power --base-rate 0.4 --difference 0.05 --ratio 5 --attrition 0.3
    """
    assumed = {
        "base_rate": base_rate,
        "difference": difference,
        "direction": direction,
        "ratio": ratio,
        "design_effect": design_effect,
        "attrition": attrition,
    }
    given = {name: value for name, value in assumed.items() if value is not None}
    _refuse_contradictions(folder, given, chart)
    from engine.release import power as engine

    if folder is not None:
        result = engine.power_of_match(folder, power=power_, alpha=alpha)
        lines = _match_lines(result)
    else:
        result = engine.plan_power(**given, power=power_, alpha=alpha)  # type: ignore[arg-type]
        lines = _plan_lines(result)
        if chart is not None:
            engine.write_chart(chart, result)
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(result).decode(), nl=False)
    else:
        typer.echo("\n".join(lines))


def _refuse_contradictions(
    folder: Path | None, given: Mapping[str, Any], chart: Path | None
) -> None:
    """Refuse options that belong to the other use of the command."""
    from engine.errors import UsageError

    if folder is not None and (given or chart is not None):
        names = [f"--{name.replace('_', '-')}" for name in given]
        raise UsageError(
            f"{' and '.join([*names, *(['--chart'] if chart is not None else [])])} cannot go "
            "with a finished match",
            rule="a finished match has its own rates, sizes and design effect",
            repair="Leave out the folder to plan a cohort, or leave out the options",
        )
    if folder is None and "base_rate" not in given:
        raise UsageError(
            "neither a finished match nor --base-rate is given",
            rule="a plan starts from the share of similar people with the outcome",
            repair="Give for example --base-rate 0.4, or the folder of a match",
        )
    if chart is not None and chart.suffix != ".svg":
        raise UsageError("the chart is an SVG file", repair="Give a name that ends in .svg")


def _plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """Return a plan as a sentence and two tables."""
    way = plan["assumptions"]["direction"]
    sizes = [(f"{way} in every 100", "chance", "analysed", "submitted", "set by")]
    sizes += [
        (
            _hundred(row["difference"]),
            f"{row['power'] * 100:g} %",
            f"{row['analysed']:,}",
            f"{row['submitted']:,}",
            {"power": "chance", "events": "30 with the outcome", "minimum": "smallest allowed"}[
                row["limited_by"]
            ],
        )
        for row in plan["sizes"]
    ]
    powers = [one["power"] for one in plan["detectable"][0]["differences"]]
    cohorts = [("submitted", "analysed", *(f"at {one * 100:g} %" for one in powers))]
    cohorts += [
        (
            f"{row['submitted']:,}",
            f"{row['analysed']:,}",
            *(_hundred(one[way]) for one in row["differences"]),
        )
        for row in plan["detectable"]
    ]
    return [
        plan["sentence"],
        "",
        "People needed:",
        *_table(sizes),
        "",
        f"Smallest difference that can be shown ({way} in every 100):",
        *_table(cohorts),
        "A dash: nothing can be shown, or fewer than 30 people with the outcome are expected.",
    ]


def _match_lines(result: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each outcome of a finished match, and what it stands on."""
    lines = []
    for one in result["outcomes"]:
        lines.append(f"{_printable(str(one['outcome']))}: {one['sentence']}")
        if one["design_effect"] is not None:
            lines.append(f"  Design effect {one['design_effect']:.2f}")
        for found, needed in zip(one["differences"], one["needed"], strict=True):
            sizes = [found["fewer"], found["more"]]
            if one["type"] == "binary":
                words = f"{_hundred(sizes[0])} fewer or {_hundred(sizes[1])} more in every 100"
            else:
                words = f"{sizes[0]:.4g} either way"
            people = "-" if needed is None else f"{needed:,}"
            lines.append(
                f"  At {found['power'] * 100:g} %: {words}; "
                f"treated people needed for the difference found: {people}"
            )
    return lines


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows with their cells below each other, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _hundred(size: float | None) -> str:
    return "-" if size is None else f"{abs(size) * 100:.1f}"


def _printable(text: str) -> str:
    """Return the text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
