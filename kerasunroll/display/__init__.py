"""How results show themselves, in a notebook and as pictures: functions of arrays and texts.

It knows nothing of models, and stands before `inspection` so that results can plot themselves. Pictures of whole
comparisons are in `kerasunroll.figures`. No TensorFlow.
"""
