"""Every code as PNG and SVG, read by decoders that are not the encoder."""

import io

import pytest
from PIL import Image, ImageDraw

import pictures
from pictures import ALPHANUMERIC, BYTES

FIRST_MODE = {"who": ALPHANUMERIC, "dcc": ALPHANUMERIC, "shc": BYTES, "icao": BYTES}


def test_there_is_a_code_of_every_form_that_is_expected(certificate, expected_forms):
    assert expected_forms <= set(certificate.forms)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture_shows_the_text(certificate, form, kind):
    path = certificate.path(f"{form}.{kind}")
    picture = path.read_bytes() if kind == "png" else pictures.draw_svg(path)
    text = certificate.text(form)
    assert pictures.zbar(picture) == [("QR-Code", text)]
    (code,) = pictures.zxing(picture)
    assert code.bytes == text.encode()


def test_segments_and_error_correction(certificate, form):
    picture = certificate.path(f"{form}.png").read_bytes()
    text = certificate.text(form)
    (code,) = pictures.zxing(picture)
    assert pictures.first_mode(picture) == FIRST_MODE[form]
    version = int(code.extra["Version"])
    if form != "icao":
        # As small as with the best segments: the digits of a health card are a numeric one.
        assert version <= pictures.smallest_version(text, code.ec_level)
    if form == "shc":
        assert version <= 22
    assert code.ec_level == "Q" or needs_less_correction(text, form)


def needs_less_correction(text, form):
    """Whether a text is too long for level Q in the largest code of its form."""
    capacity = {"who": 2420, "dcc": 2420, "icao": 1663, "shc": 5 + 1300}
    return len(text) > capacity[form]


def test_a_damaged_picture_is_not_read(certificate, form):
    image = Image.open(io.BytesIO(certificate.path(f"{form}.png").read_bytes())).convert("L")
    draw = ImageDraw.Draw(image)
    draw.rectangle((image.width // 3, 0, image.width, image.height), fill=255)
    damaged = io.BytesIO()
    image.save(damaged, "PNG")
    assert pictures.zbar(damaged.getvalue()) == []
    assert pictures.zxing(damaged.getvalue()) == []
