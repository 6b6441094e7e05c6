"""Figures of the study `turing`, one kind per module."""
