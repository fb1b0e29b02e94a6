"""Ways to draw from denoising models, one function a file."""
