"""The one training loop: it knows only Phase."""
