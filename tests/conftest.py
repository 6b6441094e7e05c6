"""What every test may use."""

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from advdyn.environment import ARITHMETIC  # noqa: E402  (found through the line above)

os.environ.update(ARITHMETIC)

# The same examples in every run, and no limit of time on a busy machine.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
