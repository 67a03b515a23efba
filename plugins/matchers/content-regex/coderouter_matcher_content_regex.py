"""A CodeRouter rule that holds when the latest user text matches a pattern."""


class ContentRegexMatcher: ...
