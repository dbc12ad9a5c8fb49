"""The report of a study: a page, its charts, its tables and a spreadsheet.

Everything here reads the released results alone, after disclosure control.
"""
