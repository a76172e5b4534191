"""Every pair, in the order of the table; `python perf/pairs.py NAME` measures one and prints JSON.

Where the package that is imported has a layout from before the pair's `since`, the JSON says so as "absent".
"""

import json
import sys
from dataclasses import asdict

import bins  # noqa: F401
import commands  # noqa: F401
import kernel  # noqa: F401
import masses  # noqa: F401
import profiles  # noqa: F401
import queries  # noqa: F401
import samplers  # noqa: F401
import scans  # noqa: F401
from adapter import layout
from measure import PAIRS, measure

if __name__ == "__main__":
    chosen = PAIRS[sys.argv[1]]
    if chosen.since in (None, layout.name):
        print(json.dumps(asdict(measure(chosen))))
    else:
        print(json.dumps({"absent": f"it came with {chosen.since}, and the package is {layout.name}"}))
