"""A study whose plan makes columns: covariates everywhere, and never asked of the store."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import engine.requested as requested_module
import engine.study_footprint as footprint_module
from engine.analyses import _placebo_options, columns_of, main_unit
from engine.batch_shared import base_of, share_pools
from engine.errors import InputError
from engine.jobs.finished import open_finished
from engine.jobs.remade import remake
from engine.matching.store_columns import GROUPS
from engine.plan.model import Plan
from engine.plan.reading import check_plan
from engine.requested import request_of, require_columns
from engine.store.reading import read_years
from engine.study import Linking, run, run_request
from engine.study_footprint import database_of_study
from tests.engine.cohort.support import truth_linker, truth_of

NAME = "medium-none-random"
# The nation is small, so that the nearest people are not as near as in a nation.
QUICK = {
    "gate": {"largest_smd": 0.6},
    "sub_analyses": {"by": []},
    "sensitivity": {"calipers": [], "orders": 0, "placebo": False},
}
ALONE = {**QUICK, "oasys": {"trio": False}, "region": {"control": False}}
ASKED = {
    "log": ["severity"],
    "square": ["copas_rate", "log_career_days"],
}
MADE = ("log_severity", "copas_rate_squared", "log_career_days_squared")


def plan_of(**sections):
    return check_plan({**QUICK, **sections}, "plan.toml")


@pytest.fixture(scope="module")
def nation(truth_nation):
    return SimpleNamespace(
        store=truth_nation.store,
        submission=truth_nation.out / "submissions" / f"{NAME}.csv",
        linking=Linking(linker=truth_linker(truth_of(truth_nation, NAME))),
    )


@pytest.fixture(scope="module")
def study_of(nation):
    def make(out, plan):
        folder = nation.store.folder
        return run(nation.submission, folder, out, plan=plan, linking=nation.linking)

    return make


@pytest.fixture(scope="module")
def whole(study_of, tmp_path_factory):
    plan = plan_of(transformations=ASKED, gate={"largest_smd": 0.6, "covariates": ["log_severity"]})
    return study_of(tmp_path_factory.mktemp("whole") / "study", plan)


def figures_of(study):
    return {
        path.relative_to(study.folder).as_posix(): path.read_bytes()
        for part in ("private", "release")
        for path in sorted((study.folder / part).iterdir())
        if path.is_file() and path.name not in {"manifest.json", "audit.log"}
    }


def test_every_analysis_is_matched_on_what_is_made_and_shows_it(whole):
    made = [one for one in whole.exact["analyses"] if one["status"] != "not_run"]

    assert {"main", "region", "oasys_linked_with"} <= {one["id"] for one in made}
    for analysis in made:
        rows = {row["name"]: row for row in analysis["balance"]}
        assert set(MADE) <= rows.keys()
        assert rows["log_severity"]["label"] == "Gravity of the offence (log)"
        assert rows["log_severity"]["group"] == "index"
        assert rows["log_severity"]["kind"] == "number"
        assert analysis["gate"]["rules"][2]["name"] == "log_severity"


def test_what_is_released_names_what_is_made(whole):
    results = whole.released.results
    covariates = {one["name"]: one for one in results["method"]["covariates"]}
    page = (whole.folder / "release" / "report.html").read_text()

    assert [name for name in covariates if name in MADE] == list(MADE)
    assert covariates["copas_rate_squared"] == {
        "name": "copas_rate_squared", "label": "Copas rate, squared", "group": "risk",
    }  # fmt: skip
    assert "Gravity of the offence (log)" in page
    assert results["plan"]["transformations"] == ASKED
    assert 'log = ["severity"]' in (whole.folder / "release" / "plan.toml").read_text()
    # a characteristic counts once, however many columns tell it
    plain = Plan().covariate_columns
    assert results["balance"]["summary"]["characteristics"] <= len(plain)


def test_a_match_with_them_can_be_made_again(whole, nation):
    again = remake(open_finished(whole.folder), nation.store.folder)

    assert set(MADE) <= {one.name for one in again.rows.design.covariates}


def test_a_column_that_is_made_is_worth_that_of_the_store(study_of, monkeypatch, tmp_path):
    """The same study once with two columns of the store, once with the same made from others."""
    stored = ["log_previous_sanctions", "age_at_index_squared"]
    asked = {"log": ["previous_sanctions"], "square": ["age_at_index"]}
    alike = {**ALONE, "sensitivity": {"calipers": [0.2], "ratios": [5], "orders": 2}}
    first = study_of(
        tmp_path / "stored",
        check_plan({**alike, "covariates": {"leave_out": stored, "add": stored}}, "plan.toml"),
    )
    # without the rule that what the store has is not made
    monkeypatch.setattr(requested_module, "_require_transformable", lambda *_: None)
    second = study_of(
        tmp_path / "made",
        check_plan(
            {**alike, "covariates": {"leave_out": stored}, "transformations": asked}, "plan.toml"
        ),
    )
    own = {"plan", "plan_sha256", "provenance"}

    assert first.exact["sensitivity"]["placebos"]
    for one, other in (
        (first.exact, second.exact), (first.released.results, second.released.results),
    ):  # fmt: skip
        assert one.keys() == other.keys()
        for key in one.keys() - own:
            assert json.dumps(one[key]) == json.dumps(other[key]), key
    files, others = figures_of(first), figures_of(second)
    assert {name for name in files if files[name] != others[name]} == {
        "private/results.json", "release/results.json", "release/plan.toml", "release/report.html",
        "release/tables.xlsx",
    }  # fmt: skip


def test_a_batch_shares_the_columns_of_the_store_alone(study_of, nation, tmp_path):
    plan = check_plan({**ALONE, "transformations": ASKED}, "plan.toml")
    request = request_of(plan, nation.submission)
    share_pools([request], nation.store, tmp_path)
    base = base_of(request, nation.store, tmp_path)
    shared = run_request(
        request, nation.store, tmp_path / "shared", linking=nation.linking, base=base
    )

    assert set(base.index.column_names) <= set(
        read_years(nation.store, "index", years=()).column_names
    )
    assert figures_of(shared) == figures_of(study_of(tmp_path / "alone", plan))


# ------------------------------------------------------------------------------- what is asked of


def test_the_store_is_asked_for_columns_that_it_has(nation):
    plan = plan_of(transformations=ASKED)
    known = {*read_years(nation.store, "index", years=()).column_names, "delay_days"}

    assert columns_of(plan) == columns_of(plan_of())
    assert set(columns_of(plan)) <= known
    assert known.isdisjoint(MADE)


def test_the_placebo_leaves_out_what_is_made_of_the_last_sanction():
    last = "days_since_last_sanction"
    plan = plan_of(
        covariates={"groups": ["demographics", "history"], "add": [last]},
        transformations={
            "log": ["previous_cautions"], "square": [last, f"log_{last}", "previous_cautions"],
        },
    )  # fmt: skip
    unit = main_unit(plan, SimpleNamespace(treated=np.zeros(2, dtype=np.bool_)))
    left = _placebo_options(plan, unit).covariates
    gone = set(unit.covariates) - set(left)

    assert gone == {last, f"log_{last}", f"{last}_squared", f"log_{last}_squared"}
    assert {"log_previous_cautions", "previous_cautions_squared"} <= set(left)


def test_what_is_made_takes_memory(nation, monkeypatch):
    needed = []
    monkeypatch.setattr(footprint_module, "require_memory", lambda own, _: needed.append(own.total))
    check = SimpleNamespace(table=None)
    for asked in ({}, {"log": ["severity"]}):
        database_of_study(nation.store, plan_of(transformations=asked), check, 1 << 30)
    plain, logarithm = needed

    assert plain < logarithm


REFUSED = {
    "a category by its name": ({"square": ["index_year"]}, "square", "numbers"),
    "words": ({"log": ["sex"]}, "log", "numbers"),
    "words that the plan adds": ({"square": ["court_type"]}, "square", "numbers"),
    "dates": ({"log": ["index_date"]}, "log", "numbers"),
    "what is matched on already": (
        {"log": ["previous_sanctions"]},
        "log",
        "it is matched on as a covariate",
    ),
    "what the store has": (
        {"square": ["previous_sanctions"]},
        "square",
        "'previous_sanctions_squared' in [covariates] add",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_made_is_refused_with_place_and_rule(nation, what):
    asked, option, rule = REFUSED[what]
    plan = plan_of(covariates={"add": ["court_type", "index_date"]}, transformations=asked)
    with pytest.raises(InputError) as error:
        require_columns(plan, nation.store, SimpleNamespace(table=None))

    assert f"[transformations] {option}" in str(error.value)
    assert rule in str(error.value)


def test_every_number_of_the_groups_can_be_transformed(nation):
    columns = [one.name for group in ("demographics", "index", "history", "risk")
               for one in GROUPS[group] if not one.category]  # fmt: skip
    store = {*read_years(nation.store, "index", years=()).column_names}
    asked = {"square": [name for name in columns if f"{name}_squared" not in store]}
    plan = plan_of(transformations=asked | {"log": ["delay_days"]})

    require_columns(plan, nation.store, SimpleNamespace(table=None))


def test_a_logarithm_of_negative_numbers_stops_the_study(study_of, tmp_path):
    plan = check_plan({**ALONE, "transformations": {"log": ["ogrs4g_logit"]}}, "plan.toml")

    with pytest.raises(InputError, match=r"negative numbers in the column 'ogrs4g_logit'"):
        study_of(tmp_path / "study", plan)
    assert not (tmp_path / "study" / "release" / "results.json").exists()
