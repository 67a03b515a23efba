"""Placeholder."""


class OpenAICompat: ...
