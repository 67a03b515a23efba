"""How long a provider may take."""

from __future__ import annotations

from coderouter_core.model import Limits, Profile, Provider

#: Seconds, where the configuration says nothing (the sources stand in docs/reference/failures.md).
CONNECT_S = 5.0
FIRST_BYTE_LOCAL_S = 600.0
FIRST_BYTE_REMOTE_S = 60.0
IDLE_S = 120.0


def limits(provider: Provider, profile: Profile, *, stream: bool) -> Limits:
    """How long this provider may take, by the profile's and the provider's words, else by its place.

    An answer that is not streamed sends its first byte with its last token; without a word in the
    configuration it may take as long from anywhere as a local one.
    """
    said = profile.timeout_s or provider.timeout_s
    place = FIRST_BYTE_LOCAL_S if provider.is_local or not stream else FIRST_BYTE_REMOTE_S
    asked = provider.first_byte_timeout_s or said
    return Limits(
        connect_s=provider.connect_timeout_s or min(CONNECT_S, said or CONNECT_S),
        first_byte_s=asked or place,
        idle_s=said or IDLE_S,
        thinking_s=asked or FIRST_BYTE_LOCAL_S,
    )
