"""Attacks on what a model learned from: one file each, found by name."""
