"""Ways to pretrained models, one file each: what stands before the colon of an address."""
