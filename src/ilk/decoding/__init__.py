"""Ways to draw the next token: each turns its log weights into others."""
