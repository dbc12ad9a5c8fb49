"""Reports in a real browser: nothing wider than a phone, no text cut, prints, no axe violations."""

import html
import json
import re

import pytest

from engine.release.report.index import index_page
from engine.release.report.page import study_page
from tests.engine.release.report.axe import axe_script, violations
from tests.engine.release.report.drawn import with_bootstrap
from tests.engine.release.report.studies import VERDICTS, study
from tests.engine.release.test_browser import MEASURE, WIDTHS, chromium  # noqa: F401 - a fixture


def long_names():
    """Names without a place to break, and a service that lost nearly everybody."""
    results = study(4, "fewer")
    results["study"]["service"] = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4
    for one in results["analyses"]:
        one["label"] = "ж" * 90
    for row in results["balance"]["rows"]:
        row["label"] = (
            f"number of convictions for offence group {row['name']} in the last ten years"
        )
    left = results["attrition"]["submitted"] // 40
    for stage in results["attrition"]["stages"]:
        stage |= {"label": "A reason that takes many words to tell " * 3, "remaining": left}
    return results


def pages():
    made = {verdict: study_page(study(1, verdict)) for verdict in VERDICTS}
    made["long names"] = study_page(long_names())
    for kind in ("wild", "refit"):
        drawn = with_bootstrap(study(2, "more"), kind=kind, valid=kind == "wild")
        made[f"{kind} bootstrap"] = study_page(drawn)
    listed = [(f"{verdict}/report.html", study(1, verdict)) for verdict in VERDICTS]
    made["index"] = index_page([*listed, ("long/report.html", long_names())])
    return made


def test_nothing_is_wider_than_its_screen(chromium, tmp_path):  # noqa: F811
    frames = [
        f'<iframe name="{name} at {width}" style="width:{width}px;height:900px;border:0"'
        f' srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages().items()
        for width in WIDTHS
    ]
    page = tmp_path / "page.html"
    page.write_text(f"<meta charset=utf-8><script>{MEASURE}</script>{''.join(frames)}")

    dumped = chromium("--window-size=1400,900", "--dump-dom", page.as_uri())

    found = json.loads(html.unescape(re.search("<title>FOUND(.*)FOUND</title>", dumped).group(1)))
    assert len(found) == len(frames)
    for name, one in found.items():
        assert one["styled"] == "0px", f"the style sheet of '{name}' was refused"
        assert one["scroll"] <= one["width"], name
        assert one["wide"] == [], name


@pytest.mark.parametrize("verdict", ["fewer", "match_not_adequate"])
def test_the_report_prints(chromium, tmp_path, verdict):  # noqa: F811
    page, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(study_page(study(1, verdict)))

    chromium("--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri())

    data = printed.read_bytes()
    assert data.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 25


def test_axe_finds_no_violation(chromium, tmp_path):  # noqa: F811
    axe = axe_script()
    for name, text in pages().items():
        assert violations(chromium, tmp_path, axe, text) == {}, name
