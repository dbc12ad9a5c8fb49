"""The command line: options, help, exit codes, what goes to which stream."""

import errno
import inspect
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import types
import typing
from pathlib import Path

import pytest
from typer.testing import CliRunner

import justicelab
from cli import main as cli_main
from cli.boundary import incident
from cli.match import match as match_command
from cli.progress import progress_bar
from cli.summary import message, summary
from engine.errors import BusyError, InputError
from engine.match import match as match_table
from engine.matching.options import check_options

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "recid.csv"
RESULTS = {
    "design": {"estimand_label": "ATT"},
    "counts": {
        "rows": 1445,
        "treated": 672,
        "comparison_pool": 773,
        "treated_matched": 671,
        "treated_unmatched": 1,
        "comparison_used": 671,
        "effective_comparison": 671.0,
    },
    "balance_summary": {
        "closely_matched": 7,
        "fairly_matched": 1,
        "poorly_matched": 0,
        "largest_smd_before": -0.31,
        "largest_smd_after": 0.06,
        "largest_smd_after_name": "age\x1b[31m",
    },
    "certificate": {"pairs_checked": 671, "violations": 0},
    "estimates": [
        {
            "outcome": "returned",
            "treated": 0.4,
            "comparison": 0.5,
            "difference": -0.1,
            "ci_low": -0.15,
            "ci_high": None,
            "p_value": 0.01,
            "interval_method": "welch-kish (not design-based)",
        }
    ],
    "warnings": ["one thing to know"],
}


@pytest.fixture
def engine(monkeypatch):
    """Put a stand-in for the engine in place; return what it was asked for."""
    asked = {}

    def match(table, **options):
        asked.update(options, table=table)
        if isinstance(asked.get("fail"), BaseException):
            raise asked["fail"]
        for stage in ("read", "score", "match"):
            if asked["progress"] is not None:
                asked["progress"](stage, 0.0)
        return types.SimpleNamespace(results=RESULTS)

    stand_in = types.ModuleType("engine.match")
    stand_in.match = match
    warm = types.ModuleType("engine.warm_up")
    warm.warm_up = lambda progress: asked.update(warmed=True)
    warm.set_threads = lambda count: asked.update(threads=count)
    warm.compile_note = lambda: asked.get("note")
    import engine as package

    for name, module in (("match", stand_in), ("warm_up", warm)):
        monkeypatch.setitem(sys.modules, f"engine.{name}", module)
        monkeypatch.setattr(package, name, module, raising=False)
    return asked


def justice(*arguments):
    return CliRunner().invoke(cli_main.app, [str(a) for a in arguments])


MATCH = ("match", EXAMPLE, "--treatment", "workprg", "--covariates", "age,priors")


def test_results_go_to_stdout_and_notes_to_stderr(engine):
    result = justice(*MATCH, "--outcome", "returned:binary")

    assert result.exit_code == 0
    assert "671 of 672 treated (1 without a match)" in result.stdout
    assert "-0.1000" in result.stdout
    assert "welch-kish (not design-based)" in result.stdout
    assert "one thing to know" not in result.stdout
    assert "one thing to know" in result.stderr
    assert "\x1b" not in result.stdout


def test_json_prints_the_results_and_nothing_else(engine):
    result = justice(*MATCH, "--json")

    assert json.loads(result.stdout) == RESULTS
    assert result.stderr == ""


def test_a_run_that_compiles_first_says_so(engine):
    assert "half a minute" not in justice(*MATCH).stderr
    engine["note"] = "it takes half a minute"
    assert justice(*MATCH).stderr.count("Note: it takes half a minute") == 1
    assert "half a minute" not in justice(*MATCH, "--quiet").stderr
    engine["fail"] = InputError("the table is odd")
    assert "half a minute" not in justice(*MATCH).stderr


