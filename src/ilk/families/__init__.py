"""Families of generative models: one recipe and its distribution a file."""
