"""Arrow schemas of the national records, version 1: what a data owner exports.

An extract is a folder::

    EXTRACT/extract.json                      {"justicelab_schema": 1, "extract_date": "YYYY-MM-DD"}
                                              and "synthetic": true where nobody in it exists
    EXTRACT/identities/TABLE/part-*.parquet   zone I: names, full birth dates, identifiers
    EXTRACT/analysis/TABLE/part-*.parquet     zone A: everything a study is computed from

A table may also be one file, ``ZONE/TABLE.parquet``. Part files are read in the order of their
names and continue each other's sort order. Parquet, zstd, row groups of at most 131,072 rows,
``justicelab_schema=1`` in the metadata of every file. Unknown is null, never a magic value.

Codes are ``dictionary<int32, utf8>``; plain ``utf8`` is accepted in their place, and so is a
narrower integer type.

Words: a *required* column must be present; an optional one may be absent or all null; a required
column that is not *nullable* holds no null; a column *required for* some disposals holds no null
in their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from engine.records import code_lists as codes

SCHEMA_VERSION = 1
SCHEMA_KEY = b"justicelab_schema"
"""Key of the version in the metadata of every Parquet file."""
EXTRACT_FILE = "extract.json"
EXTRACT_DATE = "extract_date"
SYNTHETIC = "synthetic"
"""Key of the mark of an extract whose people do not exist; false where it is not there."""
IDENTITIES = "identities"
"""Folder of zone I, read by linkage alone."""
ANALYSIS = "analysis"
"""Folder of zone A, which holds no name, no identifier and no full birth date."""
ROW_GROUP_ROWS = 131_072

CODE = pa.dictionary(pa.int32(), pa.utf8())
_INT64, _INT32, _INT16, _INT8 = pa.int64(), pa.int32(), pa.int16(), pa.int8()
_DATE, _TEXT, _BOOL, _FLOAT = pa.date32(), pa.utf8(), pa.bool_(), pa.float32()


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    type : pyarrow.DataType
    required : bool
        Whether the column must be present.
    nullable : bool
        Whether a null is allowed; an optional column is always nullable.
    known : tuple of str
        Known values of a code; others are warnings. Empty: an open list.
    required_for : tuple of str
        Values of ``disposal_type`` whose rows hold no null here, but for what ``rule`` says.
    rule : str
        What else holds, in words.
    """

    name: str
    type: pa.DataType
    required: bool = True
    nullable: bool = False
    known: tuple[str, ...] = ()
    required_for: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """A column whose values all stand in a column of another table."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class DateOrder:
    """Two dates of one row, the first never after the second; a null breaks no order."""

    earlier: str
    later: str


@dataclass(frozen=True)
class Table:
    """One table of the extract.

    Parameters
    ----------
    name : str
    zone : str
        ``identities`` or ``analysis``.
    columns : tuple of Column
    key : tuple of str
        Columns that together are unique.
    sorted_by : tuple of str
        Sort order over all part files.
    foreign_keys : tuple of ForeignKey
    date_orders : tuple of DateOrder
    required : bool
        Whether the table must be present.
    further : str
        Prefix of columns of type int8 that may stand beside the named ones; empty for none.
    """

    name: str
    zone: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sorted_by: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    date_orders: tuple[DateOrder, ...] = ()
    required: bool = True
    further: str = ""

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema with every named column and the version in its metadata."""
        fields = [
            pa.field(column.name, column.type, nullable=is_nullable(column))
            for column in self.columns
        ]
        return pa.schema(fields, {SCHEMA_KEY: str(SCHEMA_VERSION).encode()})


def is_nullable(column: Column) -> bool:
    """Whether a column may hold nulls at all."""
    return column.nullable or not column.required


def _optional(name: str, kind: pa.DataType, **more: tuple[str, ...] | str) -> Column:
    return Column(name, kind, required=False, nullable=True, **more)  # type: ignore[arg-type]


def _nullable(name: str, kind: pa.DataType, **more: tuple[str, ...] | str) -> Column:
    return Column(name, kind, nullable=True, **more)  # type: ignore[arg-type]


_OF_PERSON = ForeignKey("person_id", "persons", "person_id")
_OF_PROFILE = ForeignKey("person_id", "person_profile", "person_id")
_OF_DISPOSAL = ForeignKey("disposal_id", "disposals", "disposal_id")

