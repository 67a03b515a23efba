"""How clients are pointed at a router."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

#: Addresses to bind to that nobody can connect to, and what to connect to instead.
_REACHED_BY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


@frozen
class Pointer:
    """What to do for one kind of client. `lines` can be pasted as they are."""

    client: str
    lines: Sequence[str]


def url_of(host: str, port: int) -> str:
    """The address of a router bound to `host`, for a client on this machine."""
    bare = host.strip("[]")
    bare = _REACHED_BY.get(bare, bare)
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"


def pointers(url: str, key: str = "", claude: str = "claude") -> list[Pointer]:
    """For Claude Code, for what speaks to OpenAI, and for curl. `key` stands for the client's key, if it needs one."""
    shown = key or "anything"
    curl = [f"curl {url}/v1/chat/completions \\", "  -H 'content-type: application/json' \\"]
    if key:
        curl.append(f"  -H 'authorization: Bearer {key}' \\")
    curl.append("""  -d '{"messages": [{"role": "user", "content": "hi"}]}'""")
    return [
        Pointer("Claude Code", [f"ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={shown} \\", f"  {claude}"]),
        Pointer("OpenAI SDK", [f'OpenAI(base_url="{url}/v1", api_key="{shown}")']),
        Pointer("curl", curl),
    ]
