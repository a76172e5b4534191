"""Stores: create their groups, read them, finish them, and describe them.

A store is ordinary zarr v3, which xarray opens.  It has a group ``<experiment>/<model>`` or ``<combination>/<model>``
for each pair, with these arrays, where the axes of the model stand for rows and strength:

    chi2(rows, strength, sigma_sys, luminosity)   chi2 on the grid
    events(rows, strength)                        expected events; not for a combination
    <axis>                                        the points of each axis, 1-D
    toys(rows, strength, sigma_sys, luminosity, toy)   Delta chi2 of toys; only if the grid has toys
    likelihood/                                   the arrays of `fastscan.likelihoods.likelihood.Likelihood`
    expected/                                     those of its arrays that differ for the Standard Model's prediction in
                                                  place of measured data; only if data are measured
    exchanges/                                    the ingredients of rows between the points of their axes; only if each
                                                  row has energy integrals of its own
    expected_exchanges/                           those ingredients that differ for the Standard Model's prediction
    counted/                                      data and predictions in bins of members with counted events
    modelled/                                     data and models of members with a model of fitted parameters
    chi2/done.<task>.json                         the record of each task, written after its chunks

A group's own zarr.json is written first and reserves the name.  It has a checksum of each small file of the group, and
every reading checks them.
"""

import asyncio
import errno
import functools
import json
import math
import platform
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import zarr
from zarr import AsyncGroup
from zarr.abc.buffer import Buffer as AnyBuffer
from zarr.buffer import default_buffer_prototype
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from fastscan.axes import SETTINGS
from fastscan.errors import FastscanError, StoreError, shown, unknown
from fastscan.inputs.files import DAMAGE, MALFORMED, readable
from fastscan.interactions import catalogue
from fastscan.stores import carried
from fastscan.stores.arrays import described_array, put_array, read_arrays
from fastscan.stores.chunks import checksum, checksums_of, done_tasks, recorded_tasks, require_complete
from fastscan.stores.cube import Cube, differences, hash_of
from fastscan.stores.layout import (
    COMPUTED,
    FILES,
    JSON_TEXTS,
    LEFTOVER,
    PARTS_KEY,
    TOY,
    Layout,
    require_plain,
    stored_axis,
)
from fastscan.stores.location import Location, names, place_of, read_bytes, read_root, sync
from fastscan.typing import Channel

if TYPE_CHECKING:
    import xarray

SETTLE = 5  # seconds that another process has to finish a group that it has begun
MOST_FILES = 100  # largest number of small files of a group
MOST_TOLD = 10  # largest number of differences that a message names


def is_there(root: zarr.Group, cube: Cube) -> bool:
    """Whether a store has the group of a cube; a group of the same name from another run is a `StoreError`."""
    with readable(f"group {cube.name}"):
        attributes = _attributes(root, cube.name)
        if not attributes:
            return False
        hashes = (attributes["hash"], hash_of(attributes.get("identity")))  # either of them may be damaged
        changed = differences(attributes.get("identity"), cube.identity)
    if cube.hash not in hashes:
        told = ", ".join([*changed[:MOST_TOLD], *["..."] * (len(changed) > MOST_TOLD)])
        raise StoreError(f"{cube.name} is there from another run: {told} differ; nothing was changed")
    return True


def _attributes(root: zarr.Group, name: str) -> dict[str, Any]:
    """The attributes of a group; empty where its zarr.json is lost, damaged or not from fastscan."""
    try:
        described = json.loads(read_bytes(root, f"{name}/zarr.json") or b"{}")
        attributes: dict[str, Any] = described["attributes"]
        texts = {key: json.loads(attributes[key]) for key in JSON_TEXTS}
        right = (described["zarr_format"], described["node_type"]) == (3, "group")
        return attributes | texts if right and isinstance(attributes["hash"], str) else {}
    except MALFORMED:
        return {}


def done(root: zarr.Group, cubes: Iterable[Cube]) -> dict[str, set[int]]:
    """Numbers of the finished tasks, by group; a group of the same name from another run is a `StoreError`."""
    return {cube.name: done_tasks(root, cube) for cube in cubes if is_there(root, cube)}


def ensure(root: zarr.Group, cube: Cube) -> None:
    """Create the group of a cube, or write those of its files again that are missing or damaged.

    Several processes can call this at the same time.  The first one that writes the group's own metadata owns the name,
    and its files are valid.

    Raises
    ------
    StoreError
        Where another run has a group of this name, or had one whose metadata are lost.
    """
    if is_there(root, cube):
        if is_whole(root, cube):
            return
    else:
        _require_own_records(root, cube)
    aside = zarr.open_group(MemoryStore(), mode="w-", zarr_format=3)
    _make(aside, cube)
    files = sync(_read_files(aside, _small_files(aside)))
    own = f"{cube.name}/zarr.json"
    sync(root.store.set_if_not_exists(own, files[own]))
    if is_there(root, cube) and read_bytes(root, own) != files[own].to_bytes():
        # another machine or version runs the same scan, and its last digits may differ
        for _ in range(10):
            if is_whole(root, cube):
                return
            time.sleep(SETTLE / 10)
    sync(_write_files(root, files))


