"""`python -m ilk` is `ilk`."""
from ilk.cli import entry

entry()
