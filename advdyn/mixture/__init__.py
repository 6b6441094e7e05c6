"""Online adversarial training of a perceptron on a Gaussian mixture: theory and simulation.

Symbols: prior p, cluster distance rho, cluster variances v1 and v2, training attack eps, learning rates eta_w and
eta_b, learning time alpha = mu/N, overlap R = w.B and bias b.
"""
