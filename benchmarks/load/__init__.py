"""Bars of load: each module's `load()` starts a server, presses on it, and returns one row; bars.toml says what passes."""
