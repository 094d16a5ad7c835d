"""Arrays that a user has prepared, in `.npz` and `.npy` files."""
