"""Every refusal of the gateway, as one tree. `api/problems.py` maps it to RFC 9457.

    GatewayError                    never raised itself
    ├── NotFoundError               unknown, or not to be seen by who asks: no difference
    ├── UnauthenticatedError
    │   ├── SessionLockedError
    │   ├── LoginFailedError
    │   ├── CodeRefusedError
    │   ├── PasskeyRefusedError
    │   └── SignOnRefusedError
    ├── ForbiddenError              visible, but this act is not theirs
    │   ├── CrossSiteError
    │   ├── OutOfScopeError
    │   ├── SecondFactorRequiredError
    │   ├── ConfidentialityRequiredError
    │   └── ConfirmationRequiredError
    ├── LinkEndedError              of an invitation or a reset
    ├── InvalidInputError           names the field and the remedy
    │   └── WeakPasswordError
    ├── TooManyAttemptsError
    ├── LastFactorError
    ├── WrongStateError
    ├── CaseFrozenError
    ├── CaseRestrictedError         its processing is restricted (GDPR article 18)
    ├── RangeNotSatisfiableError
    ├── UploadError                 tus
    │   ├── TusVersionError
    │   ├── OffsetMismatchError
    │   ├── UploadGoneError
    │   ├── UploadTakenOverError
    │   ├── TooManyPartsError
    │   └── UploadMediaTypeError
    ├── TooLargeError
    ├── IntegrityFailedError
    ├── BadRequestError             not HTTP as it should be
    ├── MethodNotAllowedError
    ├── RequestTimeoutError
    ├── InternalError               a fault of ours; nothing of it is shown
    └── UnavailableError            log, keys or storage cannot serve now; nothing happened
        └── DiskFullError           but for those who can make room

Each class has a `code`, which is API and never changes, and its text in English and Dutch. Texts
carry ids and numbers, never a word that a person typed.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base of every refusal; never raised itself."""

    code: ClassVar[str] = "error"
    en: ClassVar[str] = ""
    nl: ClassVar[str] = ""

    def __init__(self, *, field: str | None = None, **values: object) -> None:
        """Keep what the text needs.

        Args:
            field: The input field that is wrong, if one is.
            values: Numbers and ids that the text names.
        """
        self.field = field
        self.values = values
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """What happened and what to do, in "en" or "nl"."""
        template = self.nl if language == "nl" else self.en
        return template.format(field=self.field, **self.values)


class NotFoundError(GatewayError):
    """Unknown, or not for the eyes of who asks."""

    code = "not_found"
    en = "There is nothing here that you may see. Check the address, or ask for access."
    nl = "Hier is niets dat u mag zien. Controleer het adres, of vraag toegang."


class UnauthenticatedError(GatewayError):
    """No valid session or token."""

    code = "unauthenticated"
    en = "Sign in first: the session or token is missing, ended or not valid."
    nl = "Meld u eerst aan: de sessie of het token ontbreekt, is verlopen of ongeldig."


class LoginFailedError(UnauthenticatedError):
    """Address and password do not belong together."""

    code = "login_failed"
    en = "E-mail address and password do not belong together. Try again."
    nl = "E-mailadres en wachtwoord horen niet bij elkaar. Probeer het opnieuw."


class CodeRefusedError(UnauthenticatedError):
    """A wrong or used code, or a sign-in that is over: no difference."""

    code = "code_refused"
    en = (
        "The code is not right, is over or was used before, or the sign-in took too long."
        " Take the next code, or begin again."
    )
    nl = (
        "De code klopt niet, is verlopen of al gebruikt, of het aanmelden duurde te lang."
        " Neem de volgende code, of begin opnieuw."
    )


class SessionLockedError(UnauthenticatedError):
    """Somebody of the house left the screen alone, or their session moved."""

    code = "session_locked"
    en = "Locked after a silence or in a new network. Give your password or a code to go on."
    nl = "Vergrendeld na stilte of in een nieuw netwerk. Ga door met uw wachtwoord of een code."


class PasskeyRefusedError(UnauthenticatedError):
    """A passkey is not known here, or its answer does not hold; which, is not told."""

    code = "passkey_refused"
    en = "The passkey was not accepted. Try again, or use another way to sign in."
    nl = "De passkey is niet aanvaard. Probeer het opnieuw, of gebruik een andere manier."


