"""Citations: the references of an experiment, of a model, or of everything in a store."""

import os

from fastscan.experiments import catalogue as experiments
from fastscan.inputs.toml import KINDS, deciding_key, expanded, is_path, read_toml
from fastscan.interactions import catalogue as models


def references_of(what: str) -> list[str]:
    """The references of an experiment or a model (a name or a path to a TOML file) or of a store, each once.

    The rooms that read stores are imported for a store only, because that takes long.

    Examples
    --------
    >>> references_of("coherent-csi"), references_of("lr")
    (['arXiv:1708.01294', 'arXiv:1804.09459', 'arXiv:2002.01482'], ['arXiv:2002.01482'])
    """
    if what in experiments.names():
        return list(experiments.load(what).references)
    if what in models.MODELS or _is_model_file(what):
        return list(models.load(what).references)
    if "://" in what or os.path.isdir(what):
        from fastscan.stores import store

        return list(dict.fromkeys(reference for group in store.describe(what) for reference in group["references"]))
    return list(experiments.load(what).references)


def _is_model_file(what: str) -> bool:
    """Whether a text is the path of a model's TOML file, by the key that tells kinds of files apart."""
    if not is_path(what) or os.path.isdir(what):
        return False
    return KINDS.get(deciding_key(read_toml(expanded(what)).names())) == "a model"
