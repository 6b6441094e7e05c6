"""advdyn: theory and simulation of adversarial training, side by side.

The package is the science and knows nothing of Snakemake. This file imports nothing, so that
``import advdyn`` costs nothing and an edit to one module reruns only what uses it.
"""

__version__ = "0.1.0"
