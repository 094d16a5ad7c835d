"""A training run in one validated object. Loads without TensorFlow."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from kerasunroll.data import Source, open_source
from kerasunroll.data.given import GivenData, open_given
from kerasunroll.data.names import GIVEN, SourceName
from kerasunroll.errors import DataError, InputError
from kerasunroll.models import SavedModel, StackConfig
from kerasunroll.settings import Settings, settings_name
from kerasunroll.training.threads import Threads, name_on

MODEL_FILE: Final = "model.keras"
"""The trained model in the folder of its run."""

Optimizer: TypeAlias = Literal["adam", "adamw", "nadam", "rmsprop", "sgd", "adagrad", "lion"]
OPTIMIZERS: Final[tuple[str, ...]] = get_args(Optimizer)

WrittenThreads: TypeAlias = Annotated[
    Threads | None, BeforeValidator(Threads.of), PlainSerializer(str, when_used="unless-none")
]
"""In JSON as on the command line."""


class TrainingConfig(BaseModel):
    """What is trained on what, and how.

    Args:
        stack: `StackConfig` or `SavedModel`. The network; its shapes must fit the source (`for_source` and `for_model`
            see to that).
        source: String. The data source, as for `kerasunroll.open_source`; kept with its options in one order. Defaults
            to `"digits"`.
        timesteps: Integer or `None`. The length of a sequence, as for `open_source`.
        examples: Integer or `None`. How many sequences to draw, as for `open_source`.
        batch_size: Integer, at least 1. Defaults to 32.
        epochs: Integer, at least 1. Defaults to 6.
        optimizer: String. One of Keras's optimisers by its short name. Defaults to `"adam"`. `None` with a saved model
            that was compiled, which brings its own.
        learning_rate: Float, positive. Defaults to 0.001. `None` with a model's own optimiser.
        clipnorm: Float, positive, or `None`. The norm to which each weight's gradient is clipped. Defaults to 1.
        seed: Integer, at least 0. Fixes the weights, the order of the batches and dropout. Defaults to 0.
        jit_compile: Boolean. Whether XLA compiles the training step. Defaults to `False`. `None` with a saved model
            that was compiled with `"auto"`: as Keras decides.
        distribute: Integer, at least 2, or `None`. Over how many devices of one machine each batch is spread: GPUs, or
            logical CPUs where there is none. Defaults to `None`: one device.
        threads: `Threads`, or how it is written: `"2"`, `"2/1"`. Defaults to `None`: as many as TensorFlow chooses.
        callbacks: String or `None`. A file with callbacks that were given in Python, for the training. Its path, as
            that of a model and of data that were given in Python, is relative to the folder of the comparison.

    Raises:
        InputError: If an argument is unknown or not what it should be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    stack: SerializeAsAny[StackConfig | SavedModel]
    source: str = "digits"
    timesteps: int | None = None
    examples: int | None = None
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(6, ge=1)
    optimizer: Optimizer | None = "adam"
    learning_rate: float | None = Field(0.001, gt=0, allow_inf_nan=False)
    clipnorm: float | None = Field(1.0, gt=0, allow_inf_nan=False)
    seed: int = Field(0, ge=0)
    jit_compile: bool | None = False
    distribute: int | None = Field(None, ge=2)
    threads: WrittenThreads = None
    callbacks: str | None = None

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            finding = error.errors()[0]
            if finding["loc"] in ((), ("source",), ("threads",)) and isinstance(
                ours := finding.get("ctx", {}).get("error"), InputError
            ):
                raise ours from None
            where = ".".join(str(part) for part in finding["loc"])
            raise InputError(f"Invalid {where}: {finding['msg']}, got {finding['input']!r}.") from None

    @field_validator("stack", mode="before")
    @classmethod
    def _read_stack(cls, stack: Any) -> Any:
        if not isinstance(stack, dict):
            return stack
        return SavedModel(**stack) if "sha256" in stack else StackConfig(**stack)

    @field_validator("source")
    @classmethod
    def _in_one_spelling(cls, source: str) -> str:
        return str(SourceName.parse(source))

    @model_validator(mode="after")
    def _check_optimizer(self) -> Self:
        own = isinstance(self.stack, SavedModel) and self.stack.compiled
        if any((given is None) != own for given in (self.optimizer, self.learning_rate)):
            raise InputError(
                "optimizer and learning_rate are None exactly with a saved model that was compiled, which brings its "
                f"own, got {self.optimizer!r} and {self.learning_rate!r}."
            )
        return self

    @model_validator(mode="after")
    def _check_distribute(self) -> Self:
        if self.distribute and self.jit_compile:
            raise InputError(
                f"XLA cannot compile a training step that runs on several devices, got distribute={self.distribute} "
                "and jit_compile=True. Leave out one of them; kerasunroll's own layers (own-loop) compile their loops "
                "on each device by themselves."
            )
        return self

    @classmethod
    def for_source(
        cls, source: Source, /, *, cell: str, units: tuple[int, ...], unroll: Settings = False, **options: Any
    ) -> Self:
        """Return the configuration of a stack that fits a data source.

        Args:
            source: The opened data source; input, embedding and head of the stack follow from it.
            cell: String. `"simple_rnn"`, `"lstm"` or `"gru"`.
            units: Tuple of integers, one per layer.
            unroll: The setting.
            **options: Other arguments of `TrainingConfig`; those of `StackConfig` that the source leaves open
                (such as `bidirectional` or `dropout`) may be among them.
        """
        own = {name: options.pop(name) for name in list(options) if name in cls.model_fields}
        stack = StackConfig(
            cell=cell,
            input_shape=source.input_shape,
            units=units,
            unroll=unroll,
            embedding=source.vocabulary,
            head=source.task,
            return_sequences=source.return_sequences,
            seed=own.get("seed", 0),
            **options,
        )
        return cls(stack=stack, **own)

    @classmethod
    def for_model(
        cls, source: Source | GivenData, /, *, model: SavedModel, unroll: Settings = False, **options: Any
    ) -> Self:
        """Return the configuration of a saved model on a data source.

        A model that was compiled keeps its own optimiser, loss and metrics: `optimizer`, `learning_rate` and `clipnorm`
        are not used. Any other is compiled with these, and with the loss and the metric of the source's task.

        Args:
            source: The opened data source.
            model: `SavedModel`.
            unroll: The setting.
            **options: Other arguments of `TrainingConfig`. Where `jit_compile` is missing or `None`, it is as the model
                was compiled; with `distribute`, off.

        Raises:
            InputError: If the source's sequences do not fit the model.
        """
        stack = model.replace(unroll=unroll, input_shape=source.input_shape)
        if model.compiled:
            options |= {"optimizer": None, "learning_rate": None, "clipnorm": None}
        if options.get("jit_compile") is None:
            options["jit_compile"] = False if options.get("distribute") else model.jit_compile
        return cls(stack=stack, **options)

    def with_unroll(self, unroll: Settings) -> Self:
        """Return the same training run in another setting."""
        return self.model_copy(update={"stack": self.stack.replace(unroll=unroll)})

    def in_run(self, folder: Path) -> Self:
        """Return the same training run with what was given in Python found in the folder of the comparison."""
        changes: dict[str, Any] = {}
        name = SourceName.parse(self.source)
        if name.kind == GIVEN:
            changes["source"] = str(SourceName(GIVEN, (str((folder / name.paths[0]).absolute()),)))
        if isinstance(self.stack, SavedModel) and self.stack.is_given:
            changes["stack"] = self.stack.model_copy(update={"path": str((folder / self.stack.path).absolute())})
        if self.callbacks:
            changes["callbacks"] = str((folder / self.callbacks).absolute())
        return self.model_copy(update=changes) if changes else self

    def open_source(self) -> Source | GivenData:
        """Open the data source.

        Raises:
            DataError: If it is missing or malformed.
        """
        name = SourceName.parse(self.source)
        if name.kind == GIVEN:
            return open_given(Path(name.paths[0]), seed=self.seed)
        return open_source(self.source, timesteps=self.timesteps, examples=self.examples, seed=self.seed)

    def check(self, source: Source | GivenData) -> None:
        """Say early, before a process is started, what would fail later.

        Raises:
            DataError: If a batch is larger than the training data, is not of the only size that a saved model takes, or
                cannot be divided among the devices.
        """
        source.check_batch_size(self.batch_size)
        fixed = self.stack.batch_size if isinstance(self.stack, SavedModel) else None
        if fixed not in (None, self.batch_size):
            raise DataError(
                f"Model '{self.stack.name}' takes batches of {fixed} sequences only, got batch_size={self.batch_size}. "
                f"Give --batch-size {fixed}."
            )
        if self.distribute:
            self._check_shares(self.distribute, fixed)

    def _check_shares(self, devices: int, fixed: int | None) -> None:
        if fixed:
            raise DataError(
                f"Model '{self.stack.name}' takes batches of {fixed} sequences only, so that none can be divided among "
                f"{devices} devices. Leave out --distribute."
            )
        if self.batch_size % devices:
            larger = self.batch_size + devices - self.batch_size % devices
            raise DataError(
                f"A batch of {self.batch_size} sequences cannot be divided into equal shares for {devices} devices. "
                f"Give a multiple of {devices}, such as --batch-size {larger}."
            )

    @property
    def setting(self) -> str:
        """The short name of the setting: `loop`, `full`, `k8`, `own-loop`, or one per layer; then threads, if given."""
        return name_on(settings_name(self.stack.settings), self.threads)
