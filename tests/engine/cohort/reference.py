"""Index disposals and comparison pool person by person in plain Python, from the rules' words.

No array, none of the engine's code: dates are ``datetime.date``, a person is a list of
dictionaries, and every rule is one visible condition.
"""

import calendar
import datetime as dt

from tests.naive import philox4x64

RELEASE = "release from custody"
KINDS = (RELEASE, "suspended sentence", "community order")
FOR_EVER = dt.date.max


def months_later(day, months):
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def stays(disposals, spells):
    """Custody of one person as (received, released); spells that touch are one."""
    known = [(s["received_on"], s["released_on"] or FOR_EVER) for s in spells if s["received_on"]]
    for d in disposals:
        ended = {s["released_on"] for s in spells if s["received_on"]}
        if d["index_type"] == RELEASE and d["index_date"] and d["index_date"] not in ended:
            known.append((d["custody_start"] or d["disposal_date"], d["index_date"]))
    joined = []
    for received, released in sorted(pair for pair in known if pair[0] <= pair[1]):
        if joined and received <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], released)
        else:
            joined.append([received, released])
    return joined


def usable(d, rules):
    return d["excluded"] is None and d["index_type"] in rules.index_types and d["index_date"]


def gravity(d, rules):
    """Most severe first, then the longest sentence, then the lowest number."""
    length = d["sentence_days"] if d["sentence_days"] is not None else -1
    length = float("inf") if d["indeterminate"] else length
    return rules.index_types.index(d["index_type"]), -length, d["disposal_id"]


def close(one, other, rules):
    return one is not None and abs((one - other).days) <= rules.own_dates_days


def choose(row, disposals, spells, rules, last):
    """The index disposal of one row and its rule, or a reason."""
    start, end = row["intervention_start"], row["intervention_end"]
    own_index, own_conviction = row["index_date"], row["conviction_date"]
    candidates = [d for d in disposals if usable(d, rules)]

    def preference(d, distance):
        named = rules.own_dates and close(own_index, d["index_date"], rules)
        convicted = rules.own_dates and close(own_conviction, d["disposal_date"], rules)
        return (not named, not convicted, distance, *gravity(d, rules))

    if start is None:
        if own_index is not None:
            fitting = [
                (d, abs((d["index_date"] - own_index).days))
                for d in candidates
                if close(own_index, d["index_date"], rules)
            ]
        else:
            fitting = [
                (d, abs((d["disposal_date"] - own_conviction).days))
                for d in candidates
                if close(own_conviction, d["disposal_date"], rules)
            ]
        if not fitting:
            return None, "no_sentence"
        return min(fitting, key=lambda pair: preference(*pair))[0], "sender's date"

    stay = next((s for s in stays(disposals, spells) if s[1] > start), None)
    inside = stay is not None and stay[0] <= start
    last_day = start if rules.custody_overlap == "start" else max(start, end or start)
    if stay is not None and stay[0] <= last_day:
        released = [
            d for d in candidates if d["index_type"] == RELEASE and d["index_date"] == stay[1]
        ]
        if released:
            chosen = min(released, key=lambda d: preference(d, 0))
            gate = end is not None and end > stay[1]
            return chosen, "through the gate" if gate else "in custody"
    if inside:
        return None, "outside_data" if stay[1] > last else "no_sentence"
    under = [
        (d, (start - d["index_date"]).days)
        for d in candidates
        if d["index_date"] <= start <= months_later(d["index_date"], rules.supervision_months)
    ]
    if under:
        return min(under, key=lambda pair: preference(*pair))[0], "under supervision"
    before = any(d["index_date"] <= start for d in candidates)
    return None, "outside_rule" if before else "no_sentence"


def sexual(d):
    return any(
        (d[f"offence_{group}"] or "").startswith("sexual") for group in ("group12", "group20")
    )


def of_age(d, rules):
    if rules.youngest is None and rules.oldest is None:
        return True
    age = d["age_at_index"]
    return age is not None and (rules.youngest or 0) <= age <= (rules.oldest or 999)


