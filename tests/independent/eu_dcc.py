"""Rules of the EU Digital COVID Certificate, version 1.3.0, written from its specification."""

import re
from datetime import date, datetime

from hcert import require

TEXT = r".{0,80}"
CODE = r"[A-Za-z0-9/.\-]{1,80}"
TRANSLITERATED = r"[A-Z<]{1,80}"
BIRTH_DATE = r"(?:(?:19|20)\d\d(?:-\d\d){0,2})?"
COUNTRY = r"[A-Z]{1,10}"

DISEASE = "840539006"
VACCINES = {
    "1119305005",
    "1119349007",
    "1157024006",
    "1162643001",
    "1187593009",
    "28531000087107",
    "29061000087103",
    "30141000087107",
    "J07BX03",
}
RESULTS = {"260373001", "260415000"}
NUCLEIC_ACID, RAPID_ANTIGEN = "LP6464-4", "LP217198-3"


def check(certificate):
    """Raises `Refused` where a certificate breaks the schema or its value sets."""
    require(isinstance(certificate, dict), "the certificate is not a map")
    kinds = [kind for kind in ("v", "t", "r") if kind in certificate]
    require(len(kinds) == 1, "not exactly one of v, t and r")
    keys(certificate, {"ver", "nam", "dob", *kinds}, set(), "certificate")
    matches(certificate, "ver", r"1\.\d+\.\d+")
    matches(certificate, "dob", BIRTH_DATE)
    check_name(certificate["nam"])
    events = certificate[kinds[0]]
    require(isinstance(events, list) and len(events) == 1, "not exactly one event")
    {"v": check_vaccination, "t": check_test, "r": check_recovery}[kinds[0]](events[0])


def check_name(name):
    require(isinstance(name, dict), "nam is not a map")
    keys(name, {"fnt"}, {"fn", "gn", "gnt"}, "nam")
    for element in name:
        matches(name, element, TRANSLITERATED if element.endswith("t") else TEXT)


def check_event(event, required, optional):
    require(isinstance(event, dict), "the event is not a map")
    keys(event, {"tg", "co", "is", "ci", *required}, optional, "event")
    require(event["tg"] == DISEASE, "tg is not COVID-19")
    matches(event, "co", COUNTRY)
    matches(event, "is", TEXT)
    matches(event, "ci", TEXT)


def check_vaccination(event):
    check_event(event, {"vp", "mp", "ma", "dn", "sd", "dt"}, set())
    require(event["vp"] in VACCINES, "vp is not of the value set")
    matches(event, "mp", CODE)
    matches(event, "ma", CODE)
    for element in ("dn", "sd"):
        number = event[element]
        require(type(number) is int and 1 <= number <= 9, f"{element} is not 1 to 9")
    whole_day(event, "dt")


def check_test(event):
    check_event(event, {"tt", "sc", "tr"}, {"nm", "ma", "tc", "dr"})
    require(event["tr"] in RESULTS, "tr is not of the value set")
    require(event["tt"] in (NUCLEIC_ACID, RAPID_ANTIGEN), "tt is not of the value set")
    require(event["tt"] != NUCLEIC_ACID or "tc" in event, "a nucleic acid test without tc")
    for element in ("nm", "tc", "ma"):
        if element in event:
            matches(event, element, TEXT)
    moment = datetime.fromisoformat(event["sc"].replace("Z", "+00:00"))
    require(moment.tzinfo is not None and "T" in event["sc"], "sc has no time zone")


def check_recovery(event):
    check_event(event, {"fr", "df", "du"}, set())
    for element in ("fr", "df", "du"):
        whole_day(event, element)


def keys(value, required, optional, what):
    require(required <= set(value), f"{what}: {required - set(value)} is missing")
    extra = set(value) - required - optional
    require(not extra, f"{what}: {extra} is not of the schema")


def matches(value, element, pattern):
    text = value[element]
    require(isinstance(text, str) and re.fullmatch(pattern, text), f"{element} is not as asked for")


def whole_day(event, element):
    text = event[element]
    require(isinstance(text, str) and len(text) == 10, f"{element} is not a date")
    date.fromisoformat(text)
