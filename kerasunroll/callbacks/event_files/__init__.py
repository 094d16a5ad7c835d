"""TensorBoard's event files, written in Python: `EventLog` is for everyone, the file behind it for nobody else."""
