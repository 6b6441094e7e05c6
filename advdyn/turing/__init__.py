"""Pseudo-reaction-diffusion: two-layer networks trained with and without an adversary (Rout)."""
