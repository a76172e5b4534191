"""The report: Table 3, the figures with their findings, and the run, as one HTML page without other files.

This room only fills the page with results; `fastscan.outputs.page` makes its layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files

from markupsafe import Markup

from fastscan.experiments.catalogue import label_of, load
from fastscan.experiments.experiment import Experiment
from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.limits.limits import threshold
from fastscan.outputs import csv_files, sliders
from fastscan.outputs.page import MINUS, Column, Page, Picture, Run, Section, Table, cited, download, html
from fastscan.outputs.sliders import MEASURED, PREDICTED
from fastscan.paper import paper_figures, table3
from fastscan.paper.figure_parts import PaperFigure
from fastscan.paper.table3 import Entry
from fastscan.scans.plan import plan
from fastscan.stores.cube import Cube
from fastscan.typing import Record

GRID = files("fastscan") / "grids" / "paper" / "sliders.toml"
TITLE = "Limits on new gauge bosons from low-energy neutrino experiments"
PAPER = "arXiv:2002.01482"
METHOD = "Delta chi2 above its infimum over all M_Z', compared with the quantile of chi2"
LEVEL, THRESHOLD = level_text(CL, DOF), threshold(CL, DOF)
CITED = Markup(
    "The reproduction by fastscan of {}: O.\N{NO-BREAK SPACE}G.\N{NO-BREAK SPACE}Miranda, "
    "D.\N{NO-BREAK SPACE}K.\N{NO-BREAK SPACE}Papoulias, M.\N{NO-BREAK SPACE}Tórtola, "
    "J.\N{NO-BREAK SPACE}W.\N{NO-BREAK SPACE}F.\N{NO-BREAK SPACE}Valle, "
    "<cite>Probing new neutral gauge bosons with CEvNS and neutrino-electron scattering</cite>, "
    '<a href="https://doi.org/10.1103/PhysRevD.101.073005">Phys. Rev. D 101, 073005 (2020)</a>.'
).format(cited(PAPER))
ABOUT = """\
A heavy Z' boson of an E6 or a left-right symmetric model changes how often neutrinos scatter off nuclei and off
electrons. This page holds the lower limits on its mass M_Z' beside the published ones, the paper's six figures computed
anew with the data behind them, and what is needed to do it again."""
CONVENTIONS = f"""\
Delta chi2 is above the infimum of chi2 over all M_Z', the Standard Model's limit of an infinite M_Z' included.

A limit at {LEVEL}, is the mass from which on Delta chi2 stays at or below {THRESHOLD:.4f}. Where the Z' interferes
destructively, lighter masses can be allowed again; the data have every allowed interval.

Statuses in the data: ok; no_sensitivity, no mass of 1 GeV or more can be excluded; sm_disfavoured, the data exclude the
Standard Model and with it all large masses; outside_axis, the limit lies outside a store's axis of masses."""
CITE = f"""\
The calculation is that of {PAPER}; cite it, with the references above of the experiments that you use, and fastscan
{version("fastscan")} where the numbers of this page are used."""
ON_FIGURES = """\
Each figure as it comes out here, what the paper says of its own or what must hold, and whether our numbers agree. The
data are inside this page, and their links save them, also offline. PNG and PDF files lie in the same folder."""
ON_SLIDERS = """\
The likelihood of each experiment is a few numbers, which are inside this page. From them it computes limits at other
sigma_sys, CL, degrees of freedom and luminosities, as fastscan does, with every island that is allowed. Each begins at
its own sigma_sys, and e6 is the model U(1)_beta at the chosen beta."""
KEY = """\
\N{EN DASH}: no sensitivity, or no limit in the paper. Models chi, eta and psi are of the E6 family U(1)_beta, lr is
left-right symmetric, lr-nc the same with W exchange left alone. SM: the Standard Model. Deviations are shaded from
0.5, 1, 2 and 4 % on."""
BIBTEX = r"""@article{Miranda2020,
  author  = {Miranda, O. G. and Papoulias, D. K. and T{\'o}rtola, M. and Valle, J. W. F.},
  title   = {Probing new neutral gauge bosons with {CEvNS} and neutrino-electron scattering},
  journal = {Phys. Rev. D},
  volume  = {101},
  pages   = {073005},
  year    = {2020},
  doi     = {10.1103/PhysRevD.101.073005},
  eprint  = {2002.01482},
  archivePrefix = {arXiv}
}"""


