# Makes the environments of bin/justicelab and bin/test. Sourced by them; sets no shell option.
# $root is the checkout.

say() { printf '%s\n' "justicelab: $*" >&2; }

find_python() {
    for candidate in "${JUSTICELAB_PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    say "Python 3.11 or later was not found. Install it, or name it in JUSTICELAB_PYTHON."
    return 78
}

# is_ready FOLDER LOCK: whether the environment stands as the lock and the project say. The locks
# are compared as a whole, and the checkout's place too, because an environment cannot be moved.
is_ready() {
    cmp -s "$2" "$1/.lock" && cmp -s "$root/pyproject.toml" "$1/.project" &&
        [ "$(cat "$1/.root" 2>/dev/null)" = "$root" ] && [ -x "$1/bin/python" ]
}

# is_alive FILE: whether the process whose number stands in the file runs.
is_alive() {
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

# make_ready FOLDER LOCK: make the environment if it is not ready; one process at a time.
make_ready() {
    is_ready "$1" "$2" && return 0
    guard="$1.lock"
    until mkdir "$guard" 2>/dev/null; do
        if [ ! -d "$guard" ]; then
            say "no environment stands ready for this user, and none can be made: the folder" \
                "$root is not writable. Copy it to a folder of your own, or let its owner run" \
                "this command once, with a Python that every user may run."
            return 73
        fi
        if ! is_alive "$guard/pid"; then
            sleep 1 # its maker may be about to write its number
            is_alive "$guard/pid" || rm -rf "$guard"
            continue
        fi
        sleep 1
        is_ready "$1" "$2" && return 0
    done
    echo $$ >"$guard/pid"
    trap 'rm -rf "$guard"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    build "$1" "$2"
    status=$?
    rm -rf "$guard"
    trap - EXIT INT TERM
    return $status
}

build() {
    python=$(find_python) || return $?
    say "making an environment in $1 (once)"
    rm -rf "$1"
    if ! "$python" -m venv "$1" >&2; then
        say "the environment could not be made. Python's venv and pip are needed (Debian and" \
            "Ubuntu: the package python3-venv)."
        return 78
    fi
    # Packages are taken only with the hashes of the lock; the project itself needs no network.
    if ! PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$1/bin/python" -m pip install --quiet \
        --require-hashes --requirement "$2" >&2; then
        say "the packages of $2 could not be installed; pip's own message stands above."
        return 78
    fi
    if ! PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$1/bin/python" -m pip install --quiet \
        --no-deps --no-build-isolation --no-index --editable "$root" >&2; then
        say "the project could not be installed; pip's own message stands above."
        return 78
    fi
    printf '%s\n' "$root" >"$1/.root"
    cp "$root/pyproject.toml" "$1/.project"
    cp "$2" "$1/.lock"
}
