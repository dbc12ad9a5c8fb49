"""The synthetic nation: same bytes, the schema's rules, published figures, a truth that is true."""

import csv
import datetime as dt
import hashlib
import json
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.errors import CannotCreateError, UsageError
from engine.records.schema import TABLES
from engine.records.synthetic import people as people_module
from engine.records.synthetic.careers import simulate_careers
from engine.records.synthetic.coefficients import SOLVED
from engine.records.synthetic.interventions import (
    INTERVENTIONS,
    Candidates,
    candidates,
    choose,
    earlier_custody,
    eligible_rows,
    in_records,
)
from engine.records.synthetic.nation import Plan, planned, synthesise
from engine.records.synthetic.world import build_world

PEOPLE = 60_000


def hashes(out):
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def plus_months(date, months):
    month = date.month - 1 + months
    year, month = date.year + month // 12, month % 12 + 1
    last = (dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month, min(date.day, last))


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(nation, tmp_path):
    synthesise(PEOPLE, tmp_path / "one", seed=11, threads=1)
    assert hashes(tmp_path / "one") == hashes(nation.out)


def test_another_seed_gives_other_people(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    synthesise(50, first, seed=1)
    synthesise(50, second, seed=2)
    name = "extract/identities/persons/part-0000.parquet"
    assert hashes(first)[name] != hashes(second)[name]


def test_people_do_not_depend_on_how_many_there_are():
    few = people_module.make_people(16_384, 100, 5, SOLVED, (2004, 2024))
    more = people_module.make_people(16_384, 900, 5, SOLVED, (2004, 2024))
    for one, other in zip(few, more, strict=True):
        np.testing.assert_array_equal(one, other[..., :100])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables_follow_the_schema(nation, table):
    if not nation.made.rows[table.name]:
        return
    found = nation.read(table.name)
    assert found.schema.equals(table.schema)
    assert found.num_rows == nation.made.rows[table.name]
    for column in table.columns:
        if column.required and not column.nullable:
            assert found[column.name].null_count == 0
        if column.known:
            assert set(found[column.name].unique().to_pylist()) <= {*column.known, None}
    for order in table.date_orders:
        later = pc.greater_equal(found[order.later], found[order.earlier])
        assert pc.all(later).as_py() is not False
    if table.key:
        keys = found.select(list(table.key)).group_by(list(table.key)).aggregate([])
        assert keys.num_rows == found.num_rows
    for key in table.foreign_keys:
        target = nation.read(key.table)[key.target]
        assert pc.all(pc.is_in(found[key.column].drop_null(), value_set=target)).as_py()
    order = pa.array(np.arange(found.num_rows))
    by = [(name, "ascending") for name in table.sorted_by]
    rank = pc.sort_indices(found.append_column("place", order), [*by, ("place", "ascending")])
    assert rank.equals(order.cast(pa.uint64()))


def test_every_disposal_has_offences_and_its_principal_one(nation):
    offences, disposals = nation.read("offences"), nation.read("disposals")
    joined = disposals.join(
        offences.select(["offence_id", "disposal_id"]),
        "principal_offence_id",
        right_keys="offence_id",
        right_suffix="_of_offence",
        join_type="inner",
    )
    assert joined.num_rows == disposals.num_rows
    assert joined["disposal_id"].equals(joined["disposal_id_of_offence"])


def test_breaches_and_penalty_notices_stand_in_the_records(nation):
    offences = nation.read("offences")
    assert pc.sum(offences["breach"]).as_py() > 1000
    assert pc.sum(pc.invert(offences["recordable"])).as_py() > 1000
    notices = pc.sum(pc.equal(offences["outcome"].cast(pa.utf8()), "penalty_notice")).as_py()
    assert notices > 500


def test_the_waiting_period_matters(nation):
    offences = nation.read("offences")
    days = pc.subtract(
        offences["conviction_date"].cast(pa.int32()), offences["offence_date"].cast(pa.int32())
    ).to_numpy()
    assert 0.02 < np.mean(days > 365) < 0.15
    assert 0.3 < np.mean(days > 90) < 0.6


def test_the_calibration_holds_for_a_small_nation(nation):
    # a kind of offence with thirty people in the cohort says little, so the noise is given room
    for line in nation.made.calibration:
        assert line.gap <= max(line.tolerance, 5.0 * line.noise)
    assert len(nation.made.calibration) == 12 * 3 + 13 * 2 + 9
    # figures of whole cohorts have little noise even here
    for line in nation.made.calibration[:36]:
        assert line.gap < (0.5 if line.unit == "per reoffender" else 3.0)


def days(column):
    return column.cast(pa.int32()).fill_null(1 << 19).to_numpy()


def test_nothing_is_proven_and_nobody_released_after_a_death_or_deportation(nation):
    profile, disposals = nation.read("person_profile"), nation.read("disposals")
    died, deported = profile["died_on"], profile["deported_on"]
    assert not pc.any(pc.and_(died.is_valid(), deported.is_valid())).as_py()
    sent = profile.filter(deported.is_valid())
    assert set(sent["nationality_group"].unique().to_pylist()) <= {"non-UK", None}
    assert 0.001 < sent.num_rows / profile.num_rows < 0.01
    assert 0.05 < pc.mean(died.is_valid().cast(pa.int8())).as_py() < 0.2
    left = np.minimum(days(died), days(deported))
    of_row = left[disposals["person_id"].to_numpy() - 1]
    assert (days(disposals["disposal_date"]) <= of_row).all()
    release = days(disposals["release_date"])
    assert (release[release < 1 << 19] <= of_row[release < 1 << 19]).all()
    spells = nation.read("custody_spells")
    back = days(spells["released_on"])
    gone = back < 1 << 19
    assert (back[gone] <= left[spells["person_id"].to_numpy() - 1][gone]).all()
    # some follow-ups are cut short
    index = days(disposals["index_date"])
    assert ((index < of_row) & (of_row < index + 365) & (index < 1 << 19)).sum() > 100


def test_spells_of_work_do_not_overlap_nor_lie_in_custody(nation):
    table = nation.read("supervision_and_benefits")
    person = table["person_id"].to_numpy()
    start, end = days(table["period_start"]), days(table["period_end"])
    same = person[1:] == person[:-1]
    assert (start[1:][same] > end[:-1][same]).all()
    assert (start <= end).all()
    assert table["period_end"].null_count > 1000
    share = len(np.unique(person)) / PEOPLE
    assert 0.8 < share < 0.95
    disposals = nation.read("disposals")
    inside = disposals.filter(
        pc.and_(disposals["custody_start"].is_valid(), disposals["release_date"].is_valid())
    )
    first = days(inside["custody_start"])
    last = days(inside["release_date"])
    place = np.searchsorted(person, inside["person_id"].to_numpy())
    for step in range(14):
        here = np.minimum(place + step, len(person) - 1)
        own = person[here] == inside["person_id"].to_numpy()
        # who comes out may begin work on that day
        assert not (own & (start[here] < last) & (end[here] >= first) & (last > first)).any()


def test_work_and_scores_tell_who_reoffends(nation):
    table = nation.read("supervision_and_benefits")
    work = pc.equal(table["kind"].cast(pa.utf8()), "employment").to_numpy(zero_copy_only=False)
    known = np.zeros(PEOPLE + 1, dtype=bool)
    known[table["person_id"].to_numpy()] = True
    worked = np.zeros(PEOPLE + 1)
    length = np.minimum(days(table["period_end"]), 21_000) - days(table["period_start"])
    np.add.at(worked, table["person_id"].to_numpy()[work], length[work])
    events = np.bincount(nation.read("disposals")["person_id"].to_numpy(), minlength=PEOPLE + 1)
    correlation = np.corrcoef(worked[known], np.log1p(events[known]))[0, 1]
    assert -0.4 < correlation < -0.03
    assessed = nation.read("oasys_assessments")
    complete = assessed.filter(assessed["score_ogp"].is_valid())
    assert complete.num_rows > 0.9 * assessed.num_rows
    assert set(assessed["score_version"].unique().to_pylist()) == {"synthetic", None}
    later = np.log1p(events[complete["person_id"].to_numpy()])
    for name in ("score_ogrs", "score_ogp", "score_ovp", "score_rsr"):
        score = complete[name].to_numpy()
        assert score.min() >= 0
        assert score.max() <= 100
        assert np.corrcoef(score, later)[0, 1] > 0.2


def counted_reoffences(offences, index):
    """The rule in plain Python, from the rows of one person."""
    end, proof = plus_months(index, 12), plus_months(index, 18)
    days = [
        (row["offence_date"] - index).days
        for row in offences
        if index < row["offence_date"] <= end
        and row["conviction_date"] <= proof
        and row["recordable"]
        and not row["breach"]
        and row["outcome"] != "penalty_notice"
    ]
    return len(days), min(days, default=None)


def test_the_truth_is_what_the_records_say(nation):
    truth = pq.read_table(nation.out / "truth" / "people.parquet").to_pylist()
    present = [row for row in truth if row["person_id"] is not None]
    wanted = pa.array([row["person_id"] for row in present])
    by_person = defaultdict(list)
    offences = nation.read("offences")
    for row in offences.filter(pc.is_in(offences["person_id"], value_set=wanted)).to_pylist():
        by_person[row["person_id"]].append(row)
    disposals = nation.read("disposals")
    chosen = disposals.filter(pc.is_in(disposals["person_id"], value_set=wanted)).to_pylist()
    index = {row["disposal_id"]: (row["person_id"], row["index_date"]) for row in chosen}
    for row in present:
        person, date = index[row["disposal_id"]]
        assert person == row["person_id"]
        count, first = counted_reoffences(by_person[person], date)
        assert (count, first) == (row["reoffences_with"], row["days_with"])
    assert len({row["person_id"] for row in present}) == len(present)


def test_effects_have_the_chosen_direction(nation):
    truth = pq.read_table(nation.out / "truth" / "people.parquet").to_pylist()
    effects = {one.name: one for one in INTERVENTIONS}
    for row in truth:
        if row["person_id"] is None:
            continue
        change = row["reoffences_with"] - row["reoffences_without"]
        effect = effects[row["submission"]].effect
        assert {"none": change == 0, "beneficial": change <= 0, "adverse": change >= 0}[effect]


def test_submissions_are_written_as_organisations_write_them(nation):
    effects = json.loads((nation.out / "truth" / "effects.json").read_text())
    rows = problems = pnc = 0
    for one in effects["submissions"]:
        with (nation.out / "submissions" / f"{one['name']}.csv").open(newline="") as file:
            listed = list(csv.DictReader(file))
        assert len(listed) == one["size"] == one["submitted"]
        size = next(i for i in INTERVENTIONS if i.name == one["name"])
        assert one["in_records"] == in_records(size)
        rows += len(listed)
        problems += one["with_a_problem"]
        pnc += sum(bool(row["pnc_id"]) for row in listed)
        for row in listed:
            begin, end = (
                dt.datetime.strptime(row[name], "%d/%m/%Y").replace(tzinfo=dt.UTC)
                for name in ("intervention_start", "intervention_end")
            )
            assert begin <= end
    assert abs(problems / rows - 0.29) < 0.03
    assert abs(pnc / rows - 0.45 * 0.92) < 0.03
    skipped = {one["name"]: one["reason"] for one in effects["skipped"]}
    assert {name for name, why in skipped.items() if "5 %" in why} == {
        i.name for i in INTERVENTIONS if i.size > 0.05 * PEOPLE
    }
    assert len(skipped) + len(effects["submissions"]) == len(INTERVENTIONS)


def test_each_selection_takes_whom_it_says():
    plan = Plan(people_module.BLOCK, 4, (2004, 2024))
    people = people_module.make_people(0, plan.people, plan.seed, SOLVED, plan.years)
    careers = simulate_careers(people, build_world(SOLVED), plan.seed, plan.last_day)
    positions = list(range(len(INTERVENTIONS)))
    found = candidates(people, careers, plan.seed, plan.years, plan.last_day, positions)
    facts = {
        "by need": people.needs.sum(axis=0)[careers.person],
        "unobserved": people.motivation[careers.person],
        "cherry-picked": -earlier_custody(careers),
    }
    for position, one in enumerate(INTERVENTIONS):
        mine = found.intervention == position
        rows = found.row[mine][np.argsort(found.key[mine])][:250]
        pool = eligible_rows(people, careers, plan.years, plan.last_day, plan.seed)
        everybody = pool[0 if one.setting == "prison" else 1]
        assert set(rows.tolist()) <= set(everybody.tolist())
        for selection, values in facts.items():
            gap = (values[rows].mean() - values[everybody].mean()) / values[everybody].std()
            if selection == one.selection:
                assert gap > 0.25
            elif one.selection == "random":
                # every disposal is as likely to be met, so the prolific weigh as in the pool
                assert abs(gap) < 0.25


def test_earlier_custody_is_counted_by_the_day_of_the_sentence():
    plan = Plan(1500, 8, (2004, 2024))
    people = people_module.make_people(0, plan.people, plan.seed, SOLVED, plan.years)
    careers = simulate_careers(people, build_world(SOLVED), plan.seed, plan.last_day)
    found = earlier_custody(careers)
    custody = [[] for _ in range(plan.people)]
    for person, proven, leave in zip(careers.person, careers.proven, careers.leave, strict=True):
        if leave >= 0:
            custody[person].append(proven)
    expected = [
        sum(other < proven for other in custody[person])
        for person, proven in zip(careers.person, careers.proven, strict=True)
    ]
    assert found.tolist() == expected
    assert max(expected) > 3


def test_nobody_is_treated_twice_and_scarce_cohorts_are_left_out():
    unit = np.array([1, 2, 3, 4, 5, 1, 2], dtype=np.uint64)
    position = np.array([0, 0, 0, 0, 0, 1, 1])
    rng = np.random.default_rng(0)
    many = np.arange(200, dtype=np.uint64)
    found = Candidates(
        np.concatenate([np.zeros(200, dtype=np.int64), np.ones(200, dtype=np.int64), position + 2]),
        rng.uniform(size=407),
        np.concatenate([many, many, unit]),
        np.arange(407),
        np.arange(407),
    )
    chosen, scarce = choose(found, [0, 1, 2, 3])
    assert scarce == [2, 3]
    assert np.bincount(chosen.intervention).tolist() == [55, 55]
    assert len(np.unique(chosen.unit)) == 110
    first = found.key[:200][np.argsort(found.key[:200])][:55]
    np.testing.assert_array_equal(np.sort(chosen.key[:55]), first)


def test_a_service_takes_people_at_the_first_disposal_at_which_it_meets_them():
    rng = np.random.default_rng(3)
    unit = rng.permutation(np.repeat(np.arange(150, dtype=np.uint64), 4))
    rows = np.arange(600)
    found = Candidates(rows * 0, rng.uniform(size=600), unit, rows, rng.permutation(600))
    chosen, scarce = choose(found, [0])

    assert scarce == []
    assert sorted(chosen.unit) == sorted(set(chosen.unit.tolist()))
    assert len(chosen.unit) == in_records(INTERVENTIONS[0])
    bound = max(found.key[unit == one].min() for one in chosen.unit)
    for one, day in zip(chosen.unit, chosen.day, strict=True):
        met = (unit == one) & (found.key <= bound)
        assert day == found.day[met].min()
    # whoever is not taken is not met at any disposal
    left = ~np.isin(unit, chosen.unit)
    assert found.key[left].min() > bound


@pytest.mark.parametrize(
    ("people", "options"),
    [(0, {}), (10_000_000, {}), (5, {"seed": -1}), (5, {"years": (2010, 2009)})],
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(tmp_path, people, options):
    with pytest.raises(UsageError):
        synthesise(people, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("x")
    with pytest.raises(CannotCreateError):
        synthesise(5, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_plan_names_what_a_small_nation_skips():
    made = {name for name, _, possible in planned(5_000) if possible}
    assert made == {"small-beneficial-random", "small-none-need"}


def test_one_person_makes_a_nation(tmp_path):
    nation = synthesise(1, tmp_path, seed=3, years=(2012, 2013))
    assert nation.rows["persons"] == 1
    assert nation.effects["submissions"] == []
