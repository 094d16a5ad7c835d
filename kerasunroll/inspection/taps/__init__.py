"""Taps: zeros added to the states of recurrent cells, so that whoever holds them sees states and gradients.

Gradients and states are read through these; `tapped_model.tapped` is the way in.
"""
