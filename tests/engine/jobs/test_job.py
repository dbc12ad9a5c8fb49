"""Jobs: resumed, shared, killed, starved and flipped, they end as if nothing had been."""

import os
import signal
import stat
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import (
    BusyError,
    CannotCreateError,
    DisagreementError,
    InputError,
    StorageError,
    UsageError,
)
from engine.jobs import job as job_module
from engine.jobs.backends import Here, Processes
from engine.jobs.collect import Collected
from engine.jobs.job import (
    BLOCK,
    Job,
    held,
    job_folder,
    parse_share,
    require_job,
    run,
    share_of,
)
from engine.jobs.shards import Shard, Units, inputs_digest, write_shard
from engine.release.folder import private_folder
from tests.certify.jobs import (
    COLUMNS,
    compute,
    expected,
    finish,
    flips,
    histories,
    io_faults,
    kills,
    left_over,
    start,
    tiny_job,
)

COUNT = 100


def shards_of(output, job=None):
    return sorted(path.name for path in job_folder(output, job or tiny_job()).glob("shard-*"))


class Counting:
    """Counts the units that are computed."""

    workers = 1
    threads = 1

    def __init__(self):
        self.units = []

    def map(self, tasks):
        for done in Here().map(tasks):
            self.units += range(done.units.start, done.units.stop)
            yield done


def test_a_job_gives_every_unit_once(tmp_path):
    counting = Counting()
    assert finish(tmp_path, COUNT, backend=counting) == expected(COUNT)
    assert counting.units == list(range(COUNT))
    assert left_over(tmp_path) == []


def test_a_finished_job_is_not_computed_again_and_more_units_begin_with_the_fewer(tmp_path):
    finish(tmp_path, 64)
    counting = Counting()
    assert finish(tmp_path, 64, backend=counting) == expected(64)
    assert counting.units == []
    assert finish(tmp_path, COUNT, backend=counting) == expected(COUNT)
    assert counting.units == list(range(64, COUNT))
    assert finish(tmp_path, 32, backend=Counting()) == expected(32)


def test_files_are_private(tmp_path):
    old = os.umask(0)
    try:
        finish(tmp_path / "out", 16)
    finally:
        os.umask(old)
    for path in (tmp_path / "out").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_results_do_not_depend_on_who_computes(tmp_path):
    assert finish(tmp_path / "two", COUNT, backend=Processes(2)) == expected(COUNT)
    assert histories(tmp_path, COUNT, 8) == 0


@given(st.integers(1, 500), st.integers(1, 20))
def test_shares_are_disjoint_and_cover_everything(count, n):
    parts = [share_of(Units(0, count), i, n) for i in range(1, n + 1)]
    units = [unit for part in parts if part for unit in range(part.start, part.stop)]
    assert units == list(range(count))
    assert all(part.start % BLOCK == 0 for part in parts if part)


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/0", "-1/3", "1/3/5", "1.0/3"])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        parse_share(text)


def test_more_shares_than_blocks_leave_some_empty(tmp_path):
    for i in range(1, 6):
        finish(tmp_path, 16, share=(i, 5))
    assert finish(tmp_path, 16, backend=Counting()) == expected(16)


def test_twenty_kills_lose_no_finished_shard(tmp_path):
    assert kills(tmp_path, 3_000, 20) >= 18
    assert finish(tmp_path, 3_000) == expected(3_000)
    assert left_over(tmp_path) == []


