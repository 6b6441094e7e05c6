"""Adversarially trained logistic regression on two classes of images (MNIST 3 versus 7).

Symbols: image x in [0,1]^d, label tau = +1 or -1, weights w and bias b, output w.x + b, margin tau (w.x + b),
training attack eps_train and evaluation attack eps (l_inf, in units of the pixel range, without clipping to it),
weight penalty l2. The experiment is that of seeds/004_6e47880f844f889c.txt, the objective that of Goodfellow,
Shlens and Szegedy (1412.6572).
"""
