"""Tasks for language models whose answers are checked by code, one file each."""