PERSONS = Table(
    name="persons",
    zone=IDENTITIES,
    columns=(
        Column("person_id", _INT64, rule="no meaning of its own"),
        Column("first_name", _TEXT, rule="as recorded, at most 60 characters"),
        Column("last_name", _TEXT, rule="as recorded, at most 60 characters"),
        _optional("middle_names", _TEXT),
        _nullable("date_of_birth", _DATE, rule="1900-01-01 < date < extract date; no placeholder"),
        _nullable("sex", CODE, known=codes.SEXES),
        _optional("pnc_id", _TEXT, rule="YYYY/NNNNNNNL, current value"),
        _optional("cro_number", _TEXT, rule="NNNNNN/YYL or SFYY/NNNNNNL, current value"),
        _optional("prison_number", _TEXT, rule="ANNNNAA, current value"),
        _optional("crn", _TEXT, rule="ANNNNNN, current value"),
    ),
    key=("person_id",),
    sorted_by=("person_id",),
    foreign_keys=(_OF_PROFILE,),
)

PERSON_ALIASES = Table(
    name="person_aliases",
    zone=IDENTITIES,
    columns=(
        Column("person_id", _INT64),
        Column("alias_no", _INT16),
        _optional("first_name", _TEXT),
        _optional("last_name", _TEXT),
        _optional("middle_names", _TEXT),
        _optional("date_of_birth", _DATE, rule="at least one field differs from persons"),
    ),
    key=("person_id", "alias_no"),
    sorted_by=("person_id", "alias_no"),
    foreign_keys=(_OF_PERSON,),
    required=False,
)

PERSON_IDENTIFIERS = Table(
    name="person_identifiers",
    zone=IDENTITIES,
    columns=(
        Column("person_id", _INT64),
        Column("id_type", CODE, known=codes.IDENTIFIER_TYPES),
        Column("value", _TEXT),
        Column("valid", _BOOL),
        _optional("first_seen", _DATE),
    ),
    key=("person_id", "id_type", "value"),
    sorted_by=("person_id",),
    foreign_keys=(_OF_PERSON,),
    required=False,
)

PERSON_PROFILE = Table(
    name="person_profile",
    zone=ANALYSIS,
    columns=(
        Column("person_id", _INT64),
        _nullable("birth_month", _DATE, rule="the first day of the month of birth"),
        _nullable("sex", CODE, known=codes.SEXES),
        _optional("ethnicity_self", CODE, known=tuple(codes.ETHNICITIES_SELF)),
        _optional("ethnicity_observed", CODE, known=codes.ETHNICITIES_OBSERVED),
        _optional("nationality_group", CODE, known=codes.NATIONALITY_GROUPS),
        _optional("first_recorded_offence_date", _DATE),
        _optional("died_on", _DATE),
        _optional("deported_on", _DATE),
    ),
    key=("person_id",),
    sorted_by=("person_id",),
    foreign_keys=(_OF_PERSON,),
    date_orders=(
        DateOrder("birth_month", "first_recorded_offence_date"),
        DateOrder("birth_month", "died_on"),
    ),
)

DISPOSALS = Table(
    name="disposals",
    zone=ANALYSIS,
    columns=(
        Column("disposal_id", _INT64),
        Column("person_id", _INT64),
        Column("disposal_date", _DATE, rule="date of conviction or caution"),
        Column("disposal_type", CODE, known=codes.DISPOSAL_TYPES),
        _optional("disposal_code", _TEXT),
        Column("principal_offence_id", _INT64),
        _optional("court_type", CODE, known=codes.COURT_TYPES),
        _nullable(
            "sentence_days",
            _INT32,
            required_for=codes.CUSTODIAL_TYPES,
            rule="as imposed; null and indeterminate for a life sentence",
        ),
        Column("indeterminate", _BOOL),
        _optional("custody_start", _DATE),
        _nullable("release_date", _DATE, rule="null for custody only while still inside"),
        _optional("release_type", CODE, known=codes.RELEASE_TYPES),
        _nullable("order_start", _DATE, required_for=codes.ORDER_TYPES),
        _optional("order_end", _DATE),
        _nullable(
            "index_date",
            _DATE,
            rule="release, start of the order, otherwise the disposal's date; null while still "
            "inside and for a penalty notice",
        ),
        _optional("police_force", CODE),
        _optional("probation_region", CODE),
        _optional("prison", CODE),
        _optional("local_authority", CODE),
        _optional("excluded_reason", CODE),
    ),
    key=("disposal_id",),
    sorted_by=("person_id", "disposal_date", "disposal_id"),
    foreign_keys=(
        _OF_PROFILE,
        ForeignKey("principal_offence_id", "offences", "offence_id"),
    ),
    date_orders=(
        DateOrder("custody_start", "release_date"),
        DateOrder("disposal_date", "release_date"),
        DateOrder("order_start", "order_end"),
        DateOrder("disposal_date", "index_date"),
    ),
)

