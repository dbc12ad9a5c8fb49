"""The demo from nothing to its page, after a kill in the middle; what it refuses and sweeps."""

import html
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from python_calamine import CalamineWorkbook

import engine.demo as demo_module
from engine.demo import FILES, FOLDERS, SERVICES, demo
from engine.errors import CannotCreateError
from engine.release.folder import MANIFEST, prepare_folder
from tests.engine.release.report.axe import axe_script, violations
from tests.engine.release.test_browser import chromium  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 30_000
SCRIPT = f"import sys; from engine.demo import demo; demo(sys.argv[1], people={PEOPLE})"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A demo that was killed while it made its store, and was taken up."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "here"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "store").is_dir():
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    killed = process.wait(60)
    left = json.loads((folder / MANIFEST).read_text())
    nation = (folder / "nation").stat().st_ino
    (folder / ".nation.1.part").mkdir()  # as a kill in the stage before leaves it
    (folder / ".nation.1.part" / "half").write_bytes(b"")
    told = []
    result = demo(folder, people=PEOPLE, progress=lambda *facts: told.append(facts))
    return SimpleNamespace(
        folder=folder, killed=killed, left=left, nation=nation, told=told, demo=result
    )


@pytest.mark.slow
def test_a_killed_demo_is_taken_up_and_swept(made):
    assert made.killed == -signal.SIGKILL
    assert made.left["status"] == "incomplete"
    assert json.loads((made.folder / MANIFEST).read_text())["status"] == "complete"
    assert (made.folder / "nation").stat().st_ino == made.nation  # not made anew
    assert {path.name for path in made.folder.iterdir()} == FILES | FOLDERS
    assert [path for path in made.folder.rglob("*") if path.name.endswith(".part")] == []


@pytest.mark.slow
def test_each_report_says_what_is_true(made):
    works, does_not, different = made.demo.studies
    verdicts = [one.results["headline"]["verdict"] for one in made.demo.studies]

    assert verdicts == ["fewer", "inconclusive", "match_not_adequate"]
    assert works.true_effect < -0.05
    assert does_not.true_effect == different.true_effect == 0.0
    for one in (works, does_not):
        rate = one.results["analyses"][0]["measures"][0]
        assert rate["ci_low"] <= 100 * one.true_effect <= rate["ci_high"]
    gate = different.results["analyses"][0]["gate"]
    assert "largest_smd" in {rule["code"] for rule in gate["rules"] if not rule["passed"]}
    assert different.results["analyses"][0]["measures"] == []


@pytest.mark.slow
def test_every_page_says_that_it_is_made_up_and_the_index_leads_to_all(made):
    index = made.demo.page.read_text()

    assert "<strong>Made-up data.</strong>" in index
    for service, one in zip(SERVICES, made.demo.studies, strict=True):
        report = one.report.read_text()
        assert one.results["study"]["synthetic"]
        assert one.results["study"]["service"] == service.title
        assert "<strong>Made-up data.</strong>" in report
        assert service.answers["selection"] in report
        assert f'href="studies/{service.name}/release/report.html"' in index
        assert (made.demo.page.parent / f"studies/{service.name}/private/results.json").exists()
    assert {path.stat().st_mode & 0o077 for path in made.folder.rglob("release/*")} == {0}


@pytest.mark.slow
@pytest.mark.parametrize(("device", "width"), [("desktop", 1280), ("phone", 390)])
def test_pictures_of_every_page_can_be_looked_at(made, chromium, tmp_path, device, width):  # noqa: F811
    """Kept where ``JUSTICELAB_SCREENSHOTS`` says, outside the repository; else thrown away."""
    kept = Path(os.environ.get("JUSTICELAB_SCREENSHOTS") or tmp_path)
    kept.mkdir(parents=True, exist_ok=True)
    for name, path in pages_of(made).items():
        page, picture = tmp_path / "page.html", kept / f"{name}-{device}.png"
        # no window of chromium is as narrow as a phone, but a frame may be
        page.write_text(
            f'<meta charset=utf-8><body style="margin:0"><iframe title="page" srcdoc="'
            f'{html.escape(path.read_text())}" style="width:{width}px;height:4000px;border:0">'
        )
        chromium(f"--window-size={max(width, 500)},4000", f"--screenshot={picture}", page.as_uri())

        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert int.from_bytes(data[16:20]) == max(width, 500)
        assert len(data) > 20_000  # an empty page has a tenth of that


@pytest.mark.slow
def test_axe_finds_no_violation_on_any_page(made, chromium, tmp_path):  # noqa: F811
    axe = axe_script()
    for name, path in pages_of(made).items():
        assert violations(chromium, tmp_path, axe, path.read_text()) == {}, name


@pytest.mark.slow
def test_no_page_is_heavy(made):
    for path in pages_of(made).values():
        assert path.stat().st_size <= 1_000_000


def pages_of(made):
    """The three reports and the index page by name."""
    return {"index": made.demo.page} | {one.service.name: one.report for one in made.demo.studies}


@pytest.mark.slow
def test_progress_goes_forward_through_five_stages(made):
    stages = list(dict.fromkeys(stage for stage, _, _ in made.told))

    assert [stage[:3] for stage in stages] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    for stage in stages:
        shares = [share for name, share, _ in made.told if name == stage]
        assert shares[0] == 0.0
        assert all(0.0 <= share <= 1.0 for share in shares)
    parts = [part for _, _, part in made.told]
    assert {"partitions", "pool", "match", "measures", "sensitivity"} <= set(parts)


def test_the_nation_of_another_version_is_removed(tmp_path):
    folder = prepare_folder(tmp_path / "demo", FILES, FOLDERS)
    facts = demo_module._begin(folder, 10, 0)
    (folder / "nation").mkdir()
    (folder / "index.html").write_text("old")

    assert demo_module._begin(folder, 10, 0) == facts
    assert (folder / "nation").is_dir()
    assert not (folder / "index.html").exists()  # what stands is whole
    assert demo_module._begin(folder, 10, 1)["content_id"] != facts["content_id"]
    assert not (folder / "nation").exists()


@pytest.mark.parametrize("name", ["letter.txt", "nation"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path, name):
    folder = tmp_path / "mine"
    (folder / name).mkdir(parents=True)
    folder.chmod(0o700)

    with pytest.raises(CannotCreateError, match="did not write"):
        demo(folder)
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_link_in_place_of_a_folder_is_refused(tmp_path):
    folder = prepare_folder(tmp_path / "demo", FILES, FOLDERS)
    demo_module._begin(folder, 10, 0)
    (tmp_path / "elsewhere").mkdir()
    (folder / "store").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CannotCreateError, match="did not write"):
        demo(folder)
    assert (tmp_path / "elsewhere").is_dir()


def test_the_description_form_is_the_template_filled(tmp_path):
    path = tmp_path / "form.xlsx"
    path.write_bytes(SERVICES[0].description())
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Description").to_python()
    answers = {row[0]: row[1] for row in rows}

    assert answers["Name of the service"] == "Trade workshop"
    assert answers["How were participants selected or referred?"].startswith("By lot")
    assert answers["Is it for vulnerable young people or adults?"] == ""
