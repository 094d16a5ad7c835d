"""Workers: the supervised processes in which everything is measured, and the channel to each.

`worker.Worker` is the coordinator's side; a module that runs in the worker imports `channel` alone. No TensorFlow.
"""
