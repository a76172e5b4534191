"""What to cite: the references of an experiment, of a model, or of all that a store holds."""

import os

from fastscan import experiments


def references_of(what: str) -> list[str]:
    """The references of an experiment (a name or a path), a model (a name) or a store, each once.

    Only a store needs what reads one, and only a model needs numpy: they are imported for nothing else.

    Examples
    --------
    >>> references_of("coherent-csi"), references_of("lr")
    (['arXiv:1708.01294', 'arXiv:1804.09459', 'arXiv:2002.01482'], ['arXiv:2002.01482'])
    """
    if what in experiments.names():
        return list(experiments.load(what).references)
    from fastscan.location import is_url
    from fastscan.models import MODELS

    if what in MODELS:
        return list(MODELS[what].references)
    if is_url(what) or os.path.isdir(what.removeprefix("file://")):
        from fastscan import store

        return list(dict.fromkeys(reference for group in store.describe(what) for reference in group["references"]))
    return list(experiments.load(what).references)
