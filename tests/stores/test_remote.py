"""Stores at URLs: a real S3 server on loopback, frozen and cut off; and memory."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import psutil
import pytest
import s3fs
import xarray as xr
from conftest import FASTSCAN, GRID, MOTO, Arrays, arrays, free_port, scanned, with_store
from fsspec.implementations.local import LocalFileSystem

import fastscan
from fastscan.answers.answers import limits_of_store
from fastscan.answers.question import Question
from fastscan.errors import FastscanError
from fastscan.scans import scanner
from fastscan.scans.plan import plan
from fastscan.scans.verify import verify
from fastscan.stores import store
from fastscan.stores.location import read_root

E6 = "coherent-csi/e6"
TASKS = 7
AT_ONE_POINT = Question(at={"beta": [0.0], "sigma_sys": [0.1]}, stored=True)
SMALL = with_store(GRID.replace('["chi", "e6"]', '["e6"]'), chunk="8 KiB", task="8 KiB")


RECORDS = 5  # that pass before the way is cut or the server freezes
# A way to a server on loopback, in a process of its own: listens on a port, passes on to another, and when so many
# records of tasks have passed it ends, or stops the process that it is told, or (0) refuses a record once.
PROXY = f"""
import asyncio, os, signal, sys

listen, to, *stop = map(int, sys.argv[1:])
passed = 0
REFUSED = b"HTTP/1.1 403 Forbidden\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n"

async def pass_on(reader, writer, back):
    global passed
    while data := await reader.read(65536):
        passed += data.startswith(b"PUT") and b"/done." in data[:200]
        if passed == {RECORDS}:
            passed += 1
            if stop == [0]:
                back.write(REFUSED)
                break
            os.kill(stop[0], signal.SIGSTOP) if stop else os._exit(0)
        writer.write(data)
        await writer.drain()
    writer.close()
    back.close()

async def connect(near_reader, near_writer):
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
    ways = pass_on(near_reader, far_writer, near_writer), pass_on(far_reader, near_writer, far_writer)
    await asyncio.gather(*ways, return_exceptions=True)

async def main():
    await (await asyncio.start_server(connect, "127.0.0.1", listen)).serve_forever()

asyncio.run(main())
"""


def answers(port: int, process: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    """Wait until a process listens on its port."""
    while process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            break
        time.sleep(0.05)
    return process


def proxy(port: int, to: int, *stop: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROXY, *map(str, (port, to, *stop))]
    return answers(port, subprocess.Popen(command, stderr=subprocess.DEVNULL))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """moto's S3 server: its process and port; the environment has what a user would set."""
    port = free_port()
    moto = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    process = answers(port, moto)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        s3fs.S3FileSystem().mkdir("sweeps")
        yield process, port
    process.kill()
    process.wait()


@pytest.fixture
def url(server: object, request: pytest.FixtureRequest) -> str:
    return f"s3://sweeps/{request.node.name}.zarr"


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    (tmp_path / "grid.toml").write_text(SMALL)
    return tmp_path / "grid.toml"


@pytest.fixture
def many_tasks(tmp_path: Path) -> Path:
    (tmp_path / "many.toml").write_text(SMALL.replace("8 KiB", "1 KiB"))
    return tmp_path / "many.toml"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    return arrays(scanned(SMALL, tmp_path_factory.mktemp("undisturbed")))


def done(url: str) -> int:
    """The number of recorded tasks."""
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True).find(url)
    return sum(Path(file).name.startswith("done.") for file in files)


def test_a_store_at_a_url_is_the_same_and_answers_the_same(url: str, grid: Path, undisturbed: Arrays) -> None:
    root = fastscan.scan(grid, url)
    assert arrays(url) == undisturbed
    assert store.group_names(root) == [E6]
    assert xr.open_zarr(url, group=E6).chi2.values.tobytes() == undisturbed[f"{E6}/chi2"][1]
    (found,) = limits_of_store(url, AT_ONE_POINT)
    assert found["limit_gev"] == pytest.approx(float(fastscan.limit("coherent-csi", "e6", beta=0, sigma_sys=0.1)))
    assert not any(each.damaged or each.missing for each in verify(url, everything=True))


