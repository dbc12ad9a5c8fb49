"""The files of a report: page, tables and spreadsheet, staged for the release folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.release.files import Staged, stage_bytes, stage_csv
from engine.release.report.page import study_page
from engine.release.report.sheets import NAMES_OF_SHEETS, csv_tables
from engine.release.report.workbook import workbook_bytes

PAGE = "report.html"
WORKBOOK = "tables.xlsx"
REPORT_FILES = frozenset({PAGE, WORKBOOK, *(f"{name}.csv" for name in NAMES_OF_SHEETS)})
"""Names of all files that a report may have; which csv files it has depends on its results."""


def stage_report(folder: Path, results: Mapping[str, Any]) -> Iterator[Staged]:
    """Stage the page, the csv tables and the spreadsheet of a study.

    Parameters
    ----------
    folder : Path
        The release folder.
    results : mapping
        The released results, after disclosure control.

    Yields
    ------
    Staged
        In the order in which they should appear: tables first, the page last.

    Raises
    ------
    JusticeLabError
        A verdict contradicts the interval beside it.
    StorageError
        The disk is full or failing.
    """
    page = study_page(results).encode("utf-8", errors="replace")
    for name, table in csv_tables(results).items():
        yield stage_csv(folder, f"{name}.csv", table)
    yield stage_bytes(folder, WORKBOOK, workbook_bytes(results))
    yield stage_bytes(folder, PAGE, page)
