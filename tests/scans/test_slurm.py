"""The manual's commands for SLURM, by a real slurmctld of one node; Debian has it: apt-get install slurm-wlm munge."""

import getpass
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import FASTSCAN, MANY_TASKS, REPOSITORY, Arrays, arrays, free_port, scanned

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo")
PATH = os.pathsep.join([str(Path(FASTSCAN).parent), os.environ["PATH"], "/usr/sbin"])
MANUAL = REPOSITORY / "grids" / "manual.md"
PATIENCE = 300  # seconds, after which a command counts as hanging
MORE_TASKS = MANY_TASKS.replace("num = 181", "num = 361")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=16
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

missing = [program for program in PROGRAMS if not shutil.which(program, path=PATH)]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"SLURM isn't installed: no {', '.join(missing)}"),
    pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be a node of SLURM"),
]
Shell = Callable[[str], str]


def wait_until(is_so: Callable[[], object]) -> None:
    for _ in range(PATIENCE * 10):
        if is_so():
            return
        time.sleep(0.1)
    pytest.fail("it takes too long")


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of a user of a running SLURM of one node."""
    with tempfile.TemporaryDirectory(prefix="slurm", dir="/tmp") as directory:  # a socket's path must be short
        place = Path(directory)
        key = place / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        host, user = socket.gethostname().partition(".")[0], getpass.getuser()
        conf = CONF.format(host=host, user=user, place=place, port=free_port(), node_port=free_port())
        for name, content in (("slurm.conf", conf), ("cgroup.conf", "")):
            (place / name).write_text(content)
        own = [f"--{name.partition('.')[0]}-file={place}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        daemons = [
            ["munged", "--foreground", "--force", f"--socket={place}/munge.socket", *own],
            ["slurmctld", "-D", "-i", "-f", f"{place}/slurm.conf"],
            ["slurmd", "-D", "-f", f"{place}/slurm.conf"],
        ]
        there = {**os.environ, "PATH": PATH, "SLURM_CONF": f"{place}/slurm.conf"}
        running = []
        with (place / "log").open("wb") as log:
            for daemon in daemons:
                command = [shutil.which(daemon[0], path=PATH), *daemon[1:]]
                running.append(subprocess.Popen(command, stdout=log, stderr=log, env=there))
                wait_until((place / "munge.socket").exists)
        told = shell_in(place, there)
        wait_until(lambda: "idle" in told("sinfo -h -o %t"))
        yield there
        for daemon in reversed(running):
            daemon.terminate()
            daemon.wait(PATIENCE)
        print((place / "log").read_text())


def shell_in(place: Path, environment: dict[str, str]) -> Shell:
    """A function that runs a command in a shell in a directory, and returns its output."""

    def shell(command: str) -> str:
        told = subprocess.run(
            ["bash", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        return told.stdout

    return shell


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Shell:
    (tmp_path / "big.toml").write_text(MORE_TASKS)
    return shell_in(tmp_path, environment)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    return arrays(scanned(MORE_TASKS, tmp_path_factory.mktemp("undisturbed")))


def documented(word: str) -> str:
    """The manual's lines for SLURM below the comment that contains a word."""
    block = next(each for each in MANUAL.read_text("utf-8").split("```sh\n") if "sbatch" in each).partition("```")[0]
    (found,) = [each for each in block.split("\n\n") if each.startswith("# SLURM") and word in each.partition("\n")[0]]
    return found


def ended(shell: Shell, job: str) -> str:
    """The output of a job after its end."""
    wait_until(lambda: re.search("JobState=(COMPLETED|FAILED|CANCELLED|NODE_FAIL)", shell(f"scontrol show job {job}")))
    return shell(f"cat slurm-{job}.out")


def submitted(shell: Shell, commands: str) -> str:
    """The number of the last job of some commands."""
    told = shell(commands)
    assert re.search(r"Submitted batch job \d+\n$", told), told
    return told.split()[-1]


def test_parts_share_a_grid_and_the_last_job_names_those_that_did_not_end_well(
    shell: Shell, undisturbed: Arrays, tmp_path: Path
) -> None:
    commands = documented("16 jobs share the grid")
    job = submitted(shell, f"{commands}\nscancel ${{job}}_16 ${{job}}_[14-15] >&2")
    told = ended(shell, job)
    assert re.fullmatch(
        r"fastscan: big\.zarr isn't complete: \d+ tasks are missing; run parts 14-16 of 16 again\n", told
    )
    assert "JobState=FAILED" in shell(f"scontrol show job {job}")
    again = submitted(shell, commands.replace("--array=1-16", "--array=14-16"))
    assert ended(shell, again) == "big.zarr is complete\n"
    assert arrays(tmp_path / "big.zarr") == undisturbed


def test_a_job_that_is_requeued_continues(shell: Shell, undisturbed: Arrays, tmp_path: Path) -> None:
    job = submitted(shell, documented("in one job"))
    wait_until(lambda: sum(1 for _ in tmp_path.rglob("done.*.json")) > 10)
    shell(f"scontrol requeue {job}")
    wait_until(lambda: "JobState=PENDING" in shell(f"scontrol show job {job}"))
    shell(f"scontrol update jobid={job} StartTime=now")  # SLURM lets a job wait for two minutes
    told = ended(shell, job)
    assert "DUE TO JOB REQUEUE" in told
    planned = [int(tasks) for tasks in re.findall(r"in (\d+) tasks to compute", told)]
    assert len(planned) == 2
    assert planned[1] <= planned[0] - 10
    assert arrays(tmp_path / "big.zarr") == undisturbed


def test_a_job_that_is_told_of_its_time_limit_is_continued_by_the_same_command(
    shell: Shell, undisturbed: Arrays, tmp_path: Path
) -> None:
    command = documented("in one job")
    job = submitted(shell, command)
    wait_until(lambda: sum(1 for _ in tmp_path.rglob("done.*.json")) > 10)
    shell(f"scancel --batch --signal=TERM {job}")  # as --signal=B:TERM@60 does before the limit
    told = ended(shell, job)
    assert re.search(r"fastscan: terminated; \d+ of \d+ tasks are done; the same command continues$", told.strip())
    assert not re.search("JobState=COMPLETED", shell(f"scontrol show job {job}"))
    again = submitted(shell, command)
    assert "e6" in ended(shell, again)
    assert arrays(tmp_path / "big.zarr") == undisturbed
