"""The HParams tab: a line for each variant, what it is and what it costs. No TensorFlow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2 as api  # `api` itself loads TensorFlow

from kerasunroll.report.rows import Row
from kerasunroll.report.tensorboard import tags
from kerasunroll.training.threads import DEFAULT, split_name

METRICS: Final = (
    api.Metric(tags.STEP, display_name="training step (ms)"),
    api.Metric(tags.COMPILE, display_name="compile (s)", description="build, trace and compile"),
    api.Metric(tags.PROCESS_MEMORY, display_name="process added (MB)"),
    api.Metric(tags.TENSOR_MEMORY, display_name="tensor peak (MB)", description="at the peak of a training step"),
    api.Metric(tags.FINAL_LOSS, display_name="final loss"),
    api.Metric(tags.FINAL_VALIDATION_LOSS, display_name="final validation loss"),
)
"""TensorBoard shows the first five without being asked to."""

ALWAYS: Final = ("cell", "setting", "T", "units", "batch")


def experiment_summary(rows: Sequence[Row]) -> Summary.Value:
    """Return what is varied in a comparison, and what is looked at: to be written into one run.

    Args:
        rows: What `comparison_rows` returned.
    """
    varied = varied_values(rows)
    hparams = [api.HParam(name, _Varied(varied[name])) for name in varied]
    (value,) = api.hparams_config_pb(hparams, METRICS).value
    return value


def variant_summary(row: Row, names: Iterable[str], trial: str) -> Summary.Value:
    """Return what a variant is: to be written into the run that has the numbers of `METRICS`.

    Args:
        row: The row of the variant.
        names: What of it to tell: the keys of `varied_values`.
        trial: String. The name of its line, unlike that of any other comparison below the same folder.
    """
    values = hyperparameters(row)
    (value,) = api.hparams_pb({name: values[name] for name in names if name in values}, trial_id=trial).value
    return value


def varied_values(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the values of each hyperparameter: of those in `ALWAYS`, and of others that are not the same in all rows.

    Args:
        rows: What `comparison_rows` returned.
    """
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, value in hyperparameters(row).items():
            found.setdefault(name, []).append(value)
    distinct = {name: list(dict.fromkeys(values)) for name, values in found.items()}
    return {name: values for name, values in distinct.items() if name in ALWAYS or len(values) > 1}


def hyperparameters(row: Row) -> Mapping[str, str]:
    """Return what a variant is, in the words of the command line; a T that is not known is absent."""
    config, stack = row.config, row.config.stack
    values: dict[str, str | None] = {
        "cell": stack.cell,
        "setting": split_name(row.setting)[0],
        "threads": str(config.threads or DEFAULT),
        "T": _whole(stack.timesteps),
        "units": ",".join(map(str, stack.units)),
        "batch": _whole(config.batch_size),
        "dtype": stack.dtype or "float32",
        "devices": _whole(config.distribute or 1),
        "node kind": row.node_kind,
        "XLA": {True: "on", False: "off", None: "auto"}[config.jit_compile],
    }
    return {name: value for name, value in values.items() if value is not None}


def _whole(count: int | None) -> str | None:
    """Return a whole number as a text: TensorBoard would show 25 as 25.000.

    Blanks before it, which a page does not show, keep texts of numbers in the order of the numbers.
    """
    return None if count is None else f"{count:>6}"


class _Varied(api.Discrete):
    """Some values. Those of a hyperparameter that differ come first, and are never hidden."""

    def update_hparam_info(self, hparam_info: Any) -> None:
        super().update_hparam_info(hparam_info)
        hparam_info.differs = len(self.values) > 1
