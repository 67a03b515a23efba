"""A CodeRouter rule that holds when the latest user text contains some words."""


class ContentContainsMatcher: ...
