"""Compiled kernels: arrays in, arrays out, NumPy and Numba only.

Nothing here knows a person, a path or a date. Kernels never raise: they fill arrays and return
status codes, and every floating-point sum runs in an order that depends on the number of rows only,
so results are the same bits at any thread count.
"""
