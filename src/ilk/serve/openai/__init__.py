"""OpenAI's requests as work for a model, and its pieces as OpenAI's answers. Nothing here knows of HTTP."""
