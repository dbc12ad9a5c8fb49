"""The weight of a pair equals a slow reference in plain Python, from the files of the store."""

import math
from collections import Counter

import pytest

from engine.linkage.candidates import find_candidates
from engine.linkage.index import index_folder, open_index
from engine.linkage.rarity import CHANCE
from engine.linkage.scoring import score_pairs, settings_of
from engine.linkage.submitted import submitted_identities
from engine.records.database import private_database

ROWS = 60
KEYS = ("block_name", "block_sounds_year", "block_surname_year", "block_surname_day")


@pytest.fixture(scope="module")
def scored(nation, submission, tmp_path_factory):
    """Return scored pairs and the chances of each submitted identity."""
    people, _ = submission("medium-none-random")
    # one row whose identifier is another's, and one with an alias
    table = people.slice(0, ROWS)
    alias = table.column_names.index("alias")
    table = table.set_column(alias, "alias", [["Tony Walker"] + [None] * (ROWS - 1)])
    with private_database(
        tmp_path_factory.mktemp("work"), [index_folder(nation.store)], threads=2,
        memory_bytes=1 << 30,
    ) as database:  # fmt: skip
        open_index(database, nation.store)
        database.register("rows", submitted_identities(table))
        database.run("CREATE TEMP TABLE submitted AS SELECT * FROM rows")
        find_candidates(database)
        score_pairs(database, nation.model)
        pairs = database.table(
            "SELECT uid_l AS uid, person_id, identity_no, match_weight FROM scores "
            "JOIN known ON known.uid = uid_r ORDER BY uid_l, person_id, identity_no"
        ).to_pylist()
        rows = database.table("SELECT * FROM submitted ORDER BY uid").to_pylist()
        candidates = database.rows("SELECT uid, person_id, identity_no FROM pairs")
        chances = {row["uid"]: row for row in database.table("SELECT * FROM chances").to_pylist()}
    return {row["uid"]: row for row in rows}, pairs, set(candidates), chances


@pytest.fixture(scope="module")
def index(nation):
    """Return the identities with their names, and the numbers of each person."""
    names = {row["id"]: row for row in nation.part("names")}
    nobody = {"name": "", "full_names": [], "sound": ""}
    identities = {}
    for row in nation.part("identities"):
        forename, surname, middle = (
            names.get(row[f"{kind}_id"], nobody) for kind in ("forename", "surname", "middle")
        )
        identities[row["person_id"], row["identity_no"]] = {
            **row,
            "forename": forename["name"],
            "full_names": forename["full_names"],
            "surname": surname["name"],
            "middle": middle["name"],
            "sounds": (forename["sound"], surname["sound"]),
        }
    numbers = {}
    for row in nation.part("identifiers"):
        numbers.setdefault((row["person_id"], row["id_type"]), []).append(row["value"])
    return identities, numbers, [row["name"] for row in names.values()]


def jaro_winkler(a, b):
    if not a or not b:
        return 0.0
    if a == b:
        return 1.0
    window = max(len(a), len(b)) // 2 - 1
    used = [False] * len(b)
    common = []
    for i, letter in enumerate(a):
        for j in range(max(0, i - window), min(len(b), i + window + 1)):
            if not used[j] and b[j] == letter:
                used[j] = True
                common.append(letter)
                break
    if not common:
        return 0.0
    other = [b[j] for j in range(len(b)) if used[j]]
    swaps = sum(x != y for x, y in zip(common, other, strict=True)) // 2
    m = len(common)
    jaro = (m / len(a) + m / len(b) + (m - swaps) / m) / 3
    prefix = 0
    while prefix < min(4, len(a), len(b)) and a[prefix] == b[prefix]:
        prefix += 1
    return jaro + 0.1 * prefix * (1 - jaro) if jaro > 0.7 else jaro


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def one_slip(a, b):
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    x, y = a[start:], b[start:]
    while x and y and x[-1] == y[-1]:
        x, y = x[:-1], y[:-1]
    return len(x) <= 1 >= len(y) or (len(x) == 2 and x == y[::-1])


