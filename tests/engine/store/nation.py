"""A quick extract of made-up careers for tests of the store, with many hard days in it.

Dates are drawn so that they fall on and beside the ends of follow-ups: on the index date, on day
365 and 366, proven on the last day of the waiting period and the day after.
"""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.records import code_lists as codes
from engine.records.schema import EXTRACT_DATE, EXTRACT_FILE, TABLE

EXTRACT_DAY = dt.date(2024, 3, 31)
FIRST, LAST = 12_000, 19_800  # days since 1970: November 2002 to March 2024


def make_extract(folder, people=500, seed=0, *, hard=0.3, parts=2, **changes):
    """Write an extract and return its tables; ``changes`` replace tables before writing."""
    tables = {**make_tables(people, seed, hard), **changes}
    write_extract(folder, tables, parts)
    return tables


def write_extract(folder, tables, parts=1, date=EXTRACT_DAY, **marks):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXTRACT_FILE).write_text(
        json.dumps({"justicelab_schema": 1, EXTRACT_DATE: date.isoformat(), **marks})
    )
    for name, table in tables.items():
        place = folder / TABLE[name].zone / name
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.parquet"):
            old.unlink()
        step = -(-max(table.num_rows, 1) // parts)
        for part in range(parts):
            pq.write_table(
                table.slice(part * step, step),
                place / f"part-{part:03d}.parquet",
                compression="zstd",
                row_group_size=131_072,
            )


def make_tables(people, seed, hard):
    rng = np.random.default_rng(seed)
    born = rng.integers(-9_000, 8_500, people)
    person_id = np.cumsum(rng.integers(1, 4, people)) + 1000
    n_disposals = np.minimum(rng.geometric(0.35, people) - (rng.random(people) < 0.05), 60)
    owner = np.repeat(np.arange(people), n_disposals)
    n = len(owner)
    date = rng.integers(FIRST, LAST, n)
    # several disposals on one day
    same = (rng.random(n) < 0.1) & (np.roll(owner, 1) == owner)
    date[same] = np.roll(date, 1)[same]
    kind = rng.choice(len(codes.DISPOSAL_TYPES), n, p=_shares(len(codes.DISPOSAL_TYPES)))
    names = np.array(codes.DISPOSAL_TYPES)
    custodial = np.isin(names[kind], codes.CUSTODIAL_TYPES)
    orders = np.isin(names[kind], codes.ORDER_TYPES)
    life = custodial & (rng.random(n) < 0.01)
    sentence = np.where(custodial & ~life, rng.integers(10, 2000, n), -1)
    release = date + np.maximum(sentence, 400) // 2
    inside = custodial & (rng.random(n) < 0.02)
    index = np.where(custodial, release, date)
    order = np.lexsort((np.arange(n), date, owner))
    owner, date, kind, custodial, orders, life, sentence, release, inside, index = (
        x[order]
        for x in (owner, date, kind, custodial, orders, life, sentence, release, inside, index)
    )
    disposal_id = rng.permutation(n) + 5_000
    offences = _offences(rng, owner, date, index, hard)
    principal = _first_of(offences["disposal"], n)
    offence_id = rng.permutation(len(offences["disposal"])) + 70_000
    has = principal >= 0
    tables = {
        "persons": _persons(rng, person_id, born),
        "person_profile": _profile(rng, person_id, born),
        "disposals": _table(
            "disposals",
            {
                "disposal_id": disposal_id,
                "person_id": person_id[owner],
                "disposal_date": _dates(date),
                "disposal_type": names[kind],
                "principal_offence_id": np.where(has, offence_id[principal], 1),
                "court_type": np.array(codes.COURT_TYPES)[rng.integers(0, 4, n)],
                "sentence_days": pa.array(sentence, pa.int32(), mask=sentence < 0),
                "indeterminate": life,
                "custody_start": _dates(date, ~custodial),
                "release_date": _dates(release, ~custodial | inside),
                "order_start": _dates(date, ~orders),
                "index_date": _dates(index, inside),
                "police_force": np.array(["01", "06", "20", "31"])[rng.integers(0, 4, n)],
                "probation_region": np.array(["N07", "N51", "N52"])[rng.integers(0, 3, n)],
                "excluded_reason": pa.array(["court abroad"] * n, mask=rng.random(n) > 0.01),
            },
        ),
        "offences": _offence_table(rng, offences, offence_id, person_id, disposal_id, owner),
        "custody_spells": _spells(
            rng, owner, custodial, date, release, inside, person_id, disposal_id
        ),
        "oasys_assessments": _assessments(rng, owner, index, person_id),
        "supervision_and_benefits": _support(rng, owner, date, person_id),
        "person_aliases": _aliases(rng, person_id),
    }
    return {name: _sorted(name, table) for name, table in tables.items()}


def _shares(k):
    weights = np.array([3, 2, 3, 3, 2, 3, 0.4, 0.5, 0.6, 0.5])[:k]
    return weights / weights.sum()


def _offences(rng, owner, date, index, hard):
    """Offences of each disposal; a share lies on a hard day of some disposal of the person."""
    n = len(owner)
    disposal = np.repeat(np.arange(n), rng.integers(0, 6, n))
    m = len(disposal)
    proof = date[disposal].copy()
    day = proof - rng.integers(0, 500, m)
    first = np.searchsorted(owner, owner[disposal], side="left")
    last = np.searchsorted(owner, owner[disposal], side="right")
    other = first + (rng.random(m) * (last - first)).astype(np.int64)
    start = index[other]
    gaps = np.array([-1, 0, 1, 2, 364, 365, 366, 367, 30, 200])
    hard_day = start + gaps[rng.integers(0, len(gaps), m)]
    waits = np.array([540, 545, 546, 547, 548, 549, 550, 366, 0])
    hard_proof = np.maximum(start + waits[rng.integers(0, len(waits), m)], hard_day)
    # the exact ends of follow-up and waiting period
    ends = rng.integers(0, 4, m)
    hard_day = np.where(ends == 0, _later(start, 12), hard_day)
    hard_proof = np.where(ends <= 1, np.maximum(_later(start, 18), hard_day), hard_proof)
    hard_proof = np.where(ends == 2, np.maximum(_later(start, 18) + 1, hard_day), hard_proof)
    extract = (EXTRACT_DAY - dt.date(1970, 1, 1)).days
    pick = (rng.random(m) < hard) & (hard_proof <= extract)
    return {
        "disposal": disposal,
        "day": np.where(pick, hard_day, day),
        "proof": np.where(pick, hard_proof, proof),
        "missing": rng.random(m) < 0.01,
    }


def _later(days, months):
    """Months later by the calendar of Python, for the generator alone."""
    unique, back = np.unique(days, return_inverse=True)
    moved = []
    for day in unique:
        date = dt.date(1970, 1, 1) + dt.timedelta(days=int(day))
        month = date.month - 1 + months
        year, month = date.year + month // 12, month % 12 + 1
        for last in (date.day, 30, 29, 28):
            try:
                new = dt.date(year, month, min(date.day, last))
            except ValueError:
                continue
            break
        moved.append((new - dt.date(1970, 1, 1)).days)
    return np.array(moved)[back]


def _offence_table(rng, offences, offence_id, person_id, disposal_id, owner):
    m = len(offence_id)

    def pick(values, weights=None):
        p = None if weights is None else np.array(weights) / sum(weights)
        return np.array(values)[rng.choice(len(values), m, p=p)]

    return _table(
        "offences",
        {
            "offence_id": offence_id,
            "person_id": person_id[owner[offences["disposal"]]],
            "disposal_id": disposal_id[offences["disposal"]],
            "offence_date": _dates(offences["day"], offences["missing"]),
            "conviction_date": _dates(offences["proof"]),
            "ho_code": np.char.add(np.char.zfill(rng.integers(1, 150, m).astype(str), 3), "/01"),
            "group12": pick(codes.OFFENCE_GROUPS_12),
            "group13": pick(codes.OFFENCE_GROUPS_13),
            "group20": pick(codes.OFFENCE_GROUPS_20),
            "group24": pick(codes.OFFENCE_GROUPS_24),
            "trial_mode": pick(codes.TRIAL_MODES, (1, 5, 4)),
            "severity": rng.random(m).astype(np.float32),
            "recordable": rng.random(m) < 0.95,
            "breach": rng.random(m) < 0.08,
            "outcome": pick(codes.OUTCOMES, (8, 2, 0.5, 0.5)),
        },
    )


def _persons(rng, person_id, born):
    n = len(person_id)
    forenames = np.array(
        ["John", "Robert", "Bob", "Mary", "José", "Mary-Ann", "Alex", "William", "Liam", "Zoë"]
    )
    surnames = np.array(
        ["Smith", "O'Brien", "Mc Donald", "Jones-Smith", "Patel", "Khan", "Nowak", "Blenkipp"]
    )
    tails = np.array([chr(97 + i) for i in range(26)])
    return _table(
        "persons",
        {
            "person_id": person_id,
            "first_name": forenames[rng.integers(0, len(forenames), n)],
            "last_name": np.char.add(
                surnames[rng.integers(0, len(surnames), n)], tails[rng.integers(0, 26, n)]
            ),
            "middle_names": pa.array(
                forenames[rng.integers(0, len(forenames), n)], mask=rng.random(n) < 0.5
            ),
            "date_of_birth": _dates(born, rng.random(n) < 0.01),
            "sex": pa.array(
                np.array(["M", "F"])[(rng.random(n) < 0.2) * 1], mask=rng.random(n) < 0.01
            ),
            "pnc_id": _pnc(rng, n),
            "prison_number": pa.array(
                [f"A{i % 10000:04d}BC" for i in range(n)], mask=rng.random(n) < 0.6
            ),
        },
    )


def _pnc(rng, n):
    letters = "ZABCDEFGHJKLMNPQRTUVWXY"
    years = rng.integers(1980, 2024, n)
    serials = rng.integers(1, 9_999_999, n)
    return [
        f"{year}/{serial:07d}{letters[int(f'{year % 100:02d}{serial:07d}') % 23]}"
        for year, serial in zip(years.tolist(), serials.tolist(), strict=True)
    ]


def _aliases(rng, person_id):
    chosen = person_id[rng.random(len(person_id)) < 0.15]
    return _table(
        "person_aliases",
        {
            "person_id": chosen,
            "alias_no": np.ones(len(chosen), np.int16),
            "last_name": np.array(["Wilson", "Green"])[rng.integers(0, 2, len(chosen))],
        },
    )


def _profile(rng, person_id, born):
    n = len(person_id)
    month = born.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
    return _table(
        "person_profile",
        {
            "person_id": person_id,
            "birth_month": pa.array(month),
            "sex": pa.array(
                np.array(["M", "F"])[(rng.random(n) < 0.2) * 1], mask=rng.random(n) < 0.01
            ),
            "ethnicity_observed": pa.array(
                np.array(codes.ETHNICITIES_OBSERVED)[rng.integers(0, 6, n)],
                mask=rng.random(n) < 0.05,
            ),
            "nationality_group": np.array(["UK", "non-UK"])[(rng.random(n) < 0.1) * 1],
            "died_on": _dates(rng.integers(FIRST, LAST, n), rng.random(n) > 0.15),
            "deported_on": _dates(rng.integers(FIRST, LAST, n), rng.random(n) > 0.05),
        },
    )


def _spells(rng, owner, custodial, date, release, inside, person_id, disposal_id):
    rows = np.flatnonzero(custodial)
    n = len(rows)
    return _table(
        "custody_spells",
        {
            "spell_id": np.arange(n) + 1,
            "person_id": person_id[owner[rows]],
            "received_on": _dates(date[rows]),
            "released_on": _dates(release[rows], inside[rows]),
            "spell_type": np.array(codes.SPELL_TYPES)[
                rng.choice(5, n, p=[0.05, 0.85, 0.04, 0.03, 0.03])
            ],
            "disposal_id": pa.array(disposal_id[rows], mask=rng.random(n) < 0.2),
        },
    )


def _assessments(rng, owner, index, person_id):
    rows = np.flatnonzero(rng.random(len(owner)) < 0.4)
    n = len(rows)
    gaps = np.array([0, 1, -1, 365, 366, 364, 100, 200])
    return _table(
        "oasys_assessments",
        {
            "person_id": person_id[owner[rows]],
            "assessment_id": np.arange(n) + 1,
            "assessment_date": _dates(np.minimum(index[rows] - gaps[rng.integers(0, 8, n)], LAST)),
            "status": np.array(["complete", "incomplete"])[(rng.random(n) < 0.1) * 1],
            **{
                name: pa.array(rng.integers(0, 3, n), pa.int8(), mask=rng.random(n) < 0.05)
                for name in codes.NEEDS
            },
            "score_ogp": pa.array(rng.random(n).astype(np.float32), mask=rng.random(n) < 0.2),
        },
    )


def _support(rng, owner, date, person_id):
    """Periods that begin and end on and beside the ends of the windows before a disposal."""
    rows = np.repeat(np.arange(len(owner)), rng.integers(0, 4, len(owner)))
    n = len(rows)
    gaps = np.array([-1, 0, 1, 2, 27, 28, 29, 30, 31, 32, 364, 365, 366, 367, 500])
    start = date[rows] - gaps[rng.integers(0, len(gaps), n)]
    length = np.array([0, 1, 2, 28, 31, 200, 365, 400])[rng.integers(0, 8, n)]
    kind = rng.choice(4, n, p=[0.4, 0.4, 0.1, 0.1])
    benefit = np.array(["JSA", "IB", "ESA", "IS", "UC", "HB"])[rng.integers(0, 6, n)]
    return _table(
        "supervision_and_benefits",
        {
            "person_id": person_id[owner[rows]],
            "period_start": _dates(start),
            "period_end": _dates(start + length, rng.random(n) < 0.1),
            "kind": np.array(codes.SUPPORT_KINDS)[kind],
            "code": np.where(kind == 1, benefit, "X"),
        },
    )


def _first_of(disposal, n):
    first = np.full(n, -1)
    first[disposal[::-1]] = np.arange(len(disposal))[::-1]
    return first


def _dates(days, missing=None):
    return pa.array(np.asarray(days, np.int32), pa.int32(), mask=missing).cast(pa.date32())


def _table(name, columns):
    """Make a table with the schema's types; columns that are not given are null."""
    schema = TABLE[name].schema
    rows = len(next(iter(columns.values())))
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if value is None:
            arrays.append(pa.nulls(rows, field.type))
            continue
        array = value if isinstance(value, pa.Array) else pa.array(value)
        if pa.types.is_dictionary(field.type):
            array = array.cast(pa.utf8()).dictionary_encode()
        arrays.append(array.cast(field.type))
    loose = pa.schema([field.with_nullable(True) for field in schema], schema.metadata)
    return pa.Table.from_arrays(arrays, schema=loose)


def _sorted(name, table):
    return table.sort_by([(column, "ascending") for column in TABLE[name].sorted_by])
