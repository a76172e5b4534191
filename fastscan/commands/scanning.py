"""Commands that fill a store and look after it."""

from typing import Any

import click

from fastscan.commands import options, signals
from fastscan.errors import StoreError
from fastscan.outputs import terminal


@click.command()
@click.argument("grid", type=click.Path())
@click.option(
    "-o",
    "--output",
    "store",
    required=True,
    type=click.Path(),
    help="Store to write: a directory, or a URL such as s3://bucket/name.",
)
@click.option("--resume", is_flag=True, help="Continue a store: compute the missing tasks.")
@click.option("--overwrite", is_flag=True, help="Replace a store. Only fastscan's own stores are ever deleted.")
@options.part
@click.option("--dry-run", is_flag=True, help="Only print the costs of the scan: tasks, points, bytes, memory, disk.")
@click.option("--workers", type=options.INTEGER, metavar="N", help="Use N processes on this machine, not threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Use a running dask cluster at an address: tcp://host:8786.")
def scan(
    grid: str,
    store: str,
    resume: bool,
    overwrite: bool,
    part: tuple[int, int] | None,
    dry_run: bool,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Scan a grid file into a store.

    Computes chi2 over GRID on this machine's cores or on a dask cluster. Then prints the 90 % limit of each model at
    each experiment's own sigma_sys and at luminosity 1; `fastscan limits` prints limits at other values.

    \b
    Examples: fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
              fastscan scan grids/coherent-csi.toml -o results/parts.zarr --part 3/16
    """
    options.only_one(resume=resume, overwrite=overwrite)
    if dry_run:
        options.only_one(workers=workers is not None, scheduler=scheduler is not None)
        _tell_costs(grid, store, resume=resume, overwrite=overwrite, part=part, workers=workers, scheduler=scheduler)
        return
    from fastscan.answers.from_cube import has_limits, limit_records
    from fastscan.scans import cluster, scanner
    from fastscan.scans.plan import plan
    from fastscan.scans.progress import Progress, ProgressBar

    cubes = plan(grid)
    again = "--resume" if not resume and part is None else "the same command"
    with cluster.client(workers, scheduler) as client, ProgressBar(cubes, store) as bar:

        def progress(now: Progress) -> None:
            signals.say_at_end(f"{now.tasks} of {now.tasks_to_do} tasks are done; {again} continues")
            bar(now)

        scanner.run(cubes, store, client=client, resume=resume, overwrite=overwrite, part=part, progress=progress)
    if part is not None:
        click.echo(f"part {part[0]} of {part[1]} is done; `fastscan finish {store}` when all are")
        return
    labels = {cube.experiment: cube.label for cube in cubes}
    terminal.print_summary((each for cube in cubes if has_limits(cube) for each in limit_records(cube)), labels)


def _tell_costs(grid: str, store: str, **scan: Any) -> None:
    """Print the costs of a scan; a scan that doesn't fit is an error."""
    from fastscan.scans.cluster import threads_each
    from fastscan.scans.costs import costs, require_fit

    if scan["workers"] is not None:
        threads_each(scan["workers"])
    found = costs(grid, store, **scan)
    terminal.print_costs(found, store)
    require_fit(found, store)


@click.command()
@options.store
def finish(store: str) -> None:
    """Finish a store whose parts are done.

    Removes the remains of killed writes from STORE and consolidates its metadata. If tasks are missing, names the parts
    to run again, changes nothing, and exits with 2.

    Example: fastscan finish results/coherent-csi.zarr
    """
    from fastscan.scans import scanner

    scanner.finish(store)
    click.echo(f"{store} is complete")


@click.command()
@options.store
@options.as_json
def info(store: str, as_json: bool) -> None:
    """Describe a store: its groups, and their origin.

    Prints, for each group of STORE, its axes, points and bytes, the number of tasks done, the version of fastscan that
    made it, and references.

    Example: fastscan info results/coherent-csi.zarr
    """
    from fastscan.stores import store as stores

    groups = stores.describe(store)
    if as_json:
        terminal.print_json(groups)
        return
    for group in groups:
        terminal.print_group(group)


@click.command()
@options.store
@click.option("--all", "everything", is_flag=True, help="Compute every chunk again, not only a sample.")
@options.as_json
def verify(store: str, everything: bool, as_json: bool) -> None:
    """Check the chunks of a store, and compute a sample of them again.

    Compares the checksum of every chunk. Names damaged chunks and removes the records of their tasks, so that `fastscan
    scan --resume` computes them again. Exits with 2 if anything is damaged or missing.

    Example: fastscan verify results/coherent-csi.zarr
    """
    from dataclasses import asdict

    from fastscan.scans import verify as checks

    checked = checks.verify(store, everything)
    if as_json:
        terminal.print_json([asdict(each) for each in checked])
    for each in [] if as_json else checked:
        terminal.print_checked(each)
    if any(each.damaged or each.missing for each in checked):
        raise StoreError(f"{store} is damaged or not complete; `fastscan scan --resume` computes what is missing")
