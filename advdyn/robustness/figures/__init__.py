"""Figures of the study robustness, a module for each; every function returns the figure and the numbers drawn."""
