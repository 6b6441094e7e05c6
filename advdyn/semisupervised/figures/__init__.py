"""Figures of the study `semisupervised`, one module each."""
