"""card.pdf."""

import re
import unicodedata

import pytest

import pictures


def test_codes_are_read_from_the_page(certificate):
    (page,) = pictures.draw_pdf(certificate.path("card.pdf"))
    found = pictures.zbar(page)
    texts = [text for kind, text in found if kind == "QR-Code"]
    assert sorted(texts) == sorted(certificate.text(form) for form in certificate.forms)
    assert [text for kind, text in found if kind == "CODE-128"] == [certificate.hcid]


def test_another_decoder_reads_the_same(certificate):
    (page,) = pictures.draw_pdf(certificate.path("card.pdf"))
    found = pictures.zxing(page)
    texts = sorted(code.bytes for code in found if code.format.name.startswith("QR"))
    assert texts == sorted(certificate.text(form).encode() for form in certificate.forms)
    assert [code.text for code in found if code.format.name == "Code128"] == [certificate.hcid]


def test_text_can_be_read_and_searched(certificate):
    text = plain(pictures.run("pdftotext", certificate.path("card.pdf"), "-").decode())
    name = plain(certificate.holder["name"][0]["text"])
    assert name in text
    assert certificate.hcid in text
    assert text.index(name) < text.index(certificate.hcid)
    if "birthDate" in certificate.holder:
        assert certificate.holder["birthDate"][:4] in text


def test_fonts_are_embedded_and_subset(certificate):
    fonts = pictures.fonts(certificate.path("card.pdf"))
    assert fonts
    for name, is_embedded, is_subset in fonts:
        assert is_embedded and is_subset, name
        assert re.match(r"[A-Z]{6}\+", name), name


def test_a_font_that_is_not_embedded_is_found(tmp_path):
    path = tmp_path / "helvetica.pdf"
    path.write_bytes(PLAIN_PDF)
    assert [font[1:] for font in pictures.fonts(path)] == [(False, False)]


def test_one_page_of_a4(certificate):
    facts = pictures.run("pdfinfo", certificate.path("card.pdf")).decode()
    assert re.search(r"^Pages:\s+1$", facts, re.MULTILINE)
    width, height = map(float, re.search(r"Page size:\s+([\d.]+) x ([\d.]+) pts", facts).groups())
    assert (width, height) == (pytest.approx(595.3, abs=0.5), pytest.approx(841.9, abs=0.5))


def plain(text):
    """The text without the marks of direction, ligatures and line breaks that a page needs."""
    text = unicodedata.normalize("NFKC", text)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return " ".join(text.split())


PLAIN_PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R
 /Resources <</Font <</F 5 0 R>>>>>> endobj
4 0 obj <</Length 37>> stream
BT /F 24 Tf 20 100 Td (Text) Tj ET   
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R>>
"""
