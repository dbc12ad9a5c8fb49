"""Standing words of a report: caveats by code, how it was done in ten sentences, a glossary."""

from collections.abc import Mapping
from typing import Any

from engine.release.formats import is_number, lookup
from engine.release.report.say import service, verdict, within
from engine.release.report.sentences import Sentence, sentence

CAVEATS: dict[str, tuple[str, str]] = {
    "unobserved": (
        "Records do not hold everything.",
        (
            "The two groups were made alike in what was recorded. They may still differ in will to"
            " change, in health, in ties to family, in a home lost or drugs taken up again."
        ),
    ),
    "treatment_as_usual": (
        "The other group was not left alone.",
        (
            "Similar people may have had help of another kind, and nobody knows how much. The"
            " result sets the service beside whatever they had."
        ),
    ),
    "only_linked_and_matched": (
        "Some people are not in the result.",
        (
            "Only those who were found in the records and had people like them to be set beside are"
            " in it. For the others, the result could be another."
        ),
    ),
    "selection_route": (
        "How people came to the service matters.",
        (
            "If they came forward, or were picked, for a reason that also bears on reoffending and"
            " is in no record, setting like beside like cannot put that right."
        ),
    ),
    "lower_bound": (
        "Not every crime is seen.",
        (
            "A reoffence counts once a court or a caution has settled it. Crimes that were never"
            " reported or proved are missing, in both groups."
        ),
    ),
    "court_delays": (
        "Courts take time.",
        (
            "Where courts were slow, as in the years of the pandemic, some crimes were settled too"
            " late to be counted."
        ),
    ),
    "inconclusive_is_not_failure": (
        "Not clear is not a failure.",
        "It says that more people are needed before anything can be said, one way or the other.",
    ),
    "this_cohort_only": (
        "It holds for these people and these years.",
        "People who took part later, or elsewhere, may fare differently.",
    ),
    "do_not_compare_raw_rates": (
        "Do not line up the rates of services.",
        (
            "The share that reoffended depends above all on who took part. It may be set beside the"
            " similar people of this report only, and not beside a national rate or another"
            " service."
        ),
    ),
    "conditional_measures": (
        "Some figures are of reoffenders only.",
        (
            "Days to a first reoffence, kinds of court and custody leave out everybody who did not"
            " reoffend. The two groups differ in who that is, so these describe and do not compare"
            " like with like."
        ),
    ),
    "averages_hide": (
        "An average hides people.",
        (
            "A way out of crime can have a relapse on it, and the same service may help one person"
            " and not another."
        ),
    ),
    "deaths_not_removed": (
        "People who died or left the country are still counted.",
        "The records seldom say so, and they count like everybody else.",
    ),
    "many_lost": (
        "Many are missing.",
        "Fewer than half of the people sent in are in the result.",
    ),
    "few_reoffenders": (
        "Few people reoffended.",
        "With so few, a handful of people more or less would change the result.",
    ),
    "match_not_adequate": (
        "The groups are not alike enough.",
        "So the service's own rate is given, and nothing is compared.",
    ),
    "needs_approval": (
        "This group needs a closer look.",
        (
            "The service works with people for whom the usual records say too little, so its result"
            " asks for particular care."
        ),
    ),
    "separated_model": (
        "One fact tells the groups apart by itself.",
        (
            "Something recorded is true of hardly anybody but those who took part, so the model"
            " behind the comparison had to be steadied."
        ),
    ),
    "heavy_reuse": (
        "A few people carry much weight.",
        (
            "Some of the similar people stand for many who took part, so the comparison rests on"
            " fewer people than it seems."
        ),
    ),
    "linkage_uncertain": (
        "Some people may have been mixed up.",
        (
            "More than a hundredth of those found in the records may be somebody else of the same"
            " name and birth date."
        ),
    ),
    "placebo_failed": (
        "The groups differed before the service began.",
        (
            "They differ in something the service cannot have changed, so part of the gap may be no"
            " work of the service."
        ),
    ),
    "fragile_to_unobserved": (
        "Something unseen could undo the result.",
        (
            "Had a fact as telling as the strongest one on record been left out, the result would"
            " not be clear."
        ),
    ),
    "trio_disagrees": (
        "It depends on whether needs are taken into account.",
        "With and without the assessment of people's needs, the results do not agree.",
    ),
    "sub_analyses_not_declared": (
        "Some parts were chosen late.",
        (
            "Results for groups that were not named before the figures were opened can be clear by"
            " luck alone."
        ),
    ),
    "no_custody_spells": (
        "Time in prison is not on record.",
        "People were followed without knowing when they were locked up.",
    ),
}
"""Lead and text of each caveat."""

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("Took part", "Is on the organisation’s list and could be analysed. In tables: treated."),
    (
        "Similar people",
        (
            "People with a similar sentence who were not on the list and were alike beforehand in"
            " what the records hold. In tables: comparison."
        ),
    ),
    (
        "Reoffended",
        (
            "Committed a crime in the time they were followed that ended in a conviction or a"
            " caution, then or in the waiting period after it."
        ),
    ),
    (
        "In every 100",
        "A rate that is easy to picture: 31 in every 100 is the same as 31%.",
    ),
    (
        "Gap, difference",
        (
            "The figure of those who took part, minus the figure of similar people. Below zero:"
            " lower for those who took part."
        ),
    ),
    (
        "95% interval",
        (
            "The range of true gaps that fit the figures. Out of 100 studies like this one, about"
            " 95 would have the true gap inside."
        ),
    ),
    (
        "More than chance (‘significant’)",
        (
            "A gap this large would come up by luck alone in at most 5 of 100 studies, and enough"
            " people reoffended to say so. It does not mean that the gap is large or that it"
            " matters."
        ),
    ),
    (
        "p-value",
        (
            "How often luck alone would bring a gap at least this large, if the two groups truly"
            " fared alike: 0.03 is 3 times in 100."
        ),
    ),
    (
        "Propensity score",
        "The chance of being on the list, worked out from what was known of a person beforehand.",
    ),
    ("Caliper", "How far apart two scores may be for two people to count as alike."),
    (
        "Standardised difference (SMD)",
        (
            "How far apart the two groups are in one fact, in units of its usual spread. Up to 0.05"
            " is close, up to 0.1 fair, above that poor."
        ),
    ),
    (
        "Effective number",
        (
            "How many people of equal weight would tell as much as the similar people do, some of"
            " whom stand for several."
        ),
    ),
    (
        "Indictable, either way, summary",
        (
            "Crimes that only the Crown Court may try, that either court may, and that only"
            " magistrates may."
        ),
    ),
    (
        "Assessment of needs (OASys)",
        "What prison and probation staff wrote down on housing, work, drugs, drink, and thinking.",
    ),
    (
        "Placebo",
        (
            "A test on something that happened before anybody took part, where there should be no"
            " gap but that of chance."
        ),
    ),
)
"""Term and meaning, in the order in which a reader meets them."""


