"""The covariates of a study: columns of the store in groups, with the words of a report."""

from dataclasses import dataclass

from engine.matching.transformations import made_of


@dataclass(frozen=True)
class StoreColumn:
    """A column of the store's index disposals that can be a covariate.

    Attributes
    ----------
    name : str
        Column of the store.
    label : str
        In plain words.
    category : bool
        Whether it is a category.
    plain : str
        What it tells, for a reader who knows no logarithm and no score; empty: as the label.
    """

    name: str
    label: str
    category: bool = False
    plain: str = ""


def _category(name: str, label: str, plain: str = "") -> StoreColumn:
    return StoreColumn(name, label, True, plain)


OFFENCE_CLASSES = {
    "violence_against_the_person": "violence",
    "sexual_offences": "sexual offences",
    "robbery": "robbery",
    "theft_offences": "theft",
    "criminal_damage_and_arson": "criminal damage and arson",
    "drug_offences": "drug offences",
    "possession_of_weapons": "possession of weapons",
    "public_order_offences": "public order offences",
    "miscellaneous_crimes_against_society": "miscellaneous crimes against society",
    "fraud_offences": "fraud",
    "summary_non_motoring": "summary offences, not motoring",
    "summary_motoring": "summary motoring offences",
    "other": "other offences",
}

DELAY = "delay_days"
"""Not of the store: comparison people have a start that is drawn, and no offence before it."""

DEMOGRAPHICS = (
    _category("sex", "Sex"),
    StoreColumn("age_at_index", "Age at the start of the year", plain="age"),
    StoreColumn("age_at_index_squared", "Age, squared", plain="age"),
    StoreColumn(
        "age_at_first_sanction", "Age at the first sanction", plain="age at the first crime"
    ),
    _category("ethnicity_observed", "Ethnicity, as observed", "ethnic group"),
    _category("nationality_group", "Nationality"),
)
INDEX_EVENT = (
    _category("index_type", "What the year starts with", "kind of sentence"),
    StoreColumn(
        DELAY,
        "Days from the start of the year to the start of the service",
        plain="time until the service began",
    ),
    _category("sentence_band", "Length of the custodial sentence", "length of the time in prison"),
    StoreColumn(
        "log_sentence_days", "Length of the sentence (log of days)", plain="length of the sentence"
    ),
    StoreColumn("time_served_days", "Days served", plain="days spent in prison"),
    _category("offence_group13", "Kind of offence", "kind of crime"),
    _category("trial_mode", "Where the offence can be tried", "kind of court"),
    StoreColumn("severity", "Gravity of the offence", plain="how grave the crime was"),
    _category("index_year", "Year", "year of the sentence"),
    _category("index_quarter", "Quarter of the year", "time of the year"),
    _category("indeterminate", "Sentence without a fixed end", "sentences with no fixed end"),
)
HISTORY = (
    StoreColumn(
        "log_previous_offences", "Number of previous offences (log)", plain="number of past crimes"
    ),
    StoreColumn(
        "log_previous_sanctions",
        "Number of previous sanctions (log)",
        plain="number of past sanctions",
    ),
    StoreColumn(
        "previous_sanctions", "Number of previous sanctions", plain="number of past sanctions"
    ),
    StoreColumn(
        "previous_cautions", "Number of previous cautions", plain="number of past cautions"
    ),
    StoreColumn(
        "previous_custodial_sentences",
        "Number of previous custodial sentences",
        plain="number of past times in prison",
    ),
    StoreColumn(
        "previous_court_orders",
        "Number of previous court orders",
        plain="number of past court orders",
    ),
    StoreColumn(
        "previous_breach_or_bail",
        "Number of previous breaches and bail offences",
        plain="past breaches of orders or bail",
    ),
    *(
        StoreColumn(
            f"previous_{name}", f"Number of previous offences: {words}", plain=f"past {words}"
        )
        for name, words in OFFENCE_CLASSES.items()
    ),
    StoreColumn(
        "log_career_days",
        "Length of the criminal career (log of days)",
        plain="years since the first crime",
    ),
    StoreColumn(
        "log_days_since_last_sanction",
        "Time since the last sanction (log of days)",
        plain="time since the last crime",
    ),
)
RISK = (
    StoreColumn("copas_rate", "Copas rate", plain="pace of past crimes"),
    StoreColumn("ogrs3_logit", "Risk of reoffending, OGRS3 (logit)", plain="risk of a new crime"),
    StoreColumn(
        "ogrs4g_logit", "Risk of reoffending, OGRS4/G (logit)", plain="risk of a new crime"
    ),
)
REGION = (
    _category("probation_region", "Probation region"),
    _category("police_force", "Police force"),
)
OASYS = (
    _category("need_accommodation", "Need: accommodation"),
    _category("need_ete", "Need: education, training and employment"),
    _category("need_finance", "Need: finance"),
    _category("need_relationships", "Need: relationships"),
    _category("need_lifestyle", "Need: lifestyle and associates"),
    _category("need_drugs", "Need: drugs"),
    _category("need_alcohol", "Need: alcohol"),
    _category("need_emotional", "Need: emotional wellbeing"),
    _category("need_thinking", "Need: thinking and behaviour"),
    _category("need_attitudes", "Need: attitudes"),
)

