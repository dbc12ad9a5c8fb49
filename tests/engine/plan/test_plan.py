"""The plan: file, defaults and hash agree; mistakes are told by section, option and rule."""

import tomllib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AccessError, InputError, UnfittedError
from engine.matching import propensity
from engine.matching.store_columns import GROUPS
from engine.plan.advice import in_words_of_the_plan
from engine.plan.model import Covariates, Plan
from engine.plan.reading import check_plan, read_plan
from engine.plan.writing import plan_text
from tests.kernels.support import examples


def written(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_file_that_is_written_is_the_default_plan(tmp_path):
    plan = read_plan(written(tmp_path, plan_text()))

    assert plan == Plan() == read_plan(None)
    assert plan.sha256 == Plan().sha256
    assert len(plan.sha256) == 64


def test_every_option_stands_in_the_file_with_its_value():
    content = tomllib.loads(plan_text())
    canonical = Plan().canonical()

    assert content.pop("study") == Plan().study.model_dump() | {"waves": []}
    assert content == canonical == tomllib.loads(plan_text(files=False))


def test_files_are_no_part_of_what_is_asked():
    named = check_plan({"study": {"submission": "people.csv"}}, "plan.toml")

    assert named.sha256 == Plan().sha256
    assert "people.csv" in plan_text(named)
    assert "people.csv" not in plan_text(named, files=False)


def test_a_study_has_one_file_or_waves():
    with pytest.raises(InputError, match=r"names a submission and waves.*\[study\]"):
        check_plan({"study": {"submission": "a.csv", "waves": ["b.csv", "c.csv"]}}, "plan.toml")


def test_defaults_are_those_that_are_promised():
    plan = Plan()

    assert (plan.matching.ratio, plan.matching.replace) == (5, True)
    assert plan.matching.caliper == "0.2 sd-logit"
    assert plan.gate.model_dump() == {
        "matched_treated": 30,
        "matched_share": 0.70,
        "largest_smd": 0.10,
        "covariates": (),
    }
    assert plan.matching.further_ratios == (10, 20)
    assert plan.disclosure.model_dump() == {
        "fewest_people": 30,
        "fewest_in_cell": 10,
        "count_base": 5,
    }


def test_the_hash_is_of_what_is_asked_and_not_of_the_file(tmp_path):
    spaced = "[matching]\n\n# five\nratio    =   5\n"

    assert read_plan(written(tmp_path, spaced)).sha256 == Plan().sha256
    assert read_plan(written(tmp_path, "[matching]\nratio = 6")).sha256 != Plan().sha256


TRANSFORMED = {
    "log": ("severity", "previous_cautions"),
    "square": ("severity", "log_career_days"),
}


@given(st.data())
@examples(60, 60)
def test_a_changed_plan_comes_back_from_its_own_file(data):
    text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    content = {
        "service": {"organisation": data.draw(text), "comment": data.draw(text)},
        "matching": {
            "ratio": data.draw(st.integers(1, 100)),
            "seed": data.draw(st.integers(0, (1 << 128) - 1)),
        },
        "gate": {"matched_share": data.draw(st.floats(0, 1))},
        "sub_analyses": {"by": data.draw(st.lists(st.sampled_from("abc"), unique=True))},
        "transformations": {
            name: data.draw(st.lists(st.sampled_from(columns), unique=True))
            for name, columns in TRANSFORMED.items()
        },
    }
    plan = check_plan(content, "plan.toml")
    again = check_plan(tomllib.loads(plan_text(plan)), "plan.toml")

    assert again == plan
    assert again.sha256 == plan.sha256


MISTAKES = {
    "unknown section": ("[mathcing]\nratio = 3", "mathcing", "'matching'"),
    "unknown option": ("[matching]\nratoi = 3", "[matching] ratoi", "'ratio'"),
    "a text for a number": ('[matching]\nratio = "3"', "[matching] ratio", "a whole number"),
    "too small": ("[matching]\nratio = 0", "[matching] ratio", "at least 1"),
    "too large": ("[gate]\nmatched_share = 1.5", "[gate] matched_share", "at most 1"),
    "not positive": ("[gate]\nlargest_smd = 0", "[gate] largest_smd", "more than 0"),
    "too large a seed": (
        f"[matching]\nseed = {1 << 128}",
        "[matching] seed",
        "less than",
    ),
    "no such choice": ('[matching]\nfit = "lasso"', "[matching] fit", "'ml', 'ridge' or 'firth'"),
    "no such group": (
        '[covariates]\ngroups = ["index", "shoes"]',
        "[covariates] groups, entry 2",
        "'demographics'",
    ),
    "a number for a list": ("[sub_analyses]\nby = 3", "[sub_analyses] by", "square brackets"),
    "a word for a truth": ("[oasys]\ntrio = 1", "[oasys] trio", "true or false"),
    "a number for a section": ("oasys = 1", "oasys", "a section"),
    "milder disclosure": (
        "[disclosure]\nfewest_people = 20",
        "[disclosure] fewest_people",
        "at least 30",
    ),
    "a caliper without sense": ('[matching]\ncaliper = "wide"', "plan.toml", "caliper"),
    "radius without caliper": (
        '[matching]\nmethod = "radius"\ncaliper = "none"',
        "[matching] caliper",
        "within the caliper",
    ),
    "a part twice": ('[sub_analyses]\nby = ["sex", "sex"]', "[sub_analyses] by", "once"),
    "left out of nothing": (
        '[covariates]\nleave_out = ["shoe_size"]',
        "[covariates] leave_out",
        "spelling",
    ),
    "a gate on what is not matched on": (
        '[gate]\ncovariates = ["probation_region"]',
        "[gate] covariates",
        "match on it too",
    ),
    "a transformation of what is not matched on": (
        '[transformations]\nlog = ["severty"]',
        "[transformations] log",
        "'severity'",
    ),
    "a transformation of what is left out": (
        '[covariates]\nleave_out = ["severity"]\n[transformations]\nsquare = ["severity"]',
        "[transformations] square",
        "a column of [covariates]",
    ),
    "a transformation of what is made": (
        '[transformations]\nlog = ["severity"]\nsquare = ["log_severity"]',
        "[transformations] square",
        "a column of [covariates]",
    ),
    "a transformation twice": (
        '[transformations]\nsquare = ["severity", "severity"]',
        "[transformations] square",
        "once",
    ),
    "the logarithm of a square": (
        '[transformations]\nlog = ["age_at_index_squared"]',
        "[transformations] log",
        "of the column itself",
    ),
    "a number for columns": ("[transformations]\nlog = 1", "[transformations] log", "brackets"),
    "nothing to match on": ("[covariates]\ngroups = []", "[covariates]", "groups"),
    "ages crossed": ("[index]\nyoungest = 40\noldest = 30", "plan.toml", "age"),
    "a kind of sentence": (
        '[index]\nindex_types = ["prison"]',
        "plan.toml",
        "release from custody",
    ),
    "another format": ("format = 2", "format", "1"),
    "not TOML": ("[matching\nratio = 3", "line 1", "square brackets"),
    "not text": (b"\xff\xfe", "plan.toml", "TOML"),
    "infinite": ("[gate]\nlargest_smd = inf", "[gate] largest_smd", "finite"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_place_and_rule(tmp_path, mistake):
    text, place, rule = MISTAKES[mistake]
    with pytest.raises(InputError) as error:
        read_plan(written(tmp_path, text))

    assert place in str(error.value)
    assert rule in str(error.value)
    assert "pydantic" not in str(error.value)


def test_a_part_of_a_column_offers_the_whole_and_the_list(tmp_path):
    with pytest.raises(InputError) as error:
        read_plan(written(tmp_path, '[transformations]\nlog = ["age"]'))

    assert "Did you mean 'age_at_index'" in str(error.value)
    assert "the file that 'justicelab plan' writes lists the columns" in str(error.value)


def test_the_file_lists_the_columns_of_every_group():
    text = plan_text()
    start = text.index("# The columns of each group:")
    told = " ".join(text[start : text.index("groups = ", start)].replace("#", " ").split())

    for group in get_args(get_args(Covariates.model_fields["groups"].annotation)[0]):
        assert f"{group}: {', '.join(one.name for one in GROUPS[group])}" in told
    assert max(map(len, text[start:].splitlines())) <= 100


def test_a_value_is_not_repeated(tmp_path):
    with pytest.raises(InputError) as error:
        read_plan(written(tmp_path, '[service]\nperiod = 3\n[matching]\nfit = "Jo Smith"'))

    assert "Jo Smith" not in str(error.value)


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such plan"):
        read_plan(tmp_path / "absent.toml")
    with pytest.raises((InputError, AccessError)):
        read_plan(tmp_path)


def test_a_file_of_any_size_is_not_read(tmp_path):
    path = written(tmp_path, b"#" * (2 << 20))

    with pytest.raises(InputError, match="larger than a plan"):
        read_plan(path)


def test_options_of_a_match_follow_the_plan():
    plan = check_plan({"matching": {"ratio": 3, "exact": ["sex"], "caliper": "none"}}, "plan.toml")
    options = plan.match_options(("sex", "age_at_index"), ("probation_region",))

    assert options.ratio == 3
    assert options.caliper is None
    assert options.exact == ("sex", "probation_region")
    assert options.categorical == ("sex",)
    assert options.missing == "indicator"
    assert options.smd_denominator == "pooled"  # the formula of the published standard


def test_what_is_made_is_matched_on_beside_the_columns_of_the_store():
    asked = {"log": ["severity"], "square": ["log_career_days", "severity"]}
    plan = check_plan(
        {
            "transformations": asked,
            "gate": {"covariates": ["severity", "severity_squared"]},
        },
        "plan.toml",
    )
    made = ("log_severity", "log_career_days_squared", "severity_squared")
    options = [one.match_options(one.covariate_names, ()) for one in (plan, Plan())]

    assert plan.covariate_columns == Plan().covariate_names == Plan().covariate_columns
    assert plan.covariate_names == (*plan.covariate_columns, *made)
    assert options[0].categorical == options[1].categorical
    assert plan.sha256 != Plan().sha256
    assert plan.canonical()["transformations"]["log"] == ["severity"]


def test_advice_names_what_a_plan_has():
    error = UnfittedError(
        "it did not converge", rule="a rule", repair="Use --fit ridge, or --caliper '0.2 sd-logit'"
    )
    said = in_words_of_the_plan(error)

    assert type(said) is UnfittedError
    assert said.repair == (
        """Use fit = "ridge" in the plan's [matching], or caliper = "0.2 sd-logit" in the plan's """
        "[matching]"
    )
    assert (said.found, said.rule) == ("it did not converge", "a rule")
    plain = InputError("nobody could be matched", repair="Widen the caliper")
    assert str(in_words_of_the_plan(plain)) == str(plain)


def test_a_model_that_does_not_converge_is_told_in_words_of_the_plan():
    with pytest.raises(UnfittedError) as error:
        propensity._refuse_unconverged()

    assert "--fit" in str(error.value)
    assert "--" not in str(in_words_of_the_plan(error.value))


def test_a_radius_match_takes_no_ratio():
    plan = check_plan({"matching": {"method": "radius"}}, "plan.toml")

    assert plan.match_options(("sex",), ()).radius
