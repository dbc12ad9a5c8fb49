"""Slow reference of the inference for matched samples, written from its specification alone.

Plain Python and NumPy, loops where a formula has a sum, no import from the product. Rows are
numbered from 0; `sets` is a list of (focal row, partner rows, shares), the shares summing to 1.
Focal rows are the treated for the ATT and the comparison rows for the ATC.
"""
