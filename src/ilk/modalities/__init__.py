"""Kinds of data: how each is read, coded, written and shown."""
