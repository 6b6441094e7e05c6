"""Rule plot_robustness_rays: logits along the ray of the attack."""

from advdyn import figures
from advdyn.robustness.figures.rays import rays


def main(snakemake):
    figures.draw(snakemake, "illustrations", rays)


if __name__ == "__main__":
    main(snakemake)  # type: ignore[name-defined]
