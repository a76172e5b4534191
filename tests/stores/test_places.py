"""Small tests of locations: a dead or silent server, a store without groups, and a store that gets a group."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import xarray as xr
from conftest import Write, free_port, refusal

import fastscan

SMALL = """
experiments = ["coherent-csi"]
models = ["chi"]
[axes]
m_zprime = { values = [100, 200], unit = "GeV" }
"""
KEYS = {name: "testing" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")} | {
    "AWS_DEFAULT_REGION": "us-east-1"
}


def endpoint(port: int) -> dict[str, str]:
    return {**os.environ, **KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def test_a_dead_server_is_no_damaged_store() -> None:
    problem = refusal("info", "s3://sweeps/out.zarr", env=endpoint(free_port()))
    assert re.match("fastscan: s3://sweeps/out.zarr can't be read: Could not connect to the endpoint URL", problem)


def test_a_write_that_nobody_answers_ends() -> None:
    """A stopped server takes the connection, but never answers."""
    program = """
import numpy as np
from zarr.core.sync import sync
from zarr.buffer import cpu

from fastscan.stores import remote

remote.PATIENCE = 0.5
storage = remote.open_url("s3://sweeps/out.zarr", read_only=False)
try:
    sync(storage.set("zarr.json", cpu.Buffer.from_bytes(bytes(500_000))))
except OSError as error:
    print(error)
"""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env=endpoint(silent.getsockname()[1]),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.stdout == "no answer within 1 s\n", ended.stderr  # half a second for each half a megabyte too


def test_plain_xarray_opens_a_group_that_came_later(write: Write, tmp_path: Path) -> None:
    fastscan.scan(write("grid.toml", SMALL), tmp_path / "out.zarr")
    more = write(
        "more.toml", SMALL.replace('"chi"', '"chi", "lr"').replace('"coherent-csi"', '"coherent-csi", "conus"')
    )
    fastscan.scan(more, tmp_path / "out.zarr", resume=True)
    for experiment in ("coherent-csi", "conus"):
        with xr.open_zarr(tmp_path / "out.zarr", group=f"{experiment}/lr") as cube:
            expected = fastscan.chi2(experiment, "lr", m_zprime=[100, 200])
            assert cube.chi2.values.ravel().tolist() == expected.astype("float32").tolist()
