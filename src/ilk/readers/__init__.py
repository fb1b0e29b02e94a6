"""Formats of documents, one file each."""
