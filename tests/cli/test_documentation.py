"""The pages on `match` name the options there are, with the defaults they have."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from cli.match import match
from engine.effects import cautions, choice, neighbourhoods
from engine.release.folder import OUTPUTS
from tests.engine.release.conftest import make_rich

DOCS = Path(__file__).resolve().parents[2] / "docs"
PARAMETERS = {
    ("id" if name == "id_column" else name.removeprefix("as_")): one
    for name, one in inspect.signature(match, eval_str=True).parameters.items()
    if name != "table"
}
# Said in words, because the default depends on the data or on other options.
IN_WORDS = {"treatment", "threads", "smd_denominator", "caliper", "reuse_max"}


def options(text):
    return [name.replace("-", "_") for name in re.findall(r"--([a-z][a-z-]+)", text)]


def rows():
    """First cells and defaults of the table of options."""
    text = (DOCS / "match.md").read_text()
    table = text[text.index("## Options") : text.index("## Output")].replace("\\|", "/")
    for line in table.splitlines():
        if line.startswith("| `--"):
            name, default = (cell.strip() for cell in line.split("|")[1:3])
            yield name, default


def test_every_option_has_its_row_and_no_row_is_invented():
    named = [option for name, _ in rows() for option in options(name)]

    assert len(named) == len(set(named))
    assert set(named) - {"no_replace"} == set(PARAMETERS)


def test_defaults_are_those_of_the_command():
    for name, cell in rows():
        said = [part.strip("` ") for part in cell.split(",")]
        for option, default in zip(options(name), said * 2, strict=False):
            if option in IN_WORDS or option == "no_replace":
                continue
            real = PARAMETERS[option].default
            shown = {"": None, "off": False}.get(default, default)
            assert str(shown) == str(real), option


def test_choices_are_those_of_the_command():
    checked = set()
    for name, _ in rows():
        choices = re.fullmatch(r"`--([a-z-]+) ([a-z]+(?:/[a-z]+)+)`", name)
        if choices:
            kind = PARAMETERS[choices.group(1).replace("-", "_")].annotation
            literal = get_args(kind)[0]
            assert set(choices.group(2).split("/")) == set(get_args(literal)), name
            checked.add(choices.group(1))
    assert checked == {"estimand", "missing", "score-scale", "fit", "discard", "ties"}


@pytest.mark.parametrize(
    "page",
    ["match.md", "matchit-and-teffects.md", "intervals.md", "sensitivity.md", "../README.md"],
)
def test_no_page_names_an_option_that_does_not_exist(page):
    text = (DOCS / page).read_text()
    general = {"no_replace", "help", "version", "install_completion", "show_completion"}
    general |= {"size", "full", "readme"}  # of python -m tests.certify and python -m benchmarks

    general |= {"submission", "store", "plan"} if page == "../README.md" else set()  # of `run`

    assert set(options(text)) - general <= set(PARAMETERS)


def test_every_file_of_an_output_is_explained():
    text = (DOCS / "match.md").read_text()

    assert {name for name in OUTPUTS if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("page", ["match.md", "intervals.md"])
def test_every_interval_has_its_name_in_the_docs(page):
    text = (DOCS / page).read_text()

    assert {name for name in get_args(choice.IntervalName) if f"`{name}`" not in text} == set()
    assert {name for name in choice.NEEDS_REPLICATES if f"`{name}`" not in text} == set()
    assert f"at least {choice.LEAST_REPLICATES}" in text


def test_the_table_of_intervals_holds_names_that_exist_only():
    text = (DOCS / "intervals.md").read_text()
    table = text[text.index("## Other intervals") : text.index("## The publication rule")]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)]

    assert sorted(named[1:]) == sorted(set(get_args(choice.IntervalName)) - {"auto"})
    for method in choice.BY_DESIGN.values():
        assert method in text


def test_reasons_of_refusals_have_the_figures_of_the_docs():
    text = " ".join((DOCS / "intervals.md").read_text().split())
    reasons = [value for value in vars(choice).values() if isinstance(value, str)]
    figures = {
        figure for one in reasons for figure in re.findall(r"covered (\d[\d.]* to [\d.]+ %)", one)
    }

    assert len(figures) >= 5
    assert {one for one in figures if one not in text} == set()


def test_constants_are_those_of_the_program():
    text = (DOCS / "intervals.md").read_text()

    assert f"| neighbours around a focal person | {neighbourhoods.AROUND_FOCAL} |" in text
    assert f"| neighbours around a partner, J | {neighbourhoods.AROUND_PARTNER} |" in text
    assert f"at least {cautions.LEAST_EXPECTED:.0f} expected events" in text
    assert f"at least {cautions.LEAST_EVENTS} treated people with the event" in text


def test_every_key_of_the_results_is_explained():
    results = make_rich()
    page, sensitivity = ((DOCS / name).read_text() for name in ("match.md", "sensitivity.md"))
    estimate = results["estimates"][0]

    assert {
        key for key in results if key not in ("format", "kind") and f"`{key}`" not in page
    } == set()
    assert {key for key in estimate if f"`{key}`" not in page} == set()
    for part in (*estimate["sensitivity"], "placebos", "support"):
        assert f"(`{part}`)" in sensitivity


def test_the_coverage_table_has_its_place():
    text = (DOCS / "intervals.md").read_text()

    assert text.count("<!-- coverage table: begin") == text.count("<!-- coverage table: end") == 1
