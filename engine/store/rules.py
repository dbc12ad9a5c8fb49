"""The rules that a store is made by, as the manifest names them."""

from __future__ import annotations

from typing import Any

STORE_FORMAT = 2

FOLLOW_UP_MONTHS = 12
"""An offence counts up to this many months after the index date."""
PROOF_MONTHS = 18
"""It is proven up to this many months after the index date: follow-up and waiting period."""
ASSESSMENT_DAYS = 365
"""An assessment counts for an index date on its day and up to this many days before."""
PEOPLE_IN_A_PARTITION = 131_072
YOUNGEST_OFFENDER = 10
"""Age of criminal responsibility."""

SENTENCE_BANDS = (
    ("under 6 months", 183),
    ("6 to 12 months", 365),
    ("1 to 2 years", 730),
    ("2 to 4 years", 1461),
)
"""Length imposed, in days below the limit; longer is '4 years or more'."""
LONGEST_BAND = "4 years or more"
INDETERMINATE_BAND = "indeterminate"

INDEX_TYPES = (
    "release from custody",
    "suspended sentence",
    "community order",
    "caution",
    "other",
)

EXCLUSIONS = (
    "excluded by the data owner",
    "no index date",
    "no proven offence",
    "breach only",
    "recall of a life sentence",
    "remand only",
    "under the age of responsibility",
)
"""Why a disposal is no index disposal, in the order in which the reasons are given."""


def rules() -> dict[str, Any]:
    """Return the rules as plain values for the manifest."""
    return {
        "follow_up_months": FOLLOW_UP_MONTHS,
        "proof_months": PROOF_MONTHS,
        "reoffence": "recordable, no breach, proven by conviction, caution, reprimand or warning; "
        "index date < offence date <= end of follow-up; "
        "a missing offence date is the date of proof",
        "history": "proven before the date of the index disposal",
        "assessment": f"latest complete one up to {ASSESSMENT_DAYS} days before the index date",
        "support": "periods that touch the month or the year up to the day before the disposal",
        "sentence_bands_days": dict(SENTENCE_BANDS),
        "exclusions": list(EXCLUSIONS),
    }
