"""``count_tokens``: answered here, by estimate, unless a native provider says that it counts itself."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from coderouter_core.engine import limits
from coderouter_core.errors import RequestError, UpstreamError
from coderouter_core.model import Call, Dialect, Operation, Profile, Request
from coderouter_core.router import CodeRouter
from coderouter_core.web.account import Account
from coderouter_core.web.exchange import ClientGone, HttpConnection, Receive, Scope, Send, decode, read_body
from coderouter_core.web.generate import CREDENTIALS, answer_fault, id_headers
from coderouter_core.wire import codec


class CountTokens:
    """ASGI endpoint. Counts text, tool definitions, tool calls and tool results."""

    def __init__(self, router: CodeRouter) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["coderouter.headers"]
        with Account(self._router, Dialect.MESSAGES, "count", headers) as account:
            await self._answer(headers, receive, HttpConnection(send), account)

    async def _answer(
        self, headers: Mapping[str, str], receive: Receive, connection: HttpConnection, account: Account
    ) -> None:
        try:
            raw = await read_body(receive, self._router.config.settings.max_body_bytes)
            body, _ = decode(raw)
            codec(Dialect.MESSAGES).check({"max_tokens": 1, **body})
            kept = {name: value for name, value in headers.items() if name not in CREDENTIALS}
            request = Request(account.id, Dialect.MESSAGES, body, raw, kept)
            account.came(request.model, size=len(raw))
            profile = await self._router.routing.choose(request)
            count = await self._native(request, profile)
        except ClientGone:
            account.left()
            return
        except RequestError as error:
            await answer_fault(connection, Dialect.MESSAGES, error.fault, account.id)
            account.ended(error.fault.status, "refused")
            return
        if count is None:
            await request.prepare(("tokens",))
            count = max(1, request.tokens)
        answer = orjson.dumps({"input_tokens": count})
        fixed = {"content-type": "application/json", "content-length": str(len(answer))}
        told = {**fixed, **id_headers(account.id), "x-coderouter-profile": profile.name}
        await connection.open(200, told)
        await connection.finish(answer)
        account.ended(200, "ok", profile=profile.name)

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
