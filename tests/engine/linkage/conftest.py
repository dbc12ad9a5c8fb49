"""One small synthetic nation with its store, submissions and truth for all tests of this room."""

import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.linkage.link import link_people
from engine.records.synthetic.nation import synthesise
from engine.store.folder import PARTS
from engine.store.prepare import prepare
from engine.store.reading import open_store
from engine.submission.check import check_submission

PEOPLE = 60_000
NUMBERS = ("pnc_id", "prison_number", "cro_number", "crn")


@pytest.fixture(scope="session")
def nation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linkage")
    synthesise(PEOPLE, folder, seed=5, threads=2)
    prepare(folder / "extract", folder / "store")
    store = open_store(folder / "store")
    truth = pq.read_table(folder / "truth" / "people.parquet")
    parts = {
        kind: folder / "store" / PARTS / one["name"]
        for kind, one in store.manifest["link"]["files"].items()
    }
    return SimpleNamespace(
        folder=folder,
        store=store,
        truth=truth,
        part=lambda kind: pq.read_table(parts[kind]).to_pylist(),
        model=json.loads(parts["model"].read_text()),
    )


@pytest.fixture(scope="session")
def submission(nation):
    """Return the usable people of a submission and, for each, who it really is."""
    made = {}

    def read(name):
        if name not in made:
            people = check_submission(nation.folder / "submissions" / f"{name}.csv").table
            own = nation.truth.filter(pc.equal(nation.truth["submission"], name))
            who = dict(zip(own["row_id"].to_pylist(), own["person_id"].to_pylist(), strict=True))
            made[name] = people, [who[row] for row in people["row_id"].to_pylist()]
        return made[name]

    return read


@pytest.fixture(scope="session")
def linked(nation, submission):
    """Return the linkage of a submission, each made once."""
    made = {}

    def link(name, numbers=True, **options):
        key = (name, numbers, *sorted(options.items()))
        if key not in made:
            people, who = submission(name)
            people = people if numbers else without_numbers(people)
            work = nation.folder / f"work-{len(made)}"
            made[key] = link_people(people, nation.store, work=work, **options), people, who
        return made[key]

    return link


def without_numbers(people):
    for name in NUMBERS:
        place = people.column_names.index(name)
        people = people.set_column(place, name, pa.nulls(people.num_rows, pa.string()))
    return people


def shares(links, who):
    """Return precision and recall."""
    found = links["person_id"].to_pylist()
    right = sum(a is not None and a == b for a, b in zip(found, who, strict=True))
    linked = sum(a is not None for a in found)
    return right / linked, right / sum(one is not None for one in who)
