"""Routes by topic: each module has a `router`. Adding one is one file."""
