"""``justicelab batch``: its page names what there is; ``test_run.py`` runs it beside a store."""

import inspect
import re
from pathlib import Path

from cli.batch import batch as command
from engine.release.batch_folder import BATCH_FILES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_names_every_option_and_every_file():
    text = (DOCS / "batch.md").read_text()
    table = text[: text.index("## A plan")]
    named = {name.replace("-", "_") for name in re.findall(r"--([a-z-]+)", table)}
    options = {name.removeprefix("as_") for name in inspect.signature(command).parameters}

    assert options - {"plans"} <= named
    assert {name for name in BATCH_FILES - {"manifest.json"} if f"`{name}`" not in text} == set()
