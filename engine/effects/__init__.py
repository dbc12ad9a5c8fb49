"""Measures of effect and their intervals."""
