"""Nothing outlives the process that it belongs to, and code of the user's own cannot end or hold a command."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backends import catalogue
from bench.core import processes
from bench.core.errors import InputError
from bench.models import build, model_names
from tests.conftest import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def marked(mark: str) -> set[int]:
    """Processes that have a text in their command line or environment."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                about = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in about:
                found.add(int(process.name))
    return found


def wait_until(true: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty folder with a short name: those of sockets have 107 characters at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


# A command that starts one of everything: a child of its own, a pool, a fork, a process that knows nothing of this,
# in a session of its own, and a temporary file.
EVERYTHING = """
import multiprocessing, os, subprocess, sys, tempfile, time
from concurrent.futures import ProcessPoolExecutor
from bench.core import interrupts, processes

def nap(seconds):
    time.sleep(seconds)

if __name__ == "__main__":
    interrupts.end_at_once()
    processes.clean_up_afterwards()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    if os.fork() == 0:  # what knows nothing of its end
        nap(600)
    pools = [
        ProcessPoolExecutor(2, multiprocessing.get_context(method), initializer=processes.start_worker)
        for method in multiprocessing.get_all_start_methods()
        if sys.argv[1] != "end"  # Python waits for pools
    ]
    waiting = [pool.submit(nap, 0.01) for pool in pools] + [pool.submit(nap, 600) for pool in pools for _ in range(2)]
    for one in waiting[: len(pools)]:
        one.result()
    tempfile.mkdtemp()
    print("running", flush=True)
    time.sleep(600 if sys.argv[1] == "wait" else 0)
    if sys.argv[1] == "leave":
        os._exit(0)
"""


@linux
@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, "leave", "end"])
def test_nothing_is_left_however_a_command_ends(tmp_path: Path, temporary: Path, blow: signal.Signals | str) -> None:
    script = tmp_path / "everything.py"
    script.write_text(EVERYTHING)
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "MARK": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, script, blow if isinstance(blow, str) else "wait"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    if not isinstance(blow, str):
        assert len(marked(str(tmp_path))) > 6
        process.send_signal(blow)
    process.wait(30)
    assert wait_until(lambda: not marked(str(tmp_path))), marked(str(tmp_path))
    assert wait_until(lambda: not list(temporary.iterdir()))


@linux
def test_folders_of_a_guardian_that_was_killed_go_with_the_next_command(temporary: Path) -> None:
    script = "from bench.core import processes; import time; processes.clean_up_afterwards(); print(1, flush=True); "
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script + "time.sleep(600)"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    first, alive = start(), start()
    assert len(list(temporary.iterdir())) == 2
    assert wait_until(lambda: len(guardians(first.pid)) == 1)
    for process in (*guardians(first.pid), first.pid):
        os.kill(process, signal.SIGKILL)
    first.wait()
    assert len(list(temporary.iterdir())) == 2
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert len(list(temporary.iterdir())) == 1  # of the one that is alive
    alive.kill()
    alive.wait()
    assert wait_until(lambda: not list(temporary.iterdir()))


def guardians(command: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(command)], capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


@linux
def test_a_shell_that_became_the_command_has_not_ended() -> None:
    """``bash -c`` runs its last command in its own place, and a run_all.sh started so ended without its report."""
    script = f"export LIGHTPOSE_PARENT=$$; exec {sys.executable} -m bench.record schema"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs/record.schema.json").read_text()


def test_a_parent_that_has_ended_before_is_noticed() -> None:
    script = "import sys; from bench.core import processes; processes.end_with_parent(1 << 30); print('lived')"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if sys.platform == "linux":
        assert (done.returncode, done.stdout) == (1, "")


# Code of the user's own

ILL_BEHAVED = {
    "raise ValueError('no weights\\nhere')": "net failed: ValueError: no weights here",
    "raise KeyError": "net failed: KeyError",
    "import sys; sys.exit(0)": "net ended the process, with sys.exit(0) or the like",
    "import os; os._exit(0)": "net ended the process, with sys.exit(0) or the like",
    "raise SystemExit": "net ended the process, with sys.exit(None) or the like",
    "import time; time.sleep(60)": "net took more than 0.3 s: it hangs, or needs a longer --timeout",
    "while True: pass": "net took more than 0.3 s",
    "import threading; threading.Lock().acquire(); threading.Event().wait()": "net took more than 0.3 s",
    "from bench.core.errors import InputError; raise InputError('bad')": "net: bad",
}

