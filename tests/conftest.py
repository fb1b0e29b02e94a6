"""No test writes into the home of who runs it: records of runs are off unless a test says where they go."""
from __future__ import annotations

import os

os.environ["ILK_RUNS"] = "off"
