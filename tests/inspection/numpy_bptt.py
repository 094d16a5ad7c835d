"""Backpropagation through time by hand, in NumPy: the oracle that the taps are held against.

One layer at a time, (B, T, F) in, (B, T, U) out. `mask` is (B, T), False where a time step is skipped. `nudge` is a
dict from `(quantity, t)` to an array (B, U) that is added to h_t, c_t or a gate: what finite differences need.
"""

from dataclasses import dataclass, field

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@dataclass
class Run:
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray
    mask: np.ndarray
    weights: list
    h: np.ndarray = None
    tape: list = field(default_factory=list)


@dataclass
class Gradients:
    """Total derivatives over time, (B, T, ...), and per weight the terms of the sum over time, (T, ...)."""

    x: np.ndarray
    h: np.ndarray
    weights: list
    c: np.ndarray = None


class Cell:
    states = 1

    def __init__(self, *weights):
        self.weights = [np.asarray(weight, np.float64) for weight in weights]
        self.units = self.weights[1].shape[0]

    def forward(self, x, mask=None, nudge=None, initial=None):
        batch, time_steps, _ = x.shape
        mask = np.ones((batch, time_steps), bool) if mask is None else mask
        run = Run(x, mask, self.weights, np.zeros((batch, time_steps, self.units)))
        states = [np.zeros((batch, self.units))] * self.states if initial is None else initial
        for t in range(time_steps):
            after, memory = self.step(x[:, t], states, t, nudge or {})
            run.tape.append((states, memory))
            states = [np.where(mask[:, t, None], new, old) for new, old in zip(after, states, strict=True)]
            run.h[:, t] = states[0]
        return run

    def backward(self, run, d_outputs):
        """From dL/d(output_t), (B, T, U), to all total derivatives."""
        batch, time_steps, _ = run.x.shape
        totals = [np.zeros((batch, time_steps, self.units)) for _ in range(self.states)]
        d_x = np.zeros_like(run.x)
        terms = [np.zeros((time_steps, *weight.shape)) for weight in self.weights]
        d_states = [np.zeros((batch, self.units))] * self.states
        for t in reversed(range(time_steps)):
            d_states = [d_states[0] + d_outputs[:, t], *d_states[1:]]
            on = run.mask[:, t, None]
            own = [np.where(on, d, 0) for d in d_states]
            before, memory = run.tape[t]
            own, d_before, d_x[:, t], d_weights = self.step_back(run.x[:, t], before, memory, own)
            for total, d in zip(totals, own, strict=True):
                total[:, t] = d
            for term, d in zip(terms, d_weights, strict=True):
                term[t] = d
            d_states = [np.where(on, new, old) for new, old in zip(d_before, d_states, strict=True)]
        return Gradients(d_x, totals[0], terms, totals[1] if self.states == 2 else None)


class SimpleRNN(Cell):
    def step(self, x, states, t, nudge):
        kernel, recurrent, bias = self.weights
        h = np.tanh(x @ kernel + states[0] @ recurrent + bias)
        return [h + nudge.get(("h", t), 0)], h

    def step_back(self, x, states, h, d):
        kernel, recurrent, _ = self.weights
        a = d[0] * (1 - h**2)
        return d, [a @ recurrent.T], a @ kernel.T, [x.T @ a, states[0].T @ a, a.sum(0)]


class LSTM(Cell):
    states = 2

    def step(self, x, states, t, nudge):
        kernel, recurrent, bias = self.weights
        i, f, g, o = np.split(x @ kernel + states[0] @ recurrent + bias, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        gates = {"input_gate": i, "forget_gate": f, "candidate": g, "output_gate": o}
        i, f, g, o = (gate + nudge.get((name, t), 0) for name, gate in gates.items())
        c = f * states[1] + i * g + nudge.get(("c", t), 0)
        h = o * np.tanh(c) + nudge.get(("h", t), 0)
        return [h, c], (i, f, g, o, c)

    def step_back(self, x, states, memory, d):
        kernel, recurrent, _ = self.weights
        i, f, g, o, c = memory
        d_h, d_c = d
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_i, d_f, d_g, d_o = d_c * g, d_c * states[1], d_c * i, d_h * np.tanh(c)
        a = np.concatenate(
            [d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g**2), d_o * o * (1 - o)],
            axis=1,
        )
        d_weights = [x.T @ a, states[0].T @ a, a.sum(0)]
        return [d_h, d_c], [a @ recurrent.T, d_c * f], a @ kernel.T, d_weights


