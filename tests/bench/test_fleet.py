"""The playbook of examples/fleet against two ssh servers on this machine, one of which dies half-way."""

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bench.core.files import cache_path
from bench.core.results import read
from tests.commands import clean, command
from tests.conftest import ROOT

OWN = cache_path("fleet") / "bin" / "ansible-playbook"  # made by .ci/fleet.sh
SERVER = shutil.which("sshd") or "/usr/sbin/sshd"
NETWORKS, SETS = 2, 5  # of the kit, and of the paper's protocol


@pytest.fixture(scope="module")
def ansible() -> str:
    found = shutil.which("ansible-playbook") or (str(OWN) if OWN.exists() else None)
    if found is None:
        pytest.skip("ansible-playbook is missing: pip install 'lightpose-bench[fleet]', or .ci/fleet.sh")
    if not Path(SERVER).exists() or not shutil.which("ssh-keygen"):
        pytest.skip("sshd is missing: install openssh-server")
    return found


@dataclass
class Server:
    """An ssh server on a port of the loopback device, for whoever runs the tests and nobody else."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SERVER, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        pytest.skip("the ssh server does not start here")

    def die(self) -> None:
        """With its sessions, as at a power cut."""
        if self.process is None or self.process.poll() is not None:
            return
        server = psutil.Process(self.process.pid)
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def records(self) -> Path:
        """Of the kit on this host."""
        (found,) = self.folder.glob("kits/*/kit/records")
        return found


@pytest.fixture
def servers(ansible: str, tmp_path: Path) -> Iterator[dict[str, Server]]:
    """Two hosts with a key for them in ``tmp_path``."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what it shuts itself into where it runs as root
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    found = {}
    for name in ("steady", "dying"):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {tmp_path}/key.pub\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
        )
        found[name] = Server(folder, port)
    try:
        for server in found.values():
            server.start()
        yield found
    finally:
        for server in found.values():
            server.die()


def test_a_fleet_of_which_one_dies(
    ansible: str, servers: dict[str, Server], made_kit: Path, bare_python: Path, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts.ini"
    hosts.write_text("".join(
        f"{name} ansible_host=127.0.0.1 ansible_port={server.port} ansible_user={getpass.getuser()} "
        f"kit_folder={server.folder}/kits kit_python={bare_python}\n"
        for name, server in servers.items()
    ))  # fmt: skip
    results = tmp_path / "results"
    playbook = [
        ansible, "-i", hosts, ROOT / "examples/fleet/measure.yml", "-e", f"kit={made_kit}", "-e", f"results={results}",
        "-e", "look_every_s=1", "-e", f"home_python={sys.executable}", "--private-key", tmp_path / "key",
    ]  # fmt: skip
    sockets = tempfile.mkdtemp(prefix="lp-")  # their paths must be short
    environment = clean() | {
        "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible/tmp"), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"), "ANSIBLE_ASYNC_DIR": str(tmp_path / "async"),
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null",
        "ANSIBLE_INTERPRETER_PYTHON_FALLBACK": "python3", "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(playbook, cwd=ROOT, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    _let_die(servers["dying"], run)
    assert run.wait() == 4, (tmp_path / "log").read_text()  # Ansible's status for hosts that are out of reach
    assert {record.model for record in read(results / "steady")} == {"own:tiny", "own:other"}
    assert not (results / "dying").exists()
    done = [json.loads(line) for line in (servers["dying"].records() / "speed.partial").read_text().splitlines()]
    kept = [line["content"]["result"]["latency_ms"] for line in done if line["part"].startswith("set ")]
    assert 0 < len(kept) < NETWORKS * SETS
    before = (results / "steady" / "speed.jsonl").read_bytes()

    servers["dying"].start()
    again = subprocess.run(playbook, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    records = read(results / "dying")
    assert sorted(record.model for record in records) == ["own:other", "own:tiny"]
    found = [rounds for record in records for rounds in record.samples["latency_ms"]]
    assert all(found.count(rounds) == 1 for rounds in kept)  # what was done is not done again
    assert (results / "steady" / "speed.jsonl").read_bytes() == before  # nor by the host that was done
    assert len((servers["steady"].records() / "speed.jsonl").read_text().splitlines()) == NETWORKS
    for name in servers:
        assert command("kit")(["check", str(results / name)]) == 0
    shutil.rmtree(sockets)


def _let_die(server: Server, run: "subprocess.Popen[bytes]") -> None:
    """End a host once it has finished a set and has others to do: its kit by its lock, and its server."""
    while run.poll() is None:
        for partial in server.folder.glob("kits/*/kit/records/speed.partial"):
            if partial.read_text().count("\n") >= 1:
                told = json.loads((partial.parent / ".running").read_text())
                server.die()
                os.kill(told["pid"], signal.SIGKILL)
                return
        time.sleep(0.01)
