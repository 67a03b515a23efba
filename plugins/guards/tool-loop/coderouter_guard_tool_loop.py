"""A CodeRouter guard that notices when an agent repeats one tool call."""


class ToolLoopGuard: ...
