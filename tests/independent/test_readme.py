"""README's lines for verifying a document with other tools, run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def run(folder):
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return subprocess.run(
        [sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True, check=False
    )


def test_verifies(certificate):
    result = run(certificate.folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "verified: ES256\n"


def test_refuses_an_altered_document(certificate, tmp_path):
    folder = tmp_path / "holder" / "1"
    folder.mkdir(parents=True)
    signer = certificate.folder.parents[1] / "signer.pem"
    (tmp_path / "signer.pem").write_bytes(signer.read_bytes())
    text = certificate.path("document.json").read_text(encoding="utf-8")
    (folder / "document.json").write_text(text, encoding="utf-8")
    assert run(folder).returncode == 0
    name = certificate.document["entry"][0]["resource"]["title"]
    (folder / "document.json").write_text(text.replace(name, name + "!"), encoding="utf-8")
    assert "InvalidJWSSignature" in run(folder).stderr
