"""Power losses, simulated: what no process has forced to the disk may be gone, or half there.

A kill leaves everything that was written. A power loss leaves what was synchronised: bytes of a
file up to its last fsync, names up to the last fsync of their folder. Of what came after, any part
may be there or not, and that is drawn at random. Every shard that was acknowledged must be there.
"""

import contextlib
import os
import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.jobs.backends import Done, Here, Task
from engine.jobs.job import job_folder
from tests.certify.jobs import expected, finish, tiny_job

Event = tuple[Any, ...]


@contextlib.contextmanager
def recording() -> Iterator[list[Event]]:
    """Record what is done to the disk, in order, by path and by file."""
    events: list[Event] = []
    paths: dict[int, Path] = {}
    files: dict[int, int] = {}
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "rename", "unlink")}
    real |= {"mkdir": os.mkdir, "close": os.close}

    def full(path: Any, handle: int | None) -> Path:
        return Path(path) if handle is None else paths[handle] / path

    def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real["open"](path, flags, mode, dir_fd=dir_fd)
        paths[descriptor] = full(path, dir_fd)
        if flags & os.O_CREAT:
            files[descriptor] = len(events)
            events.append(("create", paths[descriptor], len(events)))
        return descriptor

    def write(descriptor: int, data: Any) -> int:
        done = real["write"](descriptor, data)
        if descriptor in files:
            events.append(("write", files[descriptor], bytes(data[:done])))
        return done

    def fsync(descriptor: int) -> None:
        real["fsync"](descriptor)
        if descriptor in files:
            events.append(("sync", files[descriptor]))
        else:
            events.append(("sync folder", paths[descriptor]))

    def rename(
        source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        events.append(("rename", full(source, src_dir_fd), full(target, dst_dir_fd)))

    def unlink(path: Any, *, dir_fd: int | None = None) -> None:
        real["unlink"](path, dir_fd=dir_fd)
        events.append(("unlink", full(path, dir_fd)))

    def mkdir(path: Any, mode: int = 0o777, **options: Any) -> None:
        real["mkdir"](path, mode, **options)
        events.append(("make", Path(path)))

    def close(descriptor: int) -> None:
        files.pop(descriptor, None)
        paths.pop(descriptor, None)
        real["close"](descriptor)

    ours = {"open": open_, "write": write, "fsync": fsync, "rename": rename, "unlink": unlink}
    try:
        for name, function in {**ours, "mkdir": mkdir, "close": close}.items():
            setattr(os, name, function)
        yield events
    finally:
        for name, function in real.items():
            setattr(os, name, function)


@dataclass
class Disk:
    """What a disk holds for certain, and what waits."""

    root: Path
    folders: set[Path] = field(default_factory=set)
    names: dict[Path, int] = field(default_factory=dict)
    bytes_of: dict[int, bytes] = field(default_factory=dict)
    synced: dict[int, int] = field(default_factory=dict)
    waiting: dict[Path, list[Event]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Follow one event."""
        what, first = event[0], event[1]
        if what == "write":
            self.bytes_of[first] += event[2]
        elif what == "sync":
            self.synced[first] = len(self.bytes_of[first])
        elif what == "sync folder":
            for one in self.waiting.pop(first, []):
                self._apply(one)
        else:
            if what == "create":
                self.bytes_of[event[2]], self.synced[event[2]] = b"", 0
            self.waiting.setdefault(first.parent, []).append(event)

    def _apply(self, event: Event) -> None:
        what, first = event[0], event[1]
        if what == "make":
            self.folders.add(first)
        elif what == "create":
            self.names[first] = event[2]
        elif what == "rename":
            if first in self.names:
                self.names[event[2]] = self.names.pop(first)
        else:
            self.names.pop(first, None)

    def lose_power(self, chance: random.Random) -> dict[Path, bytes]:
        """Return the files that are found afterwards, by path."""
        for events in self.waiting.values():
            for one in events:
                if chance.random() < 0.5:
                    self._apply(one)
        self.waiting.clear()
        found = {}
        for path, number in self.names.items():
            if not self._reached(path):
                continue
            data, certain = self.bytes_of[number], self.synced[number]
            rest = chance.choice((0, len(data) - certain, chance.randint(0, len(data) - certain)))
            # A file's length may be on the disk before its bytes are: they are zeros then.
            tail = data[certain : certain + rest]
            found[path] = data[:certain] + (tail if chance.random() < 0.5 else bytes(rest))
        return found

    def _reached(self, path: Path) -> bool:
        """Whether every folder on the way to a file is there."""
        folder = path.parent
        while folder in self.folders and folder != self.root:
            folder = folder.parent
        return folder == self.root


@dataclass
class Acknowledging:
    """Computes here, and notes in the events when a shard is said to be done."""

    events: list[Event]
    workers: int = 1
    threads: int = 1

    def map(self, tasks: Iterator[Task]) -> Generator[Done]:
        """Compute one task after the other."""
        for done in Here().map(tasks):
            self.events.append(("acknowledged", done.name))
            yield done


def power_losses(output: Path, count: int, attempts: int, seed: int = 0) -> int:
    """Take the power from a job at random instants; return how many shards were lost for good."""
    chance = random.Random(seed)
    output.mkdir(mode=0o700, exist_ok=True)
    origin = output / "powered"
    with recording() as events:
        assert finish(origin, count, backend=Acknowledging(events)) == expected(count)
    events = list(events)
    lost = 0
    for attempt in range(attempts):
        disk = Disk(output)
        acknowledged = set()
        for event in events[: chance.randint(0, len(events))]:
            if event[0] == "acknowledged":
                acknowledged.add(event[1])
            else:
                disk.take(event)
        place = output / f"loss-{attempt}"
        for path, data in disk.lose_power(chance).items():
            target = place / path.relative_to(origin)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(data)
        for folder in (place, *place.rglob("*")) if place.exists() else ():
            if folder.is_dir():
                folder.chmod(0o700)
        there, whole = job_folder(place, tiny_job()), job_folder(origin, tiny_job())
        lost += sum(
            not (there / name).exists()
            or (there / name).read_bytes() != (whole / name).read_bytes()
            for name in acknowledged
        )
        assert finish(place, count) == expected(count)
    return lost
