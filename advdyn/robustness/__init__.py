"""Robustness of image classifiers: networks trained with and without attacks, and what every attack does to them.

Symbols: image x in [0,1]^d (always flat), label y, logits z(x), loss J(x, y) = cross-entropy of softmax(z), attack
x' = x + delta with |delta|_p <= eps, training attack eps_train (l_inf, units of the pixel range). The experiments are
those of the slides seeds/001_482d2436b09b285b.txt and of seeds/004_6e47880f844f889c.txt.
"""
