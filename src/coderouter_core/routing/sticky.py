"""What a conversation was given by a rule about its content, kept for its later turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from attrs import define

from coderouter_core.model import Clock, Ledger, Request, Rule

AGENT_HEADER = "x-claude-code-agent-id"
#: Conversations that are kept in memory; the one that was silent for longest goes first.
MOST_CONVERSATIONS = 10_000
#: Seconds that a silent conversation is kept.
KEPT_S = 24 * 3600.0
#: Characters of each piece of a first turn that tell conversations apart, beside its length.
TELLING = 4_096


@define
class Kept:
    """The rule that chose, the rules after it that held as well then, and until when (monotonic) this is kept."""

    rule_id: str
    held: frozenset[str]
    until: float


class Conversations:
    """Remembers in memory, and by marks in the ledger, through which workers know of each other's choices."""

    def __init__(self, rules: Sequence[Rule], ledger: Ledger, clock: Clock) -> None:
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def recall(self, key: str) -> Kept | None:
        """What was chosen for this conversation, which is thereby kept on."""
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is None or kept.until <= now:
            self._kept.pop(key, None)
            kept = self._marked(key, now)
            if kept is None:
                return None
            self._put(key, kept)
        self._kept.move_to_end(key)
        if kept.until - now < KEPT_S / 2:
            self.keep(key, kept.rule_id, kept.held)
        return kept

    def keep(self, key: str, rule_id: str, held: Iterable[str]) -> None:
        """Keep the choice of `rule_id`; `held` are rules about the request's shape that held and came later."""
        kept = Kept(rule_id, frozenset(held), self._clock.monotonic() + KEPT_S)
        self._put(key, kept)
        self._ledger.mark(_chosen(key, rule_id), KEPT_S)
        for name in kept.held:
            self._ledger.mark(_held(key, name), KEPT_S)

    def _put(self, key: str, kept: Kept) -> None:
        self._kept[key] = kept
        if len(self._kept) > MOST_CONVERSATIONS:
            self._kept.popitem(last=False)

    def _marked(self, key: str, now: float) -> Kept | None:
        for rule in self._rules:
            if rule.content and (left := self._ledger.marked(_chosen(key, rule.id))):
                shapes = (other.id for other in self._rules if not other.content)
                held = frozenset(name for name in shapes if self._ledger.marked(_held(key, name)))
                return Kept(rule.id, held, now + left)
        return None


def _chosen(key: str, rule_id: str) -> str:
    return f"sticky:{key}:{rule_id}"


def _held(key: str, rule_id: str) -> str:
    return f"sticky-held:{key}:{rule_id}"


def conversation_of(request: Request) -> str | None:
    """What tells this conversation from others: the client's session and agent, else what its first turn says;
    the model and the client's key belong to it either way. None where there is nothing to go by."""
    told = request.session_id
    parts = [request.client_key or "", request.model]
    if told is not None:
        parts += ["session", told, request.headers.get(AGENT_HEADER, "")]
    else:
        first = next((turn for turn in request.turns if turn.get("role") == "user"), None)
        if first is None:
            return None
        parts += ["turn", *_telling(first.get("content"))]
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def _telling(content: object) -> list[str]:
    """The text of a turn, and what its other blocks are."""
    if isinstance(content, str):
        return [str(len(content)), content[:TELLING]]
    found: list[str] = []
    for block in content if isinstance(content, list) else ():
        said = block.get("text") if isinstance(block, dict) else None
        found += _telling(said) if isinstance(said, str) else [repr(block)[:TELLING]]
    return found