def test_the_note_on_compiling_follows_the_cache(tmp_path, monkeypatch):
    from engine import warm_up

    monkeypatch.setattr(warm_up, "CACHE_FOLDER", tmp_path)
    assert "First use" in warm_up.compile_note()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "kernel.nbi").touch()
    assert warm_up.compile_note() is None
    monkeypatch.setattr(warm_up, "CACHE_FOLDER", None)
    assert "XDG_CACHE_HOME" in warm_up.compile_note()


def test_quiet_leaves_stderr_empty(engine):
    assert justice(*MATCH, "--quiet").stderr == ""


def test_names_split_at_commas_and_quotes_protect_one(engine):
    justice("match", EXAMPLE, "--treatment", "t", "--covariates", 'a, "b,c"', "--covariates", "d")
    assert engine["covariates"] == ("a", "b,c", "d")


def test_every_option_reaches_the_engine_under_its_own_name(engine):
    given = {
        "treated": ("1", "1"),
        "categorical": ("felon", ("felon",)),
        "exact": ("married", ("married",)),
        "anti-exact": ("drugs", ("drugs",)),
        "id": ("id", "id"),
        "person": ("id", "id"),
        "score": ("age", "age"),
        "score-scale": ("probability", "probability"),
        "fit": ("firth", "firth"),
        "caliper": ("0.2 sd-logit", "0.2 sd-logit"),
        "covariate-caliper": ("age 2", ("age 2",)),
        "mahalanobis": ("age", ("age",)),
        "ratio": ("2", 2),
        "max-ratio": ("4", 4),
        "kernel": ("tricube", "tricube"),
        "reuse-max": ("3", 3),
        "ties": ("all", "all"),
        "order": ("random", "random"),
        "estimand": ("atc", "atc"),
        "discard": ("support", "support"),
        "missing": ("indicator", "indicator"),
        "outcome": ("returned:binary", ("returned:binary",)),
        "interval": ("welch", "welch"),
        "replicates": ("9", 9),
        "keep-share": ("0.95", 0.95),
        "smd-denominator": ("pooled", "pooled"),
        "seed": ("7", 7),
        "out": ("folder", Path("folder")),
    }
    flags = (
        "one-per-person",
        "radius",
        "replace",
        "path",
        "squares",
        "interactions",
        "pairs",
    )
    arguments = [part for name, (text, _) in given.items() for part in (f"--{name}", text)]
    result = justice(*MATCH, *arguments, *(f"--{flag}" for flag in flags), "--threads", "2")

    assert result.exit_code == 0, result.stderr
    assert {name: engine[name.replace("-", "_")] for name in given} == {
        name: value for name, (_, value) in given.items()
    }
    assert all(engine[flag.replace("-", "_")] is True for flag in flags)
    assert engine["threads"] == 2
    assert engine["treatment"] == "workprg"


def test_options_of_the_command_are_those_of_the_function():
    function = {
        **inspect.signature(check_options).parameters,
        **inspect.signature(match_table).parameters,
    }
    function.pop("options", None)
    command = dict(inspect.signature(match_command).parameters)
    command["id"] = command.pop("id_column")

    assert set(function) - set(command) == {"progress"}
    assert set(command) - set(function) == {"as_json", "quiet", "dry_run", "threads"}
    defaults = {
        name: (command[name].default, function[name].default)
        for name in function
        if name in command
    }
    differing = {n: d for n, d in defaults.items() if (d[0] or None) != (d[1] or None)}
    assert {n: d for n, d in differing.items() if inspect.Parameter.empty not in d} == {}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("matsch",), 2, "match"),
        (("match", EXAMPLE), 2, "--treatment"),
        (("match", EXAMPLE, "--treatment", "t", "--ratio", "0"), 2, "ratio"),
        (("match", EXAMPLE, "--treatment", "t", "--fit", "magic"), 2, "fit"),
        (("match", "no.csv", "--treatment", "t", "--dry-run"), 65, "no file"),
        (("match", EXAMPLE, "--treatment", "workprog", "--dry-run"), 65, "'workprg'"),
        ((*MATCH, "--outcome", "retruned:binary", "--dry-run"), 65, "'returned'"),
    ],
)
def test_refusals_have_a_code_and_say_what_is_meant(engine, arguments, code, words):
    result = justice(*arguments)

    assert result.exit_code == code
    assert result.stdout == ""
    assert words in result.stderr


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (InputError("the table is odd"), 65, "The table is odd."),
        (BusyError("another run holds the folder"), 75, "Another run"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError(), 74, "not enough memory"),
        (PermissionError(errno.EACCES, "no", "Zebedee.csv"), 77, "may not be read"),
        (OSError(errno.ENOSPC, "no", "Zebedee.csv"), 74, "No space left"),
        (ValueError("cell Zebedee is odd"), 70, "Internal error (incident "),
        (KeyError("Zebedee"), 70, "KeyError at "),
        (RecursionError("Zebedee"), 70, "RecursionError"),
    ],
)
def test_every_failure_ends_in_a_message_without_data(engine, failure, code, words):
    engine["fail"] = failure
    result = justice(*MATCH)

    assert result.exit_code == code
    assert words in result.stderr
    assert "Zebedee" not in result.output + repr(result.exception)
    assert "Traceback" not in result.output


