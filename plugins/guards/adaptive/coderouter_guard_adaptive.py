"""A CodeRouter guard that prefers the providers which are fast and reliable now."""


class AdaptiveGuard: ...
