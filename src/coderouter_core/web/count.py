"""``count_tokens``: answered here, by estimate, unless a native provider says that it counts itself."""

from __future__ import annotations

import orjson

from coderouter_core.engine import limits
from coderouter_core.errors import RequestError, UpstreamError
from coderouter_core.events import current_request
from coderouter_core.model import Call, Dialect, Operation, Profile, Request
from coderouter_core.router import CodeRouter
from coderouter_core.web.exchange import ClientGone, HttpConnection, Receive, Scope, Send, decode, read_body
from coderouter_core.web.generate import CREDENTIALS, answer_fault, id_headers, request_id
from coderouter_core.wire import codec


class CountTokens:
    """ASGI endpoint. Counts text, tool definitions, tool calls and tool results."""

    def __init__(self, router: CodeRouter) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = request_id()
        current_request.set(identity)
        connection = HttpConnection(send)
        try:
            raw = await read_body(receive, self._router.config.settings.max_body_bytes)
            body = decode(raw)
            codec(Dialect.MESSAGES).check({"max_tokens": 1, **body})
            headers = {
                name: value for name, value in scope["coderouter.headers"].items() if name not in CREDENTIALS
            }
            request = Request(identity, Dialect.MESSAGES, body, raw, headers)
            profile = await self._router.routing.choose(request)
            count = await self._native(request, profile)
        except ClientGone:
            return
        except RequestError as error:
            await answer_fault(connection, Dialect.MESSAGES, error.fault, identity)
            return
        if count is None:
            await request.prepare(("tokens",))
            count = max(1, request.tokens)
        answer = orjson.dumps({"input_tokens": count})
        fixed = {"content-type": "application/json", "content-length": str(len(answer))}
        await connection.open(200, {**fixed, **id_headers(identity), "x-coderouter-profile": profile.name})
        await connection.finish(answer)

    async def _native(self, request: Request, profile: Profile) -> int | None:
        """The first provider's own count; an adapter that does not count says None without asking anybody."""
        provider = self._router.providers[profile.providers[0]]
        if self._router.engine.chains.gate(provider, profile) is not None:
            return None
        body = {key: value for key, value in request.body.items() if key != "profile"}
        call = Call(
            provider,
            request.id,
            Dialect.MESSAGES,
            Operation.GENERATE,
            orjson.dumps({**body, "model": provider.model or request.model}),
            stream=False,
            limits=limits(provider, profile, stream=True),
            headers={name: value for name, value in request.headers.items() if name.startswith("anthropic-")},
        )
        try:
            return await self._router.adapters[provider.name].count_tokens(call)
        except UpstreamError:
            return None
