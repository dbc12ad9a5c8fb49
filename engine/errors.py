"""The project's own errors: what was found, where, the rule and the repair.

No library exception text ever reaches a message, because most parsers quote the cell they failed
on and a cell is a person's data. Raise these with ``from None`` at every edge, and put column
names, counts and row numbers into the text, never a value.
"""

from __future__ import annotations


class JusticeLabError(Exception):
    """An error whose text may be shown, logged and stored: it holds no person's data.

    Parameters
    ----------
    found : str
        What was found, for example ``the column 'age' has 3 empty cells``.
    where : str, optional
        File, column and row numbers.
    rule : str, optional
        The rule that was broken.
    repair : str, optional
        What the reader can do about it.
    """

    exit_code: int = 70

    def __init__(self, found: str, *, where: str = "", rule: str = "", repair: str = "") -> None:
        self.found = found
        self.where = where
        self.rule = rule
        self.repair = repair
        super().__init__(found)

    def __str__(self) -> str:
        """Return the parts as short sentences: found, where, rule, repair."""
        parts = (
            _sentence(self.found),
            _sentence(f"Where: {self.where}") if self.where else "",
            _sentence(f"Rule: {self.rule}") if self.rule else "",
            _sentence(self.repair),
        )
        return " ".join(part for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild with all four parts, so that an error survives a process boundary."""
        return (_rebuild, (type(self), self.found, self.where, self.rule, self.repair))


class UsageError(JusticeLabError):
    """The options contradict each other or name something that does not exist (exit code 2)."""

    exit_code = 2


class InputError(JusticeLabError):
    """The data cannot be used as they are (exit code 65)."""

    exit_code = 65


class UnfittedError(InputError):
    """The propensity model cannot be fitted to the data (exit code 65)."""


class CannotCreateError(JusticeLabError):
    """An output file or folder cannot be made (exit code 73)."""

    exit_code = 73


class StorageError(JusticeLabError):
    """Reading or writing failed half-way: disk full, device error (exit code 74)."""

    exit_code = 74


class BusyError(JusticeLabError):
    """Another run holds the folder (exit code 75)."""

    exit_code = 75


class AccessError(JusticeLabError):
    """A file or folder may not be read or written by this user (exit code 77)."""

    exit_code = 77


class ConfigurationError(JusticeLabError):
    """The installation or its surroundings are wrong (exit code 78)."""

    exit_code = 78


class DamagedShardError(JusticeLabError):
    """A shard does not verify: its bytes are not those that were written (exit code 74)."""

    exit_code = 74


class DisagreementError(JusticeLabError):
    """Two shards give the same unit different values, which must not happen (exit code 70)."""


def _sentence(text: str) -> str:
    """Return the text with a capital and a full stop, empty if empty."""
    text = text.strip()
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."


def _rebuild(
    kind: type[JusticeLabError], found: str, where: str, rule: str, repair: str
) -> JusticeLabError:
    """Return the error a pickle of it stands for."""
    return kind(found, where=where, rule=rule, repair=repair)
