"""Every pair, in the order of the table; `python perf/pairs.py NAME` measures one and prints JSON."""

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
from measure import PAIRS, measure

if __name__ == "__main__":
    print(json.dumps(asdict(measure(PAIRS[sys.argv[1]]))))
