"""Forms that break bit-identity, leak data or hide errors stand nowhere in the code.

The sources are parsed, so that a comment may speak of what the code may not do.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path for room in ("kernels", "engine", "cli") for path in (ROOT / room).rglob("*.py")
)
KERNELS = [path for path in SOURCES if path.relative_to(ROOT).parts[0] == "kernels"]
ENGINE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] == "engine"]
# Rooms whose numbers end up in figure files.
RESULT_BEARING = [
    path for path in ENGINE if path.relative_to(ROOT).parts[1] in {"matching", "effects"}
] + KERNELS

# Separation is a verdict, yes or no with a margin, found by a linear programme that is not ours.
VERDICTS = ROOT / "engine" / "matching" / "separation.py"
# _jit.py is the home of compiler options and of the cache; it makes no figures.
COMPILER = ROOT / "kernels" / "_jit.py"


def named(path):
    return str(path.relative_to(ROOT))


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node):
    """Return 'np.random.seed' for such an attribute, '' for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def lines(path, wrong, nodes=None):
    found = nodes if nodes is not None else ast.walk(tree(path))
    return [f"{named(path)}:{node.lineno}" for node in found if wrong(node)]


def every(paths, wrong):
    return [place for path in paths for place in lines(path, wrong)]


def calls(node, names):
    return isinstance(node, ast.Call) and dotted(node.func) in names


def test_no_fastmath():
    def wrong(node):
        return (
            isinstance(node, ast.keyword)
            and node.arg == "fastmath"
            and not (isinstance(node.value, ast.Constant) and node.value.value is False)
        )

    assert every(SOURCES, wrong) == []


def test_no_random_state():
    def wrong(node):
        if isinstance(node, ast.Attribute):
            return dotted(node).startswith(("np.random", "numpy.random"))
        if isinstance(node, ast.Import):
            return any(alias.name in {"random", "numpy.random"} for alias in node.names)
        return isinstance(node, ast.ImportFrom) and node.module in {"random", "numpy.random"}

    assert every(SOURCES, wrong) == []


def test_no_blas_or_lapack_where_figures_are_made():
    products = {f"np.{name}" for name in ("dot", "vdot", "inner", "matmul", "einsum", "tensordot")}

    def wrong(node):
        if isinstance(node, ast.BinOp | ast.AugAssign):
            return isinstance(node.op, ast.MatMult)
        if isinstance(node, ast.Attribute) and dotted(node).startswith("np.linalg"):
            return True
        return calls(node, products)

    assert every([path for path in RESULT_BEARING if path != VERDICTS], wrong) == []


def test_exponentials_and_logarithms_come_from_the_kernels():
    names = ("exp", "expm1", "log", "log1p", "log2", "log10", "power", "tanh", "logaddexp")
    vectorised = {f"np.{name}" for name in names}
    # math calls the C library, whose last bit differs between its versions
    own = {f"math.{name}" for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "pow")}

    assert every(RESULT_BEARING, lambda node: calls(node, vectorised | own)) == []


def parallel_loops(path):
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.For)
            and isinstance(node.iter, ast.Call)
            and dotted(node.iter.func).split(".")[-1] == "prange"
        ):
            yield node


def shared_accumulators(loop):
    """Return the updates inside a parallel loop of names that live outside it."""
    inside = {
        target.id
        for node in ast.walk(loop)
        for target in (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign | ast.For)
            else []
        )
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(loop):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                inside |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)} - {
                    n.value.id
                    for n in ast.walk(target)
                    if isinstance(n, ast.Subscript) and isinstance(n.value, ast.Name)
                }
    return [
        node
        for node in ast.walk(loop)
        if isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id not in inside
    ]


def test_nothing_is_accumulated_across_a_parallel_loop():
    found = [
        f"{named(path)}:{node.lineno}"
        for path in KERNELS
        for loop in parallel_loops(path)
        for node in shared_accumulators(loop)
    ]
    assert found == []


def test_the_rule_on_parallel_loops_finds_what_it_forbids():
    bad = ast.parse("for b in prange(n):\n    total += x[b]\n").body[0]
    good = ast.parse("for b in prange(n):\n    s = 0.0\n    s += x[b]\n    y[b] += s\n").body[0]

    assert len(shared_accumulators(bad)) == 1
    assert shared_accumulators(good) == []


def test_compiled_functions_do_not_raise():
    def compiled(node):
        return isinstance(node, ast.FunctionDef) and any(
            dotted(d.func if isinstance(d, ast.Call) else d).split(".")[-1] == "kernel"
            for d in node.decorator_list
        )

    found = [
        f"{named(path)}:{inner.lineno}"
        for path in KERNELS
        for node in ast.walk(tree(path))
        if compiled(node)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Raise | ast.Assert)
    ]
    assert found == []


def test_kernels_import_only_numpy_and_numba():
    def modules(node):
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            return [node.module or ""]
        return []

    allowed = {"numpy", "numba", "kernels", "typing", "collections", "__future__"}
    found = [
        f"{named(path)}:{node.lineno}"
        for path in KERNELS
        if path != COMPILER
        for node in ast.walk(tree(path))
        for module in modules(node)
        if module.split(".")[0] not in allowed
    ]
    assert found == []


def test_compiler_options_have_one_home():
    def wrong(node):
        return isinstance(node, ast.Attribute | ast.Name) and (
            dotted(node).split(".")[-1] in {"njit", "jit", "vectorize", "guvectorize"}
        )

    assert every([path for path in SOURCES if path != COMPILER], wrong) == []


def test_the_engine_does_not_print():
    def wrong(node):
        return calls(node, {"print", "sys.stdout.write", "sys.stderr.write", "warnings.warn"})

    assert every(ENGINE + KERNELS, wrong) == []


def test_no_error_is_swallowed():
    def wrong(node):
        if not isinstance(node, ast.ExceptHandler):
            return False
        return all(isinstance(inner, ast.Pass) for inner in node.body)

    assert every(SOURCES, wrong) == []


def test_nothing_is_unpickled():
    def wrong(node):
        if isinstance(node, ast.Import):
            return any(
                alias.name in {"pickle", "marshal", "shelve", "dill", "joblib"}
                for alias in node.names
            )
        return calls(node, {"eval", "exec", "np.load", "pickle.loads", "pickle.load"})

    assert every(SOURCES, wrong) == []


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_is_left_for_later(path):
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    assert not unfinished.search(path.read_text(encoding="utf-8"))


def test_every_module_says_what_it_is():
    assert [named(path) for path in SOURCES if not ast.get_docstring(tree(path))] == []
