"""What is recorded: the machine, every comparison with its bar, and the table made of them."""

import importlib.metadata
import json
import os
import platform
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "numba",
    "numpy",
    "scipy",
    "pyarrow",
    "duckdb",
    "splink",
    "glum",
    "tabmat",
    "scikit-learn",
    "statsmodels",
    "pytest-benchmark",
)
BEGIN = "<!-- benchmarks: python -m benchmarks --readme -->"
END = "<!-- end of benchmarks -->"


@dataclass(frozen=True)
class Figure:
    """One measured figure, beside a peer's or alone, with its bar.

    Attributes
    ----------
    what : str
        The case, as in the table of bars.
    rows : int
    beside : str
        The peer, or the other quantity; empty for a figure alone.
    measure : str
        What ``value`` is: ``CPU s``, ``wall s``, ``GB``, ``exponent``.
    ours, peer : dict
        Parts of each side, in the unit of ``measure``.
    value : float or None
        What the bar limits: the ratio ours / peer, or our figure; None where not measured.
    unit : str
        Unit of ``value``: ``x`` for a ratio.
    limit : float or None
        The largest value that passes; None where this size has no bar.
    answers : str
        How the answers compare.
    note : str
    """

    what: str
    rows: int
    measure: str
    value: float | None
    unit: str
    beside: str = ""
    ours: dict[str, float] = field(default_factory=dict)
    peer: dict[str, float] = field(default_factory=dict)
    limit: float | None = None
    answers: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """'pass' or 'FAIL' against the bar, 'not measured', or '' without a bar."""
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return ""
        return "pass" if self.value <= self.limit else "FAIL"


def machine() -> dict[str, Any]:
    """Return processor, cores, memory and versions; nothing that names the machine."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        model = platform.machine()
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {project["name"]: project["version"]}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "family": _processor_family(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor_family() -> str:
    """Return what LLVM calls the processor, which says which instructions it has."""
    import llvmlite.binding

    return str(llvmlite.binding.get_host_cpu_name())


def as_record(figures: list[Figure], size: str, peers: dict[str, str], date: str) -> dict[str, Any]:
    """Return everything as one JSON object."""
    return {
        "format": 1,
        "size": size,
        "date": date,
        "machine": machine(),
        "peers": peers,
        "figures": [
            {**asdict(figure), "verdict": figure.verdict, "date": date} for figure in figures
        ],
    }


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the figures of a later run of some cases added or renewed.

    Each figure keeps the day of its run, and the record the peers of those that stay.

    Parameters
    ----------
    old, new : dict
        Of :func:`as_record`.

    Raises
    ------
    ValueError
        They are of different sizes, machines or versions, so they do not belong in one table.
    """
    before, after = old["machine"], new["machine"]
    shared = before["versions"].keys() & after["versions"].keys()
    same = all(before["versions"][name] == after["versions"][name] for name in shared)
    peers = {
        name: old["peers"].get(name, text) if "not installed" in text else text
        for name, text in new["peers"].items()
    }
    same = same and all(
        "not installed" in text or text == peers.get(name, text)
        for name, text in old["peers"].items()
    )
    others = (before | {"versions": None}, old["size"]) == (after | {"versions": None}, new["size"])
    if not (same and others):
        raise ValueError("the record that is there is of another machine, size or version")

    def case(figure: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(figure[key] for key in ("what", "rows", "measure", "beside"))

    renewed = {case(figure): figure for figure in new["figures"]}
    figures = [
        renewed.pop(case(figure), {"date": old["date"]} | figure) for figure in old["figures"]
    ]
    return new | {"figures": figures + list(renewed.values()), "peers": old["peers"] | peers}


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _parts(parts: dict[str, float]) -> str:
    if not parts:
        return ""
    whole = _number(sum(parts.values()))
    if len(parts) == 1:
        return whole
    return f"{whole} ({' + '.join(f'{part} {_number(s)}' for part, s in parts.items())})"


def _machine_line(record: dict[str, Any]) -> str:
    box = record["machine"]
    known = box["versions"] | record["peers"]
    there = [f"{name} {text}" for name, text in known.items() if "not installed" not in text]
    absent = [name for name, text in known.items() if "not installed" in text]
    missing = f" Not installed: {', '.join(absent)}." if absent else ""
    days = sorted({figure.get("date", record["date"]) for figure in record["figures"]})
    when = " to ".join(days if len(days) < 2 else (days[0], days[-1]))
    return (
        f"{box['processor']} ({box['family']}), {box['cores']} cores, {box['memory_gb']} GB, "
        f"{box['system']}, Python {box['python']}; {', '.join(there)}. {when}.{missing}"
    )


def _cells(figure: dict[str, Any]) -> dict[str, str]:
    """Return the cells of a figure's row by the headings of the tables."""
    return {
        "what": figure["what"],
        "rows": f"{figure['rows']:,}" if figure["rows"] else "",
        "measure": figure["measure"],
        "ours": _parts(figure["ours"]),
        "beside": figure["beside"],
        "theirs": _parts(figure["peer"]),
        "value": "" if figure["value"] is None else f"{_number(figure['value'])} {figure['unit']}",
        "bar": "" if figure["limit"] is None else f"<= {_number(figure['limit'])}",
        "verdict": figure["verdict"],
        "answers": "; ".join(text for text in (figure["answers"], figure["note"]) if text),
    }


def _rows(headings: tuple[str, ...], rows: list[dict[str, str]]) -> list[str]:
    numbers = {"rows", "ours", "theirs", "value", "bar"}
    rule = "|".join("---:" if heading in numbers else "---" for heading in headings)
    body = ["| " + " | ".join(row[heading] for heading in headings) + " |" for row in rows]
    return ["| " + " | ".join(headings) + " |", f"|{rule}|", *body]


def as_table(record: dict[str, Any]) -> str:
    """Return the figures of a record as a Markdown table under a line on the machine."""
    headings = (
        "what", "rows", "measure", "ours", "beside", "theirs", "value", "bar", "verdict", "answers",
    )  # fmt: skip
    cells = [_cells(figure) for figure in record["figures"]]
    return "\n".join([_machine_line(record), "", *_rows(headings, cells)]) + "\n"


def as_short_table(record: dict[str, Any]) -> str:
    """Return the figures of a record as a table for the README: totals without their parts."""
    headings = ("what", "rows", "measure", "ours", "beside", "theirs", "value", "bar", "verdict")
    cells = []
    for figure in record["figures"]:
        row = _cells(figure)
        for heading, parts in (("ours", figure["ours"]), ("theirs", figure["peer"])):
            row[heading] = _number(sum(parts.values())) if parts else ""
        if figure["value"] is None:
            row["verdict"] = figure["note"] or row["verdict"]
        cells.append(row)
    return "\n".join([*_rows(headings, cells), "", _machine_line(record)]) + "\n"


def put_into_readme(records: Sequence[Path], readme: Path) -> None:
    """Replace what stands between the markers of a README by the tables of records.

    Parameters
    ----------
    records : sequence of path
        JSON of :func:`as_record`, one for each machine.
    readme : path
        Holds both markers, each once.

    Raises
    ------
    ValueError
        A marker is missing or stands twice.
    """
    found = [json.loads(record.read_text(encoding="utf-8")) for record in records]
    tables = "\n".join(as_short_table(one) for one in found)
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{readme.name} must hold {BEGIN} and {END} once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{tables}{END}{after}", encoding="utf-8")