def test_an_incident_names_our_lines_only():
    try:
        json.loads("{Zebedee")
    except ValueError as error:
        text = incident(error)

    assert "JSONDecodeError at tests/cli/test_command.py:" in text
    assert "Zebedee" not in text


def test_dry_run_checks_names_and_asks_nothing_of_the_engine(engine):
    result = justice(*MATCH, "--dry-run", "--covariate-caliper", "age 12", "--json")

    assert result.exit_code == 0
    plan = json.loads(result.stdout)
    assert (plan["rows"], plan["covariates"], plan["ratio"]) == (1445, ["age", "priors"], 1)
    assert "table" not in engine
    assert "workprg" in justice(*MATCH, "--dry-run").stdout


def test_warm_up_calls_the_engine(engine):
    assert justice("warm-up").exit_code == 0
    assert engine["warmed"]


def test_summary_copes_with_what_is_not_defined():
    bare = {
        **RESULTS,
        "estimates": [],
        "counts": dict.fromkeys(RESULTS["counts"]),
        "balance_summary": {
            **dict.fromkeys(RESULTS["balance_summary"]),
        },
    }
    assert "Largest SMD" in summary(bare)


def test_summary_fits_a_terminal_of_80_columns_whatever_the_names():
    first = RESULTS["estimates"][0]
    names = ["reoffended within twelve months of the index date", "x"]
    long = {
        **RESULTS,
        "balance_summary": {
            **RESULTS["balance_summary"],
            "largest_smd_after_name": "number of convictions of the group of offences " * 3,
        },
        "estimates": [first | {"outcome": name, "ci_high": -1234.5} for name in names],
    }
    text = summary(long)
    lines = text.splitlines()

    assert max(map(len, lines)) <= 80
    assert " ".join(text.split()).count("number of convictions of the group of offences") == 3
    above = lines.index(names[0])
    assert lines[above + 1].split()[:3] == ["0.4000", "0.5000", "-0.1000"]
    assert "-0.1500 to -1,234.5000" in text
    assert "returned  " in summary(RESULTS)


def test_summary_names_the_method_and_the_one_caution_not_to_be_missed():
    first = RESULTS["estimates"][0] | {"ci_high": -0.05, "cautions": ["hangs on few people"]}
    held = first | {
        "outcome": "convicted\x1b[31m abroad",
        "publishable": False,
        "cautions": ["must not be published", "hangs on few people"],
    }
    alarm = {"name": "height", "alarm": True, "sentence": "already differed in 'height'" * 4}
    quiet = alarm | {"alarm": False, "sentence": "did not clearly differ"}

    def last(**changed):
        lines = summary({**RESULTS, **changed}).splitlines()
        assert max(map(len, lines)) <= 80
        assert any(line.startswith("Interval: welch-kish (not design-based)") for line in lines)
        at = [i for i, line in enumerate(lines) if line.startswith("Caution")]
        assert len(at) <= 1
        return " ".join(lines[at[0] :]) if at else ""

    assert last() == ""
    assert last(placebos=[quiet]) == ""
    assert last(estimates=[first], placebos=[quiet]) == "Caution: hangs on few people"
    assert "already differed" in last(estimates=[first], placebos=[quiet, alarm])
    assert last(estimates=[first, held], placebos=[alarm]) == (
        "Caution on convicted\N{REPLACEMENT CHARACTER}[31m abroad: must not be published"
    )


