"""Lengths that perturbations may have."""

XI = {"float32": (1e-3, 0.1), "float64": (1e-6, 0.1)}  # usable: below it rounding, above it no derivative


def wrong(eps: float, xi: float, dtype: str) -> str:
    """What is wrong with the length of r and that of the step of a power iteration, in words; empty if nothing is."""
    if not eps > 0:
        return f"eps: found {eps:g}, allowed: a number > 0"
    low, high = XI[dtype]
    if not low <= xi <= high:
        return (
            f"xi: found {xi:g}, allowed in {dtype}: {low:g} to {high:g} (below, rounding takes the place of the "
            "gradient; above, it is no derivative)"
        )
    return ""
