"""What was passed to `compare`, checked before anything is written, and then written for the workers.

In the folder of the comparison lies, below `given`, what came from Python: `data`, `model.pkl` and `callbacks.pkl`.
"""
