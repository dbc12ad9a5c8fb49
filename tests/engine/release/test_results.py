"""What results.json says of real matches, checked against itself and the files beside it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pytest

from engine.match import match

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "recid.csv"
COVARIATES = ("age", "priors", "educ", "tserved")


@pytest.fixture(scope="module")
def people():
    """The example with areas, one of which holds the people of one arm only, for either arm."""
    table = pv.read_csv(EXAMPLE)
    treated = table["workprg"].to_pylist()
    for name, arm in (("area", 0), ("zone", 1)):
        places = [
            "far" if one == arm and i % 20 == 0 else ("north", "south")[i % 2]
            for i, one in enumerate(treated)
        ]
        table = table.append_column(name, pa.array(places))
    return table


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"caliper": "0.01 sd-logit"},
        {"caliper": "0.1 sd-logit", "discard": "support"},
        {"estimand": "atc", "discard": "support", "replace": True},
        {"estimand": "atc", "caliper": "0.1 sd-logit", "ratio": 2},
        {"covariates": (*COVARIATES, "area"), "replace": True},
        {"covariates": (*COVARIATES, "zone"), "estimand": "atc", "discard": "support"},
        {"radius": True, "caliper": "0.05 logit"},
    ],
)
def test_everybody_in_the_table_is_counted_once(people, options):
    result = match(people, treatment="workprg", id="id", **{"covariates": COVARIATES, **options})

    counts = result.results["counts"]
    treated_focal = counts["focal"] == "treated"
    own, other = ("treated", "comparison") if treated_focal else ("comparison", "treated")
    size = {"treated": counts["treated"], "comparison": counts["comparison_pool"]}
    assert size[own] == (
        counts[f"off_support_{own}"] + counts["no_partner"] + counts["treated_matched"]
    )
    assert size[other] == (
        counts[f"off_support_{other}"]
        + counts["comparison_without_treated_level"]
        + counts["not_chosen"]
        + counts["comparison_used"]
    )
    assert (counts["comparison_without_treated_level"] > 0) == ("covariates" in options)
    assert counts["treated_unmatched"] == size[own] - counts["treated_matched"]
    assert result.weights.num_rows == counts["treated_matched"] + counts["comparison_used"]