def method(results: Mapping[str, Any]) -> list[Sentence]:
    """How a study was done, in about ten plain sentences."""
    compared = lookup(results, "headline.verdict") != "match_not_adequate"
    nearest = lookup(results, "method.method") == "nearest"
    partners = (
        "the similar people whose score was nearest, up to {method.ratio|count} of them,"
        if nearest
        else "all similar people whose score was near,"
    )
    words = [
        (
            f"{_sent(results)} of {{attrition.submitted|count}} people who had taken part in"
            f" {service(results)}."
        ),
        (
            "Each was looked for in the national records by number, name and birth date;"
            " {linkage.linked|count} were found ({linkage.linked_percent|whole_percent})."
        ),
        (
            "For each person, the release from prison or the start of the sentence that goes with"
            f" the dates of the service was taken, and the person was followed from that day"
            f" {_for(results)}."
        ),
        (
            "A crime counts if it was committed in that time and settled by a conviction or caution"
            " in it, or in the {study.waiting_months|whole} months after."
        ),
        (
            "People with a similar sentence in the same years who were not on the list made up the"
            " pool to compare with ({analyses.0.counts.comparison_pool|count} sentences). Who had"
            " several is in it with each of them."
        ),
        (
            "A model turned what was known beforehand about each person, in"
            " {balance.summary.characteristics|count} facts, into one score: the chance of being on"
            " the list (the propensity score)."
        ),
        (
            f"Each person who took part was set beside {partners} and at most"
            " {method.caliper|text} away (the caliper); those with nobody near were left out."
        ),
        (
            "All of this was written in a plan, and the plan was sealed with a hash, before anybody"
            " looked at who had reoffended."
        ),
        "Then the reoffending of the two groups was compared, with an interval that allows for"
        " luck in who was on the list and in who was set beside them."
        if compared
        else "The two groups were not alike enough, so reoffending was not compared; only the rate"
        " of those who took part was opened.",
        (
            "Last, figures were rounded, and those that rest on few people were held back, so that"
            " nobody can be picked out."
        ),
    ]
    return [sentence(one) for one in words]


def _sent(results: Mapping[str, Any]) -> str:
    if lookup(results, "study.organisation") is None:
        return "The organisation sent a list"
    return "{study.organisation|text} sent a list"


def _for(results: Mapping[str, Any]) -> str:
    return within(results).replace("within a year", "for a year").replace("within", "for")


_NO_ROOM = (
    "A second test, which asks another question of the same people, does not find the gap (Gamma is"
    " {sensitivity.gamma.gamma|fixed_1}). So even a slight unseen difference in who took part could"
    " explain it."
)
"""Said in place of 'nothing to explain' where the test and a clear interval do not agree."""


def sure(results: Mapping[str, Any]) -> list[tuple[str, Sentence]]:
    """What the checks of the result say, each with a few words in front."""
    lines: list[tuple[str, Sentence]] = []
    held = lookup(results, "sensitivity") or {}
    values = held.get("e_values") or []
    clear = verdict(results) in ("fewer", "more")
    if clear and values and is_number(values[0].get("e_value")):
        lines.append(
            (
                "Something we cannot see.",
                sentence(
                    "Something unseen could explain the whole gap only if it made people at least"
                    " {.e_value|trimmed} times as likely to take part, and as many times as likely"
                    " to reoffend, or not to (the E-value).",
                    "sensitivity.e_values.0",
                ),
            )
        )
    for part, lead in (
        ("left_out", "Set beside what we can see."),
        ("gamma", "Odds of taking part."),
        ("instability", "The order of matching."),
    ):
        if part == "gamma" and clear and lookup(results, "sensitivity.gamma.gamma") == 1:
            lines.append((lead, sentence(_NO_ROOM)))
        elif lookup(results, f"sensitivity.{part}.sentence") is not None:
            lines.append((lead, sentence("{.sentence|text}", f"sensitivity.{part}")))
    for i, _ in enumerate(held.get("placebos") or []):
        lines.append(
            ("Before anybody took part.", sentence("{.sentence|text}", f"sensitivity.placebos.{i}"))
        )
    return lines
