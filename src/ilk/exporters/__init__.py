"""Exporters: one file per form that other libraries read."""
