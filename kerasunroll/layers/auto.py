"""The setting `unroll="auto"`: the fastest way through time for a layer's shapes on this machine, found by trying.

| candidate | tried |
|---|---|
| `loop` | Keras's own loop; unless `truncate` or `recompute` ask for what it cannot do |
| `own-loop` | always |
| `k4`, `k8` | where T is larger, or unknown |
| `own-full` | where T is at most 32: beyond, the compiler takes longer than the training steps would save |

Each candidate is a layer of the same configuration, whose forward and backward pass is compiled once and then run in
short blocks, taking turns; what counts is the median of its ratios to the first candidate within a round. So a setting
other than Keras's loop is only taken where it was faster than that.

The answer is kept in a JSON file, by machine and by whatever of the layer and its input decides about speed: the same
cache gives the same answer. The file is `auto.json` in the folder that the environment variable `KERASUNROLL_CACHE`
names, else in `~/.cache/kerasunroll` (`XDG_CACHE_HOME` is respected).
"""

import json
import logging
import os
import platform
import random
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, TypeAlias

import keras
import tensorflow as tf

from kerasunroll.cache import cache_folder

ASSUMED_BATCH: Final = 32
"""The batch size that is tried where it is unknown."""

ASSUMED_TIMESTEPS: Final = 100
"""The number of time steps that is tried where it is unknown."""

LONGEST_FULL: Final = 32
"""The number of time steps up to which the fully unrolled layer is tried."""

Shape: TypeAlias = tuple[int | None, ...]

_ROUNDS: Final = 9
_BLOCK_SECONDS: Final = 0.01

# What changes neither the operations nor their shapes.
_NO_MATTER_FOR_SPEED: Final = ("name", "trainable", "seed", "unroll", "stateful", "unit_forget_bias")
_KINDS_THAT_DO_NOT_MATTER: Final = ("_initializer", "_regularizer", "_constraint")

_log = logging.getLogger(__name__)


def fastest_setting(layer: Any, shape: Shape) -> str:
    """Return the fastest way through time for a layer, as a word: `"loop"` is Keras's own, the others are ours.

    Args:
        layer: A layer of `kerasunroll.layers`.
        shape: Tuple. The shape of its input: `(batch, timesteps, ...)`, both of which may be `None`.

    Returns:
        `"loop"`, `"own-loop"`, `"own-full"`, or `"k4"` and the like.
    """
    tried: Shape = (shape[0] or ASSUMED_BATCH, shape[1] or ASSUMED_TIMESTEPS, *shape[2:])
    words = _candidates(layer, shape[1])
    key = _key(layer, tried, words)
    cache = cache_file()
    known = _read(cache)
    if known.get(key) not in words:
        # A thread has Keras scopes and a default graph of its own: the layer may be in the midst of being traced, and
        # what is built to be tried must leave no trace in its names and seeds.
        with ThreadPoolExecutor(1) as executor:
            known = {**known, key: executor.submit(_calibrate, layer, tried, words).result()}
        _write(cache, {**_read(cache), key: known[key]})
    chosen = known[key]
    assumed = "" if None not in shape[:2] else f", assuming {tried[0]} sequences of {tried[1]} time steps"
    _log.info("Layer '%s' with unroll='auto' runs as '%s'%s.", layer.name, chosen, assumed)
    return chosen


def cache_file() -> Path:
    """Return where the settings that were found are kept."""
    return cache_folder() / "auto.json"


def _candidates(layer: Any, timesteps: int | None) -> list[str]:
    keras_can = layer.truncate is None and layer.recompute is False
    words = ["loop"] * keras_can + ["own-loop"]
    words += [f"k{k}" for k in (4, 8) if timesteps is None or timesteps > k]
    return words + ["own-full"] * (timesteps is not None and timesteps <= LONGEST_FULL)


def _key(layer: Any, shape: Shape, words: list[str]) -> str:
    config = {
        name: value
        for name, value in layer.get_config().items()
        if name not in _NO_MATTER_FOR_SPEED and not name.endswith(_KINDS_THAT_DO_NOT_MATTER)
    }
    facts = {
        "machine": [platform.node(), platform.machine(), os.cpu_count()],
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "threads": [
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.threading.get_inter_op_parallelism_threads(),
        ],
        "versions": [_version(), keras.__version__, tf.__version__],
        "layer": [type(layer).__name__, config],
        "shape": shape,
        "candidates": words,
    }
    return json.dumps(facts, sort_keys=True, default=str)


def _version() -> str:
    from kerasunroll import __version__

    return __version__


def _calibrate(layer: Any, shape: Shape, words: list[str]) -> str:
    # Layers draw the seeds of their initialisers from Python's random state: it is the user's.
    state = random.getstate()
    try:
        runs = {word: _training_step(_twin(layer, word), shape) for word in words}
    finally:
        random.setstate(state)
    return _fastest(runs)


def _twin(layer: Any, word: str) -> Any:
    config = {**layer.get_config(), "unroll": False, "stateful": False}
    twin = type(layer).from_config(config)
    twin.run_as(word)
    return twin


def _training_step(layer: Any, shape: Shape) -> Callable[[], Any]:
    """Return the forward and the backward pass of a layer on a random batch, compiled."""
    x = tf.random.stateless_normal(shape, seed=(0, 0), dtype=tf.as_dtype(layer.compute_dtype))
    layer.build(shape)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.add_n([tf.reduce_sum(tf.square(each)) for each in tf.nest.flatten(layer(x, training=True))])
        return tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])

    def run() -> None:
        step(x)[0].numpy()  # until the device is done

    run()
    return run


def _fastest(runs: Mapping[str, Callable[[], Any]]) -> str:
    """Return the name of the fastest, by the median over rounds of the ratio to the first."""
    calls = {word: max(1, round(_BLOCK_SECONDS / _seconds(run, 1))) for word, run in runs.items()}
    rounds = [{word: _seconds(run, calls[word]) for word, run in runs.items()} for _ in range(_ROUNDS)]
    first = next(iter(runs))
    return min(runs, key=lambda word: median(times[word] / times[first] for times in rounds))


def _seconds(run: Callable[[], Any], calls: int) -> float:
    begin = perf_counter()
    for _ in range(calls):
        run()
    return (perf_counter() - begin) / calls


def _read(path: Path) -> dict[str, str]:
    """Return what is known. A file that is missing or damaged knows nothing; it will be written anew."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(path: Path, known: Mapping[str, str]) -> None:
    # Where nothing can be written, the next layer is calibrated again: slow, but right.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        Path(file.name).replace(path)