def test_killed_workers_and_parents_lose_nothing_either(tmp_path):
    assert kills(tmp_path, 3_000, 3, workers=2) == 3
    assert finish(tmp_path, 3_000, backend=Processes(2)) == expected(3_000)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_within_two_seconds(tmp_path, number):
    process = start(tmp_path, 100_000, 0.001, workers=2)
    deadline = time.monotonic() + 60
    while not shards_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(number)
    _, left = psutil.wait_procs(children, timeout=2)
    # A zombie has ended; its parent has only not asked for its status yet.
    alive = [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    process.wait(timeout=10)
    process.stdout.close()
    assert alive == []


def test_an_error_at_every_call_that_writes_leaves_a_folder_to_resume(tmp_path):
    assert io_faults(tmp_path, 24) >= 60


def test_a_flipped_bit_is_found_and_the_work_done_again(tmp_path):
    assert flips(tmp_path, 24, 40) == 0


def test_two_processes_on_one_folder(tmp_path):
    folder = job_folder(tmp_path, tiny_job())
    with held(folder, tiny_job()):
        with pytest.raises(BusyError), held(folder, tiny_job()):
            pass
        with pytest.raises(BusyError), held(folder, tiny_job(), shared=True):
            pass
    one, other = (held(folder, tiny_job(), shared=True) for _ in range(2))
    with one, other, pytest.raises(BusyError), held(folder, tiny_job()):
        pass


def test_two_processes_that_share_a_job_make_the_same_bytes(tmp_path):
    finish(tmp_path / "alone", COUNT, share=(1, 1))
    for _ in range(2):
        finish(tmp_path / "both", COUNT, share=(1, 1))
    names = shards_of(tmp_path / "alone")
    assert names == shards_of(tmp_path / "both")
    for name in names:
        one, other = (job_folder(tmp_path / p, tiny_job()) / name for p in ("alone", "both"))
        assert one.read_bytes() == other.read_bytes()


def test_equal_duplicates_are_dropped_and_different_ones_are_an_error(tmp_path):
    job = tiny_job()
    finish(tmp_path, 32)
    folder = job_folder(tmp_path, job)
    units = Units(4, 20)
    values = compute({"seed": 0}, units)
    digest = inputs_digest(job.inputs, units)
    write_shard(folder, Shard(job.id, digest, units, COLUMNS, values))
    assert finish(tmp_path, 32) == expected(32)
    values[3, 1] = np.nextafter(values[3, 1], 2.0)
    other = Shard(job.id, digest, units, COLUMNS, values)
    with pytest.raises(DisagreementError, match="units 4 to 19"):
        write_shard(folder, other)
    assert finish(tmp_path, 32) == expected(32)
    write_shard(folder, replace(other, units=Units(4, 19), values=values[:-1]))
    with pytest.raises(DisagreementError, match="units 4 to 18"):
        finish(tmp_path, 32)


def test_a_shard_takes_the_place_of_a_damaged_one_and_of_one_from_other_inputs(tmp_path):
    folder = private_folder(tmp_path / "shards")
    job, units = tiny_job(), Units(0, 8)
    shard = Shard(job.id, "a" * 64, units, COLUMNS, compute({"seed": 0}, units))
    name = write_shard(folder, shard)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1])
    write_shard(folder, shard)
    assert (folder / name).read_bytes() == whole
    write_shard(folder, replace(shard, inputs="b" * 64, values=shard.values + 1.0))
    assert (folder / name).read_bytes() != whole


def test_nan_of_equal_bits_is_an_equal_duplicate():
    collected = Collected(Units(0, 2), ("a",))
    one = Shard("j", "i", Units(0, 2), ("a",), np.array([[np.nan], [0.0]]))
    collected.add(one)
    collected.add(one)
    with pytest.raises(DisagreementError):
        collected.add(Shard("j", "i", Units(1, 2), ("a",), np.array([[-0.0]])))


def test_a_changed_input_invalidates_its_units_and_no_others(tmp_path):
    before = tuple(f"{i:064d}" for i in range(20))
    job = tiny_job(inputs=before)
    finish(tmp_path, 20, job=job)
    assert len(shards_of(tmp_path, job)) == 20
    after = Job(job.kind, job.plan, (*before[:7], "f" * 64, *before[8:]), COLUMNS, job.code)
    assert after.id == job.id
    counting = Counting()
    assert finish(tmp_path, 20, job=after, backend=counting) == expected(20)
    assert counting.units == [7]


def test_a_changed_plan_input_or_code_is_another_job(tmp_path):
    job = tiny_job()
    others = [
        Job("tiny", {"seed": 1}, job.inputs, COLUMNS, job.code),
        Job("tiny", job.plan, ("9" * 64,), COLUMNS, job.code),
        Job("tiny", job.plan, job.inputs, COLUMNS, "8" * 64),
        Job("tiny", job.plan, job.inputs, ("square",), job.code),
    ]
    assert len({job.id, *(one.id for one in others)}) == 5
    finish(tmp_path, 16)
    require_job(tmp_path, job)
    for one, words in zip(
        others, ("--seed", "the inputs", "the software", "the outcomes"), strict=True
    ):
        with pytest.raises(CannotCreateError, match=words) as caught:
            require_job(tmp_path, one)
        assert caught.value.exit_code == 73


