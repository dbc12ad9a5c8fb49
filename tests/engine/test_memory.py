"""The ceiling on memory: sizes, estimates, and a refusal that says what would be needed."""

import os

import pytest

from engine.errors import StorageError, UsageError
from engine.memory import (
    BASE,
    DATABASE_LEAST,
    LEAST,
    database_memory,
    database_share,
    default_database_memory,
    estimate,
    in_words,
    machine_memory,
    parse_ceiling,
    require_memory,
)

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        ("4GB", 4 * GIB),
        ("4G", 4 * GIB),
        (" 4 GiB ", 4 * GIB),
        ("512m", GIB // 2),
        ("262144k", 256 << 20),
        ("1t", 1 << 40),
        (str(GIB), None),
    ],
)
def test_sizes_are_powers_of_1024(text, size):
    if text == str(GIB):
        with pytest.raises(UsageError):  # more digits than anybody types
            parse_ceiling(text)
        return
    assert parse_ceiling(text) == size


@pytest.mark.parametrize("text", ["", "4 elephants", "-1G", "1.5G", "255M", "4GBB", "G"])
def test_what_is_no_size_is_refused_without_being_repeated(text):
    with pytest.raises(UsageError) as refused:
        parse_ceiling(text)
    assert refused.value.exit_code == 2
    assert len(text) < 3 or text not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "wanted"), [("268435456\n", 268435456), ("max\n", None), (None, None)]
)
def test_the_machine_is_what_a_container_may_use(tmp_path, said, wanted):
    limit = tmp_path / "memory.max"
    if said is not None:
        limit.write_text(said)
    whole = machine_memory(())
    assert whole > 256 << 20
    assert machine_memory((tmp_path / "none", limit)) == (wanted or whole)


def test_a_database_without_a_ceiling_takes_a_third_of_the_machine():
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert default_database_memory() == max(min(whole // 3, 4 * GIB), LEAST)
    assert database_memory(None) == database_share("x", None, ()) == default_database_memory()
    assert database_memory("1G") == GIB


def test_what_fits_starts_and_what_does_not_is_refused_with_the_estimate():
    needed = estimate("the match", [("the design", 3 * GIB), ("the sort", GIB), ("nothing", 0)])
    assert needed.total == BASE + int(1.1 * 3 * GIB) + int(1.1 * GIB)
    require_memory(needed, None)
    require_memory(needed, needed.total)
    with pytest.raises(StorageError) as refused:
        require_memory(needed, needed.total - 1, repair="Or use Parquet")
    message = str(refused.value)
    assert refused.value.exit_code == 74
    assert f"the match would need about {in_words(needed.total)}" in message.replace(
        "The m", "the m"
    )
    assert "the design 3.3 GiB, the sort 1.1 GiB, the program itself" in message
    assert "nothing" not in message.replace("nothing was", "")
    advice = message.split("at least --memory ")[1].split(".", maxsplit=1)[0]
    assert needed.total <= parse_ceiling(advice) < needed.total + (65 << 20)
    assert message.endswith("Or use Parquet.")


def test_several_processes_need_several_times_as_much():
    one = estimate("the bootstrap", [("rows", GIB)])
    assert one.times(1) == one
    assert one.times(3).total == 3 * one.total


def test_a_database_gets_what_the_rest_leaves():
    parts = [("a partition", GIB)]
    share = database_share("preparing the store", 4 * GIB, parts)
    assert 1.25 * share + estimate("", parts).total == pytest.approx(4 * GIB, abs=8)
    least = estimate("", [*parts, ("", DATABASE_LEAST)]).total
    assert database_share("preparing the store", least, parts) > 0
    with pytest.raises(StorageError, match="reparing the store would need"):
        database_share("preparing the store", least - 1, parts)
