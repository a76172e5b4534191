"""What a source of neutrinos is: which neutrinos it gives, and what they are at the detector.

A kind of source is a class that says these things; whatever depends on the source asks for them, and not for its kind.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from fastscan.inputs.toml import Table
from fastscan.physics.arrival import Delays
from fastscan.physics.spectra import Spectrum

GROUPS = ("spallation", "reactor", "radioactive source", "sun", "other")  # in the order in which lists have them


class Source(ABC):
    """What every kind of source offers.

    Attributes
    ----------
    group : str
        One of `GROUPS`, under which lists of experiments have it.
    delays : tuple of (str, tuple of float)
        The neutrinos that follow a pulse, by which their times can be told apart, and the lifetimes in us of the decays
        between; none where there is no pulse.
    mixed : bool
        Whether its neutrinos arrive as coherent mixtures of flavours, in which changes of the flavour interfere.
    """

    group: ClassVar[str]
    delays: ClassVar[Delays] = ()
    mixed: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def read(cls, table: Table) -> Self:
        """The source that the ``[source]`` table of an experiment's file describes.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong.
        """

    @abstractmethod
    def told(self) -> str:
        """Its numbers in words."""

    @property
    def at_detector(self) -> bool:
        """Whether it says how many neutrinos are at the detector, so that the experiment has no geometry."""
        return False

    @property
    @abstractmethod
    def endpoint_mev(self) -> float:
        """Largest energy of its neutrinos in MeV."""

    @property
    def known_from_mev(self) -> float:
        """Energy in MeV below which it says nothing of its neutrinos; 0 where it says all."""
        return 0.0

    @abstractmethod
    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """Fluence of each of the source's neutrinos at the detector.

        Parameters
        ----------
        exposure_s : float
            For how long the detector counts, in s.
        dilution : float
            Mean of 1/(4 pi r^2) over the detector in cm^-2, which turns emitted neutrinos into fluence; it does
            nothing where the source is `at_detector`.

        Returns
        -------
        list of Spectrum
            One for each neutrino or line, with energies in MeV and fluences in cm^-2.
        """
