"""The targets: how a Keras model becomes a file of each, what is in such a file, and how it is run.

Only what runs in a worker imports TensorFlow; `litert_file` reads a file without it.
"""
