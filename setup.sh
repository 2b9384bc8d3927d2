# Sourced by run_all.sh and run_tests.sh: makes .venv with the locked dependencies; quick when it is there.
cd "$(dirname "${BASH_SOURCE[0]}")"
case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN*) bin=.venv/Scripts ;;
    *) bin=.venv/bin ;;
esac

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: no Python 3.11 to 3.13 found: install one, or name it as in PYTHON=/path/to/python3 $0" >&2
    exit 2
}

wanted=$(cat requirements.lock pyproject.toml | cksum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ]; then
    # A set-up that was interrupted may have left a .venv without pip, a moved folder one that does not start.
    if ! $bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
        python=$(find_python)
        "$python" -m venv .venv
    fi
    echo "Installing the locked dependencies into .venv (several GB, once) ..." >&2
    quiet=--quiet
    if [ -t 2 ]; then quiet=; fi # uv shows how far it is
    [ -x $bin/uv ] || $bin/python -m pip install --quiet uv
    # Compiled ahead: every timed set is a fresh process that imports torch.
    $bin/uv pip install --python $bin/python $quiet --require-hashes --compile-bytecode -r requirements.lock
    $bin/uv pip install --python $bin/python --quiet --no-deps --no-build-isolation --editable .
    echo "$wanted" >.venv/installed
    echo "Installed." >&2
fi
