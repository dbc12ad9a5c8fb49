"""Reports in a real browser: nothing wider than a phone, no text cut, prints, no axe violations.

The check for accessibility needs axe-core, which is kept outside the repository:
``JUSTICELAB_AXE`` names its ``axe.min.js``. Without it, or without chromium, the tests are reported
as not run.
"""

import html
import json
import os
import re
from pathlib import Path

import pytest

from engine.release.report.index import index_page
from engine.release.report.page import study_page
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


AXE = """
for (const one of document.querySelectorAll('details')) one.open = true;
axe.run(document, {resultTypes: ['violations']}).then(result => {
  const found = result.violations.map(
    one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | '));
  document.title = 'FOUND' + JSON.stringify({passes: result.passes.length, found}) + 'FOUND';
});
"""


def test_axe_finds_no_violation(chromium, tmp_path):  # noqa: F811
    place = os.environ.get("JUSTICELAB_AXE")
    if not place:
        pytest.skip("JUSTICELAB_AXE does not name an axe.min.js")
    axe = Path(place).read_text(encoding="utf-8")
    for name, text in pages().items():
        # The page forbids scripts; the check is one, so it runs on the page without that rule.
        opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        page = tmp_path / "page.html"
        page.write_text(
            opened.replace("</body>", f"<script>{axe}</script><script>{AXE}</script></body>")
        )

        dumped = chromium(
            "--window-size=1100,900", "--virtual-time-budget=60000", "--dump-dom", page.as_uri()
        )

        told = re.search("<title>FOUND(.*)FOUND</title>", dumped)
        assert told, name
        result = json.loads(html.unescape(told.group(1)))
        assert result["passes"] > 10
        assert result["found"] == [], name
