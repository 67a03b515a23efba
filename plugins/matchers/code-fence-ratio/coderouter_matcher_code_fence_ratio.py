"""A CodeRouter rule that holds when much of the latest user text is fenced code."""


class CodeFenceRatioMatcher: ...
