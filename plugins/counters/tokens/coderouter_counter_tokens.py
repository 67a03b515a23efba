"""Exact token counts for CodeRouter, by a BPE vocabulary that comes in the wheel."""


class TokensCounter: ...
