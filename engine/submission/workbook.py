"""Workbooks that we write: the same bytes each time, every text a text and never a formula.

XlsxWriter gives its archive a fixed time by itself; the time of creation in the document's
properties is the only other thing that changes, so it is fixed here.
"""

from __future__ import annotations

import datetime as dt
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from engine.errors import AccessError, CannotCreateError, StorageError

CREATED = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - Excel's times have no zone
FONT = "Arial"
ACCENT, PALE = "#12436D", "#E8EEF4"
TEXT = 49
"""Number of the format '@', text, in every spreadsheet program."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

Styles = dict[str, Any]


def workbook_bytes(title: str, fill: Callable[[Any, Styles], None]) -> bytes:
    """Return a workbook as bytes.

    Parameters
    ----------
    title : str
        Title in the document's properties.
    fill : callable
        Takes the workbook and the styles ``head``, ``title``, ``text``, ``bold``, ``entry`` and
        ``answer``, and adds the sheets.
    """
    target = io.BytesIO()
    book = xlsxwriter.Workbook(
        target,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"title": title, "author": "justicelab", "created": CREATED})
    base = {"font_name": FONT, "font_size": 11, "valign": "top"}
    wrapped = {**base, "text_wrap": True}
    styles = {
        "head": book.add_format(
            {**wrapped, "bold": True, "font_color": "white", "bg_color": ACCENT, "border": 1}
        ),
        "title": book.add_format({**base, "bold": True, "font_size": 16, "font_color": ACCENT}),
        "text": book.add_format(wrapped),
        "bold": book.add_format({**wrapped, "bold": True}),
        # as text, so that a spreadsheet changes no number, no leading zero and no date
        "entry": book.add_format({**base, "num_format": TEXT}),
        "answer": book.add_format({**wrapped, "bg_color": PALE, "border": 1, "num_format": TEXT}),
    }
    fill(book, styles)
    book.close()
    return target.getvalue()


def write_rows(sheet: Any, first: int, rows: Sequence[Sequence[str]], style: Any) -> int:
    """Write rows of texts from a row on, counted from 0; return the row after them."""
    for number, row in enumerate(rows, first):
        for column, text in enumerate(row):
            sheet.write_string(number, column, safe_text(text), style)
    return first + len(rows)


def safe_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, also after it was saved as csv."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return f"'{plain}" if text.startswith(FORMULA_STARTS) else plain


def write_new_file(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet, readable by its owner alone.

    Parameters
    ----------
    path : pathlib.Path
        Its folder must exist.
    data : bytes
        The whole content.

    Raises
    ------
    CannotCreateError
        There is a file of that name, or no such folder.
    AccessError, StorageError
        The folder may not be written to, or the disk is full or failing.
    """
    name = path.name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise CannotCreateError(
            "there is a file of that name already",
            where=name,
            rule="nothing is overwritten",
            repair="Choose another name, or delete the file first",
        ) from None
    except PermissionError:
        raise AccessError(
            "the folder may not be written to", where=name, repair="Choose another folder"
        ) from None
    except OSError:
        raise CannotCreateError(
            "the file cannot be made", where=name, repair="Check that its folder exists"
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except OSError:
        path.unlink(missing_ok=True)
        raise StorageError(
            "the file could not be written to its end", where=name, repair="Free some space"
        ) from None
