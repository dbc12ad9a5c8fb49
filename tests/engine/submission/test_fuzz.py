"""Files damaged at random: an answer every time, no crash of ours, no hang, no file left behind."""

import io
import random
import time
import zipfile

import pytest

from engine.submission.rules import RULES
from engine.submission.sandbox import SECONDS
from tests.engine.submission.corpus import seeds
from tests.engine.submission.support import checked, zip_file

FILES = 2_000
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


@pytest.mark.slow
def test_damaged_files_get_an_answer(tmp_path, sandbox):
    draw = random.Random(20_26)
    pool = [(data, entries_of(data)) for data in seeds().values()]
    verdicts = set()
    for number in range(FILES):
        data, entries = pool[number % len(pool)]
        inside = entries and draw.randrange(4)
        data = damaged_inside(entries, draw) if inside else damaged(data, draw)
        start = time.monotonic()
        check = checked(tmp_path, data, sandbox, f"file{number % 7}.csv")
        assert time.monotonic() - start < SECONDS + 5, number
        assert 0 <= check.usable <= check.rows
        assert all(p.rule in RULES for p in check.problems)
        check.as_object()
        verdicts.add(check.verdict)
    assert len(verdicts) == 4
    assert len(list(tmp_path.iterdir())) == 7
