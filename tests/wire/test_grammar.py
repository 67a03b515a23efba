"""The grammar's judge finds what is wrong, and nothing else."""

from __future__ import annotations

import pytest

from coderouter_core.model import Dialect
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.sse import write

START = write(
    b'{"type":"message_start","message":{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}}',
    "message_start",
)
OPEN = write(
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    "content_block_start",
)
TOOL = write(
    b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":{}}}',
    "content_block_start",
)
NAMED_TOOL = TOOL.replace(b'"input"', b'"id":"i","name":"f","input"')
DELTA = write(
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}',
    "content_block_delta",
)
JSON = DELTA.replace(b"text_delta", b"input_json_delta").replace(b'"text"', b'"partial_json"')
CALL = NAMED_TOOL + JSON
CLOSE = write(b'{"type":"content_block_stop","index":0}', "content_block_stop")
LAST = write(
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
    "message_delta",
)
STOP = write(b'{"type":"message_stop"}', "message_stop")
ERROR = write(b'{"type":"error","error":{"type":"api_error","message":"x"}}', "error")
NEW = write(b'{"type":"brand_new"}', "brand_new")
PING = write(b'{"type":"ping"}', "ping")
BLOCK = OPEN + DELTA + CLOSE
END = LAST + STOP


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(START + BLOCK + END, id="answer"),
        pytest.param(PING + START + PING + BLOCK + PING + END, id="pings"),
        pytest.param(START + END, id="empty"),
        pytest.param(START + OPEN + DELTA + ERROR, id="broken-in-a-block"),
        pytest.param(ERROR, id="only-an-error"),
        pytest.param(NEW + START + NEW + BLOCK + LAST + NEW + STOP + NEW, id="unknown-events"),
        pytest.param(START + CALL + CLOSE + END, id="call"),
        pytest.param(
            START + OPEN.replace(b'"text"', b'"brand_new"') + DELTA + CLOSE + END,
            id="any-delta-in-a-new-block",
        ),
    ],
)
def test_correct_messages_streams(stream: bytes) -> None:
    assert problems(Dialect.MESSAGES, stream) == []


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        pytest.param(b"", "the stream does not end with message_stop or error", id="nothing"),
        pytest.param(START + END[:-1], "the stream does not end with a whole frame", id="half-a-frame"),
        pytest.param(
            START + BLOCK + LAST, "the stream does not end with message_stop or error", id="no-stop"
        ),
        pytest.param(START + BLOCK + STOP, "message_delta comes 0 times", id="no-delta"),
        pytest.param(START + LAST + END, "message_delta comes 2 times", id="two-deltas"),
        pytest.param(BLOCK + END, "the first event is not message_start", id="no-start"),
        pytest.param(START + START + END, "message_start comes twice", id="two-starts"),
        pytest.param(START + END + BLOCK, "something follows the end", id="after-the-end"),
        pytest.param(
            START + LAST + BLOCK + STOP, "message_delta is not the last event but one", id="block-too-late"
        ),
        pytest.param(START + OPEN + BLOCK + END, "block 0 starts inside block 0", id="nested"),
        pytest.param(START + DELTA + END, "content_block_delta without a block", id="no-block"),
        pytest.param(START + OPEN + DELTA + END, "message_delta inside block 0", id="open-at-the-end"),
        pytest.param(START + OPEN + CLOSE + END, "block 0 has no delta", id="no-text"),
        pytest.param(START + BLOCK + BLOCK + END, "content_block_start has index 0, not 1", id="wrong-index"),
        pytest.param(START + TOOL + CLOSE + END, "a tool_use block lacks its id or name", id="nameless"),
        pytest.param(
            START + TOOL + DELTA + CLOSE + END, "a text_delta in a block of tool_use", id="wrong-delta"
        ),
        pytest.param(
            START.replace(b'"content":[],', b"") + END,
            "message_start lacks its empty content or its usage",
            id="no-content",
        ),
        pytest.param(
            START.replace(b'"output_tokens":1', b"").replace(b"1,}", b"1}") + END,
            "message_start lacks its empty content or its usage",
            id="no-usage-to-add-to",
        ),
        pytest.param(
            START + END.replace(b'"output_tokens":2', b""),
            "message_delta lacks its stop reason or its usage",
            id="no-usage",
        ),
        pytest.param(
            START + END.replace(b'"end_turn"', b"null"),
            "message_delta lacks its stop reason or its usage",
            id="no-reason",
        ),
        pytest.param(
            START + OPEN.replace(b',"text":""', b"") + DELTA + CLOSE + END,
            "a text block has no text to add to",
            id="nothing-to-add-to",
        ),
        pytest.param(
            START + OPEN + DELTA.replace(b',"text":"a"', b"") + CLOSE + END,
            "a text_delta without its text",
            id="nothing-to-add",
        ),
        pytest.param(
            START + CALL + CLOSE + (CALL + CLOSE).replace(b'"index":0', b'"index":1') + END,
            "two calls have the id 'i'",
            id="same-id",
        ),
        pytest.param(
            START + ERROR.replace(b'"x"', b"7"), "an error lacks its type or message", id="wordless"
        ),
        pytest.param(
            START + END.replace(b"event: message_stop", b"event: x"),
            "a frame is called 'x' and holds 'message_stop'",
            id="wrong-name",
        ),
    ],
)
def test_wrong_messages_streams(stream: bytes, problem: str) -> None:
    assert problem in problems(Dialect.MESSAGES, stream)


def chunk(rest: bytes) -> bytes:
    return write(b'{"id":"c","object":"chat.completion.chunk",' + rest + b"}")