@dataclass(frozen=True, eq=False)
class Shown:
    """A figure and its picture, as SVG."""

    figure: PaperFigure
    svg: bytes


def adjustable() -> list[Cube]:
    """The cubes whose limits the page's sliders compute: each experiment's and the combination's."""
    return plan(str(GRID))


def page(
    entries: Sequence[Entry], figures: Sequence[Shown], cubes: Sequence[Cube], *, command: str, made: datetime
) -> str:
    """The report as HTML, to be written as UTF-8.

    Parameters
    ----------
    entries : sequence of Entry
        Table 3.
    figures : sequence of Shown
        The figures, in their order; the page links to ``figure<number>.png`` and ``.pdf`` in its own folder.
    cubes : sequence of Cube
        The cubes with sliders, see `adjustable`.
    command : str
        The command that was run, without paths or names of one machine.
    made : datetime
        The time of the report, which is shown in UTC.
    """
    experiments = {entry.experiment: load(entry.experiment) for entry in entries}
    sections = (_summary(entries, figures), _table3(entries, experiments), _figures(figures), _settings(cubes))
    grids = [("Table 3", table3.GRID)]
    grids += [(f"Figure {n}", paper_figures.grid(n)) for n in (shown.figure.number for shown in figures)]
    run = Run(
        command=command,
        made=made,
        text=CONVENTIONS.split("\n\n"),
        digests={cube.name: cube.hash for cube in plan(str(table3.GRID))},
        configuration={f"{title}, grid file {grid.name}": grid.read_text("utf-8") for title, grid in grids},
    )
    return html(Page(TITLE, [CITED, ABOUT], sections, run, _references(experiments), [CITE], BIBTEX))


def _summary(entries: Sequence[Entry], figures: Sequence[Shown]) -> Section:
    """The summary: the number of limits, their deviations, and the findings that agree."""
    compared = sorted(
        (entry for entry in entries if entry.deviation is not None), key=lambda entry: entry.deviation or 0.0
    )
    sizes = sorted(abs(entry.deviation or 0.0) for entry in compared)
    findings = [(shown.figure.number, finding) for shown in figures for finding in shown.figure.findings]
    limits = sum(entry.computed_gev is not None for entry in entries)
    numbers = [(f"{limits} of {len(entries)}", "pairs of experiment and model have a limit; the others have none")]
    if compared:
        within = sum(size < 0.01 for size in sizes)
        half = f"half of all are met within {sizes[len(sizes) // 2]:.1%}"
        ends = compared[0], compared[-1]
        span = " to ".join(f"{100 * (each.deviation or 0.0):+.1f}" for each in ends).replace("-", MINUS)
        who = " and ".join(f"{label_of(each.experiment)}, {each.model}" for each in ends)
        numbers += [
            (f"{within} of {len(sizes)}", f"published limits are met within 1 %; {half}"),
            (f"{span} %", f"is the range of the deviations, between {who}"),
        ]
    holding = sum(finding.holds for _, finding in findings)
    what = "findings on the figures agree: what the paper says of them, and what must hold"
    numbers.append((f"{holding} of {len(findings)}", what))
    return Section(
        id="summary",
        title="Summary",
        text=[f"Lower limits on M_Z' at {LEVEL}, by {METHOD}; each experiment at its own sigma_sys."],
        numbers=numbers,
        findings=[
            replace(each, statement=f"Fig. {number}: {each.statement}", conclusion="", numbers="")
            for number, each in findings
        ],
    )


