"""Words of a study that its results carry: of its parts, and of how people were found."""

_SUBS = {
    ("sex", "M"): "Men",
    ("sex", "F"): "Women",
}
_DIMENSIONS = {
    "age": "Aged",
    "year": "Year",
    "region": "Region",
    "prison": "Prison",
    "index_type": "After",
    "service_site": "Site",
    "selection_route": "Selected by",
    "intensity": "Intensity",
    "completed": "Completed",
}
METHODS = {
    "pnc_id": "Police number with name or birth date",
    "prison_number": "Prison number with name or birth date",
    "cro_number": "Criminal record number with name or birth date",
    "crn": "Probation number with name or birth date",
    "exact_name": "Same name and birth date",
    "short_name": "Short form of the name and birth date",
    "weight": "Probabilistic, by weights",
    "reviewed": "Decided by a reviewer",
}
STAGES = {
    "submission": "Rows that could not be used",
    "linkage": "Not found in the national records",
    "sentence": "No sentence that fits the dates of the service",
    "eligibility": "Not part of the analysis by its rules",
    "assessment": "No assessment near the start of the year",
    "matching": "Nobody near enough to be paired with",
}
"""Who is lost at each stage of the attrition."""


def sub_label(dimension: str, level: str) -> str:
    """Return the name of a sub-analysis.

    Examples
    --------
    >>> sub_label("sex", "F"), sub_label("completed", "yes"), sub_label("wing", "A")
    ('Women', 'Completed: yes', 'Wing: A')
    """
    if (dimension, level) in _SUBS:
        return _SUBS[dimension, level]
    head = _DIMENSIONS.get(dimension, dimension.replace("_", " ").capitalize())
    return f"{head} {level}" if dimension in {"age", "index_type"} else f"{head}: {level}"


def group_label(group: str, level: str) -> str:
    """Return a level of a group of people whose linked share is told; the group stands before it.

    Examples
    --------
    >>> group_label("sex", "F"), group_label("completed", "yes")
    ('Women', 'yes')
    """
    return sub_label(group, level) if group in {"sex", "age"} else level


def method_label(method: str) -> str:
    """Return how people were found, in words."""
    return METHODS.get(method, method.replace("_", " ").capitalize())
