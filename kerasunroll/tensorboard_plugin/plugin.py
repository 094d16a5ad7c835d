"""The plugin: which routes there are, and when there is something to show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tensorboard import plugin_util
from tensorboard.plugins.base_plugin import FrontendMetadata, TBPlugin
from werkzeug.wrappers import Request

from kerasunroll.callbacks.event_files.tab_entries import PLUGIN
from kerasunroll.tensorboard_plugin.assets import serve_plotly, serve_static
from kerasunroll.tensorboard_plugin.comparisons import Comparisons
from kerasunroll.tensorboard_plugin.contents import Contents
from kerasunroll.tensorboard_plugin.events import Events
from kerasunroll.tensorboard_plugin.requests import Arguments, answered
from kerasunroll.tensorboard_plugin.views.cost import cost_view
from kerasunroll.tensorboard_plugin.views.gradients import gradients_view
from kerasunroll.tensorboard_plugin.views.graph import graph_view
from kerasunroll.tensorboard_plugin.views.overview import overview_view
from kerasunroll.tensorboard_plugin.views.states import states_view
from kerasunroll.tensorboard_plugin.views.training import training_view

MOST: Final = 10**12
"""Training steps or bytes that can be asked for."""


class KerasunrollPlugin(TBPlugin):
    """The Unrolling tab.

    Args:
        context: TensorBoard's `TBContext`.
    """

    plugin_name = PLUGIN

    def __init__(self, context: Any) -> None:
        self._provider = context.data_provider
        self._comparisons = Comparisons(_folder(context.logdir))

    def is_active(self) -> bool:
        """Tell whether the log folder has something for the tab."""
        return self._comparisons.any()

    def data_plugin_names(self) -> tuple[str]:
        """Return whose event data make the tab active: this package's own."""
        return (PLUGIN,)

    def frontend_metadata(self) -> FrontendMetadata:
        """Return what TensorBoard loads into the tab."""
        return FrontendMetadata(es_module_path="/static/index.js", tab_name="Unrolling")

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """Return the routes."""
        return {
            "/static/*": serve_static,
            "/plotly.min.js": serve_plotly,
            "/contents": answered(lambda request: self._contents(request).as_json()),
            "/overview": answered(self._overview),
            "/gradients": answered(self._gradients),
            "/states": answered(self._states),
            "/training": answered(self._training),
            "/cost": answered(self._cost),
            "/graph": answered(self._graph),
        }

    def _overview(self, request: Request) -> Any:
        arguments = Arguments(request)
        training_steps = arguments.integer("training_steps", 1, MOST)
        memory_limit = arguments.integer("memory_limit", 1, 1000 * MOST)
        return overview_view(self._comparisons.all(), training_steps, memory_limit)

    def _gradients(self, request: Request) -> Any:
        arguments = Arguments(request)
        training = self._contents(request).training(arguments.text("run"))
        return gradients_view(self._events(request), training, arguments.text("layer"), arguments.text("quantity"))

    def _states(self, request: Request) -> Any:
        arguments = Arguments(request)
        training = self._contents(request).training(arguments.text("run"))
        step = arguments.integer("step", 0, MOST)
        return states_view(self._events(request), training, arguments.text("layer"), arguments.text("quantity"), step)

    def _training(self, request: Request) -> Any:
        network = self._contents(request).network(Arguments(request).text("network"))
        return training_view(self._events(request), network)

    def _cost(self, request: Request) -> Any:
        return cost_view(self._comparisons.named(Arguments(request).text("comparison")))

    def _graph(self, request: Request) -> Any:
        network = self._contents(request).network(Arguments(request).text("network"))
        return graph_view(self._events(request), network)

    def _events(self, request: Request) -> Events:
        environ = request.environ
        return Events(self._provider, plugin_util.context(environ), plugin_util.experiment_id(environ))

    def _contents(self, request: Request) -> Contents:
        return Contents.of(self._events(request), self._comparisons)


def _folder(logdir: str | None) -> Path | None:
    """Return the log folder, if it is one of this machine; TensorBoard also takes addresses of storage services."""
    if not logdir or "://" in logdir:
        return None
    return Path(logdir).expanduser()