def _table3(entries: Sequence[Entry], experiments: dict[str, Experiment]) -> Section:
    """The table in the paper's form: a row for each experiment and, for measured data, a row of expected limits."""
    models = list(dict.fromkeys(entry.model for entry in entries))
    published = {entry.model for entry in entries if entry.published_gev}
    columns = [
        Column("experiment", "experiment"),
        Column("data", "data"),
        Column("sigma_sys", "sigma_sys"),
        Column("sm_events", "SM events", ".1f"),
    ]
    for model in models:
        columns.append(Column(f"{model}_computed", "computed", ".1f", model, strong=True))
        if model in published:
            columns.append(Column(f"{model}_published", "published", "g", model))
            columns.append(Column(f"{model}_deviation", "deviation", "+.1%", model, shaded=True))
    caption = (
        f"Lower limits on M_Z' in GeV at {LEVEL}: computed here, published in {PAPER}, and the deviation of the first "
        f"from the second. Method: {METHOD}, {THRESHOLD:.4f}; each experiment at its own sigma_sys, L/L0 = 1."
    )
    notes = [f"{label_of(about)}: {note}." for about, note in table3.notes_on(entries).items()]
    table = Table(
        caption,
        columns,
        _rows(entries, experiments),
        notes=[KEY, *notes],
        downloads=[download("table3", table3.as_csv(entries), len(entries))],
    )
    names = [f"{each.label} ({name}): {each.title}" for name, each in experiments.items()]
    more = {"The experiments, and their names in commands": "\n".join(names)}
    return Section("table-3", "Table 3", tables=[table], more=more)


def _rows(entries: Sequence[Entry], experiments: dict[str, Experiment]) -> list[Record]:
    rows: dict[tuple[str, bool], Record] = {}
    for entry in entries:
        measured = experiments[entry.experiment].is_measured
        label = label_of(entry.experiment)
        begun = {"experiment": label, "sigma_sys": entry.sigma_sys, "sm_events": entry.sm_events}
        row = rows.setdefault((label, False), begun | {"data": MEASURED if measured else PREDICTED})
        row |= {
            f"{entry.model}_computed": entry.computed_gev,
            f"{entry.model}_published": entry.published_gev,
            f"{entry.model}_deviation": entry.deviation,
        }
        if measured:
            expected = rows.setdefault((label, True), begun | {"experiment": f"{label}, expected", "data": PREDICTED})
            expected[f"{entry.model}_computed"] = entry.expected_gev
    return list(rows.values())


def _figures(figures: Sequence[Shown]) -> Section:
    return Section("figures", "Figures", text=[ON_FIGURES], parts=[_figure(each) for each in figures])


def _figure(shown: Shown) -> Section:
    figure = shown.figure
    data = csv_files.data_of((row for _, rows in figure.tables.values() for row in rows), label_of)
    level = f"{LEVEL}; method: {METHOD}, {THRESHOLD:.4f}. Data: {data}."
    picture = Picture(
        svg=shown.svg,
        alt=f"Figure {figure.number}. {figure.title}. {figure.caption}",
        caption=[figure.caption, level],
        downloads=[download(name, text, rows) for name, (text, rows) in figure.csv.items()],
        files=[f"figure{figure.number}.png", f"figure{figure.number}.pdf"],
    )
    title = f"Figure {figure.number}: {figure.title}"
    return Section(f"figure-{figure.number}", title, pictures=[picture], findings=figure.findings)


def _settings(cubes: Sequence[Cube]) -> Section:
    """A part with sliders for each experiment, and for the combination."""
    by_experiment: dict[str, list[Cube]] = {}
    for cube in cubes:
        by_experiment.setdefault(cube.experiment, []).append(cube)
    parts = [sliders.panel(each, f"sliders-{each[0].experiment}") for each in by_experiment.values()]
    return Section("sliders", "Limits at other settings", text=[ON_SLIDERS], parts=parts)


def _references(experiments: dict[str, Experiment]) -> dict[str, list[str]]:
    """The labels of the experiments for which each reference is cited."""
    found: dict[str, list[str]] = {}
    for experiment in experiments.values():
        for reference in experiment.references:
            found.setdefault(reference, []).append(experiment.label)
    everywhere = len(experiments) > 1
    return {
        reference: ["all experiments"] if everywhere and len(names) == len(experiments) else names
        for reference, names in found.items()
    }