@pytest.mark.slow
def test_it_is_resumed_and_what_is_damaged_is_repaired(url: str, grid: Path, undisturbed: Arrays) -> None:
    fastscan.scan(grid, url)
    files = s3fs.S3FileSystem()
    files.pipe(f"{url}/{E6}/chi2/c.3.0.0.0", b"damaged")
    files.rm(f"{url}/{E6}/chi2/done.5.json")
    files.rm(f"{url}/{E6}/chi2/zarr.json")
    with pytest.raises(FastscanError, match="half-written or damaged"):
        verify(url)
    calls: list[scanner.Progress] = []
    fastscan.scan(grid, url, resume=True, progress=calls.append)
    assert calls[0].tasks_to_do == 1
    assert [each.damaged for each in verify(url)] == [(f"{E6}/chi2/c.3.0.0.0",)]
    fastscan.scan(grid, url, resume=True)
    assert arrays(url) == undisturbed


def test_it_is_refused_overwritten_and_never_with_foreign_files(url: str, grid: Path) -> None:
    fastscan.scan(grid, url)
    with pytest.raises(FastscanError, match="resume=True continues it, overwrite=True replaces it"):
        fastscan.scan(grid, url)
    other = grid.with_name("other.toml")
    other.write_text(SMALL.replace('["e6"]', '["lr"]').replace("beta =", "# beta ="))
    files = s3fs.S3FileSystem(use_listings_cache=False)
    files.pipe(f"{url}/thesis.tex", b"...")
    with pytest.raises(FastscanError, match=r"thesis\.tex is nothing that fastscan wrote; nothing was deleted"):
        fastscan.scan(other, url, overwrite=True)
    assert done(url) == TASKS
    files.rm(f"{url}/thesis.tex")
    assert store.group_names(fastscan.scan(other, url, overwrite=True)) == ["coherent-csi/lr"]
    assert not files.find(f"{url}/{E6}")


@pytest.mark.slow
def test_workers_and_parts_write_to_it(url: str, grid: Path, undisturbed: Arrays) -> None:
    command = [FASTSCAN, "scan", grid, "-o", url, "--part", "2/2", "--workers", "1"]
    subprocess.run(command, check=True, capture_output=True)
    fastscan.scan(grid, url, part=(1, 2))
    scanner.finish(url)
    assert arrays(url) == undisturbed


@pytest.mark.slow
def test_a_server_that_freezes_for_a_while_is_waited_for(
    url: str, many_tasks: Path, server: tuple["subprocess.Popen[bytes]", int], undisturbed: Arrays
) -> None:
    process, to = server
    port = free_port()
    way = proxy(port, to, process.pid)
    scan = scan_through(port, many_tasks, url)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED and scan.poll() is None:
        time.sleep(0.01)
    time.sleep(3)
    waiting = scan.poll() is None
    process.send_signal(signal.SIGCONT)
    _, problem = scan.communicate(timeout=90)
    way.kill()
    way.wait(timeout=30)
    assert waiting
    assert scan.returncode == 0, problem.decode()
    assert arrays(url) == undisturbed


def scan_through(port: int, *arguments: object) -> "subprocess.Popen[bytes]":
    """A scan that reaches its server through a port."""
    grid, url, *options = map(str, arguments)
    through = os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    command = [FASTSCAN, "scan", grid, "-o", url, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=through)


@pytest.mark.slow
def test_cut_off_from_its_server_a_scan_says_so_and_is_resumed(
    url: str, many_tasks: Path, server: tuple["subprocess.Popen[bytes]", int], undisturbed: Arrays
) -> None:
    port = free_port()
    way = proxy(port, server[1])
    scan = scan_through(port, many_tasks, url)
    _, told = scan.communicate(timeout=90)
    way.wait(timeout=30)
    assert scan.returncode == 2
    assert len(told.decode().splitlines()) == 2, told.decode()
    _, problem = told.decode().splitlines()  # after the plan
    assert "Could not connect to the endpoint URL" in problem or "Connection was closed" in problem
    assert problem.endswith("what is done is kept, --resume continues")
    with pytest.raises(FastscanError, match="lacks"):
        arrays(url)
    calls: list[scanner.Progress] = []
    fastscan.scan(many_tasks, url, resume=True, progress=calls.append)
    assert calls[0].tasks_to_do < plan(many_tasks)[0].layout.tasks
    assert arrays(url) == undisturbed


