"""The recipe of the survey: its questions, each with a grid file, and its data sets.

The grids are ``grids/survey/*.toml``, which `fastscan.scan` takes too.  The data sets are the lines of
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
    """A question of the survey, which has a grid, a picture and tables.

    Attributes
    ----------
    name : str
        Name of the question, and of its grid, its picture and its tables.
    title : str
        Heading of the question on the page.
    text : str
        The text of the question on the page, with what a reader has to know about the answer.
    grids : Path
        Directory of the question's grid.
    """

    name: str
    title: str
    text: str
    grids: Path

    @property
    def grid(self) -> Path:
        """The question's grid file."""
        return self.grids / f"{self.name}.toml"


TEXTS = {  # the title and the text of each question, by its name
    "vectors": """Light vector mediators
Upper limits on the coupling g of a vector of mass M. Where the exchange of the vector interferes destructively, larger
couplings are allowed again; such islands are hatched. A vector that couples to leptons only reaches quarks through a
loop of leptons.""",
    "scalars": """Light scalar mediators
Upper limits on the coupling g of a scalar of mass M, in three conventions of its couplings to nuclei. A scalar doesn't
interfere with the Standard Model.""",
    "nsi": """Non-standard interactions, one at a time
Allowed intervals of one epsilon, in units of Fermi's constant, with all others at 0. Two intervals with a gap between
them are two solutions: in the one away from 0, the new interaction outweighs the Standard Model's and has the opposite
sign.""",
    "nsi-changing": """Non-standard interactions that change the flavour, one at a time
Allowed intervals as above. Neutrinos from the sun are left out, because they arrive as mixtures of flavours, in which
changes of flavour interfere.""",
    "planes": """Non-standard interactions with u and d quarks
Allowed regions of the epsilons of u and d quarks, with 2 dof. One nucleus constrains one combination of the two; nuclei
with another ratio of neutrons to protons constrain another combination.""",
    "planes-changing": """Non-standard interactions with u and d quarks that change the flavour
Allowed regions as above, without neutrinos from the sun.""",
    "properties": """Electromagnetic properties and the weak mixing angle
Magnetic moments, electric charges and charge radii of neutrinos of a flavour, and the shift of sin2 theta_W at low
energies from 0.23122.""",
    "heavy": """Heavy Z' bosons
Lower limits on the mass of a Z' of E6, or of a left-right symmetric model.""",
    "e6": """E6 over the mixing angle
Allowed regions in the plane of beta and M_Z', with 2 dof. Masses below a line are excluded, except for islands.""",
    "variants": """What results depend on
Limits with another form factor, with other arrival times, with recoils of electrons added to those of nuclei, and in
other bins, beside the limits of the original data sets.""",
}


def questions(grids: Path | None = None) -> list[Question]:
    """The questions whose grids exist.

    Parameters
    ----------
    grids : Path, optional
        A directory with some of the grids; left out, the package's directory, which has all of them.

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
    """A data set of the survey.

    Attributes
    ----------
    experiment : str
        Name of its experiment.
    combined : bool
        Whether it is in the combination.
    events : str
        A word for the events that it counts; data sets with the same word count the same events, and share a colour.
    what : str
        A description of the data, and why they are not in the combination.
    """

    experiment: str
    combined: bool
    events: str
    what: str

    @property
    def label(self) -> str:
        """The label of its experiment."""
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
    """The label of an experiment of the survey, or of the combination."""
    return COMBINED_LABEL if experiment == COMBINED else label_of(experiment)
