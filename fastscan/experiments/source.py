"""The base class of neutrino sources: the neutrinos of a source and their fluences at the detector.

A kind of source is a class with these attributes.  Code that depends on the source uses the attributes, not the kind.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from fastscan.inputs.toml import Table
from fastscan.physics.arrival import Delays
from fastscan.physics.spectra import Spectrum

GROUPS = ("spallation", "reactor", "radioactive source", "sun", "other")  # in the order of lists


class Source(ABC):
    """The base class of neutrino sources.

    Attributes
    ----------
    group : str
        One of `GROUPS`, under which experiments are listed.
    delays : tuple of (str, tuple of float)
        The neutrinos that follow a pulse, and the lifetimes in us of the decays between pulse and neutrino; empty for a
        source without pulses.
    mixed : bool
        Whether neutrinos arrive as coherent mixtures of flavours, in which changes of the flavour interfere.
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
        """The source in words."""

    @property
    def at_detector(self) -> bool:
        """Whether the source gives fluxes at the detector, so that the experiment has no geometry."""
        return False

    @property
    @abstractmethod
    def endpoint_mev(self) -> float:
        """Largest energy of the neutrinos in MeV."""

    @property
    def known_from_mev(self) -> float:
        """Energy in MeV below which the flux is unknown; 0 where it is known at all energies."""
        return 0.0

    @abstractmethod
    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """Fluence of each of the source's neutrinos at the detector.

        Parameters
        ----------
        exposure_s : float
            Duration of the measurement in s.
        dilution : float
            Mean of 1/(4 pi r^2) over the detector in cm^-2, which turns emitted neutrinos into fluence; it is ignored
            where the source is `at_detector`.

        Returns
        -------
        list of Spectrum
            One for each neutrino or line, with energies in MeV and fluences in cm^-2.
        """
