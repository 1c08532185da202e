"""The one place that says which turnmill this is."""

__version__ = "0.1.0"
