"""Arrays that a user has prepared: files of NumPy, the names and forms of their arrays, and what targets mean.

From outside, `load_npz` and `load_npy` of `kerasunroll.data.arrays.arrays` are used.
"""
