"""``python -m benchmarks.extract ROWS FILE``: write the made-up population as a Parquet file.

Twenty-five columns: an id, who was treated, twenty covariates, two outcomes, and one that no match
asks for. In a process of its own, because a process inherits the peak of the one that starts it.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.population import SEED, population
from benchmarks.sides.fit import arrow_table


def extract(rows: int) -> pa.Table:
    """Return the table; ids stand in no order."""
    people = population(rows)
    rng = np.random.default_rng([SEED, rows, 1])
    reoffended = rng.random(rows) < 0.30 - 0.03 * people.treated
    table = arrow_table(people)
    table = table.add_column(0, "id", [rng.permutation(rows) + 10_000_000])
    table = table.add_column(1, "treated", [people.treated])
    table = table.append_column("reoffended", [reoffended])
    table = table.append_column("offences", [reoffended * rng.poisson(3.0, rows)])
    return table.append_column("court", [rng.integers(0, 300, rows).astype(np.int16)])


def main() -> None:
    """Write the file."""
    rows, place = int(sys.argv[1]), Path(sys.argv[2])
    pq.write_table(extract(rows), place)


if __name__ == "__main__":
    main()
