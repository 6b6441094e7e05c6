"""Adversarial examples: attacks on any classifier, their curves over eps, and what tells that they fail.

Symbols: images x of shape (n, pixel), labels y, logits z(x), attack size eps, perturbation delta = x' - x with
|delta| <= eps in l_inf or l2. An attack is an objective, a norm, an initialisation and a number of steps (``attack``);
``engine`` carries it out on a frozen ``classifier``. This file imports nothing: ``attack`` stands alone, without torch.
"""