def name_level(left, right):
    f, s = left["forename"], left["surname"]
    g, t = right["forename"], right["surname"]
    if not (f and s and g and t):
        return None
    if (f, s) == (g, t):
        return "both exact"
    if (f, s) == (t, g):
        return "swapped"
    short = (
        set(left["full_names"]) & set(right["full_names"])
        or f == right["middle"]
        or left["middle"] == g
        or f.startswith(g)
        or g.startswith(f)
    )
    if s == t and short:
        return "surname exact with short form, middle name or initial"
    near = min(jaro_winkler(f, g), jaro_winkler(s, t))
    if near >= 0.92:
        return "both Jaro-Winkler at least 0.92"
    if f == g and (
        s.startswith(f"{t} ") or s.endswith(f" {t}") or t.startswith(f"{s} ") or t.endswith(f" {s}")
    ):
        return "part of a double surname"
    if near >= 0.88:
        return "both Jaro-Winkler at least 0.88"
    if s == t:
        return "surname only"
    if f == right["middle"] or left["middle"] == g:
        return "forename equals middle name"
    return "forename only" if f == g else "else"


def birth_level(a, b):
    if a is None or b is None:
        return None
    if a == b:
        return "exact"
    if (a.year, a.month, a.day) == (b.year, b.day, b.month):
        return "day and month swapped"
    parts = [(a.day, b.day), (a.month, b.month), (a.year, b.year)]
    differing = [abs(x - y) for x, y in parts if x != y]
    if len(differing) == 1 and differing[0] in {1, 10}:
        return "one part off by one or ten"
    if edits(f"{a:%Y%m%d}", f"{b:%Y%m%d}") == 1:
        return "one edit"
    return "two of three parts" if len(differing) == 1 else "else"


def number_level(given, known):
    if given is None:
        return None
    if not known:
        return "not on record"
    if given in known:
        return "exact"
    return "one edit" if any(edits(given, one) == 1 for one in known[:2]) else "else"


def test_weights_equal_the_reference(scored, index, nation):
    submitted, pairs, _, chances = scored
    identities, numbers, _ = index
    levels = {
        one["name"]: {level["label"]: level for level in one["levels"]}
        for one in nation.model["comparisons"]
    }
    ways = {
        "surname exact with short form, middle name or initial": 2,
        "both Jaro-Winkler at least 0.92": 25,
        "part of a double surname": 2,
        "both Jaro-Winkler at least 0.88": 200,
    }
    prior = nation.model["prior"]
    seen = Counter()
    for pair in pairs:
        left = submitted[pair["uid"]]
        right = identities[pair["person_id"], pair["identity_no"]]
        sex = None if left["sex"] is None or right["sex"] is None else left["sex"] == right["sex"]
        agreed = {
            "name": name_level(left, right),
            "date_of_birth": birth_level(left["birth"], right["birth"]),
            "sex": {None: None, True: "same", False: "else"}[sex],
            "pnc_id": number_level(left["pnc"], numbers.get((pair["person_id"], "PNC"))),
            "prison_number": number_level(left["noms"], numbers.get((pair["person_id"], "NOMS"))),
        }
        weight = math.log2(prior / (1 - prior))
        for comparison, label in agreed.items():
            seen[comparison, label] += 1
            if label is None:
                continue
            level = levels[comparison][label]
            column = CHANCE.get((comparison, label))
            u = chances[pair["uid"]][f"tf_{column}"] if column else level["u"]
            weight += math.log2(level["m"] / ways.get(label, 1) / u)
        assert pair["match_weight"] == pytest.approx(weight, abs=1e-9)
    assert {"both exact", "swapped", "surname only", "forename only"} <= {b for _, b in seen}
    assert {"one part off by one or ten", "one edit", "not on record"} <= {b for _, b in seen}


