"""Names that coded columns of the national records may hold.

Only the names of groups stand here, never a list of offence codes: the data owner's own
``offence_lookup`` maps codes to groups. A value outside its list is a warning and not an error,
because national lists change every year.
"""

from __future__ import annotations

SEXES = ("M", "F")

IDENTIFIER_TYPES = ("PNC", "CRO", "NOMS", "CRN")

NATIONALITY_GROUPS = ("UK", "non-UK")

ETHNICITIES_OBSERVED = ("IC1", "IC2", "IC3", "IC4", "IC5", "IC6")
"""Officer-observed: white North European, white South European, black, Asian, Chinese or
South-East Asian, Middle Eastern."""

ETHNICITIES_SELF = (
    "A1 A2 A3 A4 A9 B1 B2 B9 M1 M2 M3 M9 O2 O9 W1 W2 W3 W5 W9 NS".split()  # noqa: SIM905
)

CUSTODY = "custody"
SUSPENDED_SENTENCE = "suspended_sentence"
COMMUNITY_ORDER = "community_order"
FINE = "fine"
DISCHARGE = "discharge"
CAUTION = "caution"
YOUTH_CUSTODY = "youth_custody"
YOUTH_REHABILITATION = "youth_rehabilitation"
YOUTH_CAUTION = "youth_caution"
OTHER_DISPOSAL = "other"

DISPOSAL_TYPES = (
    CUSTODY,
    SUSPENDED_SENTENCE,
    COMMUNITY_ORDER,
    FINE,
    DISCHARGE,
    CAUTION,
    YOUTH_CUSTODY,
    YOUTH_REHABILITATION,
    YOUTH_CAUTION,
    OTHER_DISPOSAL,
)
CUSTODIAL_TYPES = (CUSTODY, YOUTH_CUSTODY)
"""Disposals whose index date is the release."""
ORDER_TYPES = (SUSPENDED_SENTENCE, COMMUNITY_ORDER, YOUTH_REHABILITATION)
"""Disposals whose index date is the start of the order."""

COURT_TYPES = ("magistrates", "crown", "youth", "none")

RELEASE_TYPES = ("end_of_sentence", "licence", "hdc", "parole")

SPELL_TYPES = ("remand", "sentence", "recall", "life_recall", "other")

OUTCOMES = ("conviction", "caution", "reprimand_warning", "penalty_notice")
"""How an offence was proven; a penalty notice never counts as a proven reoffence."""

TRIAL_MODES = ("indictable_only", "either_way", "summary")

ASSESSMENT_STATUSES = ("complete", "incomplete")

EMPLOYMENT = "employment"
BENEFITS = "benefits"
ACCOMMODATION = "accommodation"
PROGRAMMES = "programmes"
SUPPORT_KINDS = (EMPLOYMENT, BENEFITS, ACCOMMODATION, PROGRAMMES)

BENEFIT_FAMILIES = {
    "jsa": ("JSA",),
    "ib_esa": ("IB", "ESA"),
    "income_support": ("IS",),
    "universal_credit": ("UC",),
}
"""Out-of-work benefits that are told apart, by code: jobseeker's allowance; incapacity benefit and
employment and support allowance; income support; universal credit. Any other code is a benefit of
no family."""

ASSESSMENT_SCORES = ("score_ogrs", "score_ogp", "score_ovp", "score_rsr")
"""Risk scores that stand on an assessment, in per cent."""

NEEDS = (
    "need_accommodation",
    "need_ete",
    "need_finance",
    "need_relationships",
    "need_lifestyle",
    "need_drugs",
    "need_alcohol",
    "need_emotional",
    "need_thinking",
    "need_attitudes",
)
"""Sections 3 to 12 of an OASys assessment: 0 no, 1 some, 2 significant problems."""

OFFENCE_GROUPS_12 = (
    "violence against the person",
    "sexual offences",
    "burglary",
    "robbery",
    "theft and handling",
    "fraud and forgery",
    "criminal damage",
    "drug offences",
    "other indictable",
    "indictable motoring",
    "other summary",
    "summary motoring",
)
"""The grouping of the courts and of the Police National Computer."""

OFFENCE_GROUPS_13 = (
    "violence against the person",
    "sexual offences",
    "robbery",
    "theft offences",
    "criminal damage and arson",
    "drug offences",
    "possession of weapons",
    "public order offences",
    "miscellaneous crimes against society",
    "fraud offences",
    "summary non-motoring",
    "summary motoring",
    "other",
)
"""The grouping of the national reoffending statistics."""

OFFENCE_GROUPS_20 = (
    "violence",
    "robbery",
    "public order",
    "sexual (not against child)",
    "sexual (against child)",
    "soliciting or prostitution",
    "burglary (domestic)",
    "burglary (other)",
    "theft (non-motor)",
    "handling stolen goods",
    "fraud and forgery",
    "absconding or bail offences",
    "taking and driving away and related",
    "theft from vehicles",
    "drink driving",
    "other motoring",
    "criminal damage",
    "drug import/export/production",
    "drug possession/supply",
    "other",
)
"""The categories of OGRS3."""

OFFENCE_GROUPS_24 = (
    "violence (serious)",
    "violence (assault)",
    "violence (common assault)",
    "possession of weapons",
    "firearms",
    "acquisitive violence",
    "public order and harassment",
    "criminal damage",
    "sexual (not against child)",
    "sexual (against child)",
    "burglary (domestic)",
    "burglary (other)",
    "theft (non-motor)",
    "handling stolen goods",
    "fraud and forgery",
    "welfare fraud",
    "vehicle theft",
    "drink driving",
    "motoring",
    "drunkenness",
    "drug import/export/production",
    "drug possession/supply",
    "absconding or bail offences",
    "other",
)
"""The actuarial categories of OGRS4/G, violence split by seriousness."""
