"""Whether what a language model says is so: support, confidence, calibration, abstention, facts, review, and the figures that judge it."""
