"""A CodeRouter rule that holds when the request declares tools."""


class HasToolsMatcher: ...
