"""One column of a table as the arrays the method works on, or a refusal that says where and why.

Refusals name the column, counts and row numbers, never a cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.buffers import to_numpy
from engine.errors import InputError
from engine.tables import TableSource, shown
from engine.text_columns import (
    MISSING_CODE,
    Levels,
    counted,
    not_zero_and_one,
    place,
    refuse_many_words,
    refuse_numbers_as_text,
    refuse_text,
    row_numbers,
)

__all__ = [
    "MISSING_CODE",
    "Codes",
    "as_boolean_treatment",
    "as_codes",
    "as_float64",
    "count_missing",
    "missing_rows",
    "require_no_missing",
    "row_numbers",
]
from kernels.columns import mark_used, translate

MAX_LEVELS = 1_000
"""More levels than this look like an identifier and are refused unless asked for."""

EXACT_INTEGERS = 2**53
"""Above this, neighbouring whole numbers become the same float64."""

NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Codes:
    """A category as codes.

    Attributes
    ----------
    codes : uint16, shape (n_rows,)
        Position in ``levels``; ``MISSING_CODE`` for an empty cell.
    levels : tuple of str
        Names of the levels that occur, sorted: numbers by size, text by code point. The order
        does not depend on the order of rows or of a file's dictionary.
    n_missing : int
        Empty cells.
    """

    codes: np.ndarray
    levels: tuple[str, ...]
    n_missing: int


def missing_rows(values: pa.ChunkedArray) -> np.ndarray:
    """Return which cells are empty; a NaN counts as empty.

    Parameters
    ----------
    values : pyarrow.ChunkedArray

    Returns
    -------
    bool, shape (n_rows,)
    """
    return to_numpy(_plain(values).is_null(nan_is_null=True))


def count_missing(values: pa.ChunkedArray) -> int:
    """Return the number of empty cells; a NaN counts as empty."""
    if not _holds_floats(values.type):
        return int(_plain(values).null_count)
    return int(pc.sum(_plain(values).is_null(nan_is_null=True)).as_py() or 0)


def as_float64(values: pa.ChunkedArray, *, name: str, source: TableSource) -> np.ndarray:
    """Return a number column as float64, NaN where a cell is empty.

    Parameters
    ----------
    values : pyarrow.ChunkedArray, length ``source.n_rows``
        Whole numbers, decimals, floats or booleans (false 0, true 1).
    name : str
        Column name for messages.
    source : TableSource
        The table, for row numbers in messages.

    Returns
    -------
    float64, shape (n_rows,)
        Finite or NaN.

    Raises
    ------
    InputError
        The column is text or dates, or holds infinity or whole numbers beyond 2**53.
    """
    values = _decoded(values)
    kind = values.type
    if _is_text(kind):
        refuse_text(_levels(values), name, source)
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if pa.types.is_integer(kind):
        bounds = pc.min_max(values).as_py()
        if bounds["min"] is not None and (
            bounds["max"] > EXACT_INTEGERS or bounds["min"] < -EXACT_INTEGERS
        ):
            beyond = pc.greater(pc.abs(pc.cast(values, pa.float64(), safe=False)), EXACT_INTEGERS)
            raise InputError(
                f"the column '{shown(name)}' holds whole numbers too large to be told apart",
                where=place(name, source, _mask(beyond)),
                rule="whole numbers lie between -2**53 and 2**53",
                repair="If it is an identifier, name it with --id or --person",
            )
    elif not (pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)):
        raise InputError(
            f"the column '{shown(name)}' holds {_in_words(kind)} where numbers are needed",
            where=place(name, source),
            rule="a number column holds numbers",
            repair="Turn it into a number first: a date, for example, into days since another",
        )
    numbers = pc.cast(values, pa.float64(), safe=False)
    array = to_numpy(pc.fill_null(numbers, np.nan) if numbers.null_count else numbers)
    # Two passes without a table of flags; a NaN hides the ends, and only then the flags are made.
    ends = (array.min(), array.max()) if len(array) else (0.0, 0.0)
    infinite = np.isinf(array) if not np.isfinite(ends).all() else np.empty(0, dtype=np.bool_)
    if infinite.any():
        raise InputError(
            f"the column '{shown(name)}' holds {counted(int(infinite.sum()), 'infinite number')}",
            where=place(name, source, infinite),
            rule="numbers are finite",
            repair="Leave the cell empty, or give the number that is meant",
        )
    return array


def as_boolean_treatment(
    values: pa.ChunkedArray, treated_value: str | None, *, name: str, source: TableSource
) -> np.ndarray:
    """Return who is treated.

    Parameters
    ----------
    values : pyarrow.ChunkedArray, length ``source.n_rows``
        The treatment column.
    treated_value : str or None
        The value that means treated. None: the column is boolean or holds 0 and 1.
    name : str
        Column name for messages.
    source : TableSource
        The table, for row numbers in messages.

    Returns
    -------
    bool, shape (n_rows,)

    Raises
    ------
    InputError
        Cells are empty, the column is not 0 and 1 though no value was given, nobody has the
        value, or everybody has.
    """
    if count_missing(values):
        missing = missing_rows(values)
        raise InputError(
            f"the treatment column '{shown(name)}' has {counted(int(missing.sum()), 'empty cell')}",
            where=place(name, source, missing),
            rule="every row says whether the person was treated",
            repair="Fill in or remove these rows",
        )
    levels = _levels(values)
    if len(levels.names) >= MISSING_CODE:
        raise InputError(
            f"the treatment column '{shown(name)}' has {len(levels.names):,} different values and "
            "looks like an identifier or a measurement",
            where=place(name, source),
            rule="the treatment says who was treated, with one value that means treated",
            repair="Check --treatment",
        )
    if treated_value is None:
        if any(level not in {"0", "1", "false", "true"} for level in levels.names):
            raise not_zero_and_one(levels, name, source)
        chosen = [level in {"1", "true"} for level in levels.names]
    else:
        chosen = [_same(level, treated_value) for level in levels.names]
        if not any(chosen):
            near = any(
                level.strip().casefold() == treated_value.strip().casefold()
                for level in levels.names
            )
            raise InputError(
                f"no row of the treatment column '{shown(name)}' holds the value that --treated "
                "names",
                where=place(name, source),
                repair="One value differs only in capitals or spaces: write it as in the table"
                if near
                else f"Choose one of its {counted(len(levels.names), 'different value')}",
            )
    treated = np.array(chosen, dtype=bool)[levels.codes]
    n_treated = int(treated.sum())
    if n_treated in {0, len(treated)}:
        raise InputError(
            f"{'every row is' if n_treated else 'no row is'} treated",
            where=place(name, source),
            rule="a comparison needs treated people and others",
            repair="Check the treatment column and the value that means treated",
        )
    return treated


def as_codes(
    values: pa.ChunkedArray, *, name: str, source: TableSource, forced: bool = False
) -> Codes:
    """Return a category as codes and sorted level names.

    Parameters
    ----------
    values : pyarrow.ChunkedArray, length ``source.n_rows``
        Text, whole numbers, booleans or dates; a file's dictionary is accepted as it is.
    name : str
        Column name for messages.
    source : TableSource
        The table, for row numbers in messages.
    forced : bool
        The user named the column as a category: more than 1,000 levels, and levels that look
        like numbers, are then meant.

    Returns
    -------
    Codes

    Raises
    ------
    InputError
        The column looks like an identifier, like dates, or like numbers with a few other cells or
        in the dress of a spreadsheet, or has more than 65,535 levels.
    """
    if pa.types.is_nested(_value_type(values.type)):
        raise InputError(
            f"the column '{shown(name)}' holds {_in_words(values.type)} where one value a cell is "
            "needed",
            where=place(name, source),
            rule="a cell holds one number, word, date or truth value",
            repair="Put its parts into columns of their own, or leave the column out",
        )
    levels = _levels(values)
    n_levels = len(levels.names)
    if n_levels >= MISSING_CODE or (n_levels > MAX_LEVELS and not forced):
        raise InputError(
            f"the column '{shown(name)}' has {n_levels:,} different values and looks like an "
            "identifier or a measurement",
            where=place(name, source),
            rule=f"a category has at most {MAX_LEVELS:,} levels, "
            f"or {MISSING_CODE - 1:,} when it is named as one",
            repair="Leave it out, group its values, or name it with --id, --person or "
            "--categorical",
        )
    if not forced and _is_text(_value_type(values.type)):
        refuse_numbers_as_text(levels, name, source)
        refuse_many_words(levels, name, source)
    return Codes(levels.codes, levels.names, levels.n_missing)


def _levels(values: pa.ChunkedArray) -> Levels:
    """Find the levels that occur, in an order that only their values decide."""
    if _holds_floats(values.type):  # a NaN is an empty cell and not a level
        values = _plain(values)
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if not pa.types.is_dictionary(values.type):
        values = pc.dictionary_encode(_plain(values))
    # Chunks may come with dictionaries of their own. A dictionary may hold a null, words that no
    # row uses, or one word twice, so the levels are the words that rows use.
    chunks = []
    used: set[object] = set()
    for chunk in values.chunks:
        words = [*chunk.dictionary.to_pylist(), None]  # the last is the word of an empty cell
        whole = pc.cast(chunk.indices, pa.int32())
        indices = to_numpy(pc.fill_null(whole, len(words) - 1) if whole.null_count else whole)
        present = np.zeros(len(words), dtype=np.bool_)
        mark_used(indices, present)
        used.update(word for word, there in zip(words, present, strict=True) if there)
        chunks.append((indices, words))
    used.discard(None)
    order = {word: i for i, word in enumerate(sorted(used))}  # type: ignore[type-var]
    names = tuple(_level_name(word) for word in order)
    many = len(order) >= MISSING_CODE  # more than any category may have: for messages only
    missing = len(order) if many else MISSING_CODE
    kind: type[np.integer] = np.int32 if many else np.uint16
    codes = np.empty(len(values), dtype=kind)
    first = n_missing = 0
    for indices, words in chunks:
        places = np.array([order.get(word, missing) for word in words], dtype=kind)
        stop = first + len(indices)
        if many:
            codes[first:stop] = places[indices]
            n_missing += int(np.count_nonzero(codes[first:stop] == missing))
        else:
            n_missing += translate(indices, places, MISSING_CODE, codes[first:stop])
        first = stop
    return Levels(names, codes, missing, n_missing)


def _level_name(word: object) -> str:
    """Return the name of a level: whole floats without ``.0``, booleans in lower case."""
    if isinstance(word, bool):
        return "true" if word else "false"
    if isinstance(word, float) and word.is_integer() and abs(word) < EXACT_INTEGERS:
        return str(int(word))
    if isinstance(word, bytes):
        return word.decode("utf-8", errors="replace")
    return str(word)


def _same(level: str, wanted: str) -> bool:
    """Whether a level is the one a user typed: the same text, the same number or truth."""
    if level == wanted:
        return True
    if NUMBER.fullmatch(level) and NUMBER.fullmatch(wanted):
        return float(level.replace(",", ".")) == float(wanted.replace(",", "."))
    truths = {"true": "true", "1": "true", "false": "false", "0": "false"}
    return level in {"true", "false"} and truths.get(wanted.strip().casefold()) == level


def require_no_missing(
    values: pa.ChunkedArray, *, name: str, role: str, source: TableSource
) -> None:
    """Refuse a column with empty cells.

    Raises
    ------
    InputError
        Names the column, the count and the first rows.
    """
    if count_missing(values) == 0:
        return
    missing = missing_rows(values)
    raise InputError(
        f"the {role.removesuffix(' column')} column '{shown(name)}' has "
        f"{counted(int(missing.sum()), 'empty cell')}",
        where=place(name, source, missing),
        rule="no cell of this column may be empty",
        repair="Fill them in or remove these rows"
        + (", or keep them with --missing indicator" if role == "covariate" else ""),
    )


def _mask(values: pa.ChunkedArray) -> np.ndarray:
    """Return a boolean column as an array, false where it is null."""
    return to_numpy(pc.fill_null(values, fill_value=False))


def _value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values, looking through a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _holds_floats(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(_value_type(kind)))


def _is_text(kind: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(kind) for check in checks)


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values without a dictionary, in a type that every function takes."""
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    return _plain(values)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return types that few functions take, as the nearest that all of them do."""
    kind = values.type
    if pa.types.is_string_view(kind):
        return pc.cast(values, pa.large_string())
    if pa.types.is_dictionary(kind) and any(c.dictionary.null_count for c in values.chunks):
        return pc.cast(values, kind.value_type)  # a null word hides from is_null
    return values


def _in_words(kind: pa.DataType) -> str:
    """Return what a column holds, in words."""
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "dates"
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return "times"
    if pa.types.is_nested(kind):
        return "lists or records"
    return "values of another kind"
