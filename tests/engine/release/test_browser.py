"""The page in a real browser: nothing wider than a phone, no text cut, prints whole.

Needs chromium. Without it the tests are reported as not run; ``JUSTICELAB_REQUIRE_BROWSER=1`` turns
that into a failure.
"""

import html
import json
import os
import re
import shutil
import subprocess

import pytest

from engine.release.pages import match_page
from tests.engine.release.conftest import CASES

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (320, 768, 1280)
# Opens every `details`, then reports what is wider than its frame and what text leaves its chart.
MEASURE = """
const found = {};
function measure(frame) {
  const doc = frame.contentDocument, width = doc.documentElement.clientWidth, wide = [];
  for (const one of doc.querySelectorAll('details')) one.open = true;
  for (const one of doc.querySelectorAll('body *')) {
    const holder = one.closest('.scroll');
    if ((holder && holder !== one) || (one.closest('svg') && one.tagName !== 'svg')) continue;
    const box = one.getBoundingClientRect();
    if (box.width && (box.right > width + 1 || box.left < -1)) wide.push(one.outerHTML);
  }
  for (const text of doc.querySelectorAll('svg text')) {
    const box = text.getBBox(), room = text.closest('svg').viewBox.baseVal;
    if (box.width && (box.x < -0.5 || box.x + box.width > room.width + 0.5))
      wide.push(text.outerHTML);
  }
  found[frame.name] = {
    width, wide: wide.map(one => one.slice(0, 200)), scroll: doc.documentElement.scrollWidth,
    styled: getComputedStyle(doc.querySelector('h1')).marginTop,
  };
}
addEventListener('load', () => {
  for (const frame of document.querySelectorAll('iframe')) measure(frame);
  document.title = 'FOUND' + JSON.stringify(found) + 'FOUND';
});
"""


@pytest.fixture
def chromium(tmp_path):
    """Run chromium with an empty profile; gives what it writes to stdout."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        if os.environ.get("JUSTICELAB_REQUIRE_BROWSER") == "1":
            pytest.fail("chromium is required and not installed")
        pytest.skip("chromium is not installed")

    def run(*arguments):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        return subprocess.run(
            [program, *FLAGS, profile, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    return run


def long_names():
    """Names that differ in their middle, many of them, and a word that cannot be broken."""
    results = CASES["rich"]()
    row = results["balance"][0]
    results["balance"] = [
        row | {"name": f"number of convictions for offence group {i:02d} in the last ten years"}
        for i in range(40)
    ]
    results["balance"][0]["name"] = "M" * 300
    results["estimates"][0]["outcome"] = "reoffended_within_twelve_months_" * 6
    results["design"]["treatment"] = "ж" * 120
    return results


PAGES = {**CASES, "long names": long_names}


def test_nothing_is_wider_than_its_screen(chromium, tmp_path):
    frames = [
        f'<iframe name="{name} at {width}" style="width:{width}px;height:900px;border:0"'
        f' srcdoc="{html.escape(match_page(make()))}"></iframe>'
        for name, make in PAGES.items()
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


def test_the_page_prints(chromium, tmp_path, results):
    page, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(match_page(results))

    chromium("--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri())

    data = printed.read_bytes()
    assert data.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 15
