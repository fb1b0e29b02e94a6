"""The contracts as checks that any family, modality, codec or metric can run."""
