"""Python as it is on a machine that lacks something: FASTSCAN_HIDE names a module, or a function of os.

Python imports this file when it starts, where its directory is on PYTHONPATH.
"""

import os
import sys

hidden = os.environ.get("FASTSCAN_HIDE", "")
if hidden:
    import locket  # noqa: F401 - both know other machines' ways, but not on this one
    import psutil  # noqa: F401

    if hasattr(os, hidden):
        delattr(os, hidden)
        os.process_cpu_count = os.cpu_count  # Python 3.13 has this function where sched_getaffinity is missing
    else:
        sys.modules[hidden] = None  # type: ignore[assignment]