class SignOnRefusedError(UnauthenticatedError):
    """The sign-on provider's answer does not hold, or who it names has no access here."""

    code = "sign_on_refused"
    en = "Signing on did not work. Try again; if it fails again, ask your administrator for access."
    nl = "Het aanmelden is niet gelukt. Probeer het opnieuw, of vraag uw beheerder om toegang."


class ForbiddenError(GatewayError):
    """The object is visible to who asks, the act is not theirs."""

    code = "forbidden"
    en = "Your role may not do this with this case."
    nl = "Uw rol mag dit met deze casus niet doen."


class CrossSiteError(ForbiddenError):
    """A request by cookie that our own pages did not make."""

    code = "cross_site"
    en = "The request did not come from a page of this server, or lacks its X-CSRF-Token."
    nl = "Het verzoek kwam niet van een pagina van deze server, of mist zijn X-CSRF-Token."


class OutOfScopeError(ForbiddenError):
    """The bearer token is limited to other acts or cases, or the act takes a signed-in person."""

    code = "out_of_scope"
    en = "The token is not for this act or this case. Use one that is, or sign in."
    nl = "Het token is niet voor deze handeling of deze casus. Gebruik een ander, of meld u aan."


class SecondFactorRequiredError(ForbiddenError):
    """The person must have a second factor, and has none yet."""

    code = "second_factor_required"
    en = "Set up a second factor first (POST /api/v1/account/factors)."
    nl = "Stel eerst een tweede factor in (POST /api/v1/account/factors)."


class ConfirmationRequiredError(ForbiddenError):
    """Nothing irreversible on one stolen session (invariant 9)."""

    code = "confirmation_required"
    en = "This cannot be undone. Confirm with your password ({field}) and try again."
    nl = "Dit kan niet ongedaan worden gemaakt. Bevestig met uw wachtwoord ({field})."


class ConfidentialityRequiredError(ForbiddenError):
    """No access to cases without a confirmed duty of confidentiality (P12)."""

    code = "confidentiality_required"
    en = "First read and confirm your duty of confidentiality ({field}); it is asked once a year."
    nl = "Lees en bevestig eerst uw geheimhoudingsplicht ({field}); dat wordt elk jaar gevraagd."


class LinkEndedError(GatewayError):
    """A link from a mail that no longer lets anybody in, or never did."""

    code = "link_ended"
    en = "This link was used already, or its time is over. Ask for a new one."
    nl = "Deze link is al gebruikt, of de tijd is om. Vraag een nieuwe."


class InvalidInputError(GatewayError):
    """A field of the request is wrong."""

    code = "invalid_input"
    en = "The field {field} is not right: {reason}."
    nl = "Het veld {field} klopt niet: {reason}."


class TooManyAttemptsError(GatewayError):
    """Tries have to wait; the same whether there is such an account or not."""

    code = "too_many_attempts"
    en = "There were too many attempts. Try again in {seconds} seconds."
    nl = "Er waren te veel pogingen. Probeer het over {seconds} seconden opnieuw."


class WeakPasswordError(InvalidInputError):
    """A new password that is too short, too long or too easily guessed."""

    code = "weak_password"
    en = "Take another password: {why}."
    nl = "Kies een ander wachtwoord: {waarom}."


class LastFactorError(GatewayError):
    """Who must have a second factor keeps one."""

    code = "last_factor"
    en = "This is your last second factor, and you need one. Set up another one first."
    nl = "Dit is uw laatste tweede factor, en u hebt er een nodig. Stel eerst een andere in."


class WrongStateError(GatewayError):
    """The case or file is not in a state that allows this."""

    code = "wrong_state"
    en = "This needs the state {needed}; it is {state}."
    nl = "Dit kan in de toestand {needed}; nu is het {state}."


class CaseFrozenError(GatewayError):
    """An erasure is under way: stored, and nothing else."""

    code = "case_frozen"
    en = "The case is being erased and can no longer be used."
    nl = "De casus wordt gewist en kan niet meer worden gebruikt."


class CaseRestrictedError(GatewayError):
    """The case is stored and not otherwise processed until a doubt is settled."""

    code = "case_restricted"
    en = "The case is restricted until a doubt is settled. Its practice can release it."
    nl = "De casus is beperkt tot een twijfel is opgelost. De praktijk kan hem vrijgeven."


