"""Processes that end with the one that started them, temporary files that go with it, and code of the user's own.

On Linux the kernel ends a process whose parent has ended (``end_with_parent``); elsewhere, and where a process has
another parent than the one it works for, a pipe tells that has no writer any more. What a library starts by itself
knows nothing of that: for a command, a guardian process waits until the command has ended, however that came about,
ends what is left of it, and removes its temporary folder (``clean_up_afterwards``).
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench.core import supervision
from bench.core.errors import InputError, described
from bench.core.process_state import FilesClosedError, kept

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
PREFIX = "lightpose-"  # of a command's temporary folder
LOCK = ".lightpose-command"  # in it: no folder without this file is ever removed
_exit = os._exit  # itself, also where code of the user's own runs and finds another in its place
_is_own = False  # whether this process does nothing but the work of one command
_WAIT_S = 5.0  # for threads and the last calls of the user's own, when all is done
PARENT = "LIGHTPOSE_PARENT"  # names the variable by which a process or script asks what it starts to end with it

# ------------------------------------------------------------------------------ ending with the parent


def end_with_parent(parent: int) -> None:
    """From now on this process is killed when its parent ends; at once if that has ended before.

    On Linux by the kernel, whatever this process is doing. Elsewhere within a second, while Python runs.

    Args:
        parent: process id of the parent, as the parent itself gave it.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        return

    def watch() -> None:
        import time

        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_with_whoever_asked() -> None:
    """``end_with_parent`` if the parent asked for it, as run_all.sh, torchrun and ``bench.core.workers`` do."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdecimal() and os.name == "posix":  # a shell on Windows counts its processes in another way
        if int(parent) != os.getpid():  # or the shell has become this process, as bash -c does for its last command
            end_with_parent(int(parent))
    elif "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun ends its processes itself, unless it is killed
        end_with_parent(os.getppid())


def start_worker(_: int = 0) -> None:
    """What a process of ``multiprocessing`` does first: leave Ctrl-C to the one it works for, and end with it.

    For ``worker_init_fn`` of a DataLoader and ``initializer`` of a pool.
    """
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux" and parent.pid == os.getppid():  # of a fork server's children it is not the parent
        end_with_parent(parent.pid)
        return

    def watch() -> None:
        parent.join()  # a pipe that closes when the process ends that this one works for
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# ------------------------------------------------------------------------------ cleaning up after a command

# Waits until the command has ended or says so; ends all that has its temporary folder as TMPDIR, and its forks, which
# have the other end of this pipe; removes the folder. Folders of commands whose guardian was killed as well are found
# by their lock, which nobody holds.
_GUARDIAN = """
import os, select, shutil, signal, sys, time
folder, command, prefix, name_of_lock = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
try:
    import fcntl
except ImportError:
    fcntl = None

def abandoned(path):
    try:
        with open(os.path.join(path, name_of_lock), "rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(lock.fileno()).st_uid == os.getuid()
    except OSError:
        return False

def left():
    mark = b"TMPDIR=" + os.fsencode(folder)
    pipe = os.readlink("/proc/self/fd/0")
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) not in (os.getpid(), command):
            try:
                with open("/proc/" + name + "/environ", "rb") as file:
                    marked = mark in file.read().split(bytes(1))
                files = "/proc/" + name + "/fd/"
                if marked or pipe in [os.readlink(files + one) for one in os.listdir(files)]:
                    yield int(name)
            except OSError:
                pass

if fcntl:
    above = os.path.dirname(folder)
    for name in os.listdir(above):
        path = os.path.join(above, name)
        if name.startswith(prefix) and path != folder and abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
try:
    # A forked child may keep the pipe open: on Linux the kernel tells of the command itself.
    ended = os.pidfd_open(command)
    if os.getppid() == command:
        select.select([sys.stdin.fileno(), ended], [], [])
except ProcessLookupError:
    pass  # it was faster
except (AttributeError, OSError):
    sys.stdin.buffer.read(1)
for _ in range(100):
    found = list(left()) if sys.platform == "linux" else []
    for process in found:
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            pass
    if not found:
        shutil.rmtree(folder, ignore_errors=True)  # again, if what was killed a moment ago has still written into it
        if not os.path.exists(folder):
            break
    time.sleep(0.05)
"""


def clean_up_afterwards() -> None:
    """Give this command a temporary folder of its own, and see to it that nothing is left of it, however it ends.

    The folder is where ``tempfile`` and all that this process starts put their temporary files.
    """
    folder = tempfile.mkdtemp(prefix=PREFIX)
    options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    with _locked(folder) as lock:
        if lock is not None:
            options["pass_fds"] = (lock,)
        guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARDIAN, folder, str(os.getpid()), PREFIX, LOCK],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options,
        )  # fmt: skip
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    global _is_own
    process, _is_own = os.getpid(), True

    def leave() -> None:
        if os.getpid() == process:  # not in a fork of it
            assert guardian.stdin is not None
            with contextlib.suppress(OSError), guardian.stdin:
                guardian.stdin.write(b".")  # closing it tells nothing while a fork has it open
            guardian.wait()

    atexit.register(leave)


def end_soon(status: int) -> None:
    """All is done or said: threads that go on, and what is registered with ``atexit``, get a moment more.

    Python would wait for them without an end. Only of a process that is the command's own, by ``clean_up_afterwards``.
    """
    if _is_own:
        timer = threading.Timer(_WAIT_S, _exit, (status,))
        timer.daemon = True
        timer.start()


def outer_temporary_folder() -> str:
    """Where temporary files go that shall outlive the command, until whoever made them takes them away."""
    folder = Path(tempfile.gettempdir())
    return str(folder.parent if folder.name.startswith(PREFIX) else folder)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[int | None]:
    """A lock in the folder, held for as long as a process has it open that inherited it."""
    try:
        import fcntl
    except ImportError:
        yield None
        return
    lock = os.open(Path(folder) / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


# ------------------------------------------------------------------------------ code of the user's own

_limit_s = 1800.0


def set_limit(seconds: float) -> None:
    """What ``--timeout`` says: how long code of the user's own may take before it is said to hang."""
    global _limit_s
    _limit_s = seconds


