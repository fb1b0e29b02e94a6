"""Ways to tune a network, one file each."""