def is_whole(root: zarr.Group, cube: Cube) -> bool:
    """Whether the group of a cube can be read."""
    try:
        read(root, cube.name)
    except FastscanError:
        return False
    return True


def _require_own_records(root: zarr.Group, cube: Cube) -> None:
    """Refuse a group's name that has the results of another run, or files that fastscan didn't write."""
    records = sorted(recorded_tasks(root, cube))
    if any(checksums_of(root, cube, task) is None for task in records):
        raise StoreError(f"{cube.name} lost its zarr.json, and holds what another run computed")
    if not records and read_bytes(root, f"{cube.name}/zarr.json") is not None:
        raise StoreError(f"{cube.name}/zarr.json is damaged, or nothing that fastscan made; it is left as it is")


def _small_files(root: zarr.Group) -> list[str]:
    """All files of a group in memory."""

    async def listed() -> list[str]:
        return [key async for key in root.store.list() if key != "zarr.json"]

    return sync(listed())


async def _read_files(root: zarr.Group, keys: Iterable[str]) -> dict[str, AnyBuffer]:
    """The contents of those files that exist; they are read concurrently, because each may wait for the network."""
    keys = list(keys)
    values = await asyncio.gather(*(root.store.get(key, default_buffer_prototype()) for key in keys))
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


async def _write_files(root: zarr.Group, files: dict[str, AnyBuffer]) -> None:
    await asyncio.gather(*(root.store.set(key, value) for key, value in files.items()))


def _make(root: zarr.Group, cube: Cube) -> None:
    group = root.create_group(cube.name)
    for name, axis in cube.axes.items():
        put_array(group, name, cube.points[name], stored_axis(axis))
    for name in cube.layout.arrays:
        group.create_array(
            name,
            shape=cube.layout.shape_of(name),
            chunks=cube.layout.chunk_of(name),
            dtype=cube.layout.dtype_of(name),
            fill_value=math.nan,
            compressors=None,
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=(*tuple(cube.points)[: cube.layout.rank(name)], *[TOY] * (name == "toys")),
            attributes=COMPUTED[name].attributes,
        )
    carried.put(group, cube)
    attributes = {
        "Conventions": "CF-1.11",
        "title": cube.title,
        "label": cube.label,
        "source": f"fastscan {version('fastscan')}",
        "references": cube.references,
        "versions": _versions(),
        "identity": cube.identity,
        "hash": cube.hash,
        "checksums": _checksums(root, cube.name),
    }
    group.update_attributes(attributes | {key: json.dumps(attributes[key]) for key in JSON_TEXTS})


@functools.cache
def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute a group, looked up once because that takes milliseconds."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "scipy", "zarr")},
    }


def _checksums(root: zarr.Group, name: str) -> dict[str, str]:
    """Checksums of a group's small files but its own zarr.json; limits depend on these files only."""
    prefix = f"{name}/"
    small = [key for key in _small_files(root) if key.startswith(prefix) and key != f"{prefix}zarr.json"]
    files = sync(_read_files(root, small))
    return {key.removeprefix(prefix): checksum(files[key].to_bytes()) for key in sorted(files)}


def group_names(root: zarr.Group) -> list[str]:
    """Names of the groups ``<experiment>/<model>``, damaged ones too; a store without any is a `StoreError`."""

    async def inside(directory: str) -> list[str]:
        return [name async for name in root.store.list_dir(directory)]

    async def listed() -> list[str]:
        outer = await inside("")
        inner = await asyncio.gather(*map(inside, outer))
        groups = [f"{one}/{other}" for one, others in zip(outer, inner, strict=True) for other in others]
        contents = await asyncio.gather(*map(inside, groups))
        return sorted(group for group, content in zip(groups, contents, strict=True) if "chi2" in content)

    with readable(place_of(root)):
        found = sync(listed())
    if not found:
        raise StoreError(f"{place_of(root)} has no groups")
    return found


