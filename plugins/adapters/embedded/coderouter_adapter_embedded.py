"""Placeholder."""


class Embedded: ...