def choice(delta: bytes, finish: bytes = b"null") -> bytes:
    return chunk(b'"choices":[{"index":0,"delta":' + delta + b',"finish_reason":' + finish + b"}]")


def call(index: bytes, rest: bytes = b"") -> bytes:
    return choice(b'{"tool_calls":[{"index":' + index + rest + b"}]}")


ROLE = choice(b'{"role":"assistant","content":""}')
TEXT = choice(b'{"content":"a"}')
FINISH = choice(b"{}", b'"stop"')
COUNTS = b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
USAGE = chunk(b'"choices":[],"usage":' + COUNTS)
DONE = b"data: [DONE]\n\n"
SECOND = ROLE.replace(b'"index":0', b'"index":1')
SECOND_FINISH = FINISH.replace(b'"index":0', b'"index":1')
NAMED = b',"id":"i","function":{"name":"f"}'
OTHER = b',"id":"j","function":{"name":"f"}'


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(ROLE + TEXT + FINISH + DONE, id="answer"),
        pytest.param(ROLE + TEXT + FINISH + USAGE + DONE, id="usage"),
        pytest.param(ROLE + call(b"0", NAMED) + call(b"0") + call(b"1", OTHER) + FINISH + DONE, id="calls"),
        pytest.param(b": ping\n\n" + ROLE + FINISH + DONE, id="pings"),
        pytest.param(ROLE + TEXT + write(b'{"error":{"message":"x"}}') + DONE, id="broken"),
        pytest.param(ROLE + SECOND + TEXT + FINISH + SECOND_FINISH + USAGE + DONE, id="two-choices"),
    ],
)
def test_correct_chat_streams(stream: bytes) -> None:
    assert problems(Dialect.CHAT, stream) == []


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        pytest.param(ROLE + FINISH, "the stream does not end with [DONE]", id="no-done"),
        pytest.param(ROLE + DONE + FINISH + DONE, "[DONE] is not the last frame", id="two-dones"),
        pytest.param(ROLE + TEXT + DONE, "0 finish reasons", id="no-finish"),
        pytest.param(ROLE + FINISH + FINISH + DONE, "2 finish reasons", id="two-finishes"),
        pytest.param(ROLE + FINISH + TEXT + DONE, "a delta follows the finish reason", id="text-too-late"),
        pytest.param(TEXT + FINISH + DONE, "the first delta has no role", id="no-role"),
        pytest.param(
            ROLE + USAGE + FINISH + DONE, "a chunk without choices is not the last one", id="usage-too-early"
        ),
        pytest.param(
            ROLE + FINISH + chunk(b'"choices":[]') + DONE,
            "a chunk has neither choices nor usage",
            id="empty-chunk",
        ),
        pytest.param(ROLE + call(b"1", OTHER) + FINISH + DONE, "a tool call has index 1", id="index-skipped"),
        pytest.param(
            ROLE + call(b"0") + FINISH + DONE, "tool call 0 begins without id or name", id="nameless"
        ),
        pytest.param(
            ROLE + call(b"0", b',"id":"i"') + FINISH + DONE,
            "tool call 0 begins without id or name",
            id="only-an-id",
        ),
        pytest.param(
            ROLE + call(b"0", NAMED) + call(b"1", OTHER) + call(b"0") + FINISH + DONE,
            "tool call 0 goes on after 1 began",
            id="interleaved",
        ),
        pytest.param(ROLE + FINISH.replace(b'"c"', b'"d"') + DONE, "the chunks differ in id", id="two-ids"),
        pytest.param(
            ROLE.replace(b".chunk", b"") + FINISH + DONE,
            "a chunk is not called chat.completion.chunk",
            id="object",
        ),
        pytest.param(
            ROLE + call(b"0", NAMED) + call(b"1", NAMED) + FINISH + DONE,
            "two calls have the id 'i'",
            id="same-call-id",
        ),
        pytest.param(
            ROLE + call(b"0", NAMED) + call(b"0", NAMED) + FINISH + DONE,
            "tool call 0 is named again",
            id="named-again",
        ),
        pytest.param(ROLE + SECOND + FINISH + DONE, "0 finish reasons", id="one-choice-of-two-is-open"),
        pytest.param(
            ROLE + TEXT.replace(b'"index":0,', b"") + FINISH + DONE, "a choice has index None", id="no-index"
        ),
        pytest.param(
            ROLE + TEXT.replace(b'"a"', b'["a"]') + FINISH + DONE, "a text is no string", id="list-of-parts"
        ),
        pytest.param(
            ROLE + FINISH + USAGE.replace(b'"total_tokens":2', b'"a":1') + DONE,
            "the usage lacks a count",
            id="no-total",
        ),
        pytest.param(
            ROLE + FINISH.replace(b'"stop"', b'"brand_new"') + DONE,
            "a finish reason is 'brand_new'",
            id="new-finish",
        ),
        pytest.param(write(b'{"error":{"a":1}}') + DONE, "an error lacks its message", id="wordless"),
        pytest.param(b"data: {no\n\n" + DONE, "the data of a frame is not JSON", id="no-json"),
        pytest.param(write(b'{"error":{}, "a":1}') + DONE, "0 finish reasons", id="empty-error"),
        pytest.param(
            write(b'{"error":{"message":"x"}}') + FINISH + DONE,
            "something follows the error",
            id="after-an-error",
        ),
    ],
)
def test_wrong_chat_streams(stream: bytes, problem: str) -> None:
    assert any(problem in found for found in problems(Dialect.CHAT, stream))
