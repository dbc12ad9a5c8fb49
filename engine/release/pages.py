"""Pages: the report of a match and the fragment that a notebook shows.

The sentences stand in the templates and the choice among them in :mod:`engine.release.words`. A
number reaches a page in one way only: by its key and a format, which both stay on it
(``data-key``, ``data-format``), so that a test or a reader can hold the page against results.json.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.release import words
from engine.release.charts import draw
from engine.release.formats import FORMATS, lookup, plain_text

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS = 300
"""Rows of one table of a page; the files hold all. 3,000 interactions would make a page of 5 MB."""

_TEMPLATES = Path(__file__).with_name("templates")

_JOINT = re.compile(r"(?<=\w)([_=/:.])(?=\w)")

_TITLES = {
    "warnings": "Know this first",
    "asked": "What was asked",
    "people": "Who was matched",
    "alike": "How alike the groups are",
    "estimates": "The estimates",
    "sensitivity": "How sure can we be",
    "path": "Other calipers and ratios",
    "certificate": "Certificate of the match",
    "model": "The propensity model",
    "caveats": "What this page cannot say",
    "glossary": "Words used",
    "reproduce": "How to cite and repeat this",
}
_ORDERS = {
    "largest": "people with the largest scores choose first",
    "smallest": "people with the smallest scores choose first",
    "closest": "the closest pairs are made first",
    "data": "people choose in the order of the table",
    "random": "people choose in an order drawn by the seed",
}
_ESTIMANDS = {
    "ATT": "the average difference for treated people",
    "ATC": "the average difference for comparison people, had they been treated",
    "matched participants": "only those who could be matched, because some could not",
}
_FITS = {
    "ml": "maximum likelihood",
    "ridge": "maximum likelihood with a ridge penalty",
    "firth-flic": "Firth’s penalised likelihood with the intercept corrected (FLIC)",
}
_DENOMINATORS = {
    "treated": "of the treated people before matching",
    "comparison": "of the comparison people before matching",
    "pooled": "of both groups before matching, pooled",
}
_BALANCE_COLUMNS = (
    ("smd_after", "smd"),
    ("smd_before", "smd"),
    ("mean_treated", "mean"),
    ("mean_treated_matched", "mean"),
    ("mean_comparison_before", "mean"),
    ("mean_comparison_after", "mean"),
    ("variance_ratio_before", "ratio"),
    ("variance_ratio_after", "ratio"),
    ("ks_before", "smd"),
    ("ks_after", "smd"),
)


def match_page(
    results: Mapping[str, Any],
    charts: Mapping[str, str] | None = None,
    *,
    content_id: str | None = None,
) -> str:
    """One self-contained page on a match: no script, no network, readable on a phone and in print.

    Parameters
    ----------
    results : mapping
        The results as written to results.json, with bootstrap.json under ``bootstrap`` where there
        is one.
    charts : mapping of str to str, optional
        SVG by name from :func:`engine.release.charts.draw`; drawn here where not given.
    content_id : str, optional
        Cited in the footer.

    Returns
    -------
    str
        HTML, the same text for the same input.
    """
    from markupsafe import Markup  # noqa: PLC0415 - see _environment

    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    drawn = draw(results) if charts is None else charts
    template = _environment(results).get_template("match.html.jinja")
    return template.render(
        **_view(results),
        # Made by this package from escaped parts: a second escaping would show their markup.
        charts={name: Markup(chart) for name, chart in drawn.items()},  # noqa: S704
        style=Markup(style),  # noqa: S704
        style_hash=f"sha256-{digest}",
        content_id=content_id,
    )


def notebook_html(results: Mapping[str, Any]) -> str:
    """Short fragment of a match for ``_repr_html_``: sentences, balance and certificate.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.

    Returns
    -------
    str
        HTML of one ``div`` without styles of its own.
    """
    return _environment(results).get_template("notebook.html.jinja").render(**_view(results))


def _environment(results: Mapping[str, Any]) -> "Environment":
    """Templates with autoescape and the two functions that print from the results."""
    # Imported here: 40 ms that `--help` and a run without a page must not pay.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup, escape  # noqa: PLC0415

    def figure(key: str, form: str) -> Markup:
        shown = FORMATS[form](lookup(results, key))
        span = Markup('<span class="number" data-key="{}" data-format="{}">{}</span>')
        return span.format(key, form, shown)

    def name(key: str, *, plain: bool = False) -> Markup:
        # A long name may break after its joints, and elsewhere only where nothing else helps.
        shown = Markup(_JOINT.sub("\\1<wbr>", str(escape(FORMATS["text"](lookup(results, key))))))  # noqa: S704
        span = Markup('<span class="{}" data-key="{}" data-format="text">{}</span>')
        return span.format("words" if plain else "name", key, shown)

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            plain_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    environment.globals.update(f=figure, t=name)
    return environment


def _view(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates choose by: parts of the results, orders of rows, words. No new numbers."""
    design = results.get("design") or {}
    counts = results.get("counts") or {}
    summary = results.get("balance_summary") or {}
    balance = results.get("balance") or []
    unmatched = results.get("unmatched") or {}
    certificate = results.get("certificate") or {}
    propensity = results.get("propensity")
    estimates = [
        _estimate_view(number, one) for number, one in enumerate(results.get("estimates") or ())
    ]
    focal = words.focal(results)
    optional = {
        "estimates": estimates,
        "path": results.get("path") or results.get("keep_share"),
        "warnings": results.get("warnings"),
    }
    caution = words.main_caution(results)
    caution_on = None
    if caution is not None and caution.startswith("estimates.") and len(estimates) > 1:
        caution_on = caution.replace(".cautions.0", ".outcome")
    placebos = results.get("placebos") or []
    optional["sensitivity"] = (
        placebos
        or results.get("support")
        or any(any((one["sensitivity"] or {}).values()) for one in estimates)
    )
    label = str(design.get("estimand_label"))
    return {
        "titles": _TITLES,
        "contents": [(key, title) for key, title in _TITLES.items() if optional.get(key, True)],
        "design": _Lenient(design),
        "counts": _Lenient(counts),
        "summary": _Lenient(summary),
        "propensity": _Lenient(propensity) if propensity else None,
        "certificate": _Lenient(certificate),
        "unmatched": _Lenient(unmatched),
        "estimates": estimates,
        "bootstrap": results.get("bootstrap"),
        "resampled": _resampled(results, estimates),
        "by_design": all(one["by_design"] for one in estimates),
        "asked_by_name": bool(estimates) and estimates[0]["asked"] != "auto",
        "has_sensitivity": bool(optional["sensitivity"]),
        "placebos": placebos,
        "alarm": next((i for i, one in enumerate(placebos) if one.get("alarm")), None),
        "support": results.get("support"),
        "caution": caution,
        "caution_on": caution_on,
        "path": results.get("path"),
        "keep_share": results.get("keep_share"),
        "warnings": results.get("warnings") or [],
        "balance": words.order_by_size(balance, "smd_after", "smd_before"),
        "closeness": [words.closeness(row.get("smd_after")) for row in balance],
        "balance_columns": _BALANCE_COLUMNS,
        "profile": words.order_by_size(unmatched.get("profile") or [], "smd"),
        "bands": range(max(0, len((results.get("overlap") or {}).get("edges") or ()) - 1)),
        "most_rows": MOST_ROWS,
        "violations": certificate.get("violations") or 0,
        "poorly": summary.get("poorly_matched") or 0,
        "has_time": any(one["kind"] == "time" for one in estimates),
        "some_lost": label == "matched participants",
        "focal": focal,
        "on_probability": (design.get("caliper") or {}).get("scale") == "probability",
        "other": "comparison" if focal == "treated" else "treated",
        "order_words": _ORDERS.get(str(design.get("order")), ""),
        "estimand_words": _ESTIMANDS.get(label, ""),
        "fit_words": _FITS.get(str((propensity or {}).get("method")), "maximum likelihood"),
        "denominator_words": _DENOMINATORS.get(str(summary.get("denominator")), ""),
    }


