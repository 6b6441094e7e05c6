"""Figures of the study `generation`, one module each."""
