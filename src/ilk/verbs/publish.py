"""publish: todo."""
