"""The columns of a submission: what is required, what helps, and how people head them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["required", "one of three", "strongly encouraged", "encouraged", "optional"]

LONGEST_HEADER = 200
"""Characters of a header that are looked at."""


@dataclass(frozen=True)
class Field:
    """One column of the template.

    Attributes
    ----------
    name : str
        Name in the submission table and in every message.
    header : str
        Header in the template.
    status : str
        ``one of three``: at least one of index date, conviction date and intervention start.
    guidance : str
        What to write, for the sender.
    variants : tuple of str
        Other headers that people use, as :func:`folded` returns them.
    """

    name: str
    header: str
    status: Status
    guidance: str
    variants: tuple[str, ...] = ()


FIELDS = (
    Field(
        "row_id", "Your reference", "optional",
        "A number of your own for the person, without meaning to anybody else. We report back by "
        "it, never by name.",
        ("rowid", "reference", "ref", "yourref", "rowref", "rowreference", "id", "clientid",
         "clientref", "caseid", "caseref", "participantid", "serviceuserid", "recordid", "uniqueid",
         "urn", "referencenumber", "clientreference", "personid", "row", "rownumber"),
    ),
    Field(
        "last_name", "Surname", "required",
        "As in the person's records; not a nickname.",
        ("lastname", "familyname", "secondname", "sname", "surnamename", "clientsurname",
         "participantsurname", "lname", "surnamelastname", "lastnamesurname", "offendersurname"),
    ),
    Field(
        "first_name", "Forename", "required",
        "First name in full; an initial is seldom enough to find a person.",
        ("firstname", "forenames", "firstnames", "givenname", "givennames", "christianname",
         "fname", "clientforename", "clientfirstname", "forename1", "firstforename",
         "firstnameforename",
         "forenamefirstname", "participantforename", "participantfirstname", "offenderforename"),
    ),
    Field(
        "middle_names", "Middle names", "optional", "All of them, separated by spaces.",
        ("middlename", "middleinitial", "secondforename", "othernames", "othername", "forename2",
         "middle", "middleforename", "secondforenames"),
    ),
    Field(
        "alias", "Alias or former name", "optional",
        "Another name that the person is or was known by, such as a name before marriage.",
        ("aliases", "alias1", "formername", "formernames", "previousname", "previoussurname",
         "maidenname", "knownas", "aka", "aliasname", "previousnames", "aliassurname", "nickname"),
    ),
    Field(
        "date_of_birth", "Date of birth", "required",
        "Day, month, year: 25/12/1980. Nobody can be found without it.",
        ("dob", "birthdate", "dateofbirth", "datebirth", "bday", "birthday", "born", "dofb",
         "dobirth", "clientdob", "dateofbirthdob", "dobdateofbirth", "bdate",
         "participantdob", "offenderdob"),
    ),
    Field(
        "gender", "Gender", "required", "M or F, as in the national records.",
        ("sex", "mf", "malefemale", "gendermf", "sexmf", "gendersex", "sexgender", "genderidentity",
         "malorfemale", "maleorfemale", "gendercode", "sexcode"),
    ),
    Field(
        "pnc_id", "PNC ID", "strongly encouraged",
        "Number of the Police National Computer, such as 02/73319Z. The best way to find a person.",
        ("pnc", "pncid", "pncnumber", "pncno", "pncnum", "policenationalcomputerid", "pncref",
         "policenationalcomputernumber", "pncidnumber", "policenationalcomputer", "pncidentifier"),
    ),
    Field(
        "prison_number", "Prison number", "strongly encouraged",
        "A letter, four digits and two letters, such as A1234BC.",
        ("prisonno", "prisonnum", "prisonernumber", "prisonerno", "nomsnumber", "nomsno",
         "nomisnumber", "nomisno", "noms", "nomis", "nomsid", "nomisid", "prisonid", "prisonerid",
         "offenderno",
         "offendernumber", "prisonnomisnumber", "lids", "lidsnumber"),
    ),
    Field(
        "cro_number", "CRO number", "optional", "Number of the Criminal Records Office.",
        ("cro", "crono", "cronum", "croid", "criminalrecordsofficenumber", "croref"),
    ),
    Field(
        "crn", "CRN", "optional", "Case reference number of probation, such as X123456.",
        ("crnnumber", "crnno", "casereferencenumber", "probationnumber", "deliuscrn", "ndeliuscrn",
         "deliusnumber", "deliusid", "probationcrn", "probationid"),
    ),
    Field(
        "postcode", "Postcode", "optional", "Of the last known home address.",
        ("postalcode", "homepostcode", "addresspostcode", "pcode", "zip", "postcodehome"),
    ),
    Field(
        "intervention_start", "Intervention start date", "one of three",
        "First day on which the person took part. It chooses the sentence to start from, so please "
        "give it even where you give another date.",
        ("interventionstart", "startdate", "start", "datestarted", "programmestart",
         "programmestartdate", "coursestart", "coursestartdate", "dateofstart", "servicestart",
         "servicestartdate", "interventionstartdate", "referralstartdate", "startofintervention",
         "datestart", "supportstartdate", "interventionbegan", "started", "startdateofintervention",
         "interventiondate", "dateinterventionstarted", "engagementstartdate"),
    ),
    Field(
        "intervention_end", "Intervention end date", "encouraged",
        "Last day on which the person took part; empty if still taking part.",
        ("interventionend", "enddate", "end", "dateended", "programmeend", "programmeenddate",
         "courseend", "courseenddate", "dateofend", "serviceend", "serviceenddate", "finishdate",
         "interventionenddate", "completiondate", "endofintervention", "dateend", "finish", "ended",
         "supportenddate", "exitdate", "datecompleted", "interventionfinish", "closuredate",
         "enddateofintervention", "dateinterventionended", "datefinished"),
    ),
    Field(
        "index_date", "Index date", "one of three",
        "Release from custody, or start of the community sentence, that the service followed.",
        ("indexdate", "index", "releasedate", "dateofrelease", "dateofindex", "sentencestart",
         "sentencestartdate", "custodyreleasedate", "prisonreleasedate", "releasedfromcustody"),
    ),
    Field(
        "conviction_date", "Conviction date", "one of three",
        "Day of the conviction that led to the sentence.",
        ("convictiondate", "dateofconviction", "convicted", "courtdate", "sentencedate",
         "dateofsentence", "dateconvicted", "sentencingdate"),
    ),
    Field(
        "service_site", "Site or area", "optional",
        "Where the person took part, for results by site.",
        ("site", "area", "servicesite", "location", "region", "prison", "establishment", "centre",
         "office", "team", "siteorarea", "hub", "probationarea", "deliverysite"),
    ),
    Field(
        "selection_route", "How referred", "optional",
        "How the person came to the service: self, prison, probation, court ...",
        ("selectionroute", "referral", "referralroute", "referralsource", "referredby", "route",
         "sourceofreferral", "howreferred", "referrer", "referralagency"),
    ),
    Field(
        "intensity", "Amount received", "optional",
        "Low, medium or high; or a number of hours or sessions.",
        ("intensity", "hours", "sessions", "dose", "numberofsessions", "sessionsattended",
         "hoursattended", "attendance", "amountreceived"),
    ),
    Field(
        "completed", "Completed", "optional", "Yes or No.",
        ("completed", "completion", "completer", "completedyn", "completedprogramme",
         "complete", "completionstatus", "didtheycomplete"),
    ),
)  # fmt: skip
"""In the order of the template. Any other column is kept for sub-groups if it has few values."""

BY_NAME = {field.name: field for field in FIELDS}
REQUIRED = tuple(field.name for field in FIELDS if field.status == "required")
START_DATES = ("intervention_start", "index_date", "conviction_date")
DATES = ("date_of_birth", *START_DATES, "intervention_end")
IDENTIFIERS = ("pnc_id", "prison_number", "cro_number", "crn")
SUBGROUPS = ("service_site", "selection_route", "intensity", "completed")

WHOLE_NAMES = frozenset(
    {
        "name",
        "fullname",
        "clientname",
        "participantname",
        "names",
        "offendername",
        "nameinfull",
        "serviceusername",
        "prisonername",
    }
)
"""Headers of a column that holds forename and surname together."""

_BRACKETS = re.compile(r"[(\[][^()\[\]]{0,100}[)\]]|\bDD\W?MM\W?(YYYY|YY)\b", re.IGNORECASE)


def folded(header: str) -> str:
    """Return a header as it is compared: no case, spaces, punctuation, accents or brackets."""
    text = unicodedata.normalize("NFKD", header[:LONGEST_HEADER])
    without = _BRACKETS.sub(" ", text)
    return "".join(c for c in without.casefold() if c.isalnum() and c.isascii())


_FIELD_OF = {
    text: field.name
    for field in FIELDS
    for text in (folded(field.header), folded(field.name), *field.variants)
}


def field_of(header: str) -> str | None:
    """Return the name of the field that a header stands for, None if it stands for none.

    Examples
    --------
    >>> field_of("D.O.B. (dd/mm/yyyy)")
    'date_of_birth'
    """
    text = folded(header)
    return _FIELD_OF.get(text) or _FIELD_OF.get(text.removesuffix("required"))


def recognised(cells: Sequence[str]) -> int:
    """Return how many different fields the cells of a row name."""
    return len({name for cell in cells if (name := field_of(cell)) is not None})


def column_letter(index: int) -> str:
    """Return the letter that a spreadsheet shows above a column.

    Examples
    --------
    >>> column_letter(0), column_letter(27)
    ('A', 'AB')
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
