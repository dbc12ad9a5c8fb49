"""Tests of justicelab."""
