"""Every refusal has a status, a stable code, and its words in both languages."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from sqlalchemy.exc import DBAPIError

from gateway.api.models import INTEGRITY, Problem
from gateway.api.problems import STATUS, from_http, language, problem, problems, respond
from gateway.errors import GatewayError, UploadError
from gateway.inspection.errors import PROBLEMS, InspectionError

NEVER_RAISED = {UploadError}
VALUES = {
    "reason": "why",
    "needed": "draft",
    "state": "erased",
    "size": 7,
    "offset": 7,
    "limit": 7,
    "id": "an id",
    "allowed": "GET",
    "request_id": "an id",
    "seconds": 7,
    "why": "it is short",
    "waarom": "het is kort",
}
OF_ITS_LANGUAGE = {"waarom"}  # a reason that is given in each language


def every(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        yield child
        yield from every(child)


ALL = sorted(set(every(GatewayError)) - NEVER_RAISED, key=lambda error: error.__name__)


def test_every_refusal_has_a_status_and_no_status_is_without_a_refusal() -> None:
    assert set(STATUS) == set(ALL)
    assert set(STATUS.values()) <= {
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        410,
        412,
        413,
        415,
        416,
        422,
        429,
    } | {
        500,
        503,
    }


def test_every_code_is_one_refusals_own() -> None:
    codes = [error.code for error in ALL]

    assert len(set(codes)) == len(codes)
    assert all(set(code) <= set(string.ascii_lowercase + "_") for code in codes)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_every_refusal_says_the_same_in_both_languages(error: type[GatewayError]) -> None:
    raised = error(field="a field", **VALUES)

    assert raised.text("en") != raised.text("nl")
    assert _fields(error.en) >= _fields(error.nl) - OF_ITS_LANGUAGE
    assert raised.text("en").endswith(".")
    assert raised.text("nl").endswith(".")
    for tongue in ("en", "nl"):
        Problem.model_validate(problem(raised, tongue))


@pytest.mark.parametrize("error", PROBLEMS.values(), ids=lambda error: error.code)
def test_every_reason_of_a_refused_file_is_told_in_both_languages(
    error: type[InspectionError],
) -> None:
    for words in (*error.reasons.values(), error.advice):
        assert words.en
        assert words.nl
        assert words.en != words.nl
        assert _fields(words.en) == _fields(words.nl)
    assert set(INTEGRITY) == {"en", "nl"}


@pytest.mark.parametrize(
    ("preferred", "tongue"),
    [
        ("nl", "nl"),
        ("NL-be", "nl"),
        ("nl-NL,nl;q=0.9,en;q=0.8", "nl"),
        ("en", "en"),
        ("en-GB,nl;q=0.9", "en"),
        ("", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_the_reader_chooses_the_language(preferred: str, tongue: str) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept-Language": preferred})

    assert language(request) == tongue


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_every_refusal_is_problem_json_with_its_language(error: type[GatewayError]) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept-Language": "nl"})
    answer = respond(request, error(field="a field", **VALUES))

    assert answer.status == STATUS[error]
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Content-Language"] == "nl"
    assert ("Retry-After" in answer.headers) == (answer.status in (429, 503))
    assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)
    assert ("Allow" in answer.headers) == (answer.status == 405)
    assert ("Content-Range" in answer.headers) == (answer.status == 416)


def test_what_aiohttp_refuses_by_itself_gets_our_words() -> None:
    refusals = {
        web.HTTPMethodNotAllowed("PUT", ["POST", "GET"]): 405,
        web.HTTPNotFound(): 404,
        web.HTTPRequestEntityTooLarge(1, 2): 413,
        web.HTTPBadRequest(text="quoted"): 400,
        web.HTTPExpectationFailed(text="quoted"): 400,
    }
    for error, status in refusals.items():
        ours = from_http(error)
        assert STATUS[type(ours)] == status
        assert "quoted" not in ours.text("en")
        assert ours.text("nl")


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_a_transaction_that_was_ended_for_another_may_be_asked_again(state: str) -> None:
    async def deadlocked(_: web.Request) -> web.Response:
        raise _database_error(state)

    answer = await problems(make_mocked_request("GET", "/"), deadlocked)

    assert answer.status == 503
    assert "Retry-After" in answer.headers


async def test_any_other_error_of_a_database_is_none_of_the_callers() -> None:
    async def wrong(_: web.Request) -> web.Response:
        raise _database_error("42P01")

    with pytest.raises(DBAPIError):
        await problems(make_mocked_request("GET", "/"), wrong)


def _database_error(state: str) -> DBAPIError:
    said = Exception()
    said.sqlstate = state  # type: ignore[attr-defined]
    return DBAPIError("a statement", None, said)


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
