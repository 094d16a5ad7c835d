"""Sequences to train on: real ones first."""

from kerasunroll.data.registry import KNOWN_SOURCES, open_source
from kerasunroll.data.source import Source

__all__ = ["KNOWN_SOURCES", "Source", "open_source"]
