"""Which model is meant, and what is known of it before it is loaded."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from coderouter_adapter_embedded.gguf import Header, read_header
from coderouter_adapter_embedded.weights import SMOLLM2, find_model
from coderouter_core.api import ConfigError, Problem

#: Tokens a request may use where nobody says otherwise: two requests of a small model fit in 200 MB.
CONTEXT = 4096


@frozen
class Model:
    """`context` is in tokens a request. `given` is the configured file, None for the packaged model."""

    id: str
    title: str
    context: int
    given: Path | None = None

    def file(self) -> Path | None:
        """Where the weights are now, None when they are not on this machine."""
        if self.given is None:
            return find_model()
        return self.given if self.given.is_file() else None


def choose_model(provider: str, file: str | None, context: int | None) -> Model:
    """The model of the configured `file`, or the packaged one. Raises `ConfigError`."""
    keys = f"providers[{provider}].embedded"
    if file is None:
        window = _window(keys, context, SMOLLM2.context)
        return Model(SMOLLM2.id, SMOLLM2.title, window)
    path = Path(file).expanduser()
    header = _header(keys, file, path)
    return Model(path.stem, header.name or path.stem, _window(keys, context, header.context), path)


def _header(keys: str, file: str, path: Path) -> Header:
    what_to_do = "give the path of a GGUF file, or leave the key out for the packaged model"
    try:
        return read_header(path)
    except OSError as error:
        wrong = f"{file!r} cannot be read ({error.strerror}); {what_to_do}"
        raise ConfigError(Problem(wrong, f"{keys}.model")) from error
    except ValueError as error:
        raise ConfigError(Problem(f"{file!r}: {error}; {what_to_do}", f"{keys}.model")) from error


def _window(keys: str, context: int | None, trained: int | None) -> int:
    if context is None:
        return min(CONTEXT, trained or CONTEXT)
    if trained is not None and context > trained:
        wrong = f"must be at most {trained}, which this model was trained for, not {context}"
        raise ConfigError(Problem(wrong, f"{keys}.context"))
    return context