def _resampled(
    results: Mapping[str, Any], estimates: Sequence[dict[str, Any]]
) -> list[tuple[int, dict[str, Any]]]:
    """Return the estimates that a bootstrap resampled, with their positions in it."""
    by_name = {(one["outcome"], one["kind"]): one for one in estimates}
    drawn = (results.get("bootstrap") or {}).get("estimates") or ()
    return [(i, by_name[one["outcome"], one["type"]]) for i, one in enumerate(drawn)]


class _Lenient(dict[str, Any]):
    """A part of the results in which a key that is not there counts as empty."""

    def __missing__(self, key: str) -> None:
        return None


def _estimate_view(number: int, estimate: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(estimate.get("type"))
    level, gap = words.table_formats(estimate)
    low_words, high_words = words.limit_words(estimate)
    sensitivity = estimate.get("sensitivity") or {}
    shown = (
        i
        for i, one in enumerate(sensitivity.get("e_values") or ())
        if one.get("measure") != "odds ratio"
    )
    return {
        "number": number,
        "key": f"estimates.{number}",
        "outcome": estimate.get("outcome"),
        "kind": kind,
        "verdict": words.verdict(estimate),
        "direction": words.direction(estimate),
        "low_words": low_words,
        "high_words": high_words,
        "unit": {"binary": " in every 100", "time": " days"}.get(kind, ""),
        "value_form": words.value_format(estimate),
        "size_form": words.size_format(estimate),
        "level_form": level,
        "gap_form": gap,
        "gap_unit": {"binary": " points", "time": " days"}.get(kind, ""),
        "gap_words": {"binary": " in percentage points", "time": " in days"}.get(kind, ""),
        "by_design": str(estimate.get("interval_method")).startswith("design-based"),
        "asked": estimate.get("interval_asked", "auto"),
        "publishable": estimate.get("publishable", True),
        "enough_events": estimate.get("enough_events", True),
        "cautions": estimate.get("cautions") or [],
        "ratios": estimate.get("ratios") or [],
        "adjusted": estimate.get("adjusted"),
        "adjusted_note": estimate.get("adjusted_note"),
        "secondary": estimate.get("secondary") or [],
        "refused": estimate.get("refused") or [],
        "sensitivity": sensitivity,
        "shown_e_value": next(shown, 0),
    }
