"""The cost of an image by its size."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest

from coderouter_core.model.images import IMAGE_TOKENS, image_tokens, pixels


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0" * 40
    )


def jpeg(width: int, height: int) -> bytes:
    notes = b"\xff\xe1" + struct.pack(">H", 5_002) + b"\xff\xc0" * 2_500
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\0" * 9
    return b"\xff\xd8" + notes + frame + b"\xff\xd9"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 20


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 50) + b"WEBP" + kind + struct.pack("<I", 30) + body.ljust(30, b"\0")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(png(640, 480), id="png"),
        pytest.param(jpeg(640, 480), id="jpeg"),
        pytest.param(gif(640, 480), id="gif"),
        pytest.param(
            webp(b"VP8X", b"\0" * 4 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")), id="webp"
        ),
        pytest.param(webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")), id="webp-lossless"),
        pytest.param(webp(b"VP8 ", b"\0" * 6 + struct.pack("<HH", 640, 480)), id="webp-lossy"),
    ],
)
def test_the_size_of_an_image_is_read(raw: bytes) -> None:
    assert pixels(base64.b64encode(raw).decode()) == (640, 480)


def test_the_size_is_read_from_a_data_url() -> None:
    assert pixels(f"data:image/png;base64,{base64.b64encode(png(3, 4)).decode()}") == (3, 4)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="nothing"),
        pytest.param("https://images.test/a.png", id="address"),
        pytest.param("not base64 at all!", id="not-base64"),
        pytest.param(base64.b64encode(b"\xff\xd8\xff\xe1\x00\x00").decode(), id="cut"),
        pytest.param(base64.b64encode(png(0, 5)).decode(), id="no-width"),
        pytest.param("Zm9v\u3042", id="not-ascii"),
    ],
)
def test_a_size_that_cannot_be_read_is_none(payload: str) -> None:
    assert pixels(payload) is None


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        pytest.param(750, 100, 100, id="by-its-pixels"),
        pytest.param(1, 1, 1, id="the-smallest"),
        pytest.param(8_000, 6_000, IMAGE_TOKENS, id="scaled-down"),
    ],
)
def test_an_image_costs_by_its_pixels(width: int, height: int, tokens: int) -> None:
    data = base64.b64encode(png(width, height)).decode()

    assert image_tokens({"type": "image", "source": {"type": "base64", "data": data}}) == tokens


def test_low_detail_costs_little() -> None:
    assert (
        image_tokens({"type": "image_url", "image_url": {"url": "https://i.test/a", "detail": "low"}}) == 85
    )
