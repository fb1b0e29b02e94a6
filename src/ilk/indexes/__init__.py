"""Indexes of vectors, one file each."""
