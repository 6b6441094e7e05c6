"""The one fixed, stratified order of the samples, from which every split is cut.

Within each class the samples are shuffled, and the classes are then interleaved evenly: the sample of rank r among
the n_c of its class stands at (r + 1/2) / n_c of the way. So every run of consecutive samples holds the classes in
their proportions: a training set, what is left for validation and test, and also the first n of a training set.
"""

import numpy as np
import numpy.typing as npt

# Changing this number changes every split of every study, and with it every number measured on images.
SEED = 20240607


def order(label: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The fixed order of samples with these labels, a permutation of their rows.

    Parameters
    ----------
    label : shape (sample,)
        Classes, as integers.

    Returns
    -------
    ndarray of int64, shape (sample,)
        Row numbers in the fixed order. It depends on the labels only, not on the release of numpy: the raw output of
        a bit generator is guaranteed to stay, the shuffling methods of a Generator are not.
    """
    lot = np.random.PCG64(SEED).random_raw(len(label))
    place = np.empty(len(label))
    for value in np.unique(label):
        rows = np.flatnonzero(label == value)
        drawn = rows[np.argsort(lot[rows], kind="stable")]
        place[drawn] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.lexsort((lot, place)).astype(np.int64)  # equal places (classes of equal size) are in drawn order


def hold_out(label: npt.NDArray[np.integer], n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows for training and ``n`` rows for validation, stratified, each in the fixed order.

    Raises
    ------
    ValueError
        Unless 0 < n < number of samples.
    """
    if not 0 < n < len(label):
        raise ValueError(f"cannot hold out {n} of {len(label)} samples")
    rows = order(label)
    return rows[:-n], rows[-n:]