def test_summary_calls_the_groups_by_their_names_for_the_atc():
    turned = {**RESULTS, "counts": {**RESULTS["counts"], "focal": "comparison"}}

    assert "671 of 773 comparison" in summary(turned)
    assert "Treated used" in summary(turned)


def test_a_tiny_p_value_is_not_printed_as_zero():
    tiny = {**RESULTS, "estimates": [RESULTS["estimates"][0] | {"p_value": 1e-9}]}

    assert summary(tiny).splitlines()[-2].endswith("  <0.0001")


def test_messages_wrap_on_a_terminal_and_are_one_line_in_a_log(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    text = "Note: " + "many words " * 20 + "\x1b[31m"

    assert max(map(len, message(text, Terminal()).splitlines())) <= 40
    assert "\n" not in message(text, io.StringIO())
    assert "\x1b" not in message(text, Terminal())


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_the_module_is_the_command_too():
    result = subprocess.run(
        [sys.executable, "-m", "justicelab", "--version"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, f"justicelab {justicelab.__version__}\n")


def test_help_loads_nothing_heavy():
    code = (
        "import sys, cli.main, justicelab\n"
        "heavy = {'numba', 'pandas', 'pyarrow', 'numpy', 'scipy', 'jinja2', 'polars'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = python(code)
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_the_commands(option):
    result = justice(option)

    assert result.exit_code == 0
    assert "match" in result.stdout
    assert "warm-up" in result.stdout
    assert "--covariates" in justice("match", option).stdout


def test_version_is_that_of_the_package():
    assert justice("--version").stdout == f"justicelab {justicelab.__version__}\n"


def test_colour_is_off_where_the_user_says_so():
    code = "import sys; sys.argv = ['justicelab', 'match', '-h']; from cli.start import run; run()"
    result = python(code, NO_COLOR="1", FORCE_COLOR="1", TERM="xterm")
    assert "\x1b[3" not in result.stdout


def test_shell_completion_offers_options():
    code = "import sys; sys.argv = ['justicelab']; from cli.start import run; run()"
    result = python(
        code,
        _JUSTICELAB_COMPLETE="complete_bash",
        COMP_WORDS="justicelab match --treat",
        COMP_CWORD="2",
        _TYPER_COMPLETE_ARGS="justicelab match --treat",
    )
    assert "--treatment" in result.stdout


def test_a_foreign_package_of_our_name_is_named(tmp_path):
    foreign = tmp_path / "kernels"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("raise RuntimeError")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(ROOT)!r})\n"
        "sys.argv = ['justicelab', '--version']\n"
        "from cli.main import run; run()"
    )
    result = python(code)

    assert result.returncode == 78
    assert "another package named 'kernels'" in result.stderr
    assert cli_main.foreign_packages() == []


def test_files_are_closed_to_everybody_else():
    code = (
        "import os, sys; os.umask(0); sys.argv = ['justicelab', '--version']\n"
        "from cli.main import run\n"
        "try:\n    run()\n"
        "finally:\n    print(oct(os.umask(0)))"
    )
    assert python(code).stdout.strip().endswith("0o77")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_its_code(number, code):
    script = (
        "import sys, types, os, signal, time\n"
        "module = types.ModuleType('engine.match')\n"
        "def match(table, **options):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    time.sleep(5)\n"
        "module.match = match\n"
        "module.compile_note = lambda: None\n"
        "module.set_threads = None\n"
        "sys.modules['engine.match'] = sys.modules['engine.warm_up'] = module\n"
        "sys.argv = ['justicelab', 'match', 'x.csv', '--treatment', 't']\n"
        "from cli.main import run; run()"
    )
    result = python(script)

    assert result.returncode == code
    assert "Traceback" not in result.stderr


