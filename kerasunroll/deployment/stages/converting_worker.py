"""The process that makes one file, looks into it, and sees whether it computes the same.

The job holds the `Contender` (`contender`) and the path of the file (`path`). It announces the phases `import`,
`build`, `convert` and `check`, and sends `figures` and `operations` as soon as there is a file, and at last.
"""

import time
from pathlib import Path
from typing import Any

from kerasunroll.backend import require_backend
from kerasunroll.measurement.workers.channel import open_channel


def main() -> None:
    """Make what the job describes."""
    with open_channel() as channel:
        channel.phase("import")
        require_backend("A worker")
        from kerasunroll.deployment.contender import Contender
        from kerasunroll.deployment.formats.converting import convert, inputs_of, one_step_at_a_time
        from kerasunroll.deployment.formats.reading import operations_of, size_of

        contender, path = Contender(**channel.job["contender"]), Path(channel.job["path"])
        channel.phase("build")
        model, reference, x = _network(contender)
        if contender.form == "streaming":
            model = one_step_at_a_time(model, contender.batch_size)
        channel.phase("convert")
        start = time.perf_counter()
        learned = [leaf[:, :1] for leaf in inputs_of(x)] if contender.form == "streaming" else x
        convert(model, contender, learned, path)
        figures: dict[str, float] = {"convert_seconds": time.perf_counter() - start, "file_bytes": size_of(path)}
        operations = operations_of(contender.target, path)
        channel.report(figures=figures, operations=operations)  # known, whatever becomes of running it
        channel.phase("check")
        figures |= _checked(contender, path, reference, x)
        channel.report(result={"figures": figures, "operations": operations})


def _network(contender: Any) -> tuple[Any, Any, Any]:
    """Return the network in its setting, the same as a loop of Keras's, and sequences for both."""
    import keras

    from kerasunroll.deployment.data import sequences_for
    from kerasunroll.training.session import network_of

    keras.utils.set_random_seed(contender.seed)
    model = network_of(contender.stack)
    keras.utils.set_random_seed(contender.seed)
    reference = network_of(contender.stack.replace(unroll=False))
    return model, reference, sequences_for(contender, model)


def _checked(contender: Any, path: Path, reference: Any, x: Any) -> dict[str, float]:
    """Return how a file's outputs agree with the model's, and what its tensors take."""
    import keras
    import numpy as np

    from kerasunroll.deployment.agreement import agreement
    from kerasunroll.deployment.formats.converting import inputs_of
    from kerasunroll.deployment.formats.reading import arena_bytes
    from kerasunroll.deployment.formats.running import open_file

    run, leaves, size = open_file(contender, path), inputs_of(x), contender.batch_size
    starts = range(0, len(leaves[0]) - size + 1, size)
    got = []
    for start in starts:
        if contender.form == "streaming":
            run = open_file(contender, path)  # its states begin at zero
        got.append(run([leaf[start : start + size] for leaf in leaves]))
    seen = len(starts) * size
    inputs = keras.tree.map_structure(lambda leaf: leaf[:seen], x)
    expected = [np.asarray(each) for each in keras.tree.flatten(reference(inputs, training=False))]
    figures = agreement(expected, [np.concatenate(parts) for parts in zip(*got, strict=True)])
    if contender.target == "litert":
        figures["arena_bytes"] = arena_bytes(path.read_bytes())
    return figures


if __name__ == "__main__":
    main()
