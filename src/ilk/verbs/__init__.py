"""What is done with models: one typed function a file, over capabilities."""
