"""What a node sees of the shared storage: the other end of `make cluster-check`.

python -m advdyn.cluster.node FOLDER      reads FOLDER/asked, writes FOLDER/<name of the node>, prints JSON
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import advdyn


def main() -> None:
    """Read what the submitting machine wrote, and write something for it to read."""
    folder = Path(sys.argv[1])
    host = os.environ.get("SLURMD_NODENAME", os.uname().nodename)
    seen = {
        "node": host,
        "asked": (folder / "asked").read_text(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "advdyn": str(Path(advdyn.__file__).resolve().parent),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }
    (folder / host).write_text(host)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
