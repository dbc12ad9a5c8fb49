"""How large the cases are: quick to try the suite, small to look, full for the bars."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Rows of the cases.

    Attributes
    ----------
    name : {'quick', 'small', 'full'}
    national, million, least : int
        Rows where the bars speak of 5 million, 1 million and 100 thousand.
    laps : int
        Turns of each side at national size; cases with fewer rows take more.
    holds_bars : bool
        Whether figures are held to the bars, which are set for the full size.
    """

    name: str
    national: int
    million: int
    least: int
    laps: int
    holds_bars: bool

    def bar(self, limit: float) -> float | None:
        """Return the limit where this size is held to it."""
        return limit if self.holds_bars else None


SIZES = {
    size.name: size
    for size in (
        Size("quick", 40_000, 30_000, 20_000, 1, holds_bars=False),
        Size("small", 300_000, 200_000, 100_000, 3, holds_bars=False),
        Size("full", 5_000_000, 1_000_000, 100_000, 3, holds_bars=True),
    )
}
