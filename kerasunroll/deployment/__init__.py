"""What a network costs where it is deployed: files for LiteRT and ONNX, whether they can be made, and how they run.

`contender` is what is compared, `stages/` makes and times the files in processes of their own, `formats/` knows the
targets, `verdict` decides, `result` is what a user gets. Others import `kerasunroll.deploy`.
"""
