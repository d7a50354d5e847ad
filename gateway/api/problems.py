"""Every refusal as RFC 9457 problem details, in the reader's language; one table of statuses."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway import errors
from gateway.errors import GatewayError
from keys.errors import ProviderUnavailableError

STATUS: Mapping[type[GatewayError], int] = {
    errors.NotFoundError: 404,
    errors.UnauthenticatedError: 401,
    errors.LoginFailedError: 401,
    errors.SessionLockedError: 401,
    errors.CodeRefusedError: 401,
    errors.PasskeyRefusedError: 401,
    errors.SignOnRefusedError: 401,
    errors.ForbiddenError: 403,
    errors.SecondFactorRequiredError: 403,
    errors.CrossSiteError: 403,
    errors.OutOfScopeError: 403,
    errors.ConfidentialityRequiredError: 403,
    errors.ConfirmationRequiredError: 403,
    errors.LinkEndedError: 410,
    errors.InvalidInputError: 422,
    errors.TooManyAttemptsError: 429,
    errors.WeakPasswordError: 422,
    errors.LastFactorError: 409,
    errors.WrongStateError: 409,
    errors.CaseFrozenError: 409,
    errors.CaseRestrictedError: 409,
    errors.RangeNotSatisfiableError: 416,
    errors.TusVersionError: 412,
    errors.OffsetMismatchError: 409,
    errors.UploadGoneError: 410,
    errors.UploadTakenOverError: 409,
    errors.TooManyPartsError: 409,
    errors.UploadMediaTypeError: 415,
    errors.TooLargeError: 413,
    errors.IntegrityFailedError: 500,
    errors.DiskFullError: 503,
    errors.UnavailableError: 503,
    errors.BadRequestError: 400,
    errors.MethodNotAllowedError: 405,
    errors.RequestTimeoutError: 408,
    errors.InternalError: 500,
}
# What a database or a disk says that cannot serve now; an answer may say so, and nothing more.
EXHAUSTED = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ECONNREFUSED}
)
# Of two transactions PostgreSQL ended this one, and nothing of it happened: deadlock_detected,
# serialization_failure (PostgreSQL, Appendix A). It may simply be asked again.
ENDED_FOR_ANOTHER = frozenset({"40P01", "40001"})
RETRY_AFTER_SECONDS = "30"

log = structlog.get_logger()


def language(request: web.BaseRequest) -> Literal["en", "nl"]:
    """The language of the answer: `nl` for a reader who prefers Dutch, else `en`."""
    preferred = request.headers.get("Accept-Language", "").strip().lower()
    return "nl" if preferred.startswith("nl") else "en"


def problem(error: GatewayError, tongue: str) -> Mapping[str, Any]:
    """The problem details of a refusal."""
    document: dict[str, Any] = {
        "type": f"urn:kluis:problem:{error.code}",
        "title": error.code.replace("_", " "),
        "status": STATUS[type(error)],
        "detail": error.text(tongue),
        "code": error.code,
    }
    if error.field is not None:
        document["field"] = error.field
    return document


def respond(request: web.BaseRequest, error: GatewayError) -> web.Response:
    """The answer to a refused request."""
    tongue = language(request)
    headers: dict[str, str] = {"Content-Language": tongue}
    if isinstance(error, errors.UnavailableError):
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, errors.TooManyAttemptsError):
        headers["Retry-After"] = str(error.values["seconds"])
    if isinstance(error, errors.UnauthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.values['size']}"
    if isinstance(error, errors.MethodNotAllowedError):
        headers["Allow"] = str(error.values["allowed"])
    return web.Response(
        text=json.dumps(problem(error, tongue)),
        status=STATUS[type(error)],
        content_type="application/problem+json",
        headers=headers,
    )


def from_http(error: web.HTTPException) -> GatewayError:
    """Our words for what aiohttp refuses by itself; its own text may quote the request."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return errors.MethodNotAllowedError(allowed=", ".join(sorted(error.allowed_methods)))
    if isinstance(error, web.HTTPNotFound):
        return errors.NotFoundError()
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return errors.TooLargeError(limit="so many")
    return errors.BadRequestError()


def _may_serve_later(error: DBAPIError | PoolTimeoutError) -> bool:
    """Whether a database cannot be reached, or ended this transaction for another's sake."""
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeoutError)):
        return True
    return getattr(error.orig, "sqlstate", None) in ENDED_FOR_ANOTHER


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal of what lies within, whatever it was."""
    try:
        return await handler(request)
    except GatewayError as error:
        return respond(request, error)
    except web.HTTPException as error:
        return respond(request, from_http(error))
    except (DBAPIError, PoolTimeoutError) as error:
        if not _may_serve_later(error):
            raise
        log.error("unavailable", error=type(error).__name__)
        return respond(request, errors.UnavailableError())
    except ProviderUnavailableError as error:
        log.error("unavailable", error=error.code, reason=error.reason)
        return respond(request, errors.UnavailableError())
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
        log.error("unavailable", error=errno.errorcode[error.errno or 0])
        return respond(request, errors.UnavailableError())
