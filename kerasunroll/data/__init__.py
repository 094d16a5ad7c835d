"""Sequences to train on: real ones first."""

from kerasunroll.data.registry import open_source
from kerasunroll.data.source import Source
from kerasunroll.data.spec import KNOWN_SOURCES, SourceSpec

__all__ = ["KNOWN_SOURCES", "Source", "SourceSpec", "open_source"]
