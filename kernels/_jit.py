"""The one home of compiler options and of the private cache of compiled kernels.

Every kernel is compiled through :func:`kernel`. The options are fixed here:

* ``error_model="numpy"``: a division by zero gives inf or nan and not an exception, because an
  exception inside compiled code leaks its allocations;
* no ``fastmath``: re-association and contraction change bits from one processor to the next;
* ``nogil=True``: signals and a progress display are served while a kernel runs;
* no wrappers for callers that there are not: a kernel gets none for C, a helper none for Python;
* no ``parallel``: Numba takes a parallel loop through LLVM three times (its body, the wrapper that
  threads enter, and the kernel around it), which was a third of all compile time. A parallel kernel
  is compiled as a serial one over a range, and Python threads, which ``nogil`` lets run at once,
  each take a part of the range. They sleep when idle, and any number of callers may enter;
* the ``workqueue`` layer for Numba's own threads, which do no work here but are started with the
  count of threads: OpenMP's would spin beside ours;
* ``cache=True`` in a private folder whose name is a hash of everything that decides the machine
  code. Numba's own cache looks at one file only: after an edit in *another* file it silently runs
  the old code.
"""

import functools
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
import numpy as np

CHUNK = 4096
"""Rows in one chunk. Sums run inside a chunk, then over chunks in a fixed tree, so the result
depends on the number of rows and never on the number of threads. 4,096 rows of one float64 column
are 32 kB: a chunk's working set stays in the second-level cache."""

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}
_HELPER: dict[str, Any] = {"no_cpython_wrapper": True, "forceinline": True}


def _cache_key() -> str:
    """Hash of all that decides the machine code: our sources, the compilers, the processor."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    facts = (
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        sys.version,
        os.environ.get("NUMBA_CPU_NAME", "") or llvmlite.binding.get_host_cpu_name(),
        os.environ.get("NUMBA_CPU_FEATURES", "")
        or llvmlite.binding.get_host_cpu_features().flatten(),
        os.environ.get("NUMBA_BOUNDSCHECK", ""),
    )
    digest.update("\0".join(facts).encode())
    return digest.hexdigest()[:24]


def _is_private(folder: Path) -> bool:
    """Whether the folder is a real folder, ours, and closed to everybody else.

    Numba unpickles what it finds in its cache, so whoever can write there can run code as us.
    """
    status = os.lstat(folder)
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )


def _cache_folder() -> Path | None:
    """Make and return the private cache folder, or None where no folder is ours to use."""
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    parent = Path(given) if given else Path.home() / ".cache"
    folder = parent / "justicelab" / f"kernels-{_cache_key()}"
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(folder):
            return None
    except (OSError, RuntimeError):
        return None
    return folder


CACHE_FOLDER = None if numba.config.DISABLE_JIT else _cache_folder()


if not os.environ.get("NUMBA_THREADING_LAYER"):
    numba.config.THREADING_LAYER = "workqueue"


@functools.cache
def _helpers() -> ThreadPoolExecutor:
    """Threads beside the callers' own; what they run waits for nothing, so all may share them."""
    return ThreadPoolExecutor(max(1, int(numba.config.NUMBA_NUM_THREADS) - 1), "kernel")


def _shared_out(dispatcher: Callable[..., None], grain: int) -> Callable[..., None]:
    """Share the range that a kernel's last two arguments name among threads, in equal parts."""

    @functools.wraps(dispatcher)
    def enter(*arguments: Any) -> None:
        *fixed, start, stop = arguments
        shares = min(numba.get_num_threads(), (stop - start) // grain)
        if shares < 2:
            dispatcher(*arguments)
            return
        edges = [start + (stop - start) * share // shares for share in range(shares + 1)]
        given = [
            _helpers().submit(dispatcher, *fixed, edges[share], edges[share + 1])
            for share in range(1, shares)
        ]
        dispatcher(*fixed, start, edges[1])
        for share in given:
            share.result()

    return enter


def _guard_cache(dispatcher: Any) -> None:
    """Make an unreadable cache entry mean 'compile again' and not a traceback.

    A file cut short by a power loss makes Numba raise whatever unpickling raises; the whole
    folder is then given up, because its other files were written beside the broken one.
    """
    cache = dispatcher._cache  # noqa: SLF001 - Numba offers no public hook
    load = cache.load_overload

    def load_or_discard(signature: Any, target: Any) -> Any:
        try:
            return load(signature, target)
        except Exception:  # noqa: BLE001 - unpickling can raise anything at all
            shutil.rmtree(str(CACHE_FOLDER), ignore_errors=True)
            Path(str(CACHE_FOLDER)).mkdir(mode=0o700, parents=True, exist_ok=True)
            return None

    cache.load_overload = load_or_discard


def kernel(
    *, parallel: bool = False, grain: int = 1, inline: bool = False, allocates: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function as a kernel with the project's fixed options.

    Parameters
    ----------
    parallel : bool
        Whether several threads share the range from the last argument but one to the last. The
        loop over it is marked ``prange`` and must write only to elements that belong to its own
        index: consecutive ranges give the result of one call. The kernel returns nothing.
    grain : int
        Smallest part of the range that is worth a thread.
    inline : bool
        A small helper that only other kernels call: LLVM is asked to inline it, and it gets no
        cache entry and no way in from Python of its own.
    allocates : bool
        Whether a helper makes arrays. One that does not also counts no references to those it is
        given, which its caller holds anyway: counting takes longer than many a helper's work.

    Returns
    -------
    callable
        A decorator that gives a Numba dispatcher (or the plain function under
        ``NUMBA_DISABLE_JIT=1``).
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if inline:
            options: dict[str, Any] = _OPTIONS | _HELPER | {"_nrt": allocates}
            return numba.njit(**options)(function)
        if CACHE_FOLDER is None:
            dispatcher = numba.njit(**_OPTIONS)(function)
            return _shared_out(dispatcher, grain) if parallel else dispatcher
        # Numba fixes the cache locator while it decorates: set the folder for just that long, so
        # that the user's own kernels keep their own cache.
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(CACHE_FOLDER)
        try:
            dispatcher = numba.njit(**_OPTIONS, cache=True)(function)
        finally:
            numba.config.CACHE_DIR = before
        _guard_cache(dispatcher)
        return _shared_out(dispatcher, grain) if parallel else dispatcher

    return decorate