def test_a_folder_belongs_to_one_job(tmp_path):
    finish(tmp_path, 16)
    other = tiny_job(seed=1)
    job_folder(tmp_path, tiny_job()).rename(job_folder(tmp_path, other))
    with pytest.raises(CannotCreateError, match="another job"):
        finish(tmp_path, 16, seed=1)


def test_missing_units_are_named(tmp_path):
    finish(tmp_path, 48, share=(2, 3))
    job = tiny_job()
    collected = Collected(Units(0, 48), COLUMNS)
    with held(job_folder(tmp_path, job), job):
        for shard in job_module.verified(job_folder(tmp_path, job), job, drop=True):
            collected.add(shard)
    with pytest.raises(InputError, match="0 to 15, 32 to 47"):
        collected.complete()
    assert list(collected.missing()) == [Units(0, 16), Units(32, 48)]


@given(st.lists(st.booleans(), min_size=1, max_size=40))
@settings(max_examples=50)
def test_missing_ranges_are_what_is_not_there(there):
    collected = Collected(Units(5, 5 + len(there)), ("a",))
    for place, is_there in enumerate(there):
        if is_there:
            units = Units(5 + place, 6 + place)
            collected.add(Shard("j", "i", units, ("a",), np.array([[float(place)]])))
    missing = [unit for gap in collected.missing() for unit in range(gap.start, gap.stop)]
    assert missing == [5 + place for place, is_there in enumerate(there) if not is_there]
    assert collected.so_far[:, 0].tolist() == [p for p, is_there in enumerate(there) if is_there]


def test_shards_grow_to_the_work_asked_for_and_the_course_is_told(tmp_path):
    job = tiny_job()
    folder = job_folder(tmp_path, job)
    told = []
    with held(folder, job):
        run(
            folder, job, Units(0, 400), compute, {"seed": 0, "seconds": 0.0005}, Here(),
            seconds=0.05, tell=lambda course: told.append((course, len(course.collected.so_far))),
        )  # fmt: skip
    sizes = [int(name[-18:-6]) - int(name[-31:-19]) for name in shards_of(tmp_path)]
    assert sizes[0] == BLOCK * Here().threads
    assert max(sizes) <= 100
    assert np.median(sizes[1:-1]) >= 32
    assert [course.done for course, _ in told] == [0, *np.cumsum(sizes)]
    assert [there for _, there in told] == [0, *np.cumsum(sizes)]
    assert np.isnan(told[0][0].seconds_left)
    assert told[-1][0].seconds_left == 0.0
    assert told[3][0].seconds_left > 0.0


class Slow:
    """Says of each shard that it took so many seconds, which can double and halve."""

    workers = 1

    def __init__(self, cost, threads, drift):
        self.cost, self.threads, self.drift = cost, threads, drift
        self.seconds, self.sizes = [], []

    def map(self, tasks):
        for number, done in enumerate(Here().map(tasks)):
            factor = self.drift[number % len(self.drift)]
            blocks = -(-len(done.units) // (BLOCK * self.threads))
            self.seconds.append(blocks * BLOCK * self.cost * factor)
            self.sizes.append(len(done.units))
            yield replace(done, seconds=self.seconds[-1])


@given(
    st.floats(1e-6, 1.8),
    st.integers(1, 16),
    st.lists(st.floats(0.7, 2.0), min_size=1, max_size=6),
)
@settings(max_examples=20, deadline=None)
def test_a_kill_costs_thirty_seconds_of_work_at_most(tmp_path_factory, cost, threads, drift):
    slow = Slow(cost, threads, drift)
    place = tmp_path_factory.mktemp("slow")
    assert finish(place, 500, seconds=None, backend=slow) == expected(500)
    assert max(slow.seconds) <= 30.0
    assert {size % (BLOCK * threads) for size in slow.sizes[:-1]} <= {0}


def test_too_little_room_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    usage = job_module.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(job_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="too little room"):
        finish(tmp_path, 16, backend=Counting())
    assert shards_of(tmp_path) == []
