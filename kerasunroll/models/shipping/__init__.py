"""Models of a running Python process, shipped to workers: what they are made of, in a file of cloudpickle's.

`recipe` takes a compiled model apart and puts it together again, `pickles` writes and reads, `facts` says in plain
values what a plan has to know. A file that was pickled is code: only a run's own folder is read.
"""
