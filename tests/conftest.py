"""Settings of the whole suite."""

import numba
import pytest
from hypothesis import settings

# Examples follow from the test alone, so a failure is seen by everybody; compiling a kernel on the
# first example takes longer than any deadline.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="module")
def one_thread():
    """Run a module's kernels on one thread: on tables of 30 rows, waking others is all the cost."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)
