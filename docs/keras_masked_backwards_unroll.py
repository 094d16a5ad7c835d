"""Keras: `unroll=True` returns wrong outputs with a mask, `go_backwards=True` and `zero_output_for_mask=True`.

    python docs/keras_masked_backwards_unroll.py

The smallest script that shows it, with Keras and TensorFlow alone. It ends with status 1 where the error is, and 0
where it is mended. The report, ready to be filed at https://github.com/keras-team/keras/issues:

Title
    RNN layers with unroll=True, go_backwards=True and zero_output_for_mask=True zero the wrong time steps (TensorFlow
    backend; affects every unrolled Bidirectional with return_sequences=True on masked input)

What happens
    With a mask, `unroll=True` and `unroll=False` return different outputs in SimpleRNN, LSTM, GRU, ConvLSTM and RNN, if
    `go_backwards=True`, `return_sequences=True` and `zero_output_for_mask=True`. The backward layer of a
    `Bidirectional` that returns sequences has all three, so that
    `Masking() -> Bidirectional(LSTM(..., return_sequences=True, unroll=True))` is silently wrong: outputs of time steps
    that count become 0, and masked time steps return outputs that are not 0. The difference is as large as the outputs.
    Any mask that is not a palindrome in time is affected: right padding, left padding, masked time steps in between.

What is expected
    The same outputs as with `unroll=False`.

Where it is
    keras/src/backend/tensorflow/rnn.py, `rnn`, the branch `if unroll: ... if mask is not None:`. With `go_backwards`
    the list of masks is reversed together with the inputs (`mask_list.reverse()`), so that the states are right. After
    the loop, `outputs` is in processing order, that is backwards; but it is zeroed by
    `_expand_mask(mask, outputs, fixed_dim=2)`, with `mask` as it came, that is forwards. The `while_loop` branch is
    right: it reverses `mask` itself.

A fix
    Zero by the masks in the order in which they were used:

        outputs = tf.where(
            _expand_mask(tf.stack(mask_list), outputs, fixed_dim=2),
            outputs,
            tf.zeros_like(outputs),
        )

    (Without `go_backwards`, `tf.stack(mask_list)` is `mask`.)

Versions
    Keras 3.8 to 3.15 and its development version 3.16.0.dev2026102704, TensorFlow 2.18 to 2.21, CPU, Linux.
"""

# ruff: noqa: T201

import sys

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(1, 4, 2)).astype("float32")
mask = np.array([[True, True, True, False]])  # the last time step is padding
wrong = False
for cell in (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU):
    options = {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True}
    loop, unrolled = (cell(1, unroll=unroll, **options) for unroll in (False, True))
    outputs = loop(x, mask=mask)
    unrolled.build(x.shape)
    unrolled.set_weights(loop.get_weights())
    outputs, outputs_unrolled = outputs.numpy().ravel(), unrolled(x, mask=mask).numpy().ravel()
    wrong = wrong or not np.allclose(outputs, outputs_unrolled, atol=1e-5)
    print(f"{cell.__name__:10} unroll=False: {outputs.round(3)}   unroll=True: {outputs_unrolled.round(3)}")
print(f"Keras {keras.__version__}: {'WRONG, the outputs should be the same' if wrong else 'right'}")
sys.exit(wrong)
