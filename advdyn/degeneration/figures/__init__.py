"""Figures of the study `degeneration`, one kind per module."""
