"""What is compared: a network in an unroll setting, as a file of a target. Loads without TensorFlow."""

from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator

from kerasunroll.errors import InputError
from kerasunroll.models import SavedModel, StackConfig
from kerasunroll.settings import settings_name

Target = Literal["litert", "onnx", "saved_model"]
Form = Literal["fixed", "dynamic", "flex", "streaming"]
Quantization = Literal["none", "float16", "int8"]

TARGETS: Final[tuple[str, ...]] = get_args(Target)
QUANTIZATIONS: Final[tuple[str, ...]] = get_args(Quantization)
SUFFIXES: Final = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}

FORMS: Final = {
    "fixed": "with a fixed batch",
    "dynamic": "with a batch of any size",
    "flex": "with Flex operations",
    "streaming": "time step by time step",
}
"""The ways to make a file, in words."""

MEASUREMENT: Final = "deployment"
ENDPOINT: Final = "serve"
"""What the function is called that a file offers."""


class Contender(BaseModel):
    """A network in a setting, as a file.

    Args:
        stack: `StackConfig` or `SavedModel`, in its setting.
        target: `"litert"`, `"onnx"` or `"saved_model"`.
        form: `"fixed"`: for batches of `batch_size`; `"dynamic"`: for batches of any size; `"flex"`: the same with
            TensorFlow's own operations, which the plain interpreter lacks; `"streaming"`: stateful, one time step at
            a time.
        quantization: `"none"`, `"float16"` (weights) or `"int8"` (weights and activations).
        batch_size: Integer. The sequences of an inference. Defaults to 1.
        threads: Integer. Threads of the runtime. Defaults to 1.
        data: String or `None`. A file with the sequences that parity is proven and int8 is calibrated on, relative to
            the folder of the comparison; `None` for made-up ones.
        seed: Integer. Draws made-up sequences. Defaults to 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: SerializeAsAny[StackConfig | SavedModel]
    target: Target = "litert"
    form: Form = "fixed"
    quantization: Quantization = "none"
    batch_size: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    data: str | None = None
    seed: int = Field(0, ge=0)

    @field_validator("stack", mode="before")
    @classmethod
    def _read_stack(cls, stack: Any) -> Any:
        if not isinstance(stack, dict):
            return stack
        return SavedModel(**stack) if "sha256" in stack else StackConfig(**stack)

    @property
    def setting(self) -> str:
        """The short name of the unroll setting."""
        return settings_name(self.stack.settings)

    @property
    def label(self) -> str:
        """A name that tells its file from the others, such as `"full fixed"` or `"loop fixed int8"`."""
        words = [self.setting, self.form]
        words += [self.target] if self.target != "litert" else []
        words += [self.quantization] if self.quantization != "none" else []
        return " ".join(words)

    @property
    def name(self) -> str:
        """A name that tells it from the others: that of its file, and of more than one thread their number."""
        return self.label if self.threads == 1 else f"{self.label} {self.threads} threads"

    @property
    def file_name(self) -> str:
        """The name of its file below the folder of the comparison, the same for any number of threads."""
        return self._as_path(self.label)

    @property
    def run_name(self) -> str:
        """Its name as that of a folder or a log."""
        return self._as_path(self.name)

    def _as_path(self, name: str) -> str:
        return f"{name.replace(' ', '-').replace(',', '_')}{SUFFIXES[self.target]}"

    def in_run(self, folder: Path) -> Self:
        """Return the same contender with what was given in Python found in the folder of the comparison."""
        changes: dict[str, Any] = {}
        if isinstance(self.stack, SavedModel) and self.stack.is_given:
            changes["stack"] = self.stack.model_copy(update={"path": str((folder / self.stack.path).absolute())})
        if self.data:
            changes["data"] = str((folder / self.data).absolute())
        return self.model_copy(update=changes) if changes else self

    def question(self) -> dict[str, Any]:
        """Return a record's configuration: what is the same for all contenders."""
        stack = self.stack.model_dump(mode="json")
        del stack["unroll"]
        if "path" in stack:
            stack["path"] = Path(stack["path"]).name
        return {"measurement": MEASUREMENT, "stack": stack, "batch_size": self.batch_size, "data": self.data}


def contenders(
    networks: list[StackConfig | SavedModel],
    targets: list[str],
    quantizations: list[str],
    threads: list[int],
    *,
    streaming: bool = False,
    **options: Any,
) -> list[Contender]:
    """Return everything to be tried, the loop first.

    A LiteRT file is tried for a fixed batch and for any; Flex comes only where neither can be made. Quantisation is
    LiteRT's.

    Args:
        networks: The network in each setting.
        targets: Strings of `TARGETS`.
        quantizations: Strings of `QUANTIZATIONS`.
        threads: Integers.
        streaming: Boolean. Whether to try one time step at a time as well.
        **options: Other arguments of `Contender`.

    Raises:
        InputError: If a target or a quantisation is unknown.
    """
    for what, given, known in (("target", targets, TARGETS), ("quantize", quantizations, QUANTIZATIONS)):
        for each in given:
            if each not in known:
                raise InputError(f"Unknown {what} {each!r}: expected one of {', '.join(known)}.")
    found = []
    for target in dict.fromkeys(targets):
        forms = ("fixed", "dynamic") if target == "litert" else ("dynamic",)
        for quantization in dict.fromkeys(quantizations) if target == "litert" else ["none"]:
            files = [(each, form) for each in networks for form in forms]
            if streaming and target == "litert":
                files.append((networks[0], "streaming"))
            make = {"target": target, "quantization": quantization, **options}
            found += [
                Contender(stack=each, form=form, threads=number, **make)
                for each, form in files
                for number in dict.fromkeys(threads)
            ]
    return found
