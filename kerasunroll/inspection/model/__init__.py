"""Looking at a Keras model: its recurrent layers, what they are called with, and a batch that fits it.

The other parts of `inspection` build on these.
"""
