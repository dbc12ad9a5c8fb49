"""The pages on `match` name the options there are, with the defaults they have."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from cli.match import match
from engine.release.folder import OUTPUTS

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


@pytest.mark.parametrize("page", ["match.md", "matchit-and-teffects.md", "../README.md"])
def test_no_page_names_an_option_that_does_not_exist(page):
    text = (DOCS / page).read_text()
    general = {"no_replace", "help", "version", "install_completion", "show_completion"}

    assert set(options(text)) - general <= set(PARAMETERS)


def test_every_file_of_an_output_is_explained():
    text = (DOCS / "match.md").read_text()

    assert {name for name in OUTPUTS if f"`{name}`" not in text} == set()
