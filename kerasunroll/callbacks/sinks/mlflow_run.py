"""The sink that writes into a run of MLflow."""

import io
import os
import re
import time
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.errors import InputError

MOST_SECONDS: Final = 2.0
"""Numbers wait no longer than this until they are sent, if another one comes: a server takes time for each request."""

MOST_METRICS: Final = 1000
"""MLflow takes no more in one request."""

LONGEST_NAME: Final = 250
"""MLflow takes no longer name of a metric."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_\-. /]")


class MLflowSink(Sink):
    """Logs into a run of MLflow: numbers as metrics, pictures and texts as artifacts.

    A metric is named `<run>/<tag>`, for example `train/gradient_norm/global`. MLflow's names consist of ASCII letters,
    digits, `_`, `-`, `.`, spaces and `/`: any other character becomes `_`, and a name that is too long keeps only its
    end. Pictures are logged with `log_image` under the same name, texts as `text/<run>/<tag>/<step>.md`; graphs are
    left out. Numbers are sent together, every 2 seconds and at the end of a training; after an interrupted one,
    `close()` sends the last of them.

    By default everything goes into the active run. If none is active, or with `tracking_uri`, `experiment` or
    `run_name`, the first entry makes a new run. It ends with the training; the next `fit` continues it.

    Args:
        tracking_uri: String. Where MLflow keeps its runs, such as `"sqlite:///mlflow.db"` or
            `"http://localhost:5000"`. Defaults to `None`: what `mlflow.set_tracking_uri` chose.
        experiment: String. The name of the experiment of the new run; it is made if it does not exist. Defaults to
            `None`: what `mlflow.set_experiment` chose, or MLflow's `Default`.
        run_name: String. The name of the new run. Defaults to `None`: MLflow makes one up.
        run_id: String. An existing run, which is left running. Defaults to `None`.

    Raises:
        InputError: If MLflow is not installed or refuses `tracking_uri`, or if `run_id` comes with `experiment` or
            `run_name`.

    Example:
    >>> sinks = [MLflowSink(experiment="lstm", run_name="full")]
    >>> model.fit(x, y, callbacks=comparison_callbacks("logs/lstm/full", sinks=sinks))
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        experiment: str | None = None,
        run_name: str | None = None,
        run_id: str | None = None,
    ) -> None:
        if run_id is not None and (experiment is not None or run_name is not None):
            raise InputError(
                f"MLflowSink: expected either run_id or the experiment and name of a new run, got run_id={run_id!r} "
                "with the latter. Leave one out."
            )
        self._mlflow = _mlflow()
        self._client = _client(self._mlflow, tracking_uri)
        self._has_own_uri = tracking_uri is not None
        self._takes_active_run = tracking_uri is None and experiment is None and run_name is None
        self._experiment = experiment
        self._run_name = run_name
        self._given_run_id = run_id
        self._own_run_id: str | None = None
        self._own_run_ended = False
        self._waiting: list[Any] = []
        self._sent_at = time.monotonic()

    def __str__(self) -> str:
        return f"MLflow ({self._client.tracking_uri})"

    def scalars(self, run: str, values: Mapping[str, float], step: int, wall_time: float) -> None:
        """Keep numbers as metrics, and send what has gathered when it is much or has waited long."""
        milliseconds = round(wall_time * 1000)
        self._waiting += [
            self._mlflow.entities.Metric(mlflow_name(run, tag), value, milliseconds, step)
            for tag, value in values.items()
        ]
        if len(self._waiting) >= MOST_METRICS or time.monotonic() - self._sent_at >= MOST_SECONDS:
            self._send()

    def text(self, run: str, tag: str, markdown: str, step: int) -> None:
        """Log a text as an artifact."""
        self._client.log_text(self._run_id(), markdown, f"text/{mlflow_name(run, tag)}/{step:08d}.md")

    def image(self, run: str, tag: str, png: bytes, width: int, height: int, step: int) -> None:  # noqa: ARG002
        """Log a picture."""
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            self._client.log_image(self._run_id(), image, key=mlflow_name(run, tag), step=step)

    def close(self) -> None:
        """Send the rest, and end the run if it was made here."""
        self._send()
        if self._own_run_id is not None and not self._own_run_ended:
            self._own_run_ended = True  # also if it fails: MLflow waits long for a server that is gone, once is enough
            self._client.set_terminated(self._own_run_id)

    def _send(self) -> None:
        metrics, self._waiting = self._waiting, []
        for start in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(self._run_id(), metrics=metrics[start : start + MOST_METRICS])
        self._sent_at = time.monotonic()

    def _run_id(self) -> str:
        """Return the id of the run to write into."""
        if self._given_run_id is not None:
            return self._given_run_id
        active = self._mlflow.active_run() if self._takes_active_run else None
        return str(active.info.run_id) if active is not None else self._own_run()

    def _own_run(self) -> str:
        """Return the id of the run that this sink makes; one that has ended is taken up again."""
        if self._own_run_id is None:
            run = self._client.create_run(self._experiment_id(), run_name=self._run_name)
            self._own_run_id = str(run.info.run_id)
        elif self._own_run_ended:
            self._client.update_run(self._own_run_id, status="RUNNING")
        self._own_run_ended = False
        return self._own_run_id

    def _experiment_id(self) -> str:
        if self._experiment is None:
            # Where `mlflow.set_experiment` keeps its choice; it is one among the runs of MLflow's own tracking URI.
            return "0" if self._has_own_uri else os.environ.get("MLFLOW_EXPERIMENT_ID", "0")
        found = self._client.get_experiment_by_name(self._experiment)
        return str(found.experiment_id if found else self._client.create_experiment(self._experiment))


def mlflow_name(run: str, tag: str) -> str:
    """Return the name of a metric or picture: `<run>/<tag>` as MLflow allows it."""
    parts = [part for part in _NOT_IN_NAMES.sub("_", tag).split("/") if part.strip(". ")]
    return f"{run}/{'/'.join(parts)[-(LONGEST_NAME - len(run) - 1) :].lstrip('/')}"


def _mlflow() -> ModuleType:
    try:
        return import_module("mlflow")
    except ImportError:
        raise InputError("MLflowSink needs MLflow, which is not installed: pip install 'kerasunroll[mlflow]'") from None


def _client(mlflow: ModuleType, tracking_uri: str | None) -> Any:
    try:
        return mlflow.MlflowClient(tracking_uri=tracking_uri)
    except (mlflow.exceptions.MlflowException, ImportError) as error:
        place = tracking_uri or mlflow.get_tracking_uri()
        raise InputError(f"tracking_uri: MLflow cannot keep its runs in {place!r}. It says: {error}") from error