def test_chances_equal_the_reference(scored, index, nation):
    submitted, _, _, chances = scored
    identities, _, names = index
    rows = list(identities.values())
    n = len(rows)
    m = {level["label"]: level["m"] for level in nation.model["comparisons"][0]["levels"]}
    s, t, w = (
        m["surname exact with short form, middle name or initial"],
        m["both Jaro-Winkler at least 0.92"] / 2,
        m["swapped"],
    )
    forenames, surnames = (Counter(r[kind] for r in rows) for kind in ("forename", "surname"))
    ages = Counter((r["forename"], r["sex"], r["birth"] and r["birth"].year // 5) for r in rows)
    all_ages = Counter((r["sex"], r["birth"] and r["birth"].year // 5) for r in rows)
    whole = Counter((r["forename"], r["surname"]) for r in rows)
    births = Counter(r["birth"] for r in rows)

    def share(name, row, least):
        years = row["birth"].year // 5
        at_any = (forenames[name] or least) / n
        return (ages[name, row["sex"], years] + 20 * at_any) / (all_ages[row["sex"], years] + 20)

    def near(name, counts):
        return sum(counts[one] for one in names if len(name) > 2 and one_slip(name, one))

    def forename(name, row, full):
        others = sum(share(one, row, 0) for one in full if one != name)
        own = (1 - s - t) * share(name, row, 0.5) + s / 2 * others
        return own + t / 25 * near(name, forenames) / n

    def surname(name):
        return ((1 - t) * (surnames[name] or 0.5) + t / 25 * near(name, surnames)) / n

    for uid, row in list(submitted.items())[:12]:
        given = forename(row["forename"], row, row["full_names"])
        product = given * surname(row["surname"])
        product += w * forename(row["surname"], row, []) * surname(row["forename"])
        same = (whole[row["forename"], row["surname"]] - 1) / n
        swapped = w * (whole[row["surname"], row["forename"]] - 1) / n
        expected = {
            "tf_chance_name": max(product, same, swapped),
            "tf_chance_surname": surname(row["surname"]),
            "tf_chance_forename": max(given, 0.002),
            "tf_chance_birth": (births[row["birth"]] or 0.5) / n,
        }
        assert {k: chances[uid][k] for k in expected} == pytest.approx(expected, rel=1e-12)


def test_candidates_are_all_who_share_a_key(scored, index):
    submitted, _, candidates, _ = scored
    identities, numbers, _ = index
    checked = {uid: submitted[uid] for uid in list(submitted)[-6:]}
    expected = set()
    for uid, left in checked.items():
        born = left["birth"]
        swapped = (born.year, born.day, born.month)
        names, sounds = ((left["forename"], left["surname"]),
                         (left["forename_sound"], left["surname_sound"]))  # fmt: skip
        for (person, no), right in identities.items():
            day = right["birth"]
            own = right["forename"], right["surname"]
            same_year = day is not None and day.year == born.year
            same_day = day is not None and (day.month, day.day) == (born.month, born.day)
            if (
                (same_year and same_day)
                or (same_year and (day.year, day.month, day.day) == swapped)
                or own in {names, names[::-1]}
                or (same_year and right["sounds"] in {sounds, sounds[::-1]})
                or (own[1] == names[1] and (same_year or same_day))
                or left["pnc"] in numbers.get((person, "PNC"), ())
                or left["noms"] in numbers.get((person, "NOMS"), ())
            ):
                expected.add((uid, person, no))
    assert {one for one in candidates if one[0] in checked} == expected


def test_settings_are_pinned_and_learn_nothing(nation):
    settings = settings_of(nation.model)
    assert settings["probability_two_random_records_match"] == nation.model["prior"]
    for one in settings["comparisons"]:
        null, *levels = one["comparison_levels"]
        assert null["is_null_level"]
        assert all(level["fix_m_probability"] and level["fix_u_probability"] for level in levels)
        assert levels[-1]["sql_condition"] == "ELSE"
    labels = {(one["name"], level["label"]) for one in nation.model["comparisons"]
              for level in one["levels"]}  # fmt: skip
    assert set(CHANCE) <= labels
