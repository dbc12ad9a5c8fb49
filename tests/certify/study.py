"""Studies from end to end: services of known effect on synthetic nations, each of them a whole run.

Every service of a nation hands in its file; :func:`engine.study.run` makes a study of it, mostly
with the links of the truth file, which is quick, and for a few with the linkage itself. What the
study says is held against what would have happened to the very people analysed.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.link import Linker
from engine.linkage.band import BAND_SCHEMA
from engine.linkage.link import link_people
from engine.plan.model import Plan
from engine.plan.reading import check_plan
from engine.records.synthetic.interventions import (
    ADVERSE,
    BENEFICIAL,
    BY_NEED,
    CHERRY_PICKED,
    COMMUNITY_SETTING,
    NONE,
    PRISON,
    RANDOM,
    UNOBSERVED,
    Intervention,
)
from engine.records.synthetic.nation import synthesise
from engine.store.prepare import prepare
from engine.store.reading import Store, open_store, read_years
from engine.study import Linking, Study, run
from tests.certify.truth import Recovered, broken
from tests.engine.cohort.support import truth_linker

PEOPLE = 300_000
SIZE = 500
NATIONS = {"ci": 1, "release": 6}
"""Nations by size of the check; 40 services each."""
STRENGTH = {NONE: 0.0, BENEFICIAL: 0.35, ADVERSE: 0.18}
WITH_NEEDS = "oasys_linked_with"
_BY_LINKAGE = 12
"""Each study of so many is linked by the linkage itself."""
_FRAGILE = 0.8
"""Share of the clear results of a hidden selection that have to be called fragile."""
_LEVEL = 0.95
_MISSES = 1e-3


class Line(NamedTuple):
    """All studies of one kind, as a line of the table.

    Parameters
    ----------
    effect, selection : str
    studies, opened : int
        Made, and with outcomes opened.
    covered : int
        Intervals that hold the truth.
    error : float
        Mean of the errors, in points of percent.
    error_in_se : float
        Mean of the errors in standard errors.
    fewer, more, inconclusive : int
        Verdicts.
    fragile : int
        Clear results of which the report says that a hidden factor could overturn them.
    truth : float
        Mean true effect in points of percent.
    """

    effect: str
    selection: str
    setting: str
    studies: int
    opened: int
    covered: int
    truth: float
    error: float
    error_in_se: float
    fewer: int
    more: int
    inconclusive: int
    fragile: int


class Studied(NamedTuple):
    """What one study said, beside the truth.

    Parameters
    ----------
    name : str
        Of the service.
    recovered : Recovered or None
        None where the gate stayed closed.
    effect, selection, setting : str
    linked : bool
        By the linkage itself.
    strangers : int
        Treated rows of the study that the truth file does not have: another person, or another of
        the person's disposals.
    verdict : str
    fragile : bool
        The report says that a hidden factor could overturn it.
    contradictions : tuple of str
        Verdicts that their own intervals do not bear out.
    """

    name: str
    recovered: Recovered | None
    effect: str
    selection: str
    setting: str
    linked: bool
    strangers: int
    verdict: str
    fragile: bool
    contradictions: tuple[str, ...]


def services(size: int = SIZE, each: int = 2) -> tuple[Intervention, ...]:
    """Return the services of one nation: effects, selections and settings in all combinations.

    Selection by what no record shows comes without effect, so that what seems a benefit is none.
    """
    kinds = [(effect, how) for effect in STRENGTH for how in (RANDOM, CHERRY_PICKED, BY_NEED)]
    kinds += [(NONE, UNOBSERVED)]
    return tuple(
        Intervention(
            f"{effect}-{how.replace(' ', '-')}-{where}-{number}",
            *(size, effect, STRENGTH[effect], how, where, 2.0 if how == UNOBSERVED else 1.0),
        )
        for number in range(each)
        for effect, how in kinds
        for where in (PRISON, COMMUNITY_SETTING)
    )


def plan_for(service: Intervention, largest_smd: float = 0.25) -> Plan:
    """Return the plan of a study: the main analysis, and the needs where they select.

    With few hundred people chance alone puts some covariate above 0.10, so the gate is wide.
    """
    return check_plan(
        {
            "gate": {"largest_smd": largest_smd},
            "region": {"control": False},
            "oasys": {"trio": service.selection == BY_NEED},
            "sub_analyses": {"by": []},
            "sensitivity": {"calipers": [], "orders": 0, "placebo": False},
        },
        "plan.toml",
    )


def studies(
    people: int,
    seed: int,
    asked: tuple[Intervention, ...],
    *,
    threads: int = 2,
    known: AbstractSet[str] = frozenset(),
) -> Iterator[Studied]:
    """Make a nation and yield a study of each of its services but those that are known."""
    with tempfile.TemporaryDirectory(prefix="justicelab-study-") as place:
        folder = Path(place)
        synthesise(people, folder / "nation", seed=seed, threads=threads, interventions=asked)
        prepare(folder / "nation" / "extract", folder / "store", threads=threads)
        store = open_store(folder / "store")
        yield from studied(folder / "nation", store, asked, folder / "study", known=known)


def studied(
    nation: Path,
    store: Store,
    asked: tuple[Intervention, ...],
    out: Path,
    *,
    by_linkage: int = _BY_LINKAGE,
    largest_smd: float = 0.25,
    known: AbstractSet[str] = frozenset(),
) -> Iterator[Studied]:
    """Yield a study of each service of a nation that has a submission.

    Parameters
    ----------
    nation : path
        Folder of the nation.
    store : Store
        Prepared from its extract.
    asked : tuple of Intervention
    out : path
        Of the studies, each of which replaces the one before.
    by_linkage : int
        Each study of so many is linked by the linkage itself, none for 0.
    largest_smd : float
        Of the gate.
    known : set of str
        Names of services that need no study.

    Notes
    -----
    The services of a nation chose in turn, nobody twice, so those who had been taken could not be
    chosen. They stay out of the comparison too, as candidates in doubt do: the prolific are taken
    first, and a comparison with them would make the later services seem to work.
    """
    truth = pq.read_table(nation / "truth" / "people.parquet")
    assessed = _assessed(store)
    for number, service in enumerate(asked):
        file = nation / "submissions" / f"{service.name}.csv"
        if not file.exists() or service.name in known:
            continue
        own = truth.filter(pc.equal(truth["submission"], service.name))
        linked = by_linkage > 0 and number % by_linkage == 0
        rows = {line["row_id"]: line for line in own.to_pylist()}
        earlier = pa.array([one.name for one in asked[:number]], pa.utf8())
        taken = truth.filter(pc.is_in(truth["submission"], value_set=earlier))["person_id"]
        linker = apart(link_people if linked else truth_linker(rows), taken.drop_null())
        linking = Linking(linker=linker)
        study = run(file, store.folder, out, plan=plan_for(service, largest_smd), linking=linking)
        yield _beside_truth(study, service, truth, own, assessed, linked)


def apart(linker: Linker, people: pa.ChunkedArray) -> Linker:
    """Return a linker that has some people of the records in doubt, besides."""

    def wrapped(*args: Any, **options: Any) -> Any:
        found = linker(*args, **options)
        columns = {
            field.name: people if field.name == "person_id" else pa.nulls(len(people), field.type)
            for field in BAND_SCHEMA
        }
        more = pa.table(columns, schema=BAND_SCHEMA)
        return replace(found, band=pa.concat_tables([found.band, more]))

    return wrapped


def _assessed(store: Store) -> pa.Array:
    """Return the disposals before which the person was assessed."""
    index = read_years(store, "index", ["disposal_id", "oasys_days_before"])
    return index.filter(index["oasys_days_before"].is_valid())["disposal_id"].combine_chunks()


def _beside_truth(
    study: Study,
    service: Intervention,
    truth: pa.Table,
    own: pa.Table,
    assessed: pa.Array,
    linked: bool,
) -> Studied:
    """Hold a study against the truth about the people whom it analysed.

    Notes
    -----
    Some of the comparison people were in other services of the nation, as in life, and what those
    did to them is known: the truth is the effect on the treated minus that on their comparison.
    """
    analyses = {one["id"]: one for one in study.exact["analyses"]}
    analysis = analyses[WITH_NEEDS if service.selection == BY_NEED else "main"]
    weights = pq.read_table(study.folder / "private" / "weights.parquet")
    weights = weights.set_column(0, "id", weights["id"].cast(pa.int64()))
    mine = weights.filter(pc.equal(weights["arm"], "treated"))
    strangers = int(pc.sum(pc.invert(pc.is_in(mine["id"], _ids(own)))).as_py())
    index = pq.read_table(study.folder / "private" / "treated.parquet")
    own = _by_analysed_disposal(own, index)
    if service.selection == BY_NEED:
        weights = weights.filter(pc.is_in(weights["id"], assessed))
    recovered = None
    if analysis["measures"]:
        rate = analysis["measures"][0]
        figures = (rate[name] for name in ("difference", "ci_low", "ci_high", "standard_error"))
        change = {
            arm: _mean_change(weights.filter(pc.equal(weights["arm"], arm)), lines)
            for arm, lines in (("treated", own), ("comparison", truth))
        }
        recovered = Recovered(
            service.name,
            service.selection,
            analysis["counts"]["treated_matched"],
            *figures,
            change["treated"] - change["comparison"],
        )
    return Studied(
        service.name,
        recovered,
        service.effect,
        service.selection,
        service.setting,
        linked,
        strangers,
        analysis["verdict"],
        analysis["id"] == "main" and "fragile_to_unobserved" in study.released.results["caveats"],
        tuple(contradictions(study)),
    )


def _by_analysed_disposal(own: pa.Table, index: pa.Table) -> pa.Table:
    """Return the lines of a service by the disposals that the study took, not those of the truth.

    A study may take another disposal of the person, of nearly the same time; what the service
    changed for the person is then the best that can be said.
    """
    own = own.filter(own["person_id"].is_valid())
    persons = index["person_id"].combine_chunks()
    place = pc.index_in(own["person_id"], value_set=persons)
    column = own.column_names.index("disposal_id")
    return own.set_column(column, "disposal_id", index["disposal_id"].take(place))


def _ids(lines: pa.Table) -> pa.Array:
    return lines["disposal_id"].drop_null().combine_chunks()


def _mean_change(rows: pa.Table, lines: pa.Table) -> float:
    """Return the weighted mean of what services changed; nothing for people of none."""
    lines = lines.filter(lines["disposal_id"].is_valid())
    change = pc.subtract(
        pc.cast(pc.greater(lines["reoffences_with"], 0), pa.int8()),
        pc.cast(pc.greater(lines["reoffences_without"], 0), pa.int8()),
    )
    place = pc.index_in(rows["id"], value_set=_ids(lines))
    value = pc.fill_null(change.take(place), 0).to_numpy()
    return float(np.average(value, weights=rows["weight"].to_numpy()))


def contradictions(study: Study) -> Iterator[str]:
    """Yield every verdict, exact or released, that its own interval does not bear out."""
    for kind, analyses in (
        ("exact", study.exact["analyses"]),
        ("released", study.released.results["analyses"]),
    ):
        for analysis in analyses:
            for one in analysis["measures"]:
                if one["ci_low"] is not None and _contradicted(one, exact=kind == "exact"):
                    yield f"{kind} {analysis['id']} {one['measure']}: {one['verdict']}"


def _contradicted(one: dict[str, Any], *, exact: bool) -> bool:
    """Whether an interval is not what a verdict says; a rounded end may be 0 where it was not."""
    low, high = one["ci_low"], one["ci_high"]
    below, above = (high < 0.0, low > 0.0) if exact else (high <= 0.0, low >= 0.0)
    if not low <= one["difference"] <= high:
        return True
    verdict = one["verdict"]
    if verdict == "inconclusive":
        return not low <= 0.0 <= high
    clear = {"fewer": below, "earlier": below, "more": above, "later": above}
    return not clear.get(verdict, below or above)


def promises(found: list[Studied], level: float = _LEVEL) -> list[str]:
    """Return what is not as promised, nothing where all is well.

    Notes
    -----
    As :func:`tests.certify.truth.broken`: each check that chance decides fails once in a thousand
    for a product that is exactly right.
    """
    judged = [one for one in found if one.recovered is not None]
    wrong = [text for one in found for text in one.contradictions]
    wrong += broken([one.recovered for one in judged if one.recovered is not None], level)
    seen = [one for one in judged if one.selection != UNOBSERVED]
    blessed = [one for one in seen if one.effect == ADVERSE and one.verdict == "fewer"]
    if blessed:
        wrong.append(f"{len(blessed)} adverse services are called beneficial")
    # an effect of several standard errors has to be seen
    large = [one for one in seen if abs(one.recovered.truth) > 4.0 * one.recovered.se]
    missed = [one for one in large if one.verdict != _should_be(one)]
    if len(missed) > 0.1 * len(large) + 2:
        wrong.append(f"{len(missed)} of {len(large)} large effects are not found")
    clear = [one for one in seen if one.effect == NONE and one.verdict in {"fewer", "more"}]
    none = sum(one.effect == NONE for one in seen)
    if none and _at_least(len(clear), none, 1.0 - level) < _MISSES:
        wrong.append(f"{len(clear)} of {none} services without effect are called something")
    hidden = [
        one for one in judged if one.selection == UNOBSERVED and one.verdict in {"fewer", "more"}
    ]
    sturdy = [one for one in hidden if not one.fragile]
    if len(sturdy) > (1.0 - _FRAGILE) * len(hidden) + 1:
        wrong.append(f"{len(sturdy)} of {len(hidden)} hidden selections are not called fragile")
    return wrong


def _should_be(one: Studied) -> str:
    return "fewer" if one.recovered is not None and one.recovered.truth < 0.0 else "more"


def _at_least(k: int, n: int, chance: float) -> float:
    """Return the chance of at least k successes of n."""
    return sum(math.comb(n, i) * chance**i * (1 - chance) ** (n - i) for i in range(k, n + 1))


def summary(found: list[Studied]) -> list[Line]:
    """Return a line for each kind of service, in the order of its first study."""
    kinds: dict[tuple[str, str, str], list[Studied]] = {}
    for one in found:
        kinds.setdefault((one.effect, one.selection, one.setting), []).append(one)
    lines = []
    for (effect, selection, setting), members in kinds.items():
        opened = [one.recovered for one in members if one.recovered is not None]
        verdicts = [one.verdict for one in members if one.recovered is not None]
        lines.append(
            Line(
                effect,
                selection,
                setting,
                len(members),
                len(opened),
                sum(one.covered for one in opened),
                100.0 * _mean([one.truth for one in opened]),
                100.0 * _mean([one.estimate - one.truth for one in opened]),
                _mean([one.z for one in opened]),
                *(verdicts.count(name) for name in ("fewer", "more", "inconclusive")),
                sum(one.fragile for one in members),
            )
        )
    return lines


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def certify_studies(
    size: str, tell: Callable[[Studied], None] = lambda _: None, kept: Path | None = None
) -> tuple[list[Studied], list[str]]:
    """Make the nations of a size; return every study, and what is not as promised.

    Parameters
    ----------
    size : str
    tell : callable
        Told each study that is made.
    kept : path, optional
        A file to which each study is added as a line; those that are in it are not made again.
    """
    lines = kept.read_text().splitlines() if kept is not None and kept.exists() else []
    known = {(nation, one.name): one for nation, one in map(from_line, lines)}
    for nation in range(1, NATIONS[size] + 1):
        asked = services()
        done = {name for number, name in known if number == nation}
        if done >= {service.name for service in asked}:
            continue
        for one in studies(PEOPLE, nation, asked, known=done):
            tell(one)
            known[nation, one.name] = one
            if kept is not None:
                with kept.open("a") as file:
                    file.write(as_line(nation, one) + "\n")
    found = [known[key] for key in sorted(known) if key[0] <= NATIONS[size]]
    return found, promises(found)


def plain(one: Studied) -> dict[str, Any]:
    """Return a study as plain values."""
    return {**one._asdict(), "recovered": one.recovered and one.recovered._asdict()}


def as_line(nation: int, one: Studied) -> str:
    """Return a study as a line of a file."""
    return json.dumps({"nation": nation, **plain(one)})


def from_line(line: str) -> tuple[int, Studied]:
    """Return the nation and the study of a line."""
    values = json.loads(line)
    nation, recovered = values.pop("nation"), values.pop("recovered")
    contradictions = tuple(values.pop("contradictions"))
    result = None if recovered is None else Recovered(**recovered)
    return nation, Studied(recovered=result, contradictions=contradictions, **values)
