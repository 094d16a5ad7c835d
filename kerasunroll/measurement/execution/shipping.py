"""Files that a training run names, and those that it makes: sent along, as machines need not share a file system."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kerasunroll.data.files import read_bytes
from kerasunroll.data.names import GIVEN, SourceName
from kerasunroll.errors import InputError, RunError
from kerasunroll.models import SavedModel
from kerasunroll.training.config import TrainingConfig


@dataclass(frozen=True)
class ShippedFile:
    """A file on its way.

    Args:
        name: String. How the configuration names it.
        sha256: String. The checksum of its content.
        content: Bytes.
    """

    name: str
    sha256: str
    content: bytes

    @classmethod
    def of(cls, name: str) -> "ShippedFile":
        """Return a file of this machine.

        Raises:
            DataError: If it cannot be read.
        """
        content = read_bytes(Path(name).expanduser())
        return cls(name, _checksum(content), content)

    def unpack(self, folder: Path) -> Path:
        """Write it into a folder of its own below `folder`, and return where it lies.

        Raises:
            RunError: If it is not what was sent.
        """
        if (came := _checksum(self.content)) != self.sha256:
            raise RunError(f"'{self.name}' was damaged on its way: its checksum is {came}, expected {self.sha256}.")
        path = folder / self.sha256[:16] / Path(self.name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return path


def named_files(config: TrainingConfig) -> list[str]:
    """Return the files that a training run reads: those of its data, and that of a saved model."""
    name = SourceName.parse(config.source)
    if name.kind == GIVEN:
        raise InputError(
            "The data were given in Python, in a folder of this machine, and are measured on it alone. Leave out "
            "--executor ray."
        )
    model = [config.stack.path] if isinstance(config.stack, SavedModel) else []
    return [*name.whole.paths, *model]


def with_files(config: TrainingConfig, places: Mapping[str, Path]) -> TrainingConfig:
    """Return a training run that reads its files at other places.

    Args:
        config: `TrainingConfig`.
        places: Mapping from each of its files, as `named_files` names it, to where that lies now.
    """
    changes: dict[str, object] = {"source": str(SourceName.parse(config.source).at(places))}
    if isinstance(config.stack, SavedModel):
        changes["stack"] = config.stack.model_copy(update={"path": str(places[config.stack.path].absolute())})
    return config.model_copy(update=changes)


@dataclass
class NewFiles:
    """What a variant's folder holds that has not been sent yet.

    Args:
        folder: Path. The folder of the variant.
    """

    folder: Path
    _sent: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def take(self) -> dict[str, bytes]:
        """Return what is new or changed since it was asked last: contents by paths relative to the folder."""
        new = {}
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            facts = path.stat()
            version = facts.st_mtime_ns, facts.st_size
            if self._sent.get(path) != version:
                self._sent[path] = version
                new[path.relative_to(self.folder).as_posix()] = path.read_bytes()
        return new


def put_down(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files that came back into a folder.

    Raises:
        RunError: If one of them cannot be written, or would lie outside.
    """
    for name, content in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RunError(f"A node sent a file '{name}', which would lie outside '{folder}'.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise RunError(f"Could not write '{path}': {error.strerror}.") from error


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
