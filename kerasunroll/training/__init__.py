"""One training run: its configuration, its model and data, and where its results go."""
