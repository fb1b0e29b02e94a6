"""Answers from one's own documents: taking files in, finding passages, citing them."""
