"""What is recorded: the machine, every comparison with its bar, and the table made of them."""

import importlib.metadata
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = (
    "justicelab",
    "numba",
    "numpy",
    "scipy",
    "pyarrow",
    "glum",
    "tabmat",
    "scikit-learn",
    "statsmodels",
    "pytest-benchmark",
)


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
    versions = {}
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
        "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in figures],
    }


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _parts(parts: dict[str, float]) -> str:
    if not parts:
        return ""
    whole = _number(sum(parts.values()))
    if len(parts) == 1:
        return whole
    return f"{whole} ({' + '.join(f'{part} {_number(s)}' for part, s in parts.items())})"


def as_table(record: dict[str, Any]) -> str:
    """Return the figures of a record as a Markdown table under a line on the machine."""
    box = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in box["versions"].items())
    peers = "".join(f", {name} {version}" for name, version in record["peers"].items())
    lines = [
        (
            f"{box['processor']} ({box['family']}), {box['cores']} cores, {box['memory_gb']} GB, "
            f"{box['system']}, Python {box['python']}; {versions}{peers}. {record['date']}."
        ),
        "",
        "| what | rows | measure | ours | beside | theirs | value | bar | verdict | answers |",
        "|---|---:|---|---:|---|---:|---:|---:|---|---|",
    ]
    for figure in record["figures"]:
        value = "" if figure["value"] is None else f"{_number(figure['value'])} {figure['unit']}"
        limit = "" if figure["limit"] is None else f"<= {_number(figure['limit'])}"
        answers = "; ".join(text for text in (figure["answers"], figure["note"]) if text)
        cells = (
            figure["what"], f"{figure['rows']:,}" if figure["rows"] else "", figure["measure"],
            _parts(figure["ours"]), figure["beside"], _parts(figure["peer"]), value, limit,
            figure["verdict"], answers,
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