GROUPS = {
    "demographics": DEMOGRAPHICS,
    "index": INDEX_EVENT,
    "history": HISTORY,
    "risk": RISK,
    "region": REGION,
    "oasys": OASYS,
}
BY_NAME = {column.name: column for columns in GROUPS.values() for column in columns}
GROUP_OF = {column.name: group for group, columns in GROUPS.items() for column in columns}

ASSESSED = "oasys_days_before"
"""Empty where nobody was assessed in the window."""

LAST_SANCTION = "days_since_last_sanction"
"""It tells whether there was a sanction in the year before, and so does what is made of it."""

LEVELS = {
    ("sex", "M"): "men",
    ("sex", "F"): "women",
    ("nationality_group", "UK"): "United Kingdom",
    ("nationality_group", "non-UK"): "other",
    ("ethnicity_observed", "IC1"): "white, northern European",
    ("ethnicity_observed", "IC2"): "white, southern European",
    ("ethnicity_observed", "IC3"): "Black",
    ("ethnicity_observed", "IC4"): "Asian",
    ("ethnicity_observed", "IC5"): "Chinese, Japanese, South-East Asian",
    ("ethnicity_observed", "IC6"): "Arab or North African",
    ("trial_mode", "summary"): "magistrates only",
    ("trial_mode", "either_way"): "either way",
    ("trial_mode", "indictable_only"): "Crown Court only",
    ("sentence_band", "(missing)"): "no custody",
    ("indeterminate", "true"): "yes",
    ("indeterminate", "false"): "no",
    **{
        (column.name, level): words
        for column in OASYS
        for level, words in (("0", "none"), ("1", "some"), ("2", "significant"))
    },
}


def label_of(term: str) -> str:
    """Return a term of a model in plain words.

    Parameters
    ----------
    term : str
        A column, ``column=level`` or ``column missing``.

    Examples
    --------
    >>> label_of("log_severity"), label_of("copas_rate_squared missing")
    ('Gravity of the offence (log)', 'Copas rate, squared: not known')
    """
    name, _, level = term.partition("=")
    if level:
        return f"{label_of(name)}: {level_label(name, level)}"
    if name.endswith(" missing"):
        return f"{label_of(name.removesuffix(' missing'))}: not known"
    if name in BY_NAME:
        return BY_NAME[name].label
    made = made_of(name)
    return name.replace("_", " ").capitalize() if made is None else label_of(made[0]) + made[1]


def plain_of(term: str) -> str:
    """Return what a term tells, without level and scale, for the first page of a report.

    Examples
    --------
    >>> plain_of("log_sentence_days"), plain_of("sex=F"), plain_of("shoe_size_squared")
    ('length of the sentence', 'sex', 'shoe size')
    """
    name = column_of(term)
    column = BY_NAME.get(name)
    if column is not None:
        return column.plain or f"{column.label[:1].lower()}{column.label[1:]}"
    made = made_of(name)
    return name.replace("_", " ") if made is None else plain_of(made[0])


def level_label(name: str, level: str) -> str:
    """Return a level of a category in plain words."""
    if (name, level) in LEVELS:
        return LEVELS[name, level]
    return {"(missing)": "not known", "(other)": "other"}.get(level, level)


def group_of(term: str) -> str:
    """Return the group of a term, ``other`` for columns of no group.

    Examples
    --------
    >>> group_of("severity_squared"), group_of("sex=F"), group_of("shoe_size")
    ('index', 'demographics', 'other')
    """
    name = column_of(term)
    if name in GROUP_OF:
        return GROUP_OF[name]
    made = made_of(name)
    return "other" if made is None else group_of(made[0])


def column_of(term: str) -> str:
    """Return the column of a term.

    Examples
    --------
    >>> column_of("sex=F"), column_of("copas_rate missing"), column_of("severity")
    ('sex', 'copas_rate', 'severity')
    """
    return term.partition("=")[0].removesuffix(" missing")


def characteristic_of(term: str) -> str:
    """Return what a term tells of a person: its column, without logarithm and square.

    Examples
    --------
    >>> characteristic_of("age_at_index_squared"), characteristic_of("sex=F")
    ('age_at_index', 'sex')
    """
    name = column_of(term)
    made = made_of(name)
    return name if made is None else characteristic_of(made[0])


def tells_last_year(name: str) -> bool:
    """Whether a column tells that there was a sanction in the year before."""
    return characteristic_of(name) == LAST_SANCTION
