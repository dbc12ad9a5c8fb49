"""What the sandbox hands over: sheets as rows of texts, with nothing yet known of their meaning."""

from __future__ import annotations

from typing import Any

Grid = dict[str, Any]
"""``name`` of the sheet, None for a file without sheets; ``rows`` of texts without empty cells at
their ends; and ``first``, the number that the sender sees on the first row."""

LONGEST_TEXT = 8_000
"""Characters of the longest cell that is handed over; a longer one becomes :data:`TOO_LONG`."""

TOO_LONG = "\0"
"""Stands for the text of a cell that is too long; no other text holds this character."""

HEAD_ROWS = 30
"""Rows among which the column names are looked for."""
