"""The signatures of the commands: light, so that help comes at once; what they do stands in `console`."""
