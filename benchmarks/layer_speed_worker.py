"""The process of one contender of `layer_speed.py`: a first training step, then blocks of them on command."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

from kerasunroll.measurement.workers.channel import open_channel

FEATURES = 32
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
Step = Callable[[], Any]


def main() -> None:
    """Train the contender that is the job on one batch."""
    with open_channel() as channel:
        name, cell = channel.job["contender"], channel.job["cell"]
        batch, timesteps, units = channel.job["shape"]
        rng = np.random.default_rng(0)
        x = rng.normal(size=(batch, timesteps, FEATURES)).astype("float32")
        y = rng.normal(size=(batch, 1)).astype("float32")
        process = psutil.Process()
        step, peak = make(name, cell, x, y, units)
        before = process.memory_info().rss
        start = time.perf_counter()
        step()
        figures = {"first_step_seconds": time.perf_counter() - start}
        step()
        figures["process_growth_bytes"] = process.memory_info().rss - before
        figures["tensor_peak_bytes"] = peak(step)
        channel.report(**figures)
        for command in channel.commands():
            channel.report(seconds=[timed(step) for _ in range(command["count"])])


def timed(step: Step) -> float:
    """Return the seconds of one training step."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def make(name: str, cell: str, x: Any, y: Any, units: int) -> tuple[Step, Callable[[Step], int | None]]:
    """Return a function that does a training step, and one that tells its tensor peak where that is known."""
    kind, _, setting = name.partition(" ")
    if kind == "torch":
        return torch_step(cell, x, y, units), lambda _: None
    if kind == "jax":
        return jax_step(cell, int(setting[1:]), x, y, units), lambda _: None
    if kind in ("keras", "ours"):
        return keras_step(kind, cell, setting, x, y, units), tensor_peak
    return products_step(cell, x, units), lambda _: None


def tensor_peak(step: Step) -> int:
    """Return the most bytes that tensors took during a training step, above what they took before."""
    import tensorflow as tf

    tf.config.experimental.reset_memory_stats("CPU:0")
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    step()
    return int(tf.config.experimental.get_memory_info("CPU:0")["peak"] - before)


def keras_step(kind: str, cell: str, setting: str, x: Any, y: Any, units: int) -> Step:
    """Return the training step of `fit`, of Keras's layers or ours."""
    import keras
    import tensorflow as tf

    options: dict[str, Any] = {"recompute": True} if setting == "recompute" else {}
    settings: dict[str, Any] = {"full": True, "auto": "auto", "k4": 4, "k8": 8}
    options["unroll"] = settings.get(setting, False)
    if kind == "ours":
        from kerasunroll import layers
    else:
        layers = keras.layers
    layer = getattr(layers, {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}[cell])
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:], batch_size=x.shape[0]),
            layer(units, return_sequences=True, **options),
            layer(units, **options),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", jit_compile=False)
    model.make_train_function()
    batch = iter(tf.data.Dataset.from_tensors((x, y)).cache().repeat())
    return lambda: model.train_function(batch)["loss"].numpy()


def torch_step(cell: str, x: Any, y: Any, units: int) -> Step:
    """Return a training step of PyTorch's layers."""
    import torch

    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}[cell]
    net = layer(FEATURES, units, num_layers=2, batch_first=True)
    head = torch.nn.Linear(units, 1)
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()])
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(head(net(inputs)[0][:, -1]), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_step(cell: str, unroll: int, x: Any, y: Any, units: int) -> Step:
    """Return a training step of `jax.lax.scan` with so many time steps unrolled, the input projection hoisted."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)

    def weight(*shape: int) -> Any:
        return jnp.asarray(rng.normal(size=shape) / np.sqrt(shape[0]), "float32")

    width = GATES[cell] * units
    stack = [(weight(n, width), weight(units, width), weight(2, width)) for n in (FEATURES, units)]
    parameters = (stack, weight(units, 1), weight(1))

    def lstm(states: Any, z_x: Any, z_h: Any) -> Any:
        i, f, g, o = jnp.split(z_x + z_h, 4, axis=-1)
        c = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def gru(states: Any, z_x: Any, z_h: Any) -> Any:
        z, r = jnp.split(jax.nn.sigmoid(z_x[:, : 2 * units] + z_h[:, : 2 * units]), 2, axis=-1)
        n = jnp.tanh(z_x[:, 2 * units :] + r * z_h[:, 2 * units :])
        return (n + z * (states[0] - n),)

    def simple_rnn(_: Any, z_x: Any, z_h: Any) -> Any:
        return (jnp.tanh(z_x + z_h),)

    advance = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}[cell]

    def run(rows: Any, weights: Any) -> Any:
        kernel, recurrent, bias = weights

        def body(states: Any, z_x: Any) -> Any:
            states = advance(states, z_x, states[0] @ recurrent + bias[1])
            return states, states[0]

        zeros = jnp.zeros((rows.shape[1], units))
        states = (zeros, zeros) if cell == "lstm" else (zeros,)
        return jax.lax.scan(body, states, rows @ kernel + bias[0], unroll=unroll)[1]

    def loss(parameters: Any) -> Any:
        stack, head, bias = parameters
        rows = jnp.swapaxes(jnp.asarray(x), 0, 1)
        for weights in stack:
            rows = run(rows, weights)
        return jnp.mean((rows[-1] @ head + bias - y) ** 2)

    @jax.jit
    def update(parameters: Any, moments: Any, count: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradients)
        rate = 0.001 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        new = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, first, second)
        return new, (first, second), value

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = {"parameters": parameters, "moments": (zeros, zeros), "count": 0}

    def step() -> float:
        state["count"] += 1
        new = update(state["parameters"], state["moments"], float(state["count"]))
        state["parameters"], state["moments"], value = new
        return float(value)

    return step


def products_step(cell: str, x: Any, units: int) -> Step:
    """Return the matrix products of a training step and nothing else: none waits for more than it has to.

    Each has operands of its own: TensorFlow does what is the same only once.
    """
    import tensorflow as tf

    batch, timesteps, _ = x.shape
    width = GATES[cell] * units
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> tf.Tensor:
        return tf.constant(0.01 * rng.normal(size=shape), "float32")

    def through_time(start: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        def body(t: Any, state: Any) -> Any:
            product = state @ weight
            if weight.shape[0] == units:  # every column is used, or XLA would leave some out
                return t + 1, tf.add_n(tf.split(product, GATES[cell], axis=1))
            return t + 1, tf.concat([product] * GATES[cell], axis=1)

        return tf.while_loop(lambda t, _: t < timesteps, body, (0, start))[1]

    recurrent = tf.function(through_time, jit_compile=True, autograph=False)
    layers = []
    for features in (FEATURES, units):
        rows, h, d_z = (draw(batch * timesteps, n) for n in (features, units, width))
        kernel, weight = draw(features, width), draw(units, width)
        layers.append((rows, h, d_z, kernel, (draw(batch, units), weight), (draw(batch, width), tf.transpose(weight))))

    @tf.function(autograph=False)
    def step() -> Any:
        results = []
        for number, (rows, h, d_z, kernel, forward, backward) in enumerate(layers):
            results += [recurrent(*forward), recurrent(*backward), rows @ kernel]
            results += [tf.matmul(rows, d_z, transpose_a=True), tf.matmul(h, d_z, transpose_a=True)]
            if number:
                results.append(tf.matmul(d_z, kernel, transpose_b=True))
        return tf.add_n([tf.reduce_sum(each[:1]) for each in results])

    return lambda: step().numpy()


if __name__ == "__main__":
    main()
