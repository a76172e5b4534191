"""What the survey asks: its questions, each a grid file, and its data sets, each a line of a table.

The grids are ``grids/survey/*.toml``, which `fastscan.scan` takes too; the data sets are
``fastscan/data/survey_data_sets.csv``.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fastscan.experiments.catalogue import label_of
from fastscan.inputs import data_files

GRIDS = files("fastscan") / "grids" / "survey"
COMBINED = "combined"  # the name of the combination in the grids
COMBINED_LABEL = "combined"


@dataclass(frozen=True)
class Question:
    """A question of the survey.

    Attributes
    ----------
    name : str
        That of its grid, of its picture and of its tables.
    title : str
        As the page has it.
    text : str
        What is asked, and what has to be known to read the answer.
    grids : Path
        The directory of its grid.
    """

    name: str
    title: str
    text: str
    grids: Path

    @property
    def grid(self) -> Path:
        """Its grid file."""
        return self.grids / f"{self.name}.toml"


TEXTS = {  # by the name of the question: its title, and its text
    "vectors": """Light vector mediators
Upper limits on the coupling g of a vector of mass M. Where its exchange interferes destructively, larger couplings are
allowed again: such islands are hatched. A vector without charges of quarks couples to them by a loop of leptons.""",
    "scalars": """Light scalar mediators
Upper limits on the coupling g of a scalar of mass M, in three conventions of its couplings to nuclei. It doesn't
interfere.""",
    "nsi": """Non-standard interactions, one at a time
Allowed intervals of one epsilon, in units of Fermi's constant, with all others 0. Two intervals with a gap between them
are two solutions: in the further one, the exchange outweighs the Standard Model's and has the opposite sign.""",
    "nsi-changing": """Non-standard interactions that change the flavour, one at a time
As above. Neutrinos of the sun arrive as mixtures of flavours, in which such changes interfere: they are left out.""",
    "planes": """Non-standard interactions with u and d quarks
Allowed regions of epsilons of u and d quarks, with 2 dof. One nucleus constrains one combination of the two, nuclei
with other ratios of neutrons and protons another one.""",
    "planes-changing": """Non-standard interactions with u and d quarks that change the flavour
As above, without neutrinos of the sun.""",
    "properties": """Electromagnetic properties and the weak mixing angle
Magnetic moments, electric charges and charge radii of neutrinos of a flavour, and the shift of sin2 theta_W at low
energies from 0.23122.""",
    "heavy": """Heavy Z' bosons
Lower limits on the mass of a Z' of E6, or of a left-right symmetric model.""",
    "e6": """E6 over the mixing angle
Regions in the plane of beta and M_Z', with 2 dof. What lies below a line is excluded, but for islands.""",
    "variants": """What results depend on
The same limits with another form factor, with other arrival times, with electrons that recoil beside nuclei, and in
other bins.""",
}


def questions(grids: Path | None = None) -> list[Question]:
    """The questions whose grids there are.

    Parameters
    ----------
    grids : Path, optional
        A directory with some of the grids; left out, the package's, which has them all.

    Examples
    --------
    >>> [each.name for each in questions()][:2]
    ['vectors', 'scalars']
    """
    place = grids or Path(str(GRIDS))
    told = ((name, *text.split("\n", 1)) for name, text in TEXTS.items())
    found = [Question(name, title, text.replace("\n", " "), place) for name, title, text in told]
    return [each for each in found if each.grid.exists()]


@dataclass(frozen=True)
class DataSet:
    """A data set: its experiment, whether it is combined, the events that it counts, in words, and how it is drawn."""

    experiment: str
    combined: bool
    events: str
    what: str

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.experiment)


def data_sets() -> list[DataSet]:
    """The data sets, in the order of tables and pictures.

    Examples
    --------
    >>> [each.experiment for each in data_sets() if each.combined][:2]
    ['coherent-csi-2021', 'coherent-lar-2020']
    """
    rows = data_files.rows("survey_data_sets.csv")
    return [DataSet(row["experiment"], row["combined"] == "yes", row["events"], row["what"]) for row in rows]


def label(experiment: str) -> str:
    """What people call an experiment of the survey, or its combination."""
    return COMBINED_LABEL if experiment == COMBINED else label_of(experiment)
