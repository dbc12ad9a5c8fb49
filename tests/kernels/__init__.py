"""Tests of the compiled kernels against the plain versions of tests/naive.py."""
