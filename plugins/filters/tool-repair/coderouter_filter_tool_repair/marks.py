"""What models write before calls, and around them."""

from __future__ import annotations

from coderouter_filter_tool_repair.frames import FRAMES

#: The namespaces that some models write before tags.
_SPACES = ("antml" + ":", "｜DSML｜")
#: Tags around calls, and what ends them.
WRAPPED = {
    "<tool_call>": "</tool_call>",
    "<tool_calls>": "</tool_calls>",
    "<function_call>": "</function_call>",
    "<minimax:tool_call>": "</minimax:tool_call>",
    "<seed:tool_call>": "</seed:tool_call>",
    "<TOOLCALL>": "</TOOLCALL>",
    "<function=": "</function>",
    **{
        f"<{space}{tag}{rest}": f"</{space}{tag}>"
        for space in ("", *_SPACES)
        for tag, rest in (("function_calls", ">"), ("invoke", " name="))
    },
}
#: Marks that a call follows.
MARKS = (
    "<|python_tag|>",
    "<|tool_call|>",
    "<|tool_call_start|>",
    "<|START_ACTION|>",
    "<|action_start|><|plugin|>",
    "[TOOL_CALLS]",
)
_KNOWN = (*WRAPPED, *MARKS, *FRAMES)
_LONGEST_KNOWN = max(map(len, _KNOWN))


def mark_at(text: str, at: int) -> str | None:
    """The mark or tag that begins at `at`; empty where one may still become of it."""
    for known in _KNOWN:
        if text.startswith(known, at):
            return known
    begun = text[at : at + _LONGEST_KNOWN]
    return "" if any(known.startswith(begun) for known in _KNOWN) else None