def judge(row, d, rules, last):
    """The reason why a chosen disposal is not analysed, or None."""
    if d["index_date"] > last:
        return "outside_data"
    start, days = row["intervention_start"], d["days_to_first_reoffence"]
    again = start is not None and days is not None and d["index_date"] + dt.timedelta(days) < start
    if again and rules.drop_earlier_reoffenders:
        return "reoffended_before"
    if sexual(d) and not rules.sexual_offences:
        return "sexual_offence"
    return None if of_age(d, rules) else "age_limits"


def cohort(rows, disposals, spells, rules, last):
    """Row to (disposal_id, rule) for the analysed, and row to reason for all others."""
    analysed, lost, participations = {}, {}, {}
    for row in rows:
        person = row["person_id"]
        d, how = choose(row, disposals.get(person, []), spells.get(person, []), rules, last)
        reason = how if d is None else judge(row, d, rules, last)
        if reason is not None:
            lost[row["row"]] = reason
            continue
        never = dt.date.min
        order = (
            d["index_date"],
            row["intervention_start"] or never,
            row["intervention_end"] or never,
            d["disposal_id"],
            row["row"],
        )
        participations.setdefault(person, []).append((order, row["row"], d["disposal_id"], how))
    for found in participations.values():
        found.sort()
        _, row, disposal, how = found[0]
        analysed[row] = (disposal, how)
        lost |= {row: "repeat_participation" for _, row, _, _ in found[1:]}
    return analysed, lost


def word(number, stage, seed):
    return philox4x64((number, 0, stage, 0), (seed & (2**64 - 1), seed >> 64))[0]


def pool(disposals, spells, treated, removed, rules, last, seed):
    """The position of each disposal of the pool to its drawn delay."""
    waiting = []
    kinds = {kind for kind, _ in treated}
    for person, own in disposals.items():
        if person in removed:
            continue
        inside = stays(own, spells.get(person, []))
        for d in own:
            if not usable(d, rules) or d["index_date"] > last:
                continue
            if d["index_type"] not in kinds:
                continue
            if (sexual(d) and not rules.sexual_offences) or not of_age(d, rules):
                continue
            others = [o for o in own if usable(o, rules) and o is not d]
            if any(
                o["index_date"] == d["index_date"] and gravity(o, rules) < gravity(d, rules)
                for o in others
            ):
                continue
            later = [o["index_date"] for o in others if o["index_date"] > d["index_date"]]
            first = d["days_to_first_reoffence"] if rules.drop_earlier_reoffenders else None
            waiting.append((d, min(later, default=None), first, inside))

    def left_over(one, delay, custody):
        d, following, first, inside = one
        start = d["index_date"] + dt.timedelta(delay)
        return not (
            (following is not None and following <= start)
            or (first is not None and first < delay)
            or any(received <= start < released for received, released in custody(d, inside))
        )

    def next_stay(d, inside):
        return [stay for stay in inside if stay[1] > d["index_date"]][:1]

    kept = {}
    everybody = sorted(delay for _, delay in treated)
    for kind in {one[0]["index_type"] for one in waiting}:
        own = [one for one in waiting if one[0]["index_type"] == kind]
        same = sorted(delay for name, delay in treated if name == kind) or everybody
        weights = {}
        for delay in dict.fromkeys(same):
            free = sum(left_over(one, delay, next_stay) for one in own)
            weights[delay] = same.count(delay) / free if free else 0.0
        if not any(weights.values()):
            weights = {delay: float(same.count(delay)) for delay in weights}
        for one in own:
            delay = 0
            if max(everybody, default=0) > 0:
                delay = draw(weights, word(one[0]["disposal_id"], 20, seed))
            if left_over(one, delay, lambda _, inside: inside):
                kept[one[0]["position"]] = delay
    return kept


def draw(weights, word):
    """A delay with its weight, by one random word."""
    bounds, total = [], 0.0
    for weight in weights.values():
        total += weight
        bounds.append(total)
    drawn = (word >> 11) * 2.0**-53 * total
    for delay, bound in zip(weights, bounds, strict=True):
        if drawn < bound:
            return delay
    return delay