# In a process of its own: whose main thread an alarm reaches depends on the threads that libraries have started.
ILL_BEHAVED_CODE = """
import os, signal, sys
from bench.core import processes
from bench.core.errors import InputError

processes._limit_s = 0.3
alarm = getattr(signal, "SIGALRM", signal.SIGINT)
before = os._exit, signal.getsignal(alarm)
try:
    with processes.user_code("net"):
        exec(sys.argv[1], {})
except InputError as error:
    print(error)
assert (os._exit, signal.getsignal(alarm)) == before
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            code,
            marks=pytest.mark.skipif(
                not hasattr(signal, "SIGALRM") and "took more" in says,
                reason="without alarms the whole process is ended",
            ),
        )
        for code, says in ILL_BEHAVED.items()
    ],
)
def test_what_user_code_does_becomes_one_line(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", ILL_BEHAVED_CODE, code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(ILL_BEHAVED[code])
    assert done.stdout.count("\n") == 1


def test_user_code_that_behaves_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_limit_s", 0.2)
    with processes.user_code("net"):
        answer = 42
    time.sleep(0.4)  # the alarm is off
    assert answer == 42
    with pytest.raises(KeyboardInterrupt), processes.user_code("net"):
        raise KeyboardInterrupt


def test_code_that_catches_everything_is_ended_all_the_same(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import time
        from bench.core import processes
        processes.set_limit(0.2)
        with processes.user_code("mine.py:net"):
            while True:
                try:
                    time.sleep(1)
                except BaseException:
                    pass
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "error: mine.py:net took more than 0.2 s: it hangs, or needs a longer --timeout\n"


# What it does to the process, in a process of its own, is undone; standard output has results alone.
UNTIDY_CODE = """
import io, os, signal, sys, tempfile
from bench.core import processes

class NoText(Exception):
    def __str__(self):
        raise ZeroDivisionError

def state():
    return os.getcwd(), list(sys.argv), sys.stdin, sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT)

before = state()
for code in (
    "os.chdir('/')", "d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)", "del sys.argv", "sys.argv.clear()", "print(1)",
    "sys.stdout = sys.stderr = None", "sys.stdin = sys.stdout = io.StringIO()", "print('x' * 1000000)",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)", "os.fork() if hasattr(os, 'fork') else None",
):
    with processes.user_code("net"):
        exec(code)
    assert state() == before, code
try:
    with processes.user_code("net"):
        raise NoText
except processes.InputError as error:
    assert str(error) == "net failed: NoText", error
try:
    with processes.user_code("net"):
        raise ValueError("x" * 100000)
except processes.InputError as error:
    assert len(str(error)) < 1000
with processes.user_code("net"):
    sys.stdout.close()
    before[3].close()
print("done", flush=True)
sys.stderr.write("said")
"""


def test_what_user_code_changes_in_the_process_is_put_back(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", UNTIDY_CODE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.replace("x", "") == "1\n\nsaid"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_made_by_user_code_may_end() -> None:
    with processes.user_code("net"):
        child = os.fork()
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# Where commands meet it

NETWORK = """
import atexit, ctypes, os, signal, sys, threading, time
from torch import nn
{at_import}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {in_factory}
        self.layer = nn.Conv2d(3, 17, 3, 4, 1)

    def forward(self, x):
        {in_forward}
        return self.layer(x)
"""
ENDS = {  # where it is, what it does, and what is said
    "import": ("at_import", "sys.exit(0)", "mine.py ended the process, with sys.exit(0)"),
    "factory": ("in_factory", "os._exit(0)", "mine.py:Net ended the process, with sys.exit(0)"),
    "thread": ("in_forward", "t = threading.Thread(target=os._exit, args=[0]); t.start(); t.join()", "Net ended"),
    "C": ("in_forward", "ctypes.CDLL(None)._exit(0)", "mine.py:Net ended the command's process, with exit(0)"),
    "program": ("in_forward", "os.execvp('true', ['true'])", "mine.py:Net ended the command's process"),
    "kill": ("in_forward", "os.kill(os.getpid(), 9)", "mine.py:Net: the command's process was killed (signal 9)"),
    "crash": ("in_forward", "ctypes.string_at(0)", "mine.py:Net: the command's process died of SIGSEGV (signal 11)"),
    "end": ("in_forward", "atexit.register(os._exit, 0); raise ValueError('no')", "mine.py:Net fails on an input"),
    "files": ("in_forward", "os.closerange(3, 4096)", "mine.py:Net closed files that are not its own"),
    "all files": ("in_factory", "os.closerange(0, 4096)", "mine.py:Net closed files that are not its own"),
    "no Exception": ("in_forward", "raise BaseException('odd')", "BaseException: odd"),
}  # fmt: skip


@pytest.mark.parametrize("end", [*ENDS, "worker"])
def test_a_network_that_ends_the_process_is_no_success(
    tmp_path: Path, end: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """In the process of the command, and in a worker."""
    where, code, says = ENDS.get(end, ("in_forward", "sys.exit(0)", "mine.py:Net, eager ended its process"))
    if sys.platform != "linux" and "command's process" in says:
        pytest.skip("a command works in its own process here")
    if sys.platform != "linux" and end == "all files":
        pytest.skip("nobody else is there to say it")
    places = dict.fromkeys(("at_import", "in_factory", "in_forward"), "pass") | {where: code}
    (tmp_path / "mine.py").write_text(NETWORK.format(**places))
    name = "bench.speed" if end == "worker" else "bench.complexity"
    done = command(name, "--models", f"{tmp_path}/mine.py:Net", "--input", "64x64", "--results", tmp_path / "r")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert not list(tmp_path.rglob("*.jsonl"))


@pytest.mark.parametrize(
    "code",
    ["threading.Thread(target=time.sleep, args=[600]).start()", "__import__('atexit').register(time.sleep, 600)"],
)
def test_a_thread_that_goes_on_does_not_hold_a_command(code: str, tmp_path: Path) -> None:
    """Nor does a call at the end, such as that of a library that still uploads something."""
    (tmp_path / "mine.py").write_text(NETWORK.format(at_import="", in_factory=code, in_forward="pass"))
    script = (
        "import sys; from bench import cli, models; from bench.core import processes; processes._WAIT_S = 0.1; "
        f"sys.modules['work'] = sys; sys.main = lambda _: models.build({f'{tmp_path}/mine.py:Net'!r}) and 1; "
        "cli.run(cli.make_parser('record', '').parse_args, 'work', [])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


QUANTISED = """
import warnings
import torch
from torch import nn
from torch.ao import quantization
from torch.testing._internal.two_tensor import TwoTensor

