"""All files of the corpus: bytes (or a function that makes them), verdict, a rule that is found."""

from tests.engine.submission.corpus_files import OTHERS, WORKBOOKS
from tests.engine.submission.corpus_texts import CELLS, ENCODINGS, LAYOUTS

CORPUS = {**ENCODINGS, **LAYOUTS, **CELLS, **WORKBOOKS, **OTHERS}


def content(name):
    """Return the bytes of an entry."""
    data = CORPUS[name][0]
    data = data() if callable(data) else data
    return data.encode() if isinstance(data, str) else data


def seeds():
    """Return the small entries, from which damaged files are made."""
    made = {name: content(name) for name, (data, _, _) in CORPUS.items() if not callable(data)}
    return {name: data for name, data in made.items() if 0 < len(data) < 40_000}
