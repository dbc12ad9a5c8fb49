"""Axe-core on a page at several widths; a phone is a frame, as no window is that narrow.

axe-core is kept outside the repository: ``JUSTICELAB_AXE`` names its ``axe.min.js``.
"""

import html
import json
import os
import re
from pathlib import Path

import pytest

WIDTHS = (320, 1280)
_RUN = """
for (const one of document.querySelectorAll('details')) one.open = true;
axe.run(document, {resultTypes: ['violations']}).then(result => parent.postMessage({
  name: window.name, passes: result.passes.length,
  found: result.violations.map(
    one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | '))
}, '*'));
"""
_GATHER = """
const found = [];
addEventListener('message', one => {
  found.push(one.data);
  if (found.length === document.querySelectorAll('iframe').length)
    document.title = 'FOUND' + JSON.stringify(found) + 'FOUND';
});
"""


def axe_script():
    """Source of axe-core; the test is reported as not run where there is none."""
    place = os.environ.get("JUSTICELAB_AXE")
    if not place:
        pytest.skip("JUSTICELAB_AXE does not name an axe.min.js")
    return Path(place).read_text(encoding="utf-8")


def violations(chromium, folder, axe, text):
    """Violations of a page by width, every part of it opened."""
    # The page forbids scripts; the check is one, so it runs on the page without that rule.
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    (folder / "checked.html").write_text(
        free.replace("</body>", f"<script>{axe}</script><script>{_RUN}</script></body>")
    )
    checked = html.escape((folder / "checked.html").read_text())
    frames = [
        f'<iframe title="page" name="{width}" style="width:{width}px;height:900px;border:0"'
        f' srcdoc="{checked}"></iframe>'
        for width in WIDTHS
    ]
    page = folder / "frames.html"
    page.write_text(f"<meta charset=utf-8><script>{_GATHER}</script>{''.join(frames)}")
    dumped = chromium("--virtual-time-budget=90000", "--dump-dom", page.as_uri())
    told = re.search("<title>FOUND(.*)FOUND</title>", dumped)
    assert told, "axe-core did not end"
    found = json.loads(html.unescape(told.group(1)))
    assert len(found) == len(WIDTHS)
    assert min(one["passes"] for one in found) > 10
    return {one["name"]: one["found"] for one in found if one["found"]}
