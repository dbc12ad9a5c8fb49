"""What is true of every match, whatever the table and the method: invariants 8 to 16.

Each runs through ``justicelab.match`` on tables with ties, so that options, identity, scores,
pairing, weights, balance and estimates are in it.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.match import match
from tests.kernels.support import examples

pytestmark = pytest.mark.usefixtures("one_thread")

CALIPER = {"caliper": "0.5 logit"}
WITHOUT = {
    "largest": {},
    "smallest": {"order": "smallest"},
    "closest": {"order": "closest"},
    "random": {"order": "random"},
    "three": {"ratio": 3},
    "reused": {"reuse_max": 2, "ratio": 2},
    "variable": {"ratio": 2, "max_ratio": 4},
    "closest reused": {"order": "closest", "reuse_max": 3},
    "comparison": {"estimand": "atc"},
    "anti-exact": {"anti_exact": "h"},
    "near age": {"covariate_caliper": "age 2"},
    "mahalanobis": {"mahalanobis": ["age", "priors"], **CALIPER},
    "persons": {"person": "who"},
    "once": {"person": "who", "one_per_person": True, "ratio": 2},
    "once closest": {"person": "who", "one_per_person": True, "order": "closest"},
}
REPLACING = {
    "replace": {"replace": True},
    "replace three": {"replace": True, "ratio": 3},
    "ties": {"replace": True, "ratio": 2, "ties": "all"},
    "replace comparison": {"replace": True, "ratio": 2, "estimand": "atc"},
    "replace near age": {"replace": True, "covariate_caliper": "age 2", "ratio": 2},
    "replace anti-exact": {"replace": True, "anti_exact": "h", "ties": "all"},
    "replace mahalanobis": {"replace": True, "mahalanobis": ["age", "priors"], **CALIPER},
    "replace persons": {"replace": True, "person": "who", "ratio": 2},
}
WINDOWS = {
    "radius": {"radius": True, **CALIPER, "pairs": True},
    "epanechnikov": {"kernel": "epanechnikov", **CALIPER, "pairs": True},
    "tricube": {"kernel": "tricube", **CALIPER, "pairs": True},
    "radius comparison": {"radius": True, **CALIPER, "pairs": True, "estimand": "atc"},
}
METHODS = {**WITHOUT, **REPLACING, **WINDOWS}
every_method = pytest.mark.parametrize("name", METHODS)
SHIFT = 2.0**10


@st.composite
def tables(draw, least=8, most=36):
    """People with tied scores (multiples of 1/16), cells, persons with several rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(least, most))
    treated = rng.random(n) < draw(st.sampled_from([0.25, 0.5]))
    treated[:4] = [True, False, True, False]
    return pa.table(
        {
            "id": rng.permutation(1000)[:n],
            "treat": treated,
            "score": rng.integers(-20, 20, n) / 16,
            "g": rng.integers(0, 2, n),
            "h": rng.integers(0, 3, n),
            "age": rng.integers(18, 24, n) * 1.0,
            "priors": rng.integers(0, 4, n) + rng.normal(size=n).round(2),
            "who": rng.integers(0, max(4, n // 2), n),
            "back": rng.random(n) < 0.4,
        }
    )


class Person(NamedTuple):
    """One row of a table."""

    treat: bool
    score: float
    g: int
    h: int
    age: float
    who: int


def people(table):
    """Rows by their id."""
    columns = [table[name].to_pylist() for name in ("id", *Person._fields)]
    return {one[0]: Person(*one[1:]) for one in zip(*columns, strict=True)}


def matched(table, options, **more):
    """Match a table; a table in which nobody has a partner is no case."""
    asked = {"id": "id", "score": "score", "covariates": ["age", "h"], **options, **more}
    try:
        return match(table, treatment="treat", **asked)
    except InputError as refusal:
        assume(refusal.found != "nobody could be matched")
        raise


def pairs_of(result):
    """Pairs as (treated id, comparison id, distance, weight)."""
    names = ("treated_id", "comparison_id", "distance", "weight")
    return list(zip(*(result.pairs[name].to_pylist() for name in names), strict=True))


def focal_of(result, pair):
    return pair[1] if result.results["design"]["estimand"] == "atc" else pair[0]


def partner_of(result, pair):
    return pair[0] if result.results["design"]["estimand"] == "atc" else pair[1]


def weights_of(result):
    columns = (result.weights[name].to_pylist() for name in ("id", "arm", "weight"))
    return {one[0]: (one[1], one[2]) for one in zip(*columns, strict=True)}


def matched_focal(result):
    arm = "comparison" if result.results["design"]["estimand"] == "atc" else "treated"
    return {key for key, (side, _) in weights_of(result).items() if side == arm}


def same_match(found, wanted):
    """Assert that two matches are the same, to the last bit."""
    assert found.results == wanted.results
    for name in ("pairs", "windows", "weights", "scores", "balance"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None)
        assert one is None or one.equals(other), name


@every_method
@examples(12, 3)
@given(table=tables(), width=st.sampled_from([0.0625, 0.25, 0.5]))
def test_invariant_08_every_pair_is_inside_the_caliper_and_exact_keys_agree(name, table, width):
    options = {**METHODS[name], "caliper": f"{width} logit"}
    result = matched(table, options, exact="g")
    row = people(table)
    assert result.results["certificate"]["violations"] == 0
    for pair in pairs_of(result):
        one, other = row[pair[0]], row[pair[1]]
        assert (one.treat, other.treat) == (True, False)
        assert abs(one.score - other.score) <= width
        assert one.g == other.g
        if "mahalanobis" not in options:
            assert pair[2] == abs(one.score - other.score)
        if "anti_exact" in options:
            assert one.h != other.h
        if "covariate_caliper" in options:
            assert abs(one.age - other.age) <= 2
        if "person" in options:
            assert one.who != other.who


@pytest.mark.parametrize("scale", ["sd-logit", "probability"])
@examples(20, 4)
@given(table=tables())
def test_invariant_08_on_every_scale_of_the_caliper(scale, table):
    result = matched(table, {"caliper": f"0.1 {scale}", "replace": True})
    row = people(table)
    width = 0.1 * np.std([one.score for one in row.values()], ddof=1)
    for treated, comparison, *_ in pairs_of(result):
        one, other = (row[key].score for key in (treated, comparison))
        if scale == "probability":
            one, other, width = 1 / (1 + np.exp(-one)), 1 / (1 + np.exp(-other)), 0.1
        assert abs(one - other) <= width * (1 + 1e-12)


@every_method
@examples(8, 2)
@given(table=tables(), data=st.data())
def test_invariant_09_the_order_of_rows_changes_nothing(name, table, data):
    outcome = "back:binary"
    wanted = matched(table, METHODS[name], exact="g", outcome=outcome, squares=True)
    order = data.draw(st.permutations(range(len(table))))
    found = matched(table.take(order), METHODS[name], exact="g", outcome=outcome, squares=True)
    same_match(found, wanted)


@pytest.mark.parametrize("fit", ["ml", "ridge", "firth"])
@examples(8, 2)
@given(table=tables(20), data=st.data())
def test_invariant_09_holds_for_a_fitted_score(fit, table, data):
    order = data.draw(st.permutations(range(len(table))))
    options = {"score": None, "covariates": ["age", "priors", "g"], "fit": fit}
    wanted = matched(table, options, categorical="g", **CALIPER)
    same_match(matched(table.take(order), options, categorical="g", **CALIPER), wanted)


@pytest.mark.parametrize("name", WITHOUT)
@examples(12, 3)
@given(table=tables())
def test_invariant_10_without_replacement_nobody_is_used_beyond_the_cap(name, table):
    options = WITHOUT[name]
    result = matched(table, options)
    pairs = pairs_of(result)
    uses = [partner_of(result, pair) for pair in pairs]
    cap = options.get("reuse_max", 1)
    assert max(map(uses.count, uses)) <= cap
    assert len({pair[:2] for pair in pairs}) == len(pairs)
    if options.get("one_per_person"):
        row = people(table)
        entered = [row[key].who for key in {*uses, *(focal_of(result, pair) for pair in pairs)}]
        assert len(set(entered)) == len(entered)


@pytest.mark.parametrize("name", {**REPLACING, **WINDOWS})
@examples(12, 3)
@given(table=tables())
def test_invariant_10_with_replacement_weights_count_the_uses(name, table):
    result = matched(table, METHODS[name])
    shares = {}
    for pair in pairs_of(result):
        key = partner_of(result, pair)
        shares[key] = shares.get(key, 0.0) + pair[3]
    weights = weights_of(result)
    focal = matched_focal(result)
    partners = {key: weight for key, (_, weight) in weights.items() if key not in focal}
    # A partner at the very edge of a kernel carries nothing.
    shares = {key: share for key, share in shares.items() if share > 1e-12 or key in partners}
    assert partners == pytest.approx(shares, rel=1e-9, abs=1e-12)
    if METHODS[name].get("replace") and METHODS[name].get("ratio", 1) == 1:
        counted = [partner_of(result, pair) for pair in pairs_of(result)]
        if "ties" not in METHODS[name]:
            assert partners == {key: counted.count(key) for key in set(counted)}


@every_method
@examples(12, 3)
@given(table=tables())
def test_invariant_11_weights_sum_to_the_matched_in_each_group(name, table):
    result = matched(table, METHODS[name], exact="g")
    weights = weights_of(result)
    focal = matched_focal(result)
    assert len(focal) == result.results["counts"]["treated_matched"]
    assert all(weights[key][1] == 1.0 for key in focal)
    others = [weight for key, (_, weight) in weights.items() if key not in focal]
    assert sum(others) == pytest.approx(len(focal), rel=1e-9)
    assert min(others) > 0
    # Also inside each exact cell: nobody's weight crosses.
    row = people(table)
    for cell in (0, 1):
        mine = sum(row[key].g == cell for key in focal)
        theirs = sum(
            w for key, (_, w) in weights.items() if key not in focal and row[key].g == cell
        )
        assert theirs == pytest.approx(mine, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", {**REPLACING, **WINDOWS})
@examples(12, 3)
@given(table=tables(), widths=st.lists(st.sampled_from([1, 2, 4, 9, 40]), min_size=2, max_size=2))
def test_invariant_12_a_wider_caliper_never_loses_anybody(name, table, widths):
    narrow, wide = sorted(widths)
    before = matched(table, {**METHODS[name], "caliper": f"{narrow / 16} logit"})
    after = matched(table, {**METHODS[name], "caliper": f"{wide / 16} logit"})
    assert matched_focal(before) <= matched_focal(after)
    one, other = before.results["counts"], after.results["counts"]
    assert one["maximum_matchable"] <= other["maximum_matchable"]


# The Mahalanobis metric is estimated from all rows, and a variable ratio gives most partners to
# the side of the scores where the whole pool is: there a distant row has a part by design.
LOCAL = [name for name in METHODS if "mahalanobis" not in name and name != "variable"]


@pytest.mark.parametrize("name", LOCAL)
@examples(8, 2)
@given(table=tables(), far=st.sampled_from([-9.0, 7.5, 1e6]))
def test_invariant_13_a_row_outside_all_calipers_changes_no_pair(name, table, far):
    options = {**METHODS[name], **CALIPER}
    wanted = matched(table, options)
    atc = options.get("estimand") == "atc"
    stranger = {"id": 5000, "treat": atc, "score": far, "who": 5000}
    extra = pa.table(
        {key: [stranger.get(key, table[key][0].as_py())] for key in table.column_names}
    )
    found = matched(pa.concat_tables([table, extra.cast(table.schema)]), options)
    assert found.pairs.equals(wanted.pairs)
    assert found.weights.equals(wanted.weights)
    for key in ("treated_matched", "maximum_matchable", "pairs"):
        assert found.results["counts"][key] == wanted.results["counts"][key]


@pytest.mark.parametrize("name", ["closest", "replace", "replace three", "ties", *WINDOWS])
@examples(12, 3)
@given(table=tables(), data=st.data())
def test_invariant_14_an_exact_copy_as_partner_is_at_distance_zero(name, table, data):
    options = METHODS[name]
    atc = options.get("estimand") == "atc"
    treated = table["treat"].to_numpy()
    chosen = int(data.draw(st.sampled_from(list(np.flatnonzero(treated != atc)))))
    copy = table.slice(chosen, 1)
    copy = copy.set_column(0, "id", pa.array([5000])).set_column(1, "treat", pa.array([atc]))
    if name == "closest":
        # Without replacement another person with the same score may take the copy first.
        score = table["score"].to_numpy()
        assume(np.count_nonzero(score[treated] == score[chosen]) == 1)
    result = matched(pa.concat_tables([table, copy]), options, exact=["g", "h"])
    key = table["id"][chosen].as_py()
    distances = [pair[2] for pair in pairs_of(result) if focal_of(result, pair) == key]
    assert min(distances) == 0.0


@pytest.mark.parametrize("name", ["replace", "radius", "replace mahalanobis"])
@examples(8, 2)
@given(table=tables(20), data=st.data())
def test_invariant_14_holds_for_a_fitted_score(name, table, data):
    chosen = int(data.draw(st.sampled_from(list(np.flatnonzero(table["treat"].to_numpy())))))
    copy = table.slice(chosen, 1)
    copy = copy.set_column(0, "id", pa.array([5000])).set_column(1, "treat", pa.array([False]))
    options = {**METHODS[name], "score": None, "covariates": ["age", "priors", "g"]}
    result = matched(pa.concat_tables([table, copy]), options)
    key = table["id"][chosen].as_py()
    assert min(pair[2] for pair in pairs_of(result) if pair[0] == key) == 0.0
    logit = dict(zip(*(result.scores[c].to_pylist() for c in ("id", "logit")), strict=True))
    assert logit[5000] == logit[key]


@every_method
@examples(8, 2)
@given(table=tables(), shift=st.sampled_from([-SHIFT, -3.0, 0.25, SHIFT]))
def test_invariant_15_shifting_every_logit_changes_nothing(name, table, shift):
    wanted = matched(table, METHODS[name], exact="g")
    place = table.column_names.index("score")
    moved = table.set_column(place, "score", pa.array(table["score"].to_numpy() + shift))
    found = matched(moved, METHODS[name], exact="g")
    if "kernel" in METHODS[name]:
        # Powers of the score are taken in bins that start at the lowest score: rounding only.
        assert found.pairs["treated_id"].equals(wanted.pairs["treated_id"])
        assert found.pairs["comparison_id"].equals(wanted.pairs["comparison_id"])
        one, other = (r.pairs["weight"].to_numpy() for r in (found, wanted))
        assert np.allclose(one, other, rtol=1e-10, atol=1e-12)
    else:
        assert found.pairs.equals(wanted.pairs)
        assert found.weights.equals(wanted.weights)
    assert found.results["counts"] == pytest.approx(wanted.results["counts"])
    for one, other in zip(found.results["balance"], wanted.results["balance"], strict=True):
        assert one["smd_after"] == pytest.approx(other["smd_after"], abs=1e-9, nan_ok=True)


TWINS = {
    **{name: WITHOUT[name] for name in ("largest", "smallest", "closest", "random")},
    **{name: METHODS[name] for name in ("replace", "comparison")},
    "ties": {"replace": True, "ties": "all"},
    "narrow radius": {"radius": True, "caliper": "0.01 logit"},
    "narrow kernel": {"kernel": "tricube", "caliper": "0.01 logit"},
}


@pytest.mark.parametrize("name", TWINS)
@examples(12, 3)
@given(seed=st.integers(0, 2**32 - 1), pairs=st.integers(2, 25))
def test_invariant_16_copies_of_the_treated_give_no_effect_and_no_imbalance(name, seed, pairs):
    rng = np.random.default_rng(seed)
    one = {
        "score": rng.permutation(100)[:pairs] / 16,
        "age": rng.normal(30, 5, pairs),
        "sex": rng.choice(["f", "m", "x"], pairs),
        "back": rng.random(pairs) < 0.4,
        "crimes": rng.integers(0, 6, pairs),
    }
    table = pa.table(
        {
            **{key: np.concatenate([values, values]) for key, values in one.items()},
            "id": rng.permutation(1000)[: 2 * pairs],
            "treat": np.repeat([True, False], pairs),
        }
    )
    result = match(
        table, treatment="treat", id="id", score="score", covariates=["age", "sex"],
        outcome=["back:binary", "crimes:count"], squares=True, interactions=True, **TWINS[name],
    )  # fmt: skip
    assert result.results["counts"]["treated_matched"] == pairs
    for estimate in result.results["estimates"]:
        assert estimate["difference"] == 0.0
    for term in result.results["balance"]:
        assert term["smd_after"] == pytest.approx(0.0, abs=1e-12)
        assert term["ks_after"] == pytest.approx(0.0, abs=1e-12)
    assert result.results["balance_summary"]["auc_after"] == 0.5
