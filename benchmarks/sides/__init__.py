"""What each side of a race does: ours and the peers, one function a side.

A side is a function that takes the size of the task, gets everything ready outside the clock, and
returns a function of a stopwatch that does the work and returns its answer as arrays.
"""
