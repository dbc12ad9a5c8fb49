"""Nearest rows on the logit score: same exact cell, other persons, ties by row number."""

import numpy as np


def nearest_rows(row, eta, pool, count, cell=None, person=None):
    """The `count` rows of `pool` nearest to `row` by |eta_row - eta_j|, itself left out.

    Rows of another cell or of the same person are passed over. Equal distances go to the smaller
    row number. Fewer rows come back if the cell holds fewer.
    """
    allowed = pool[pool != row]
    if cell is not None:
        allowed = allowed[cell[allowed] == cell[row]]
    if person is not None:
        allowed = allowed[person[allowed] != person[row]]
    distance = np.abs(eta[allowed] - eta[row])
    return allowed[np.lexsort((allowed, distance))][:count]


def neighbour_lists(rows, eta, pool, count, least, cell=None, person=None):
    """Neighbours of every row of `rows`, and how many lists had to leave the cell.

    A list with fewer than `least` rows is made again from the parent of the cell, the whole pool
    (still without rows of the same person).

    Returns
    -------
    lists : dict
        Row number to array of row numbers.
    fallbacks : int
        Lists that were made without the cell.
    """
    lists = {}
    fallbacks = 0
    for row in rows:
        found = nearest_rows(row, eta, pool, count, cell, person)
        if len(found) < least and cell is not None:
            found = nearest_rows(row, eta, pool, count, None, person)
            fallbacks += 1
        lists[int(row)] = found
    return lists, fallbacks
