"""One figure about a model a file."""
