"""Codes in pictures, read with zbar and zxing; SVG drawn by librsvg and PDF by poppler."""

import io
import re
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import zxingcpp
from PIL import Image

NUMERIC, ALPHANUMERIC, BYTES = 0b0001, 0b0010, 0b0100
# ISO/IEC 18004 section 7.8.2: which modules of row i and column j a mask inverts
MASKS = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)
QUIET_ZONE = 4


def run(*command, **options):
    result = subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, **options
    )
    return result.stdout


def zbar(picture):
    """(kind, text) of every QR code and Code 128 that zbar finds in a picture, given as PNG bytes."""
    printed = zbarimg(picture, "--xml", "-Sdisable", "-Sqrcode.enable", "-Scode128.enable")
    if not printed:
        return []
    symbols = ElementTree.fromstring(printed).findall(".//{*}symbol")
    return [(symbol.get("type"), symbol.findtext("{*}data")) for symbol in symbols]


def zbarimg(picture, *options):
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(picture)
        file.flush()
        command = ["zbarimg", "--quiet", "--nodbus", *options, file.name]
        result = subprocess.run(command, capture_output=True)
    # 4: no code found
    if result.returncode == 4:
        return b""
    result.check_returncode()
    return result.stdout


def zxing(picture):
    """Every QR code and Code 128 that zxing finds in a picture, given as PNG bytes.

    Asked for every kind, it takes a row of a large QR code for some other bar code now and then.
    """
    formats = [zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128]
    return zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)), formats=formats)


def draw_svg(path):
    return run("rsvg-convert", "--width", "1200", "--background-color", "white", path)


def draw_pdf(path):
    """Every page as PNG, at the resolution of an office scanner."""
    with tempfile.TemporaryDirectory() as folder:
        run("pdftoppm", "-r", "300", "-png", path, Path(folder, "page"))
        return [page.read_bytes() for page in sorted(Path(folder).iterdir())]


def first_mode(picture):
    """Mode indicator of a QR code's first segment, read from its modules.

    The first codeword lies in the bottom right corner, its first four bits in two by two modules.
    """
    (code,) = zxing(picture)
    size = 17 + 4 * int(code.extra["Version"])
    image = Image.open(io.BytesIO(picture)).convert("1")
    scale = image.width / (size + 2 * QUIET_ZONE)
    inverts = MASKS[int(code.extra["DataMask"])]

    def bit(i, j):
        centre = [(QUIET_ZONE + at + 0.5) * scale for at in (j, i)]
        is_dark = image.getpixel(tuple(map(int, centre))) == 0
        return is_dark != inverts(i, j)

    end = size - 1
    bits = (bit(end, end), bit(end, end - 1), bit(end - 1, end), bit(end - 1, end - 1))
    return sum(value << place for place, value in zip((3, 2, 1, 0), bits))


def smallest_version(text, level):
    """Version of the QR code in which another encoder, with the best segments, puts the text."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    # Not of every kind, for the reason above.
    formats = [zxingcpp.BarcodeFormat.QRCode]
    (read,) = zxingcpp.read_barcodes(code.to_image(scale=4), formats=formats)
    assert read.text == text
    return int(read.extra["Version"])


def fonts(path):
    """(name, embedded, subset) of every font of a PDF."""
    lines = run("pdffonts", path).decode().splitlines()[2:]
    pattern = re.compile(r"^(?P<name>.{36}) .*\s(?P<emb>yes|no)\s+(?P<sub>yes|no)\s+(?:yes|no)\s+\d+\s+\d+$")
    found = []
    for line in lines:
        match = pattern.match(line)
        assert match, f"pdffonts: {line}"
        found.append((match["name"].strip(), match["emb"] == "yes", match["sub"] == "yes"))
    return found
