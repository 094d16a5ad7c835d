"""Making the files, and timing them: the coordinator's side here, the `..._worker` modules run in processes."""
