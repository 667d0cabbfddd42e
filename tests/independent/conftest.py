"""`pytest --issued DIR`: every test runs for every certificate in the folder."""

import os
from pathlib import Path

import pytest

import issued
from signer import Signer


def pytest_addoption(parser):
    parser.addoption("--issued", metavar="DIR", help="output folder of `mediator-runner issue`")
    parser.addoption(
        "--expect",
        metavar="FORMS",
        default="who",
        help="forms of code that every certificate must have, for example who,dcc,shc,icao",
    )


def folder(config):
    given = config.getoption("--issued")
    if given is None:
        raise pytest.UsageError("give --issued DIR, the output folder of `mediator-runner issue`")
    return Path(given)


def pytest_generate_tests(metafunc):
    if "vector" in metafunc.fixturenames:
        fixtures = os.environ.get("DDCC_FIXTURES")
        vectors = sorted(Path(fixtures, "hcert").glob("*/*.json")) if fixtures else []
        if fixtures and not vectors:
            raise pytest.UsageError("DDCC_FIXTURES has no hcert/*/*.json")
        if not fixtures:
            unset = pytest.mark.skip(reason="DDCC_FIXTURES is not set: no test vectors")
            metafunc.parametrize("vector", [pytest.param(None, marks=unset)])
        else:
            ids = [f"{path.parent.name}-{path.stem}" for path in vectors]
            metafunc.parametrize("vector", vectors, ids=ids)
    if "certificate" not in metafunc.fixturenames:
        return
    try:
        certificates = issued.certificates(folder(metafunc.config))
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from error
    if "form" in metafunc.fixturenames:
        wanted = getattr(metafunc.function, "forms", issued.FORMS)
        cases = [
            (certificate, form)
            for certificate in certificates
            for form in certificate.forms
            if form in wanted
        ]
        ids = [f"{certificate.name}-{form}" for certificate, form in cases]
        metafunc.parametrize(("certificate", "form"), cases, ids=ids)
    else:
        ids = [certificate.name for certificate in certificates]
        metafunc.parametrize("certificate", certificates, ids=ids)


@pytest.fixture(scope="session")
def signer_pem(request):
    return Path(folder(request.config), "signer.pem").read_bytes()


@pytest.fixture(scope="session")
def signer(signer_pem):
    return Signer.from_pem(signer_pem)


@pytest.fixture
def expected_forms(request):
    return set(request.config.getoption("--expect").split(","))
