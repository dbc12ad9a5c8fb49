"""What results.json says of real matches, checked against itself and the files beside it."""

from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.csv as pv
import pytest

from engine.effects.choice import BY_DESIGN, METHODS, NEEDS_REPLICATES, IntervalName
from engine.errors import UsageError
from engine.match import match
from engine.release.pages import match_page
from tests.engine.release.conftest import make_rich

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


def keys_within(made, real, path=""):
    """Keys of a made result that differ from those of a real one, lists by their first entry."""
    if isinstance(made, dict) and isinstance(real, dict):
        yield from (f"{path}.{key}" for key in made.keys() ^ real.keys())
        for key in made.keys() & real.keys():
            yield from keys_within(made[key], real[key], f"{path}.{key}")
    elif isinstance(made, list) and isinstance(real, list) and made and real:
        yield from keys_within(made[0], real[0], path)


def test_made_results_have_the_keys_of_real_ones(people):
    """What the page is tested with has the form of what the engine hands over."""
    real = match(
        people,
        treatment="workprg",
        covariates=COVARIATES,
        id="id",
        caliper="0.2 sd-logit",
        outcome=("returned:binary", "follow:count"),
        placebo="rules:count",
        orders=3,
    ).results
    made = make_rich()

    for part in ("estimates", "placebos", "support"):
        assert list(keys_within(made[part], real[part], part)) == []
    assert "How sure can we be" in match_page(real)
    of_count = real["estimates"][1]
    measures = [one["measure"] for one in of_count["sensitivity"]["e_values"]]
    assert measures == [one["measure"] for one in of_count["ratios"]] == ["rate ratio"]


FITTED = {"covariates": COVARIATES}
GIVEN = {"score": "tserved"}
SEVERAL_ROWS = {"covariates": COVARIATES, "person": "someone"}


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        (FITTED, {"wald", "abadie-imbens-adjusted", "welch-kish", "welch-raw"}),
        (FITTED | {"replace": True}, {"wald", "abadie-imbens-adjusted", "welch-kish", "welch-raw"}),
        (GIVEN, {"wald", "abadie-imbens", "set-clustered", "welch-kish", "welch-raw"}),
        (GIVEN | {"replace": True}, {"wald", "abadie-imbens", "welch-kish", "welch-raw"}),
        (SEVERAL_ROWS, {"wald"}),
    ],
)
def test_an_interval_asked_for_is_the_main_one_or_refused(people, options, valid):
    """Every name without replicates ends in one of the two, and in nothing else."""
    table = people.append_column("someone", pa.array([i // 2 for i in range(len(people))]))

    def asked(name):
        plan = {"treatment": "workprg", "id": "id", "caliper": "0.2 sd-logit", "orders": 0}
        return match(table, outcome="returned:binary", interval=name, **plan, **options).results

    for name in set(get_args(IntervalName)) - {"auto", *NEEDS_REPLICATES} - valid:
        with pytest.raises(UsageError, match=f"--interval {name} is not valid"):
            asked(name)
    for name in valid:
        found = asked(name)["estimates"][0]
        others = [one["method"] for one in found["secondary"]]
        assert found["interval_method"] == METHODS[name]
        assert METHODS[name] not in others
        assert BY_DESIGN["binary"] in others


def test_a_result_held_back_says_so_first(people):
    few = people.append_column(
        "rare", pa.array([i % 80 == 0 for i in range(len(people))], pa.bool_())
    )
    some = few.append_column(
        "scarce", pa.array([i % 30 == 0 for i in range(len(people))], pa.bool_())
    )
    estimates = match(
        some,
        treatment="workprg",
        covariates=COVARIATES,
        id="id",
        caliper="0.2 sd-logit",
        outcome=("rare:binary", "scarce:binary", "returned:binary"),
        orders=0,
    ).results["estimates"]

    said = [(one["publishable"], one["enough_events"]) for one in estimates]
    assert said == [(False, False), (True, False), (True, True)]
    assert "must not be published" in estimates[0]["cautions"][0]
    assert "must not be called clear" in estimates[1]["cautions"][0]
    assert not any("must not" in caution for caution in estimates[2]["cautions"])
