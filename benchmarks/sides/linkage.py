"""Linking a submission of the synthetic nation: who was found, by us and by two plain set-ups.

All sides get the usable rows of the same checked file and the same link index. They answer with the
person of each row, 0 for none, and the truth beside it.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.stopwatch import Stopwatch

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]
NUMBERS = ("pnc_id", "prison_number", "cro_number", "crn")
SEED = 7


def nation(people: int, folder: Path) -> None:
    """Make a synthetic nation and its store once."""
    from engine.records.synthetic.nation import synthesise
    from engine.store.prepare import prepare

    synthesise(people, folder, seed=SEED, threads=2)
    prepare(folder / "extract", folder / "store", memory_bytes=4 << 30)


def usable(
    folder: str, submission: str, numbers: str, rows: slice | None = None
) -> tuple[pa.Table, list]:
    """Return the usable rows and who they are; ``numbers``: 'all', 'half' of the rows or 'none'."""
    from engine.submission.check import check_submission

    people = check_submission(Path(folder) / "submissions" / f"{submission}.csv").table
    if rows is not None:
        people = people.slice(rows.start, rows.stop - rows.start)
    truth = pq.read_table(Path(folder) / "truth" / "people.parquet")
    truth = truth.filter(pc.equal(truth["submission"], submission))
    who = dict(zip(truth["row_id"].to_pylist(), truth["person_id"].to_pylist(), strict=True))
    dropped = np.ones(people.num_rows, dtype=bool)
    if numbers == "all":
        return people, [who[row] for row in people["row_id"].to_pylist()]
    if numbers == "half":
        given = [people[name].is_valid().to_numpy() for name in NUMBERS]
        having = np.flatnonzero(np.any(given, axis=0))
        dropped = np.zeros(people.num_rows, dtype=bool)
        dropped[having[people.num_rows // 2 :]] = True
    for name in NUMBERS:
        kept = pc.if_else(pa.array(dropped), pa.scalar(None, pa.string()), people[name])
        people = people.set_column(people.column_names.index(name), name, kept)
    return people, [who[row] for row in people["row_id"].to_pylist()]


def _answer(found: list, who: list, **more) -> Answer:
    plain = [np.array([one or 0 for one in column], dtype=np.int64) for column in (found, who)]
    return {"found": plain[0], "truth": plain[1], **more}


def ours(
    folder: str, submission: str, numbers: str, preset: str = "standard", rows: slice | None = None
) -> Run:
    """Link as the product does."""
    from engine.cohort.choose import index_evidence
    from engine.linkage import link as link_module
    from engine.linkage.decisions import guarded
    from engine.store.reading import open_store

    people, who = usable(folder, submission, numbers, rows)
    store = open_store(Path(folder) / "store")
    decide, seen = link_module.decide, {}

    def watched(candidates: Any, *others: Any) -> Any:
        seen.update(candidates)
        return decide(candidates, *others)

    def run(watch: Stopwatch) -> Answer:
        # best candidates of rows that are not linked stand in no result
        seen.clear()
        link_module.decide = watched
        with tempfile.TemporaryDirectory(prefix="justicelab-benchmark-") as work, watch("link"):
            linkage = link_module.link_people(
                people,
                store,
                preset=preset,
                evidence=partial(index_evidence, store=store),
                work=Path(work),
            )
        found = linkage.links["person_id"].to_pylist()
        best = [
            one or (guarded(seen[n])[0].person_id if seen.get(n) else 0)
            for n, one in enumerate(found)
        ]
        chance = np.array(linkage.links["probability"])
        return _answer(found, who, chance=chance, best=np.array(best, dtype=np.int64))

    return run


def several(folder: str, submissions: list[str], numbers: str) -> Run:
    """Link one submission after the other; answers with the chance of each best candidate."""
    runs = [ours(folder, submission, numbers) for submission in submissions]

    def run(watch: Stopwatch) -> Answer:
        answers = [one(watch) for one in runs]
        return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}

    return run


def cohorts(folder: str, submission: str, numbers: str, cohorts: int, people: int) -> Run:
    """Link so many cohorts of so many usable rows of one submission, each by itself."""
    runs = [
        ours(folder, submission, numbers, rows=slice(i * people, (i + 1) * people))
        for i in range(cohorts)
    ]

    def run(watch: Stopwatch) -> Answer:
        answers = [one(watch) for one in runs]
        sizes = [len(one["found"]) for one in answers]
        return {
            **{name: np.concatenate([one[name] for one in answers]) for name in ("found", "truth")},
            "cohort": np.repeat(np.arange(cohorts), sizes),
        }

    return run


def _index(folder: str) -> tuple[dict[str, list], dict[tuple, set]]:
    """Return the identities in clear and the people of each identifier."""
    from engine.store.folder import PARTS

    manifest = json.loads((Path(folder) / "store" / "manifest.json").read_text(encoding="utf-8"))
    place = {
        kind: Path(folder) / "store" / PARTS / one["name"]
        for kind, one in manifest["link"]["files"].items()
    }
    names = ["", *pq.read_table(place["names"], columns=["name"])["name"].to_pylist()]
    table = pq.read_table(place["identities"])
    text = {
        kind: [names[i + 1] for i in table[f"{kind}_id"].to_pylist()]
        for kind in ("forename", "surname")
    }
    identities = {
        **text,
        **{name: table[name].to_pylist() for name in ("person_id", "birth", "sex")},
    }
    holders: dict[tuple, set] = {}
    numbers = pq.read_table(place["identifiers"])
    for person, kind, value in zip(*(c.to_pylist() for c in numbers.columns), strict=True):
        holders.setdefault((kind, value), set()).add(person)
    return identities, holders


def waterfall(folder: str, submission: str, numbers: str) -> Run:
    """Link by identifier alone, then by exact name and birth date; only where one person fits."""
    from engine.linkage.submitted import submitted_identities

    people, who = usable(folder, submission, numbers)
    identities, holders = _index(folder)

    def run(watch: Stopwatch) -> Answer:
        with watch("link"):
            fitting: dict[tuple, set] = {}
            columns = (identities[name] for name in ("forename", "surname", "birth", "person_id"))
            for forename, surname, birth, person in zip(*columns, strict=True):
                fitting.setdefault((forename, surname, birth), set()).add(person)
            found, taken = [], set()
            for row in submitted_identities(people).to_pylist():
                if row["alias_no"]:
                    continue
                keys = (row["forename"], row["surname"], row["birth"])
                steps = (
                    holders.get(("PNC", row["pnc"]), set()),
                    holders.get(("NOMS", row["noms"]), set()),
                    fitting.get(keys, set()) if None not in keys else set(),
                )
                one = next((min(step) for step in steps if len(step) == 1), None)
                found.append(None if one in taken else one)
                taken.add(one)
        return _answer(found, who)

    return run


def splink_trained(folder: str, submission: str, numbers: str) -> Run:
    """Link with Splink's own comparisons, trained by EM on the submission against the index."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    from engine.linkage.submitted import submitted_identities

    people, who = usable(folder, submission, numbers)
    identities, holders = _index(folder)
    numbers_of: dict[tuple, str] = {}
    for (kind, value), persons in holders.items():
        for person in persons:
            numbers_of.setdefault((kind, person), value)
    index = pa.table(
        {
            "unique_id": list(range(len(identities["person_id"]))),
            **{name: identities[name] for name in ("forename", "surname", "birth", "sex")},
            **{
                name: [numbers_of.get((kind, one)) for one in identities["person_id"]]
                for kind, name in (("PNC", "pnc"), ("NOMS", "noms"))
            },
        }
    )
    typed = submitted_identities(people)
    typed = typed.filter(pc.equal(typed["alias_no"], 0))
    cohort = pa.table(
        {"unique_id": typed["n"].cast(pa.int64()), **{n: typed[n] for n in index.column_names[1:]}}
    ).cast(index.schema)
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.NameComparison("forename").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth", input_is_string=False),
            cl.ExactMatch("sex"),
            *(cl.ExactMatch(name) for name in ("pnc", "noms") if numbers != "none"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("birth"),
            block_on("forename", "surname"),
            block_on("surname", "year(birth)"),
            *(block_on(name) for name in ("pnc", "noms") if numbers != "none"),
        ],
    )

    def run(watch: Stopwatch) -> Answer:
        with watch("link"):
            api = DuckDBAPI()
            linker = Linker(
                [api.register(cohort, dataset_display_name="a_cohort"),
                 api.register(index, dataset_display_name="b_index")],
                settings, log_level=None,
            )  # fmt: skip
            training = linker.training
            training.estimate_probability_two_random_records_match(
                [block_on("forename", "surname", "birth")], recall=0.7
            )
            training.estimate_u_using_random_sampling(max_pairs=5_000_000, seed=SEED)
            for rule in (block_on("birth"), block_on("forename", "surname")):
                training.estimate_parameters_using_expectation_maximisation(rule)
            scored = linker.inference.predict(threshold_match_weight=0.0, warning_mode="never")
            pairs = scored.as_pyarrow_table().select(["unique_id_l", "unique_id_r", "match_weight"])
        best: dict[int, Counter] = {}
        for n, place, weight in zip(*(c.to_pylist() for c in pairs.columns), strict=True):
            of = best.setdefault(n, Counter())
            person = identities["person_id"][place]
            of[person] = max(of.get(person, weight), weight)
        found = []
        for n in range(people.num_rows):
            top = [*best.get(n, Counter()).most_common(2), (None, -99.0), (None, -99.0)][:2]
            linked = top[0][1] >= 3 and top[0][1] - top[1][1] >= 3
            found.append(top[0][0] if linked else None)
        return _answer(found, who)

    return run