class RangeNotSatisfiableError(GatewayError):
    """The range lies behind the end (RFC 9110 section 15.5.17)."""

    code = "range_not_satisfiable"
    en = "The range lies outside the file of {size} bytes."
    nl = "Het bereik ligt buiten het bestand van {size} bytes."


class UploadError(GatewayError):
    """Base of what tus knows; never raised itself."""

    code = "upload"


class TusVersionError(UploadError):
    """tus 1.0.0 is the only version spoken here."""

    code = "tus_version"
    en = "Send the header Tus-Resumable: 1.0.0."
    nl = "Stuur de header Tus-Resumable: 1.0.0."


class OffsetMismatchError(UploadError):
    """Upload-Offset is not the number of durable bytes."""

    code = "offset_mismatch"
    en = "The upload is at byte {offset}. Ask for it by HEAD and go on there; nothing was lost."
    nl = "De upload staat op byte {offset}. Vraag dit op met HEAD en ga daar verder."


class UploadGoneError(UploadError):
    """Expired, cancelled, or taken along by an erasure."""

    code = "upload_gone"
    en = "This upload has ended. Begin a new one."
    nl = "Deze upload is beëindigd. Begin een nieuwe."


class UploadTakenOverError(UploadError):
    """A newer request writes to the same upload."""

    code = "upload_taken_over"
    en = "A newer request continues this upload. What arrived in time is kept."
    nl = "Een nieuwer verzoek zet deze upload voort. Wat op tijd aankwam is bewaard."


class TooManyPartsError(UploadError):
    """An upload has a bounded number of parts."""

    code = "too_many_parts"
    en = "The upload came in more than {limit} pieces. Begin again with larger pieces."
    nl = "De upload kwam in meer dan {limit} stukken. Begin opnieuw met grotere stukken."


class UploadMediaTypeError(UploadError):
    """The body of a PATCH has one media type (tus 1.0.0)."""

    code = "upload_media_type"
    en = "Send the bytes as application/offset+octet-stream."
    nl = "Stuur de bytes als application/offset+octet-stream."


class TooLargeError(GatewayError):
    """More bytes than the limit."""

    code = "too_large"
    en = "At most {limit} bytes are taken here."
    nl = "Hier worden hoogstens {limit} bytes aangenomen."


class IntegrityFailedError(GatewayError):
    """What is stored is not what was sealed. Nothing of it was shown."""

    code = "integrity_failed"
    en = "What is stored as {id} was altered or is missing, and is not shown. It has been logged."
    nl = "Wat is opgeslagen als {id} is gewijzigd of ontbreekt, en wordt niet getoond."


class UnavailableError(GatewayError):
    """Log, keys or storage cannot serve. Nothing was shown or changed."""

    code = "unavailable"
    en = "The service cannot do this now; nothing was shown or changed. Try again in a minute."
    nl = "Dit kan nu niet; er is niets getoond of gewijzigd. Probeer het over een minuut."


class DiskFullError(UnavailableError):
    """Only the reserve of the disk is left: for those who can make room."""

    code = "disk_full"
    en = (
        "The disk of the server is full, so nothing can be done now; nothing was lost. "
        "An administrator can still sign in and make room."
    )
    nl = (
        "De schijf van de server is vol, dus er kan nu niets; er is niets verloren. "
        "Een beheerder kan nog inloggen en ruimte maken."
    )


class BadRequestError(GatewayError):
    """The request is not HTTP as it should be."""

    code = "bad_request"
    en = "The request cannot be understood. Check its syntax."
    nl = "Het verzoek is niet te begrijpen. Controleer de opbouw."


class MethodNotAllowedError(GatewayError):
    """The address exists, this method does not."""

    code = "method_not_allowed"
    en = "This address takes {allowed}."
    nl = "Dit adres kent {allowed}."


class RequestTimeoutError(GatewayError):
    """The body did not arrive in time."""

    code = "request_timeout"
    en = "The request did not arrive in time. Send it again."
    nl = "Het verzoek kwam niet op tijd binnen. Stuur het opnieuw."


class InternalError(GatewayError):
    """A fault of ours."""

    code = "internal"
    en = "Something went wrong here. Nothing was lost that was acknowledged. Request {request_id}."
    nl = "Er ging hier iets mis. Wat bevestigd was, is bewaard. Verzoek {request_id}."
