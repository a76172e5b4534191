"""Data sets: experiments that count the same events can't be combined, because each event would be counted twice."""

from collections.abc import Mapping

from fastscan.errors import ExperimentError, quoted


def require_distinct(data_sets: Mapping[str, str]) -> None:
    """Refuse experiments if two of them have the same data set.

    Parameters
    ----------
    data_sets : mapping of str to str
        The data set of each experiment by the experiment's name; empty where no other experiment has it.

    Raises
    ------
    ExperimentError
        Where two experiments have the same data set.

    Examples
    --------
    >>> require_distinct({"conus": "", "connie": "", "coherent-csi": "coherent-csi"})
    """
    first: dict[str, str] = {}
    for name, data_set in data_sets.items():
        if data_set in first:
            raise ExperimentError(
                f"experiments {quoted(first[data_set])} and {quoted(name)} can't be combined: both count events of the "
                f"data set {quoted(data_set)}"
            )
        if data_set:
            first[data_set] = name
