"""Data by name: what there is, under what licence, and the files themselves, fetched once and checked each time.

`load` beside this turns them into frames, texts and arrays.
"""
from .fetching import cache, fetch, folders, pretrained
from .index import PRETRAINED, Entry, File, Reading, Source, entry, names, summary

__all__ = ["PRETRAINED", "Entry", "File", "Reading", "Source", "cache", "entry", "fetch", "folders", "names", "pretrained", "summary"]
