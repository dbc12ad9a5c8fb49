"""Every file of the corpus gets its verdict, within ten seconds and a gibibyte."""

import resource
import time

import pytest

from engine.submission.rules import RULES
from engine.submission.sandbox import SECONDS
from tests.engine.submission.corpus import CORPUS, content
from tests.engine.submission.fuzzing import peak_bytes
from tests.engine.submission.support import checked


def test_the_corpus_is_large_and_touches_nearly_every_rule():
    assert len(CORPUS) >= 120
    touched = {rule for _, _, rule in CORPUS.values()}
    # found in tests of their own
    elsewhere = {
        "outside_window", "description_incomplete", "description_missing", "needs_approval",
        "prison_number_invalid", "cro_number_invalid", "crn_invalid",
    }  # fmt: skip
    assert set(RULES) - touched == elsewhere


@pytest.mark.parametrize("name", CORPUS)
def test_a_file_gets_its_verdict(name, tmp_path, sandbox):
    _, verdict, rule = CORPUS[name]
    start = time.monotonic()
    check = checked(tmp_path, content(name), sandbox)

    assert check.verdict == verdict, [p.rule for p in check.problems][:10]
    assert rule is None or rule in {p.rule for p in check.problems}
    assert time.monotonic() - start < SECONDS + 5
    assert check.usable == (0 if check.table is None else check.table.num_rows)
    assert check.usable <= check.rows
    assert peak_bytes(sandbox) < 1 << 30


def test_the_memory_of_this_process_stays_small_too():
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20
