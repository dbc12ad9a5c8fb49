"""Whitened coordinates: Mahalanobis distance becomes the plain distance.

The metric is the inverse of the pooled within-group covariance, so that the difference between the
groups does not itself stretch the scale.
"""

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from kernels.blocks import total, total_product
from kernels.cholesky import factor

_DEPENDENT = 1e-11


def whiten(
    columns: NDArray[np.float64], treated: NDArray[np.bool_], names: tuple[str, ...] = ()
) -> NDArray[np.float64]:
    """Return coordinates in which Euclidean distance is Mahalanobis distance.

    Parameters
    ----------
    columns : float64, shape (d, n)
        Finite covariates.
    treated : bool, shape (n,)
    names : tuple of str
        Column names for messages.

    Returns
    -------
    float64, shape (d, n)
        z = L^-1 x with L L' = S, S the cross-products centred within each group over n - 2.

    Raises
    ------
    InputError
        A column is constant within the groups, or a combination of the others.
    """
    d, n = columns.shape
    centred = np.array(columns)
    for arm in (treated, ~treated):
        size = int(np.count_nonzero(arm))
        for j in range(d):
            values = centred[j, arm]
            centred[j, arm] = values - (float(total(values)) / size if size else 0.0)
    covariance = np.empty((d, d))
    for j in range(d):
        for k in range(j + 1):
            covariance[j, k] = float(total_product(centred[j], centred[k])) / max(n - 2, 1)
            covariance[k, j] = covariance[j, k]
    lower = np.empty((d, d))
    active = np.ones(d, dtype=np.bool_)
    if factor(covariance, lower, active, _DEPENDENT):
        place = int(np.flatnonzero(~active)[0])
        name = f"'{names[place]}'" if names else f"number {place + 1}"
        raise InputError(
            f"the Mahalanobis column {name} is constant, or a combination of those before it",
            rule="Mahalanobis distance needs columns that vary independently within the groups",
            repair="Leave the column out of --mahalanobis",
        )
    coordinates = np.empty((d, n))
    for j in range(d):
        coordinates[j] = columns[j]
        for k in range(j):
            coordinates[j] -= lower[j, k] * coordinates[k]
        coordinates[j] /= lower[j, j]
    return coordinates
