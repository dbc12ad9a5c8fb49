"""Settings of the whole suite."""

from hypothesis import settings

# Examples follow from the test alone, so a failure is seen by everybody; compiling a kernel on the
# first example takes longer than any deadline.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")
