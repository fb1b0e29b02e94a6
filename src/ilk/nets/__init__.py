"""Networks by role, born in the shapes of the ecosystem."""
