"""Files damaged at random, and the answers that they get."""

import io
import random
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from engine.submission.rules import RULES
from engine.submission.sandbox import Sandbox
from tests.engine.submission.corpus import seeds
from tests.engine.submission.support import checked, zip_file

TOKENS = [
    b"\0", b"\xff", b'"', b",", b";", b"\r", b"\n", b"\t", b"=1+1", b"<", b"\xef\xbb\xbf",
    b"9" * 40, b"\xff\xfe", b"PK\x03\x04", b"</row>", b"&lt;", b"-", b"31/02/1980", b"\xed\xa0\x80",
]  # fmt: skip


def damaged(data, draw):
    """Return the bytes with one to four changes."""
    raw = bytearray(data)
    for _ in range(draw.randrange(1, 5)):
        at = draw.randrange(len(raw) + 1)
        kind = draw.randrange(7)
        if kind == 0:
            raw[at : at + 1] = bytes([draw.randrange(256)])
        elif kind == 1:
            raw[at:at] = draw.choice(TOKENS)
        elif kind == 2:
            del raw[at : at + draw.randrange(1, 200)]
        elif kind == 3:
            raw = raw[:at]
        elif kind == 4:
            piece = raw[at : at + draw.randrange(1, 300)]
            raw[at:at] = piece * draw.randrange(1, 20)
        elif kind == 5:
            other = draw.randrange(len(raw) + 1)
            raw[other:other] = raw[at : at + 64]
        elif raw:
            at = min(at, len(raw) - 1)
            raw[at] ^= 1 << draw.randrange(8)
    return bytes(raw)


def entries_of(data):
    """Return the entries of an archive that is whole, nothing for any other file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, RuntimeError):
        return {}


def damaged_inside(entries, draw):
    """Return an archive with one entry damaged and everything else whole."""
    name = draw.choice(sorted(entries))
    return zip_file({**entries, name: damaged(entries[name], draw)})


@dataclass(frozen=True)
class Answers:
    """What the files got: verdicts, the slowest in seconds, the most memory of the process that
    reads in bytes, and files left behind."""

    verdicts: frozenset[str]
    slowest: float
    peak: int
    left: int


def peak_bytes(sandbox):
    """Return the most memory that the sandbox's process has had, 0 where it has been ended."""
    if sandbox.process_id is None:
        return 0
    status = Path(f"/proc/{sandbox.process_id}/status").read_text()
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) << 10 for words in lines if words[0] == "VmHWM:"), 0)


def answers_to_damaged_files(folder: Path, sandbox: Sandbox, files: int, seed: int) -> Answers:
    """Check ``files`` damaged files; an answer that is no answer is an AssertionError."""
    draw = random.Random(seed)
    pool = [(data, entries_of(data)) for data in seeds().values()]
    verdicts = set()
    slowest, peak = 0.0, 0
    for number in range(files):
        data, entries = pool[number % len(pool)]
        inside = entries and draw.randrange(4)
        data = damaged_inside(entries, draw) if inside else damaged(data, draw)
        start = time.monotonic()
        check = checked(folder, data, sandbox, f"file{number % 7}.csv")
        slowest = max(slowest, time.monotonic() - start)
        peak = max(peak, peak_bytes(sandbox))
        assert 0 <= check.usable <= check.rows, number
        assert all(p.rule in RULES for p in check.problems), number
        check.as_object()
        verdicts.add(check.verdict)
    return Answers(frozenset(verdicts), slowest, peak, len(list(folder.iterdir())) - 7)
