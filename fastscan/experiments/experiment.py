"""An experiment: its source, target, detector, exposure, data and errors as one value.

All numbers are in the base units of `fastscan.inputs.units`, and `dataclasses.replace` makes families of experiments.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fastscan.errors import ExperimentError
from fastscan.experiments import geometry
from fastscan.experiments.backgrounds import Exposed
from fastscan.experiments.detectors import Detector
from fastscan.experiments.factors import Factor
from fastscan.experiments.observations import Observation
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.experiments.source import Source
from fastscan.experiments.targets import Target
from fastscan.experiments.templates import Templates
from fastscan.experiments.timing import Shares, Time
from fastscan.inputs.toml import check_name
from fastscan.inputs.units import UNITS, told
from fastscan.physics import shells
from fastscan.physics.constants import M_ELECTRON
from fastscan.physics.kinematics import four_momentum_transfer, maximum_recoil, minimum_energy
from fastscan.physics.nuclei import Isotope
from fastscan.physics.shells import Shells
from fastscan.physics.spectra import Neutrino, Spectrum
from fastscan.typing import Array, Channel

Electrons = Literal["free", "bound"]
AnyDetector = Detector | Reconstruction | Templates
SCATTERING: dict[Channel, str] = {"cevns": "coherent scattering off nuclei", "nu-e": "scattering off electrons"}


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes
    ----------
    name : str
        The name in commands, grid files and stores.
    title, label : str
        A description in one line, and the short name in tables and pictures.
    channel : {"cevns", "nu-e"}
        The scattering channel: off nuclei or off electrons.
    references : tuple of str
        References such as ``arXiv:2002.01482``.
    exposure_s : float
        Duration of the measurement in s.
    geometry : Geometry or None
        The position of the detector relative to the source; None where the source gives fluxes at the detector.
    targets : tuple of Target
        The materials whose nuclei or electrons recoil.
    source : Source
    detector : Detector or Reconstruction
        The response to recoils, by recoil energy or by a reconstructed energy.
    statistics : Observation
        The data or the projection, the backgrounds and their errors.
    digest : str
        SHA-256 of the experiment's file.
    time : Time, Shares or None
        The arrival times of neutrinos, and the time bins; None without time bins.
    factor : Factor or None
        A further quantity in whose bins events are counted.
    data_set : str
        A name of the counted events.  Experiments with the same name count the same events and can't be combined.
    shared : tuple of (str, float)
        Names and relative errors of the parts of sigma_sys that other experiments share; a combination has one nuisance
        for each name.
    electrons : Electrons or None
        Whether recoiling electrons are free or bound; None where only nuclei recoil.
    assumed : tuple of str
        The inputs in the file that no paper gives.
    """

    name: str
    title: str
    label: str
    channel: Channel
    references: tuple[str, ...]
    exposure_s: float
    geometry: geometry.Geometry | None
    targets: tuple[Target, ...]
    source: Source
    detector: AnyDetector
    statistics: Observation
    digest: str
    time: Time | Shares | None = None
    factor: Factor | None = None
    data_set: str = ""
    shared: tuple[tuple[str, float], ...] = ()
    electrons: Electrons | None = None
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, ExperimentError)
        if (self.geometry is None) != self.source.at_detector:
            needs = "no geometry" if self.source.at_detector else "a geometry"
            raise ExperimentError(f"{self.name}: a source such as its own needs {needs}")

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels whose events the detector can't tell apart."""
        return channels_of(self.channel, self.electrons)

    def shells(self, isotope: Isotope) -> Shells:
        """The electrons of an atom of the target."""
        return shells.bound(isotope.symbol) if self.electrons == "bound" else shells.free(isotope)

    @property
    def is_measured(self) -> bool:
        """Whether the experiment has measured data, so that its observed limit differs from the expected one."""
        return self.statistics.is_measured

    @property
    def predicted_signal(self) -> float | None:
        """Signal events in the Standard Model, to which all counts are scaled; None where no number is given."""
        return self.statistics.predicted

    @property
    def exposed(self) -> Exposed:
        """Exposure and bins, which turn a background's rate into events."""
        widths = self.detector.widths
        return Exposed(
            mass_kg=sum(target.mass_kg for target in self.targets),
            exposure_s=self.exposure_s,
            energy_bins=len(next(iter(widths.values()))),
            time_bins=1 if self.time is None else len(self.time.edges) - 1,
            widths=widths,
            factor_bins=1 if self.factor is None else len(self.factor.edges) - 1,
        )

    @property
    def signal_shapes(self) -> tuple[str, ...]:
        """Names of the nuisances that change the distribution of the signal over the bins of an energy."""
        of_factor = () if self.factor is None else self.factor.shapes
        of_time = () if self.time is None else self.time.shapes
        return tuple(name for name, _ in (*of_factor, *of_time))

    def arriving(self, neutrino: Neutrino) -> Array:
        """Share of a neutrino's events in each bin of an energy, and its change with each signal shape.

        Returns
        -------
        array, shape (1 + signal shapes, energy bins, factor bins * time bins)
            The shares, then the change of the shares at one standard deviation of each of `signal_shapes`.
        """
        energies, delays = self.exposed.energy_bins, self.source.delays
        factor = np.ones((energies, 1)) if self.factor is None else self.factor.shares()
        time = np.ones(1) if self.time is None else self.time.shares(neutrino, delays)
        changed = [] if self.factor is None else [(change, time) for change in self.factor.changes()]
        changed += [] if self.time is None else [(factor, change) for change in self.time.changes(neutrino, delays)]
        products = [first[:, :, None] * second for first, second in [(factor, time), *changed]]
        return np.stack([each.reshape(energies, -1) for each in products])

    def told(self) -> dict[str, str]:
        """The experiment and its observation in words, part by part.

        Examples
        --------
        >>> from fastscan import experiments
        >>> experiments.load("ricochet-ill").told()["source"]
        'reactor: by power, 58 MW thermal, fissions U235 1, spectrum mueller-vogel-engel'
        """
        observed, background = self.statistics.told()
        nuclei = "cevns" in self.channels
        kg_days = self.exposed.mass_kg * self.exposure_s / UNITS["time"]["d"]
        targets = [
            f"{each.told()}; form factor {each.form_factor.told()}" if nuclei else each.told() for each in self.targets
        ]
        electrons = f" ({self.electrons})" if self.electrons else ""
        return {
            "channel": "; ".join(f"{each}, {SCATTERING[each]}" for each in self.channels) + electrons,
            "source": f"{self.source.group}: {self.source.told()}",
            **({} if self.geometry is None else {"geometry": self.geometry.told()}),
            "exposure": f"{told(self.exposure_s, 'time')}, {kg_days:.6g} kg d",
            "target": ". ".join(targets),
            **self.detector.told(),
            **({} if self.factor is None else {"factor": self.factor.told()}),
            **({} if self.time is None else {"time": self.time.told()}),
            "observation": f"{observed}; sigma_sys {self.statistics.sigma_sys:.6g}{self._told_shared}",
            "background": background,
        }

    @property
    def _told_shared(self) -> str:
        """The shared parts of sigma_sys, in words."""
        return "".join(f", of which {name} {error:.6g} is shared" for name, error in self.shared)

    def expected(self) -> "Experiment":
        """The same experiment with its data replaced by the Standard Model's prediction.

        The predicted signal and background replace the observed count, in the variance too.

        Examples
        --------
        >>> from fastscan import experiments
        >>> experiments.load("coherent-csi").expected().name
        'coherent-csi-expected'
        """
        if not self.is_measured:
            return self
        name, label = f"{self.name}-expected", f"{self.label}, expected"
        return replace(self, name=name, label=label, statistics=self.statistics.expected())

    def spectra(self) -> list[Spectrum]:
        """Fluence of each of the source's neutrinos at the detector over the exposure, see `Source.spectra`.

        Examples
        --------
        >>> from fastscan import experiments
        >>> [spectrum.neutrino for spectrum in experiments.load("coherent-csi").spectra()]
        ['nu_mu', 'nu_e', 'nubar_mu']
        """
        dilution = 1.0 if self.geometry is None else geometry.dilution(self.geometry)
        return self.source.spectra(self.exposure_s, dilution)

    @property
    def largest_recoil_mev(self) -> float:
        """Largest recoil energy in MeV that the source gives to any of the targets.

        This is the recoil of the lightest isotope, or of the electron, from the most energetic neutrino.

        Examples
        --------
        A reactor on germanium, in keV:

        >>> from fastscan import experiments
        >>> round(1e3 * experiments.load("conus").largest_recoil_mev, 3)
        3.07
        """
        return maximum_recoil(self.source.endpoint_mev, min(mass for _, mass in self._scatterers))

    @property
    def lowest_neutrino_mev(self) -> float:
        """Energy in MeV of the neutrinos whose largest recoil is at the threshold.

        It is 0 for a detector without a sharp threshold in recoil energy.

        Examples
        --------
        >>> from fastscan import experiments
        >>> round(experiments.load("conus").lowest_neutrino_mev, 2)
        1.8
        """
        if not isinstance(self.detector, Detector):
            return 0.0
        return minimum_energy(self.detector.threshold_mev, min(mass for _, mass in self._scatterers))

    @property
    def largest_momentum_transfer_mev(self) -> float:
        """Largest momentum transfer in MeV, from the most energetic neutrino to the heaviest isotope or the electron.

        Examples
        --------
        For a neutrino from a muon at rest this is nearly twice its energy of 52.8 MeV:

        >>> from fastscan import experiments
        >>> round(experiments.load("coherent-csi").largest_momentum_transfer_mev, 1)
        105.6
        """
        heaviest = max(mass for _, mass in self._scatterers)
        return four_momentum_transfer(maximum_recoil(self.source.endpoint_mev, heaviest), heaviest)

    @property
    def largest_recoils(self) -> list[tuple[Isotope | None, float]]:
        """Each scatterer, an isotope of the targets or an electron (None), and its largest recoil energy in MeV."""
        endpoint = self.source.endpoint_mev
        return [(scatterer, maximum_recoil(endpoint, mass)) for scatterer, mass in self._scatterers]

    @property
    def _scatterers(self) -> list[tuple[Isotope | None, float]]:
        """Each scatterer, an isotope of the targets or an electron (None), and its mass in MeV."""
        isotopes = [isotope for target in self.targets for isotope, _ in target.isotopes()]
        nuclei: list[tuple[Isotope | None, float]] = [(isotope, isotope.mass_mev) for isotope in isotopes]
        of_channel: dict[Channel, list[tuple[Isotope | None, float]]] = {"cevns": nuclei, "nu-e": [(None, M_ELECTRON)]}
        return [each for channel in self.channels for each in of_channel[channel]]


def channels_of(channel: Channel, electrons: Electrons | None) -> tuple[Channel, ...]:
    """The channels of an experiment: its own, and "nu-e" where electrons recoil in addition to the nuclei."""
    return (channel, "nu-e") if channel == "cevns" and electrons else (channel,)
