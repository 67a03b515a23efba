"""A CodeRouter guard that moves failing providers back until they are well again."""


class BackendHealthGuard: ...
