"""Placeholder."""


class Anthropic: ...
