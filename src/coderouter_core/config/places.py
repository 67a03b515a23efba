"""Find the place of a problem that was noticed after the file was read."""

from __future__ import annotations

import re

from attrs import evolve

from coderouter_core.errors import Problem
from coderouter_core.model import Config

_LAST_STEP = re.compile(r"(?:\.[^.\[]*|\[\d+\])$")


def placed(problem: Problem, config: Config) -> Problem:
    """`problem` with the file, line and column of its `path`; what is missing stands where the mapping begins
    that misses it. A problem that has a place, or no path, is left as it is."""
    if problem.line or not problem.path:
        return problem
    path = problem.path
    while path and path not in config.places:
        path, before = _LAST_STEP.sub("", path), path
        if path == before:
            return problem
    if not path:
        return problem
    line, column = config.places[path]
    return evolve(problem, file=config.source, line=line, column=column)
