"""The errors of the house.

::

    CodeRouterError
    ├── ConfigError          the operator's files: a list of `Problem`s, each with its place
    ├── PluginError          a plugin's hook raised where its answer is needed
    ├── RequestError         the client's request cannot be served as it is; carries a `Fault`
    ├── UpstreamError        one attempt failed; carries what the upstream said
    └── ChainError           no provider could answer; carries every reason
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from traceback import extract_tb
from typing import Any

from attrs import frozen

from coderouter_core.model import Fault


class CodeRouterError(Exception):
    """Anything this house raises on purpose."""


@frozen
class Problem:
    """One mistake in a file: where (`file`, 1-based `line` and `column`, `path` of keys), what, what to do."""

    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ConfigError(CodeRouterError):
    """Everything that is wrong with a configuration, at once."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            Problem(problem) if isinstance(problem, str) else problem for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PluginError(CodeRouterError):
    """`hook` of `plugin` raised and its answer cannot be done without."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        self.plugin = plugin
        self.hook = hook
        self.cause = cause
        super().__init__(f"plugin {plugin!r} raised in {hook}: {type(cause).__name__}: {cause}")

    @property
    def fault(self) -> Fault:
        """What the client is told: who failed, not in which words."""
        message = f"plugin {self.plugin!r} failed in {self.hook}; its judgement cannot be done without"
        return Fault(500, "api_error", message, code="plugin_failed")


class RequestError(CodeRouterError):
    """The request ends here, with `fault` in the client's dialect."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


class UpstreamError(CodeRouterError):
    """One attempt failed.

    `kind` is one of ``transport``, ``timeout``, ``status``, ``garbage``, ``empty``, ``stream``, ``context``, ``plugin``.
    `fault` is what the client would be told if this were the last word. `status` is the upstream's HTTP
    status, None when there was none. `window` is the backend's context window, where it told. `place` is the
    address that was spoken to, where that matters: the operator reads it in `told`, clients do not.
    """

    def __init__(
        self,
        kind: str,
        fault: Fault,
        *,
        status: int | None = None,
        window: int | None = None,
        place: str = "",
    ) -> None:
        self.kind = kind
        self.fault = fault
        self.status = status
        self.window = window
        self.place = place
        super().__init__(self.told)

    @property
    def told(self) -> str:
        """What happened, and where, for the operator's eyes."""
        return f"{self.place}: {self.fault.message}" if self.place else self.fault.message


class ChainError(CodeRouterError):
    """No provider could answer. `reasons` are (provider, reason) in the order of the chain."""

    def __init__(self, fault: Fault, reasons: Sequence[tuple[str, str]]) -> None:
        self.fault = fault
        self.reasons = tuple(reasons)
        super().__init__(fault.message)


def where(error: BaseException) -> str:
    """The error and the places it came through: never values, which may be a request's text."""
    places = [
        f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} in {' > '.join(places[-6:])}"


def listing(heading: str, reasons: Iterable[tuple[str, Any]]) -> str:
    """`heading`, then a line for each reason."""
    return "\n".join([f"{heading}:", *(f"  {name}: {reason}" for name, reason in reasons)])
