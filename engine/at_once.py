"""Pieces of work that do not need one another, two at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 2
"""Array code keeps some one and a half of two cores busy by itself, and a piece needs memory."""


def each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    progress: Callable[[float], None] | None = None,
) -> list[Result]:
    """Return the work on each item, in their order.

    Parameters
    ----------
    work : callable
        A pure function, so that it does not matter what runs beside it.
    items : sequence
    progress : callable, optional
        Told the share done, in the thread of the caller.

    Returns
    -------
    list

    Notes
    -----
    The threads that kernels may use are dealt out to the pieces under way. With one thread, one
    piece follows another. After an error no further piece is begun.
    """
    threads = numba.get_num_threads()
    found: list[Result] = []

    def share(item: Item) -> Result:
        numba.set_num_threads(threads // AT_ONCE)
        return work(item)

    def tell() -> None:
        if progress is not None:
            progress(len(found) / len(items))

    if threads < AT_ONCE or len(items) < 2:
        for item in items:
            found.append(work(item))
            tell()
        return found
    pool = ThreadPoolExecutor(AT_ONCE, "piece")
    try:
        for piece in [pool.submit(share, item) for item in items]:
            found.append(piece.result())
            tell()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found
