"""Published weights are fetched from a server that cuts, lies, forgets and disappears."""

import dataclasses
import functools
import hashlib
import http.server
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import zoo
from tests.conftest import ROOT
from tests.reference_weights import reference_state
from zoo.weights import Entry, catalogue, fetch, find, published
from zoo.weights.command import main

DATA = bytes(range(256)) * 4000


class Server(http.server.ThreadingHTTPServer):
    """Serves ``data``; what is wrong with it is set by the test."""

    daemon_threads = True
    data = DATA
    ranges = True  # whether it knows Range
    cut: int | None = None  # bytes after which it drops the connection
    pause = 0.0  # seconds between chunks
    status: int | None = None  # an answer other than the file

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []  # the Range of every request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/net-deadbeef.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status:
            self.send_error(self.server.status)
            return
        data, start = self.server.data, 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data) if self.server.cut is None else min(len(data), start + self.server.cut)
        for at in range(start, end, 1 << 16):
            self.wfile.write(data[at : min(end, at + (1 << 16))])
            time.sleep(self.server.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def entry_of(server: Server, data: bytes = DATA) -> Entry:
    return Entry("coco", "lite_hrnet_18", "256x192", ("AP=0.6",), hashlib.sha256(data).hexdigest()[:8], server.url)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of everything that names none."""
    monkeypatch.setattr(catalogue, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def weights_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_download_is_whole_checked_and_kept(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    path = fetch(entry_of(server), cache=tmp_path, step=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == DATA
    assert weights_in(tmp_path) == ["net-deadbeef.pth"]
    assert steps[-1] == (len(DATA), len(DATA))
    assert fetch(entry_of(server), cache=tmp_path) == path
    assert server.asked == [None]  # the second time, nothing was asked for
    # What lies in the cache is checked too: damage there is repaired.
    path.write_bytes(DATA[:-1])
    assert fetch(entry_of(server), cache=tmp_path).read_bytes() == DATA
    assert server.asked == [None, None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_goes_on_from_where_it_was(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.cut, server.ranges = 300_000, ranges
    with pytest.raises(zoo.ZooError, match=r"cut after 0\.3 of 1\.0 MB: run the same again, it goes on from there"):
        fetch(entry_of(server), cache=tmp_path)
    assert weights_in(tmp_path) == ["net-deadbeef.pth.partial"]
    server.cut = None
    assert fetch(entry_of(server), cache=tmp_path).read_bytes() == DATA
    assert server.asked == [None, "bytes=300000-"]
    assert weights_in(tmp_path) == ["net-deadbeef.pth"]


def test_a_partial_file_that_is_complete_or_too_long(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "net-deadbeef.pth.partial"
    for data, requests in ((DATA, 1), (DATA + b"more", 2)):
        partial.write_bytes(data)
        server.asked.clear()
        assert fetch(entry_of(server), cache=tmp_path).read_bytes() == DATA
        assert len(server.asked) == requests
        (tmp_path / "net-deadbeef.pth").unlink()


def test_another_file_than_the_published_one_is_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(zoo.ZooError, match="is not the file that was published: its SHA-256 does not begin with"):
        fetch(entry_of(server, b"something else"), cache=tmp_path)
    assert weights_in(tmp_path) == []
    # A partial file of something else is found out as well, and the next run begins afresh.
    (tmp_path / "net-deadbeef.pth.partial").write_bytes(b"another file")
    with pytest.raises(zoo.ZooError, match="was deleted"):
        fetch(entry_of(server), cache=tmp_path)
    assert fetch(entry_of(server), cache=tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_has_no_file(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(zoo.ZooError, match=rf"net-deadbeef\.pth: the server answers {status} "):
        fetch(entry_of(server), cache=tmp_path)
    assert weights_in(tmp_path) == []


def test_two_at_once_download_one_file(server: Server, tmp_path: Path) -> None:
    server.pause = 0.01
    threads = [threading.Thread(target=fetch, args=(entry_of(server),), kwargs={"cache": tmp_path}) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == [None]
    assert (tmp_path / "net-deadbeef.pth").read_bytes() == DATA


def test_offline_is_one_line_that_says_what_to_do(
    server: Server, cached: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = dataclasses.replace(entry_of(server), url="http://127.0.0.1:1/net.pth")
    assert main(["fetch", "lite_hrnet_18", "--input", "256x192"], [gone]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "error: 127.0.0.1:1 cannot be reached (Connection refused): go online and run the same again, "
        f"or put http://127.0.0.1:1/net.pth at {cached / 'net.pth'}\n"
    )
    odd = dataclasses.replace(gone, url="file:///etc/hostname")
    assert main(["fetch", "lite_hrnet_18"], [odd]) == 2
    assert "must begin with https://" in capsys.readouterr().err


def test_the_command_prints_where_the_file_is(server: Server, cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = functools.partial(main, catalogue=[entry_of(server)])
    assert run(["list"]) == 0
    assert " no " in capsys.readouterr().out
    assert run(["fetch", "lite_hrnet_18", "--input", "256x192", "--dataset", "coco"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{cached / 'net-deadbeef.pth'}\n", "")
    assert run(["list"]) == 0
    assert " yes " in capsys.readouterr().out
    for arguments, message in {
        ("fetch", "lite_hrnet_30"): "no weights were published of 'lite_hrnet_30': there are of lite_hrnet_18",
        ("fetch", "lite_hrnet18"): "did you mean lite_hrnet_18?",
        ("fetch", "lite_hrnet_18", "--input", "64x64"): "for coco 64x64: there are for coco 256x192",
        ("fetch", "lite_hrnet_18", "--input", "big"): "'big' is not HEIGHTxWIDTH, for example 256x192",
        ("fetch", "lite_hrnet_18", "--dataset", "voc"): "invalid choice: 'voc'",
        (): "required: list | fetch",
    }.items():
        assert run(list(arguments)) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_goes_nowhere() -> None:
    """Closed from the start, closed by its reader, and on a full disk."""
    for redirection, status, says in (
        (">&-", 0, ""),
        (">/dev/full", 2, "error: the disk is full"),
        ("| head -c 1", 0, ""),
    ):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {sys.executable} -m zoo.weights list {redirection}"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == status, (redirection, done.stderr)
        assert done.stderr.startswith(says)
        assert done.stderr.count("\n") == bool(says), done.stderr


def test_ctrl_c_keeps_what_was_downloaded(server: Server, tmp_path: Path) -> None:
    server.pause = 0.2
    script = (
        "import sys, json, pathlib; from zoo.weights import Entry, catalogue; from zoo.weights.command import main\n"
        "catalogue.cache_folder = lambda: pathlib.Path(sys.argv[1])\n"
        "sys.exit(main(['fetch', 'lite_hrnet_18'], [Entry(**json.loads(sys.argv[2]))]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), json.dumps(dataclasses.asdict(entry_of(server)))],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    partial = tmp_path / "net-deadbeef.pth.partial"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted; what was downloaded is kept, the same command goes on from there\n"
    kept = partial.stat().st_size
    assert 0 < kept < len(DATA)
    server.pause = 0.0
    assert fetch(entry_of(server), cache=tmp_path).read_bytes() == DATA
    assert server.asked == [None, f"bytes={kept}-"]


def test_the_catalogue_is_of_the_zoo() -> None:
    entries = published()
    assert len(entries) == 13 + 19  # of the paper's networks, of the newer ones
    assert {entry.model for entry in entries} <= set(zoo.list_models())
    for entry in entries:
        # The publisher writes the beginning of the SHA-256 into the file's name.
        assert f"-{entry.sha256_prefix}_" in entry.file
        assert entry.url.startswith("https://")
        assert find(entry.model, entry.input, entry.dataset, training_data=entry.training_data) == entry
        assert all(re.fullmatch(r"(AP|AR|PCKh|PCKh@0\.1)=0\.\d{3}", metric) for metric in entry.metrics)
    assert find("lite_hrnet_18").input == "256x192"
    assert find("lite_hrnet_18", dataset="mpii").input == "256x256"
    assert (find("rtmpose_t").training_data, find("rtmpose_m", "384x288").training_data) == ("COCO", "AIC+COCO")
    assert find("cspnext_t_udp", training_data="AIC+COCO").joints == 19
    with pytest.raises(zoo.ZooError, match=r"for coco 384x288: there are for coco 256x192 trained on COCO, coco 256x1"):
        find("rtmpose_t", "384x288")
    # Dite-HRNet has figures but no weights.
    figures = [entry for entry in catalogue.published_figures() if not entry.url]
    assert {entry.model for entry in figures} == {"dite_hrnet_18", "dite_hrnet_30"}
    assert len(figures) == 6


@pytest.mark.parametrize("joints", [17, 16])
def test_create_model_with_published_weights(
    server: Server, cached: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, joints: int
) -> None:
    state = reference_state("lite_hrnet_18", 1.0)
    for name in ("weight", "bias"):
        state[f"keypoint_head.final_layer.{name}"] = state[f"keypoint_head.final_layer.{name}"][:joints]
    torch.save({"state_dict": state, "meta": {}}, tmp_path / "upload.pth")
    server.data = (tmp_path / "upload.pth").read_bytes()
    dataset, size = {17: ("coco", "256x192"), 16: ("mpii", "256x256")}[joints]
    entry = dataclasses.replace(entry_of(server, server.data), dataset=dataset, input=size)
    monkeypatch.setattr(catalogue, "published", lambda: [entry])
    model = zoo.create_model("lite_hrnet_18", num_joints=joints, weights="published")
    expected = zoo.create_model("lite_hrnet_18", num_joints=joints)
    zoo.load_weights(expected, state)
    loaded = model.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in expected.state_dict().items())


def test_networks_without_published_weights_say_who_has_some() -> None:
    raises: Callable[..., pytest.RaisesExc[zoo.ZooError]] = functools.partial(pytest.raises, zoo.ZooError)
    with raises(match="no weights were published of 'small_hrnet_w16': there are of .*lite_hrnet_18, lite_hrnet_30, "):
        zoo.create_model("small_hrnet_w16", weights="published")
    with raises(match=r"there are for 17 \(COCO\) and 16 \(MPII\)"):
        zoo.create_model("lite_hrnet_18", num_joints=14, weights="published")
    with raises(match="no weights of vipnas_mobilenetv3 were published for mpii 256x256: there are for coco 256x192"):
        zoo.create_model("vipnas_mobilenetv3", num_joints=16, weights="published")