class GRUResetBefore(Cell):
    """`reset_after=False`: the reset gate acts on h before the matrix product (Cho et al. 2014, v3)."""

    def step(self, x, states, t, nudge):
        kernel, recurrent, bias = self.weights
        n, h = self.units, states[0]
        a = x @ kernel + bias
        z = sigmoid(a[:, :n] + h @ recurrent[:, :n]) + nudge.get(("update_gate", t), 0)
        r = sigmoid(a[:, n : 2 * n] + h @ recurrent[:, n : 2 * n]) + nudge.get(("reset_gate", t), 0)
        g = np.tanh(a[:, 2 * n :] + (r * h) @ recurrent[:, 2 * n :]) + nudge.get(("candidate", t), 0)
        return [z * h + (1 - z) * g + nudge.get(("h", t), 0)], (z, r, g)

    def step_back(self, x, states, memory, d):
        kernel, recurrent, _ = self.weights
        n, h, (z, r, g) = self.units, states[0], memory
        a_g = d[0] * (1 - z) * (1 - g**2)
        d_rh = a_g @ recurrent[:, 2 * n :].T
        a_z = d[0] * (h - g) * z * (1 - z)
        a_r = d_rh * h * r * (1 - r)
        a = np.concatenate([a_z, a_r, a_g], axis=1)
        d_h = d[0] * z + d_rh * r + a[:, : 2 * n] @ recurrent[:, : 2 * n].T
        d_recurrent = np.concatenate([h.T @ a_z, h.T @ a_r, (r * h).T @ a_g], axis=1)
        return d, [d_h], a @ kernel.T, [x.T @ a, d_recurrent, a.sum(0)]


class GRUResetAfter(Cell):
    """`reset_after=True`: the reset gate acts on the matrix product, which has a bias of its own."""

    def step(self, x, states, t, nudge):
        kernel, recurrent, bias = self.weights
        n, h = self.units, states[0]
        a = x @ kernel + bias[0]
        b = h @ recurrent + bias[1]
        z = sigmoid(a[:, :n] + b[:, :n]) + nudge.get(("update_gate", t), 0)
        r = sigmoid(a[:, n : 2 * n] + b[:, n : 2 * n]) + nudge.get(("reset_gate", t), 0)
        g = np.tanh(a[:, 2 * n :] + r * b[:, 2 * n :]) + nudge.get(("candidate", t), 0)
        return [z * h + (1 - z) * g + nudge.get(("h", t), 0)], (z, r, g, b[:, 2 * n :])

    def step_back(self, x, states, memory, d):
        kernel, recurrent, _ = self.weights
        h, (z, r, g, b_g) = states[0], memory
        a_g = d[0] * (1 - z) * (1 - g**2)
        a_z = d[0] * (h - g) * z * (1 - z)
        a_r = a_g * b_g * r * (1 - r)
        a = np.concatenate([a_z, a_r, a_g], axis=1)
        b = np.concatenate([a_z, a_r, a_g * r], axis=1)
        d_bias = np.stack([a.sum(0), b.sum(0)])
        return d, [d[0] * z + b @ recurrent.T], a @ kernel.T, [x.T @ a, h.T @ b, d_bias]


class Stack:
    """Recurrent layers, a dense layer on the last h, and the mean squared error: what Keras's `Sequential` does."""

    def __init__(self, cells, kernel, bias):
        self.cells, self.kernel, self.bias = cells, kernel, bias

    def forward(self, x, mask=None, nudge=None):
        """Return the runs of all layers and the prediction; `nudge` is a dict from layer index to its nudges."""
        runs = []
        for index, cell in enumerate(self.cells):
            runs.append(cell.forward(x, mask, (nudge or {}).get(index)))
            x = runs[-1].h
        return runs, x[:, -1] @ self.kernel + self.bias

    def loss(self, x, y, mask=None, nudge=None):
        return ((self.forward(x, mask, nudge)[1] - y) ** 2).mean()

    def backward(self, x, y, mask=None):
        runs, prediction = self.forward(x, mask)
        d_outputs = np.zeros_like(runs[-1].h)
        d_outputs[:, -1] = 2 * (prediction - y) / y.size @ self.kernel.T
        gradients = []
        for cell, run in zip(reversed(self.cells), reversed(runs), strict=True):
            gradients.append(cell.backward(run, d_outputs))
            d_outputs = gradients[-1].x
        return gradients[::-1]