def read(root: zarr.Group, name: str) -> Cube:
    """A group of a store as a cube, with its likelihood.

    Parameters
    ----------
    root : zarr.Group
        Root of the store, such as `scan` returns.
    name : str
        ``<experiment>/<model>`` or ``<combination>/<model>``.

    Returns
    -------
    Cube
        The axes and the likelihood of the group; chi2 is not read.

    Raises
    ------
    StoreError
        Where the group is missing, damaged, or not what its attributes say.
    """
    if len(name.split("/")) != 2:
        raise unknown("group", name, group_names(root), StoreError)
    with readable(f"group {name}"):
        attributes = _attributes(root, name)
        if not attributes:
            known = group_names(root)
            raise ValueError("its zarr.json is lost") if name in known else unknown("group", name, known, StoreError)
        identity = attributes["identity"]
        if hash_of(identity) != attributes["hash"]:
            raise ValueError("what it was made from doesn't fit its hash")
        _require_words(attributes)
        aside = MemoryStore(sync(_checked_files(root, name, attributes["checksums"])))
        references = tuple(attributes["references"])
        interaction = catalogue.of_identity(name.partition("/")[2], identity["model"], references)
        axes = [axis.name for axis in (*interaction.parameters, *SETTINGS)]
        points = sync(read_arrays(aside, axes))
        layout = Layout.read(tuple(each.size for each in points.values()), identity)
        sync(_require_plain_cube(aside, layout))
        rows = math.prod(points[axis.name].size for axis in interaction.rows)
        likelihood, expected = carried.read(aside, attributes["checksums"], identity, rows)
        return Cube(
            name=name,
            title=attributes["title"],
            label=_label(attributes, name),
            references=references,
            identity=identity,
            interaction=interaction,
            points=points,
            layout=layout,
            likelihood=likelihood,
            expected=expected,
        )


def _require_words(attributes: Mapping[str, Any]) -> None:
    """Refuse attributes of other types than fastscan writes, with a ValueError or with what Python raises for them."""
    identity = attributes["identity"]
    texts = [attributes["title"], attributes["source"], *attributes["references"], *identity["members"]]
    tables = [identity[key] for key in ("axes", "experiments", "fixed_sigma_sys", "model")]
    if not (all(isinstance(text, str) for text in texts) and all(isinstance(table, dict) for table in tables)):
        raise ValueError("its attributes are of other types than fastscan writes")
    toys = identity.get("toys", {"number": 1, "seed": 0, "dof": 1})
    if toys.keys() != {"number", "seed", "dof"} or not all(type(each) is int and each >= 0 for each in toys.values()):
        raise ValueError("its toys are not those of a scan")
    if not {identity["experiments"][member]["channel"] for member in identity["members"]} <= {*get_args(Channel)}:
        raise ValueError("its experiments have channels that fastscan doesn't know")


async def _checked_files(root: zarr.Group, name: str, checksums: dict[str, str]) -> dict[str, AnyBuffer]:
    """The small files of a group, without its large chunks; a lost or damaged file is a ValueError."""
    outer = name.partition("/")[0]
    if len(checksums) > MOST_FILES or not all(FILES.fullmatch(f"{name}/{key}") for key in checksums):
        raise ValueError("its checksums are of other files than fastscan writes")
    found = await _read_files(root, [f"{name}/{key}" for key in checksums])
    for key, right in checksums.items():
        value = found.get(f"{name}/{key}")
        if value is None or checksum(value.to_bytes()) != right:
            raise ValueError(f"{key} is {'lost' if value is None else 'damaged'}")
    try:
        await AsyncGroup.open(root.store_path / outer, zarr_format=3, use_consolidated=False)
    except (*MALFORMED, FileNotFoundError):
        raise ValueError(f"{outer}/zarr.json is lost or damaged") from None
    return {key.removeprefix(f"{name}/"): value for key, value in found.items()}


def labels(root: zarr.Group) -> dict[str, str]:
    """The labels of the experiments and combinations of a store, by their names."""
    return {name.partition("/")[0]: _label(_attributes(root, name), name) for name in group_names(root)}


def _label(attributes: Mapping[str, Any], group: str) -> str:
    """The label of the experiment of a group; its name, if the store has no label."""
    return shown(str(attributes.get("label", group.partition("/")[0])))


async def _require_plain_cube(storage: MemoryStore, layout: Layout) -> None:
    """Refuse large arrays that aren't stored as their layout describes."""
    for array in layout.arrays:
        described = await described_array(storage, array)
        require_plain(array, described, layout.shape_of(array), layout.chunk_of(array), layout.dtype_of(array), ".")


def remember_parts(root: zarr.Group, number: int, groups: Iterable[str]) -> None:
    """Store the number of parts in which a scan computes some groups, and the groups in the order of its grid."""
    said = json.dumps([int(number), *groups])
    if root.attrs.get(PARTS_KEY) != said:
        root.update_attributes({PARTS_KEY: said})


