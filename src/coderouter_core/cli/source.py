"""Where the configuration of `serve` comes from: a file, or what is found here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import click
from attrs import field, frozen

from coderouter_core.cli.assemble import Assembly, from_file, from_text
from coderouter_core.config import find, unnamed
from coderouter_core.errors import ConfigError

#: What problems and logs call a configuration that is in no file.
DISCOVERED = "(found here)"


@frozen
class Source:
    """A configuration: the file it stands in, or its text where it was made."""

    file: str
    text: str | None = field(default=None, repr=False)

    def assemble(self, environ: Mapping[str, str]) -> Assembly:
        if self.text is None:
            return from_file(Path(self.file), environ)
        return from_text(self.text, self.file, environ)

    def read(self) -> str:
        return Path(self.file).read_text(encoding="utf-8-sig") if self.text is None else self.text


def choose(config: str | None, environ: Mapping[str, str]) -> Source:
    """The file that is named or found; else what discovery makes, told on standard error.

    Raises `ConfigError` for a named file that is not there, and when nothing can answer.
    """
    path = find(config, environ)
    if path is not None:
        return Source(str(path))
    unread = [
        f"./{beside} is not read unless it is named: coderouter serve --config {beside}"
        for beside in (unnamed(),)
        if beside
    ]
    from coderouter_core.cli.discover import as_yaml, discover, nothing, report

    found = asyncio.run(discover(environ))
    if not found.can_answer:
        raise ConfigError("\n".join([nothing(found), *unread]))
    click.echo("no configuration; found here:", err=True)
    for line in (*report(found), *unread):
        click.echo(f"  {line}", err=True)
    return Source(DISCOVERED, as_yaml(found))
