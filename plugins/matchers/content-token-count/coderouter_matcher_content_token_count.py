"""A CodeRouter rule that holds when the request is long."""


class ContentTokenCountMatcher: ...