def parts_of(root: zarr.Group) -> tuple[int, list[str]] | None:
    """The number and the groups that `remember_parts` stored last; None without a scan in parts, or if damaged."""
    try:
        number, *groups = json.loads(str(root.attrs.get(PARTS_KEY)))
    except MALFORMED:
        return None
    whole = type(number) is int and number > 0 and all(isinstance(group, str) for group in groups)
    return (number, groups) if whole else None


def finish(root: zarr.Group, cubes: Iterable[Cube]) -> None:
    """Remove the remains of killed writes from finished groups, and consolidate the metadata, as xarray expects."""

    async def remove_leftovers() -> None:
        groups = {cube.name for cube in cubes}
        keys = [key for name in groups async for key in root.store.list_prefix(f"{name}/")]
        above = {f"{name.partition('/')[0]}/" for name in groups} | {""}
        keys += [outer + name for outer in above async for name in root.store.list_dir(outer)]
        await asyncio.gather(*(root.store.delete(key) for key in keys if LEFTOVER.search(key)))

    sync(remove_leftovers())
    with warnings.catch_warnings():
        # consolidated metadata is zarr-python's convention, not yet in the v3 specification
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        try:
            zarr.consolidate_metadata(root.store)
        except OSError as error:
            if error.errno != errno.EFBIG:  # then readers look at each group themselves
                raise
        except DAMAGE as error:
            raise StoreError(f"{place_of(root)} has something in it that zarr can't read: {error}") from None


def describe(location: Location) -> list[dict[str, Any]]:
    """A record for each group of a store: its axes, points, bytes, tasks, tasks done, origin and data."""
    root = read_root(location)
    described = []
    for name in group_names(root):
        cube = read(root, name)
        attributes = _attributes(root, name)
        described.append(
            {
                "group": name,
                "title": cube.title,
                "axes": {
                    axis: {
                        "size": points.size,
                        "first": float(points[0]),
                        "last": float(points[-1]),
                        "units": cube.axes[axis].unit,
                    }
                    for axis, points in cube.points.items()
                    if not np.isnan(points).any()  # nan: a combination that has no sigma_sys in common
                },
                "points": cube.layout.points,
                "dtype": cube.layout.dtype,
                "bytes": cube.layout.size,
                "chunks": list(cube.layout.chunks),
                "tasks": cube.layout.tasks,
                "tasks_done": len(done_tasks(root, cube)),
                "source": attributes["source"],
                "hash": cube.hash,
                "references": cube.references,
                "asimov": cube.is_asimov,
                "shared_nuisances": cube.likelihood.shared,
                "toys": None if cube.toys is None else asdict(cube.toys),
            }
        )
    return described


def open(store: Location | zarr.Group, group: str | None = None) -> "xarray.Dataset":
    """A group of a store as an xarray Dataset, which reads it lazily.

    Parameters
    ----------
    store : str, path or zarr.Group
        Path or URL of a store, or the root that `scan` returned.
    group : str
        ``<experiment>/<model>`` or ``<combination>/<model>``; left out, an error lists the groups of the store.

    Returns
    -------
    xarray.Dataset
        ``chi2``, dimensionless, over the axes of the model, ``sigma_sys`` and ``luminosity``; and, unless the group is
        a combination's, ``events``, the expected signal events, over the axes of the model, such as ``beta`` in rad and
        ``m_zprime`` in GeV.  Each axis has its units.  Attributes are texts, so that ``to_netcdf`` can write them;
        `fastscan.stores.layout.JSON_TEXTS` lists those that are JSON.

    Raises
    ------
    StoreError
        Where no group is given; where the store or the group is missing, damaged or not complete; and where xarray
        isn't installed.

    Examples
    --------
    >>> import fastscan
    >>> root = fastscan.scan("grids/coherent-csi.toml", "memory://open")
    >>> chi2 = open(root, "coherent-csi/chi").chi2
    >>> round(float(chi2.sel(m_zprime=200, sigma_sys=0.28, luminosity=1, method="nearest")), 3)
    3.102
    """
    try:
        import xarray
    except ImportError:
        raise StoreError("opening a cube needs xarray: pip install 'fastscan[xarray]'") from None
    root = store if isinstance(store, zarr.Group) else read_root(store)
    if group is None:
        raise StoreError(f"say which group of {place_of(root)} to open: {', '.join(group_names(root))}")
    cube = read(root, str(group))
    require_complete(root, cube)
    others = names(root.store, group) - {*cube.points, *cube.layout.arrays}  # these are not read
    with readable(f"group {group}"):
        dataset: xarray.Dataset = xarray.open_zarr(
            root.store, group=group, consolidated=False, zarr_format=3, drop_variables=others
        )
    return dataset