warnings.simplefilter("ignore")

def dynamic():
    return quantization.quantize_dynamic(nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU(), nn.Linear(8, 17)), {nn.Linear})

def static():
    net = nn.Sequential(quantization.QuantStub(), nn.Conv2d(3, 17, 4, 4), quantization.DeQuantStub()).eval()
    net.qconfig = quantization.default_qconfig
    quantization.prepare(net, inplace=True)(torch.rand(1, 3, 32, 32))
    return quantization.convert(net)

def library():
    net = nn.Conv2d(3, 17, 4, 4)
    net.weight = nn.Parameter(TwoTensor(net.weight.data, net.weight.data))
    return net
"""


def test_what_would_be_recorded_as_something_else_is_refused(tmp_path: Path) -> None:
    made = "self.layer = nn.Conv2d(3, 17, 3, 4, 1)"
    for name, old, new in (
        ("in_place", "pass\n        return", "x.mul_(0.5)\n        return"),
        ("double", made, f"{made}.double()"),
        ("lazy", made, "self.layer = nn.LazyConv2d(17, 3, 4, 1)"),
        ("threads", "pass\n        return", "__import__('torch').set_num_threads(7)\n        return"),
    ):
        source = NETWORK.format(**dict.fromkeys(("at_import", "in_factory", "in_forward"), "pass"))
        assert old in source
        (tmp_path / f"{name}.py").write_text(source.replace(old, new))
    with pytest.raises(InputError, match=r"has weights of float64 \(layer.weight\), and would be recorded as float32"):
        build(f"{tmp_path}/double.py:Net")
    with pytest.raises(InputError, match=r"get their shapes with the first input \(layer.weight\): call it once"):
        build(f"{tmp_path}/lazy.py:Net")
    (tmp_path / "int8.py").write_text(QUANTISED)
    for form, key in (("dynamic", r"2._packed_params._packed_params"), ("static", r"1.weight"), ("library", "weight")):
        with pytest.raises(
            InputError, match=rf"{form} has quantised weights \({key}\), and would be recorded as float32"
        ):
            build(f"{tmp_path}/int8.py:{form}")
    example = torch.zeros(1, 3, 32, 32)
    artifact = catalogue.build("eager", build(f"{tmp_path}/threads.py:Net"), example)
    with (
        pytest.raises(InputError, match="the network set 7 threads while it ran, and 1 were asked for"),
        catalogue.open_artifact(artifact, threads=1) as session,
    ):
        session.run(example.numpy())
    # What changes its input is evaluated as it should be, where the same picture comes again mirrored, and not timed.
    images = torch.rand(1, 3, 32, 32).numpy()
    before = images.copy()
    artifact = catalogue.build("eager", build(f"{tmp_path}/in_place.py:Net"), example)
    with catalogue.open_artifact(artifact, threads=1) as session:
        assert np.array_equal(session.run(images), session.run(images))
        assert np.array_equal(images, before)
        with session.computing(), pytest.raises(InputError, match="the network changes its input in place"):
            session.bind(images)


@linux
def test_a_limit_on_memory_is_named_before_any_work(tmp_path: Path) -> None:
    """Beyond it libraries abort, each in a way of its own."""
    words = f"ulimit -v 1200000; {sys.executable} -m bench.complexity --results {tmp_path}"
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: PyTorch does not run within 1.229 GB of memory, which ulimit -v lets")
    assert done.stderr.count("\n") == 1


def test_all_may_stand_beside_names_and_an_empty_list_is_an_error() -> None:
    zoo = model_names("all")
    assert model_names("all, mine.py:net,all") == [*zoo, "mine.py:net"]
    assert model_names(f"mine.py:net,{zoo[0]},all") == ["mine.py:net", *zoo]
    for nothing in ("", ",", " , "):
        with pytest.raises(InputError, match="names no model"):
            model_names(nothing)