@pytest.mark.slow
def test_a_task_whose_record_is_refused_once_is_begun_anew(
    url: str, many_tasks: Path, server: tuple["subprocess.Popen[bytes]", int], undisturbed: Arrays
) -> None:
    port = free_port()
    way = proxy(port, server[1], 0)
    program = """
import sys
import fastscan

calls = []
fastscan.scan(*sys.argv[1:], progress=calls.append)
print(calls[-1].tasks == calls[-1].tasks_to_do, calls[-1].retried, calls[-1].failed)
"""
    scan = subprocess.run(
        [sys.executable, "-c", program, many_tasks, url],
        env=os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    way.kill()
    way.wait(timeout=30)
    assert scan.stdout == "True 1 0\n", scan.stderr
    assert arrays(url) == undisturbed


def test_what_is_not_there_and_who_may_not_write_is_told(server: object, grid: Path) -> None:
    with pytest.raises(FastscanError, match="s3://sweeps/nothing does not exist"):
        read_root("s3://sweeps/nothing")
    with pytest.raises(FastscanError, match="can't be written: The specified bucket does not exist"):
        fastscan.scan(grid, "s3://no-such-bucket/x.zarr")
    with pytest.raises(FastscanError, match="foo://x is no place for a store: Protocol not known: foo"):
        fastscan.scan(grid, "foo://x")


def test_memory_is_a_place_for_one_process(grid: Path, undisturbed: Arrays) -> None:
    fastscan.scan(grid, "memory://memory.zarr")
    assert arrays("memory://memory.zarr") == undisturbed
    fastscan.scan(grid, "memory://memory.zarr", overwrite=True)
    assert arrays("memory://memory.zarr") == undisturbed
    command = [FASTSCAN, "scan", grid, "-o", "memory://x", "--workers", "1"]
    refused = subprocess.run(command, check=False, capture_output=True)
    assert b"is in this process' memory, where no worker can write" in refused.stderr


@pytest.mark.parametrize(("protocol", "library", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")])
def test_a_missing_extra_is_answered_with_its_command(protocol: str, library: str, extra: str) -> None:
    program = f"import sys; sys.modules[{library!r}] = None; import fastscan.commands.cli; fastscan.commands.cli.main()"
    command = [sys.executable, "-c", program, "info", f"{protocol}://bucket/x.zarr"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    advice = f"{protocol}:// needs a library that isn't installed: pip install 'fastscan[{extra}]'"
    assert (told.returncode, told.stderr) == (2, f"fastscan: {advice}\n")


def test_a_file_url_is_a_path(grid: Path, tmp_path: Path) -> None:
    fastscan.scan(grid, f"file://{tmp_path}/out.zarr")
    assert store.group_names(read_root(tmp_path / "out.zarr")) == [E6]


def test_storage_with_directories_is_a_place(many_tasks: Path, tmp_path: Path, undisturbed: Arrays) -> None:
    url = f"local://{tmp_path}/new/out.zarr"
    fastscan.scan(many_tasks, url)
    assert arrays(url) == undisturbed
    (found,) = limits_of_store(url, AT_ONE_POINT)
    assert found["limit_gev"] == pytest.approx(float(fastscan.limit("coherent-csi", "e6", beta=0, sigma_sys=0.1)))
    (tmp_path / "new/out.zarr" / E6 / "chi2/c.3.0.0.0").write_bytes(b"damaged")
    assert [each.damaged for each in verify(url)] == [(f"{E6}/chi2/c.3.0.0.0",)]
    fastscan.scan(many_tasks, url, resume=True)
    assert not any(each.damaged or each.missing for each in verify(url))
    fastscan.scan(many_tasks, url, overwrite=True)
    assert arrays(url) == undisturbed


def test_a_file_in_storage_with_directories_is_left(many_tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    # it depends on zarr's version whether this is refused before or after something is written
    with pytest.raises(FastscanError, match=r"notes\.txt (is no fastscan store|can't be written: Not a directory)"):
        fastscan.scan(many_tasks, f"local://{tmp_path}/notes.txt", overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


class Bare(LocalFileSystem):
    """A file system that takes no options."""

    protocol = "bare"

    def __init__(self) -> None:
        super().__init__()


def test_storage_that_takes_no_options_is_told(grid: Path) -> None:
    fsspec.register_implementation("bare", Bare)
    with pytest.raises(FastscanError, match=r"bare:///x is no place for a store: .*unexpected keyword argument"):
        fastscan.scan(grid, "bare:///x")
