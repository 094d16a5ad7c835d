"""Sequences to train on: real ones first."""
