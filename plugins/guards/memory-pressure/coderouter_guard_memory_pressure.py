"""A CodeRouter guard that rests a provider which ran out of memory."""


class MemoryPressureGuard: ...
