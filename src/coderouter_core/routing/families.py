"""What models' own counts of a prompt are to ours, learned from what upstreams report."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from weakref import WeakValueDictionary

from attrs import define

from coderouter_core.events import Event
from coderouter_core.model import Request
from coderouter_core.model.tokens import ESTIMATE, Tokenizer

#: Families that are remembered; the one that was not seen for longest goes first.
MOST_FAMILIES = 200
#: Prompts that must have been seen before a family has a factor.
FEWEST_PROMPTS = 3
#: The share of the latest prompt in a factor that is well known.
LATEST = 0.1
#: A shorter prompt says more of a chat template than of a vocabulary.
SHORTEST_PROMPT = 200
#: Outside of this, something other than a vocabulary is at work, such as a cache that the upstream does not tell of.
PLAUSIBLE = (0.4, 3.0)
#: Prompts that are counted only to learn from them: all of a family at first, then some, and few at once.
COUNTED_AT_FIRST = 8
COUNTED_LATER = 1024
COUNTED_AT_ONCE = 4

_SEPARATORS = re.compile(r"[-_.:@\s]+")


def family_of(model: str) -> str:
    """What models with one vocabulary have in common: ``anthropic/claude-sonnet-4-5`` is ``claude-sonnet``."""
    words = _SEPARATORS.split(model[:200].rpartition("/")[2].lower().strip())
    return "-".join(words[:2])


@define
class Learned:
    """`ratio` of reported tokens to ours after `prompts`; `seen` counts all prompts, usable or not. `exact` says that
    ours are a tokenizer's, and not estimated. `factor` is the ratio as of when there were prompts enough."""

    factor: float = 1.0
    ratio: float = 1.0
    exact: bool = False
    prompts: int = 0
    seen: int = 0


class Families:
    """Watches requests and what came of them. Families are told by the model id that the client sends, since that
    is what is known when a profile is chosen. `tokenizer` is what counts prompts, where they are not estimated."""

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self._tokenizer = tokenizer
        self._learned: OrderedDict[str, Learned] = OrderedDict()
        self._requests: WeakValueDictionary[str, Request] = WeakValueDictionary()
        self._counting: set[asyncio.Task[None]] = set()

    @property
    def _exact(self) -> bool:
        return self._tokenizer is not None and self._tokenizer.exact

    def factor(self, model: str) -> float:
        """What our count of a prompt for `model` is to be multiplied by; 1.0 while too little is known."""
        learned = self._learned.get(family_of(model))
        return learned.factor if learned is not None else 1.0

    def watch(self, request: Request) -> None:
        """Learn from this request when its usage comes, if it lives until then."""
        self._requests[request.id] = request

    def saw(self, event: Event) -> None:
        """Take an event of the router: usage is told by ``cache-observed``."""
        if event.name != "cache-observed" or event.fields["estimated"]:
            return
        request = self._requests.get(event.request_id or "")
        cached = event.fields["cache_read_input_tokens"] or event.fields["cache_creation_input_tokens"]
        reported = event.fields["input_tokens"]
        if request is None or cached or not reported:
            return
        family = self._of(request.model)
        if family.exact is not self._exact:
            # The factor of estimates serves until counts have taught their own.
            family.exact, family.seen, family.prompts = self._exact, 0, 0
        family.seen += 1
        if request.prompt_size is not None:
            _learn(family, request, reported)
        elif family.seen <= COUNTED_AT_FIRST or family.seen % COUNTED_LATER == 0:
            self._count_aside(family, request, reported)

    def _of(self, model: str) -> Learned:
        name = family_of(model)
        learned = self._learned.setdefault(name, Learned())
        self._learned.move_to_end(name)
        if len(self._learned) > MOST_FAMILIES:
            self._learned.popitem(last=False)
        return learned

    def _count_aside(self, family: Learned, request: Request, reported: int) -> None:
        """Count a prompt that nobody asked about, after its answer."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if len(self._counting) < COUNTED_AT_ONCE:
            task = loop.create_task(self._count(family, request, reported))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)

    async def _count(self, family: Learned, request: Request, reported: int) -> None:
        if not self._exact:
            # To learn is no reason to load a vocabulary that nobody has asked for yet.
            request.count_with(ESTIMATE)
        await request.prepare(("tokens",))
        _learn(family, request, reported)


def _learn(family: Learned, request: Request, reported: int) -> None:
    size = request.prompt_size
    if size is None or size.media or size.text < SHORTEST_PROMPT or size.exact is not family.exact:
        return
    ratio = reported / size.text
    if not PLAUSIBLE[0] <= ratio <= PLAUSIBLE[1]:
        return
    family.prompts += 1
    family.ratio += (ratio - family.ratio) * max(LATEST, 1 / family.prompts)
    if family.prompts >= FEWEST_PROMPTS:
        family.factor = family.ratio
