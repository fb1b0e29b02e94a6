"""What commands do: they read, call a verb, and answer with JSON and with text."""
