"""What `mediator-runner issue` wrote, read as a stranger would: DIR/signer.pem, and
DIR/<hcid>/<n>/ with document.json, card.pdf, and each code as .txt, .png and .svg."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

FORMS = ("who", "dcc", "shc", "icao")


@dataclass(frozen=True)
class Certificate:
    folder: Path

    @property
    def name(self):
        return f"{self.folder.parent.name}/{self.folder.name}"

    @cached_property
    def forms(self):
        return [form for form in FORMS if (self.folder / f"{form}.txt").exists()]

    def text(self, form):
        return (self.folder / f"{form}.txt").read_text(encoding="utf-8").removesuffix("\n")

    def path(self, name):
        return self.folder / name

    @cached_property
    def document(self):
        return json.loads((self.folder / "document.json").read_bytes())

    def resources(self, kind):
        resources = (entry["resource"] for entry in self.document["entry"])
        return [resource for resource in resources if resource["resourceType"] == kind]

    def resource(self, kind):
        (resource,) = self.resources(kind)
        return resource

    @cached_property
    def holder(self):
        return self.resource("Patient")

    @cached_property
    def is_vaccination(self):
        return bool(self.resources("Immunization"))

    @cached_property
    def hcid(self):
        (link,) = (link for link in self.document["link"] if link["relation"] == "publication")
        return link["url"].removeprefix("urn:HCID:")

    @cached_property
    def issued_at(self):
        return instant(self.document["timestamp"])

    def attachments(self, form):
        """Content type and bytes of every attachment of a code's DocumentReference."""
        for reference in self.resources("DocumentReference"):
            if reference["type"]["coding"][0]["code"] == form:
                for content in reference["content"]:
                    attachment = content["attachment"]
                    yield attachment["contentType"], self.attached(attachment)

    def attached(self, attachment):
        if "data" in attachment:
            return base64.b64decode(attachment["data"], validate=True)
        (binary,) = (
            resource
            for resource in self.resources("Binary")
            if attachment["url"].endswith(resource["id"])
        )
        return base64.b64decode(binary["data"], validate=True)


def certificates(folder):
    """Every certificate below a folder; an empty folder is an error, not a success."""
    found = sorted(path.parent for path in Path(folder).glob("*/*/document.json"))
    if not found:
        raise FileNotFoundError(f"no certificates in {folder}: run `mediator-runner issue` first")
    return [Certificate(path) for path in found]


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