def test_an_interrupt_while_loading_leaves_no_traceback():
    script = (
        "import os, signal, sys, types\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from cli.start import run; run()"
    )
    result = python(script)

    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure_and_no_file_takes_its_place(tmp_path, closed):
    script = (
        "import os, sys; sys.argv = ['justicelab', 'match', sys.argv[1], '--treatment', 'workprg', "
        "'--covariates', 'age', '--dry-run']\n"
        "from cli.start import run\n"
        "try:\n    run()\n"
        "finally:\n"
        "    place = os.open('probe', os.O_CREAT)\n"
        "    os._exit(0 if place > 2 and sys.exc_info()[1].code in (0, None) else 1)\n"
    )
    command = f'"$0" -c "$1" "$2" {closed}'
    result = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, script, str(EXAMPLE)],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert b"Internal error" not in result.stderr


@pytest.mark.parametrize("command", [("--help",), ("match", "--help"), ("warm-up", "--help")])
def test_help_fits_eighty_columns_and_cuts_no_word(command):
    code = f"import sys; sys.argv = ['justicelab', *{command!r}]; from cli.start import run; run()"
    text = python(code, COLUMNS="80", TERM="dumb", NO_COLOR="1").stdout

    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026" not in text
    for name in inspect.signature(match_command).parameters if command[0] == "match" else ():
        option = {"table": "TABLE", "id_column": "--id", "as_json": "--json"}.get(
            name, f"--{name.replace('_', '-')}"
        )
        assert option in text, name


def test_files_that_may_not_be_read_are_left_to_the_engine_and_its_exit_codes():
    hints = typing.get_type_hints(match_command, include_extras=True)
    assert [hints[name].__metadata__[0].readable for name in ("table", "out")] == [False, False]


def test_progress_shows_only_on_a_terminal():
    with progress_bar(quiet=False) as report:
        assert report is None


def test_progress_waits_before_it_shows(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar(quiet=False) as report:
        report("reading", 0.1)
    monkeypatch.setattr("cli.progress.SILENT_SECONDS", 0.0)
    with progress_bar(quiet=False) as report:
        report("reading [bold]", 0.5)
        report("matching", 2.0)


def test_the_public_names_are_those_declared():
    assert sorted(dir(justicelab)) == sorted(justicelab.__all__)
    assert justicelab.errors.InputError is InputError
    with pytest.raises(AttributeError):
        _ = justicelab.something


def test_every_dependency_has_its_reason_and_is_locked_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]
    table = {line.split("|")[1].strip() for line in reasons.splitlines() if line.startswith("| ")}
    groups = {
        "runtime": project["dependencies"],
        **{name: project["optional-dependencies"][name] for name in ("dev", "peers")},
    }
    for group, dependencies in groups.items():
        lock = (ROOT / "locks" / f"{group}.txt").read_text()
        names = {re.split(r"[<>=]", dependency)[0] for dependency in dependencies}
        assert {n for n in names if not re.search(rf"^{n}==\S+.* \\$", lock, re.MULTILINE)} == set()
        assert {n for n in names if n not in (table if group == "runtime" else reasons)} == set()
        pinned = re.findall(r"^([a-z0-9.-]+)==.*\n    --hash=sha256:", lock, re.MULTILINE)
        assert pinned == re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE)


def test_the_readme_example_is_a_command_that_exists(engine):
    readme = (ROOT / "README.md").read_text()
    given = re.search(r"^bin/justicelab (match (?:.*\\\n)*.*)", readme, re.MULTILINE).group(1)
    given = given.replace("\\\n", " ")
    result = justice(*shlex.split(given.replace("examples/", f"{ROOT}/examples/")), "--dry-run")

    assert result.exit_code == 0, result.output