CUSTODY_SPELLS = Table(
    name="custody_spells",
    zone=ANALYSIS,
    columns=(
        Column("spell_id", _INT64),
        Column("person_id", _INT64),
        Column("received_on", _DATE),
        _nullable("released_on", _DATE, rule="null while still inside"),
        Column("spell_type", CODE, known=codes.SPELL_TYPES),
        _optional("disposal_id", _INT64),
        _optional("prison", CODE),
    ),
    key=("spell_id",),
    sorted_by=("person_id", "received_on", "spell_id"),
    foreign_keys=(_OF_PROFILE, _OF_DISPOSAL),
    date_orders=(DateOrder("received_on", "released_on"),),
    required=False,
)

OFFENCES = Table(
    name="offences",
    zone=ANALYSIS,
    columns=(
        Column("offence_id", _INT64),
        Column("person_id", _INT64),
        Column("disposal_id", _INT64),
        Column("offence_date", _DATE),
        Column("conviction_date", _DATE, rule="date of conviction, caution or notice"),
        Column("ho_code", _TEXT, rule="'ccc/ss'"),
        _optional("cjs_code", _TEXT),
        _optional("group12", CODE, known=codes.OFFENCE_GROUPS_12),
        _optional("group13", CODE, known=codes.OFFENCE_GROUPS_13),
        Column("group20", CODE, known=codes.OFFENCE_GROUPS_20),
        _optional("group24", CODE, known=codes.OFFENCE_GROUPS_24),
        Column("trial_mode", CODE, known=codes.TRIAL_MODES),
        _optional("severity", _FLOAT),
        Column("recordable", _BOOL),
        Column("breach", _BOOL, rule="breach of a court order; never a reoffence"),
        Column("outcome", CODE, known=codes.OUTCOMES),
    ),
    key=("offence_id",),
    sorted_by=("person_id", "offence_date", "offence_id"),
    foreign_keys=(_OF_PROFILE, _OF_DISPOSAL),
    date_orders=(DateOrder("offence_date", "conviction_date"),),
)

OASYS_ASSESSMENTS = Table(
    name="oasys_assessments",
    zone=ANALYSIS,
    columns=(
        Column("person_id", _INT64),
        Column("assessment_id", _INT64),
        Column("assessment_date", _DATE),
        Column("status", CODE, known=codes.ASSESSMENT_STATUSES),
        _optional("layer", _INT8),
        *(_optional(name, _INT8, rule="0, 1, 2 or null") for name in codes.NEEDS),
        *(_optional(name, _FLOAT, rule="per cent") for name in codes.ASSESSMENT_SCORES),
        _optional("score_version", CODE),
    ),
    key=("person_id", "assessment_date", "assessment_id"),
    sorted_by=("person_id", "assessment_date", "assessment_id"),
    foreign_keys=(_OF_PROFILE,),
    required=False,
    further="item_",
)

SUPERVISION_AND_BENEFITS = Table(
    name="supervision_and_benefits",
    zone=ANALYSIS,
    columns=(
        Column("person_id", _INT64),
        Column("period_start", _DATE),
        _nullable("period_end", _DATE, rule="null while it lasts"),
        Column("kind", CODE, known=codes.SUPPORT_KINDS),
        Column("code", CODE, rule="benefits: JSA, IB, ESA, IS, UC; others count as a benefit"),
    ),
    key=(),
    sorted_by=("person_id", "period_start"),
    foreign_keys=(_OF_PROFILE,),
    date_orders=(DateOrder("period_start", "period_end"),),
    required=False,
)

OFFENCE_LOOKUP = Table(
    name="offence_lookup",
    zone=ANALYSIS,
    columns=(
        Column("ho_code", _TEXT),
        _optional("cjs_code", _TEXT),
        Column("group12", CODE, known=codes.OFFENCE_GROUPS_12),
        _optional("group13", CODE, known=codes.OFFENCE_GROUPS_13),
        Column("group20", CODE, known=codes.OFFENCE_GROUPS_20),
        _optional("group24", CODE, known=codes.OFFENCE_GROUPS_24),
        _optional("severity", _FLOAT),
        Column("recordable", _BOOL),
    ),
    key=("ho_code",),
    sorted_by=("ho_code",),
    required=False,
)


def _names_of(name: str) -> Table:
    """Return the table that gives each code of an open list its name."""
    return Table(
        name=name,
        zone=ANALYSIS,
        columns=(Column("code", _TEXT), Column("name", _TEXT)),
        key=("code",),
        sorted_by=("code",),
        required=False,
    )


TABLES = (
    PERSONS,
    PERSON_ALIASES,
    PERSON_IDENTIFIERS,
    PERSON_PROFILE,
    DISPOSALS,
    CUSTODY_SPELLS,
    OFFENCES,
    OASYS_ASSESSMENTS,
    SUPERVISION_AND_BENEFITS,
    OFFENCE_LOOKUP,
    _names_of("disposal_lookup"),
    _names_of("prisons"),
    _names_of("regions"),
)
"""All tables, identities first, each after those that it leans on most."""

TABLE = {table.name: table for table in TABLES}
"""The tables by name."""