def limit_s() -> float:
    """How long code of the user's own may take, in seconds."""
    return _limit_s


class _TimeUp(BaseException):
    """Not an ``Exception``, which the code that hangs may catch."""


class _NotReturnedError(InputError):
    """Code of the user's own did not come back."""


@contextlib.contextmanager
def bounded(name: str) -> Iterator[None]:
    """Around what runs code that is not this project's: it may raise, and return, and nothing else.

    What it changes in this process, such as the working folder, is put back (``process_state.kept``). Where it closed
    the command's own files, the process ends at once with a line that says so.

    Args:
        name: of the network or file, with which the message begins.

    Raises:
        InputError: it ended the process, or took longer than ``limit_s``.
    """
    try:
        with kept(), _no_exit(), _time_limit(name), supervision.running(name):
            yield
    except FilesClosedError:
        _end(f"{name} closed files that are not its own, or led them elsewhere: it may close what it opened")
    except _TimeUp:
        raise _NotReturnedError(_too_long(name)) from None
    except SystemExit as error:
        raise _NotReturnedError(
            f"{name} ended the process, with sys.exit({error.code!r}) or the like: it must return"
        ) from error


@contextlib.contextmanager
def user_code(name: str, what: str = "failed") -> Iterator[None]:
    """``bounded``, and whatever it raises comes out as one line that names it.

    Args:
        name: of the network or file, with which the message begins.
        what: how the message goes on where an exception was raised.

    Raises:
        InputError: it raised anything but ``KeyboardInterrupt``, ended the process, or took too long.
    """
    try:
        with bounded(name):
            yield
    except (_NotReturnedError, KeyboardInterrupt):
        raise
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except BaseException as error:  # it may raise what is no Exception
        raise InputError(f"{name} {what}: {described(error)}") from error


@contextlib.contextmanager
def no_exit() -> Iterator[None]:
    """Around a command: what it runs cannot end it as if all had been done.

    Raises:
        InputError: something called ``sys.exit`` or ``os._exit``; the message names the file and line.
    """
    try:
        with _no_exit():
            yield
    except SystemExit as error:
        if type(error) is not SystemExit:  # a command's own way to fail
            raise
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
        where = f"{frames[-1].filename}, line {frames[-1].lineno}," if frames else "something"
        raise InputError(
            f"{where} ended the process, with sys.exit({error.code!r}) or the like: it must return"
        ) from error


def _is_ours(file: str) -> bool:
    return Path(__file__).parents[1] in Path(file).parents


@contextlib.contextmanager
def _no_exit() -> Iterator[None]:
    """``os._exit`` raises ``SystemExit``, in this very process."""
    real, process, over = os._exit, os.getpid(), False

    def leave(status: int) -> Any:
        if over or os.getpid() != process or threading.current_thread() is not threading.main_thread():
            real(status)
        raise SystemExit(status)

    os._exit = leave  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit, over = real, True


@contextlib.contextmanager
def _time_limit(name: str) -> Iterator[None]:
    """Raises ``_TimeUp`` in the main thread; where that does not help, ends the process with the line."""
    main = threading.main_thread()
    in_python = hasattr(signal, "setitimer") and threading.current_thread() is main
    grace_s = 5.0 if in_python else 0.0
    timers = [threading.Timer(_limit_s + grace_s, _end, (_too_long(name),))]
    if in_python:
        # A library may have left it blocked here; and the system may give the alarm to another thread, which would
        # let the main one sleep on.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        timers.append(threading.Timer(_limit_s + 1, signal.pthread_kill, (main.ident, signal.SIGALRM)))
        before = signal.signal(signal.SIGALRM, _raise)
    try:
        for timer in timers:
            timer.daemon = True
            timer.start()
        if in_python:
            signal.setitimer(signal.ITIMER_REAL, _limit_s)
        yield
    finally:
        for timer in timers:
            timer.cancel()
        if in_python:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _raise(_signal: int, _frame: FrameType | None) -> None:
    raise _TimeUp


def _end(message: str) -> NoReturn:
    """Leave at once, whatever goes on in this process."""
    line = f"error: {message}\n"
    try:
        os.write(2, line.encode(errors="replace"))
    except OSError:
        supervision.say_for_me(line)
    _exit(2)


def _too_long(name: str) -> str:
    return f"{name} took more than {_limit_s:g} s: it hangs, or needs a longer --timeout"
