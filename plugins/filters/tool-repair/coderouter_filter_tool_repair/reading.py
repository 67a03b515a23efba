"""Read calls in a piece of text that looks like one. `MismatchError` says why it is none."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

from coderouter_filter_tool_repair.balance import closed
from coderouter_filter_tool_repair.heads import ARG_KEY, ARGUMENTS, BESIDE, NAMES
from coderouter_filter_tool_repair.tools import Call, MismatchError, Tools

#: Characters of Python that are read; more would take too long at once.
MOST_PYTHON = 8 * 1024

_DECODER = json.JSONDecoder(strict=False)
_BETWEEN = re.compile(r"[\s,;]*")
_CLOSERS = re.compile(r"[\s}\]]*\Z")
#: Calls in one piece of text; more are the talk of a model that repeats itself.
MOST_CALLS = 128
#: What of a text is put right at most; more would take too long at once.
MOST_WRONG = 4096

#: JSON as it should be; Python's strings and literals; commas too many.
_PYTHONIC = re.compile(
    r"""((?:[^"',\w]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?!(?:True|False|None)\b)\w++|,(?!\s*[}\]]))++)"""
    r"""|'([^'\\]*(?:\\.[^'\\]*)*)'|\b(True|False|None)\b|,""",
    re.DOTALL,
)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_ESCAPED = re.compile(r"\\(.)|\"", re.DOTALL)
_NAMESPACE = re.compile(r"(</?)(?:[a-z]+:|｜DSML｜)(?=invoke\b|parameter\b|function_calls\b)")
_ATTRIBUTE = re.compile(r"""\s+name\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>""")
_MISTRAL = re.compile(r"([\w.-]+)\s*(?:\[CALL_ID\]\s*[\w-]+\s*)?(?:\[ARGS\])?\s*")
_NAME_AND_KEYS = re.compile(rf"([A-Za-z_][\w.-]*)\s*(?:\Z|(?={ARG_KEY}))")


def in_json(text: str, tools: Tools, *, named: bool = False) -> list[Call]:
    """Objects one after the other, and lists of them. `named`: a name alone is a call, too."""
    calls: list[Call] = []
    for value in _values(text.strip()):
        calls += islice(_calls(value, tools, named), MOST_CALLS + 1)
        if len(calls) > MOST_CALLS:
            raise MismatchError(f"there are more than {MOST_CALLS} calls in it")
    if not calls:
        raise MismatchError("there is no call in it")
    return calls


def _values(text: str) -> list[Any]:
    for attempt in (_as_it_is, _as_python, _as_cut):
        try:
            return attempt(text)
        except (ValueError, RecursionError):
            continue
    raise MismatchError("it is not JSON")


def _as_it_is(text: str) -> list[Any]:
    values: list[Any] = []
    at = 0
    while at < len(text):
        value, at = _DECODER.raw_decode(text, at)
        values.append(value)
        if _CLOSERS.match(text, at):
            # A bracket too many, as models like to end with.
            break
        found = _BETWEEN.match(text, at)
        at = found.end() if found else at
    return values


def _as_python(text: str) -> list[Any]:
    return _as_it_is(_put_right(text))


def _put_right(text: str) -> str:
    text, wrong = _PYTHONIC.subn(_in_json, text, MOST_WRONG)
    if wrong >= MOST_WRONG:
        raise ValueError
    return text


def _as_cut(text: str) -> list[Any]:
    whole = closed(text) or closed(_put_right(text))
    if whole is None:
        raise ValueError
    return _as_it_is(whole)


def _in_json(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    if found[2] is not None:
        return f'"{_ESCAPED.sub(_requoted, found[2])}"'
    return _WORDS.get(found[3], "")


def _requoted(found: re.Match[str]) -> str:
    if found[1] is None:
        return '\\"'
    return "'" if found[1] == "'" else found[0]


def _calls(value: Any, tools: Tools, named: bool) -> Iterator[Call]:
    if isinstance(value, list):
        for one in value:
            yield from _calls(one, tools, named)
        return
    if not isinstance(value, dict):
        raise MismatchError("a call is not an object")
    rest = {key: one for key, one in value.items() if key not in BESIDE}
    if value.get("content"):
        raise MismatchError("there is text beside the calls")
    if list(rest) == ["tool_calls"] and isinstance(rest["tool_calls"], list):
        yield from _calls(rest["tool_calls"], tools, named)
        return
    if list(rest) == ["function"] and isinstance(rest["function"], dict):
        yield from _calls(rest["function"], tools, named)
        return
    names = [rest.pop(key) for key in (*NAMES, "function") if key in rest]
    arguments = [rest.pop(key) for key in ARGUMENTS if key in rest]
    if rest or len(names) != 1 or not isinstance(names[0], str):
        raise MismatchError("an object has other keys than a call")
    if len(arguments) > 1 or not (arguments or named):
        raise MismatchError("an object has no arguments, or several")
    yield tools.call(names[0], arguments[0] if arguments else {})


def in_mistral(text: str, tools: Tools) -> list[Call]:
    """What follows ``[TOOL_CALLS]``: a list, or a name and its arguments."""
    if text.lstrip()[:1] in ("[", "{"):
        return in_json(text, tools)
    found = _MISTRAL.match(text.lstrip())
    if found is None:
        raise MismatchError("there is no name in it")
    return named(found[1], text.lstrip()[found.end() :], tools)


def named(name: str, text: str, tools: Tools) -> list[Call]:
    """A call whose arguments, one JSON object, stand apart from its name."""
    (arguments, *more) = _values(text.strip())
    if more:
        raise MismatchError("there is more than one object of arguments")
    return [tools.call(name, arguments)]


def in_tags(text: str, tools: Tools) -> list[Call]:
    """What stands between tags: JSON, ``<function=…>`` or ``<invoke name=…>``."""
    text = _NAMESPACE.sub(r"\1", text).strip()
    for opening, closing in (("<function=", "</function>"), ("<invoke", "</invoke>")):
        if text.startswith(opening):
            parts = text.split(opening)[1:]
            if len(parts) > MOST_CALLS:
                raise MismatchError(f"there are more than {MOST_CALLS} calls in it")
            return [_element(part, closing, tools) for part in parts]
    if found := _NAME_AND_KEYS.match(text):
        return [tools.call(found[1], _keyed(text[found.end() :]))]
    if text[:1] in ("{", "["):
        try:
            return in_json(text, tools, named=True)
        except MismatchError:
            if text[:1] == "{":
                raise
    return in_python(text, tools)


def _element(part: str, closing: str, tools: Tools) -> Call:
    name, rest = _name(part)
    body, closed_, after = rest.partition(closing)
    if after.strip() and not after.strip().startswith("</"):
        raise MismatchError("there is text beside the calls")
    tool = tools.named(name)
    if body.lstrip().startswith("{"):
        return named(tool.name, body, tools)[0]
    properties = tool.schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    found: dict[str, Any] = {}
    before, *parameters = body.split("<parameter")
    if before.strip():
        raise MismatchError("there is text beside the parameters")
    if parameters and not closed_ and "</parameter>" not in parameters[-1]:
        raise MismatchError("a parameter has not ended")
    for parameter in parameters:
        key, value = _name(parameter.removeprefix("="))
        value, ended, after = value.partition("</parameter>")
        if after.strip():
            raise MismatchError("there is text beside the parameters")
        value = value.removeprefix("\n")
        found[key] = value.removesuffix("\n") if ended else value.rstrip()
    return tools.call(tool.name, found)


def _keyed(text: str) -> dict[str, Any]:
    """``<arg_key>``, ``<arg_value>``, as often as there are arguments."""
    found: dict[str, Any] = {}
    for pair in text.split(ARG_KEY)[1:]:
        key, named_, rest = pair.partition("</arg_key>")
        before, opened, value = rest.partition("<arg_value>")
        value, ended, after = value.partition("</arg_value>")
        if not (named_ and opened and ended):
            raise MismatchError("an argument has not ended")
        if before.strip() or after.strip():
            raise MismatchError("there is text beside the arguments")
        found[key.strip()] = value
    return found


def _name(text: str) -> tuple[str, str]:
    """The name in a tag whose beginning was cut off, and what follows the tag."""
    if found := _ATTRIBUTE.match(text):
        return found[1] or found[2] or "", text[found.end() :]
    name, ended, rest = text.partition(">")
    if not ended:
        raise MismatchError("a tag has not ended")
    return name.strip().strip("\"'"), rest


def in_python(text: str, tools: Tools) -> list[Call]:
    """``name(key="value")``, or a list of such calls."""
    if len(text) > MOST_PYTHON:
        raise MismatchError("it is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        nodes = tree.body.elts if isinstance(tree.body, ast.List) else [tree.body]
        said = [_python_call(node) for node in nodes]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MismatchError("it is not a call") from None
    if not said:
        raise MismatchError("there is no call in it")
    return [tools.call(name, arguments) for name, arguments in said]


def _python_call(node: ast.expr) -> tuple[str, dict[str, Any]]:
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError
        arguments[keyword.arg] = _literal(keyword.value)
    return ast.unparse(node.func), arguments


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return node.value
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(one) for one in node.elts]
    if isinstance(node, ast.Dict):
        keys = [_literal(key) if key is not None else None for key in node.keys]
        if not all(isinstance(key, str) for key in keys):
            raise ValueError
        return dict(zip(keys, map(_literal, node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        if isinstance(value, int | float):
            return -value
    raise ValueError
