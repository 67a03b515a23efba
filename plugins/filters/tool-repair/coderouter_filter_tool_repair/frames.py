"""Calls whose name and arguments stand between tokens of a model's own template: data for the scanner."""

from __future__ import annotations

import re

from attrs import frozen


@frozen
class Frame:
    """`head` leads from the opening to the arguments, and holds the ``name``. Where `never` is found in what came so
    far and `head` is not, none of it is a call."""

    form: str
    head: re.Pattern[str]
    never: re.Pattern[str]


_NAME = r"(?P<name>[\w.-]{1,128})"

#: DeepSeek V3 and R1 say ``function`` before the name, and fence the arguments; V3.1 does neither.
_DEEPSEEK = Frame(
    "deepseek",
    re.compile(
        r"(?:<｜tool▁calls▁begin｜>\s*)?<｜tool▁call▁begin｜>\s*(?:function<｜tool▁sep｜>)?"
        + _NAME
        + r"\s*(?:<｜tool▁sep｜>\s*)?(?:```(?:json)?\s*)?(?=\{)"
    ),
    re.compile(r"\{"),
)
#: Kimi K2: the name stands in an id, ``functions.NAME:NUMBER``.
_KIMI = Frame(
    "kimi",
    re.compile(
        r"(?:<\|tool_calls_section_begin\|>\s*)?<\|tool_call_begin\|>\s*"
        + _NAME
        + r"(?::\d{1,6})?\s*<\|tool_call_argument_begin\|>\s*(?=\{)"
    ),
    re.compile(r"\{"),
)
_TO = r"to=functions\.[\w.-]{1,128}\s*"
#: Harmony, the format of gpt-oss: whom a message is for stands before its channel or behind it.
_HARMONY = Frame(
    "harmony",
    re.compile(
        rf"(?:<\|start\|>assistant\s*)?(?=(?:{_TO})?<\|channel\|>(?:commentary|analysis)\s*(?:{_TO})?"
        r"(?:<\|constrain\|>\s*)?(?:json\s*)?<\|message\|>\s*\{)[^{]*?to=functions\." + _NAME + r"[^{]*(?=\{)"
    ),
    re.compile(r"\{|<\|message\|>\s*[^\s{]"),
)

#: By what begins them.
FRAMES = {
    "<｜tool▁calls▁begin｜>": _DEEPSEEK,
    "<｜tool▁call▁begin｜>": _DEEPSEEK,
    "<|tool_calls_section_begin|>": _KIMI,
    "<|tool_call_begin|>": _KIMI,
    "<|start|>assistant": _HARMONY,
    "<|channel|>": _HARMONY,
}
