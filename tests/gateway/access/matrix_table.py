"""The table of test_matrix.py: every operation, and what each identity is answered.

Its columns are those of test_matrix.WHO. `-` is the case of the dentist's own practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.access.duty import VERSION
from tests.gateway.ground import UNKNOWN
from tests.house import API, PATIENT

TABLE = f"""
GET /healthz                                            200 200 200 200 200 200 200 200 200 200 200
GET /readyz                                             200 200 200 200 200 200 200 200 200 200 200
GET {API}/openapi.json                                  200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/checkpoint                                200 200 200 200 200 200 200 200 200 200 200
GET {API}/keys                                          200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/tile/entries/*                            200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/tile/0/*                                  200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/proof/*                                   401 401 401 200 404 403 403 403 403 200 403
GET {API}/log/events                                    401 401 401 200 403 403 403 403 403 200 403
POST {API}/session                                      401 401 401 401 401 401 401 401 401 401 401
GET {API}/session                                       401 401 401 401 401 401 401 401 401 401 401
POST {API}/session/confirmation                         401 401 401 401 401 401 401 401 401 401 401
DELETE {API}/session                                    401 401 401 204 204 204 204 204 204 204 204
GET {API}/account/confidentiality                       401 401 401 200 200 200 200 200 200 200 200
POST {API}/account/confidentiality                      401 401 401 200 200 200 200 200 200 200 200
POST {API}/cases                                        401 401 401 201 201 403 403 403 403 403 403
GET {API}/cases                                         401 401 401 200 200 200 200 200 200 403 403
POST {API}/cases/search                                 401 401 401 200 200 403 403 403 403 403 403
GET {API}/cases/-                                       401 401 401 200 404 200 404 404 200 404 404
OPTIONS {API}/cases/-/files                             204 204 204 204 204 204 204 204 204 204 204
POST {API}/cases/-/files                                401 401 401 201 404 403 404 404 403 404 404
OPTIONS {API}/uploads/*                                 204 204 204 204 204 204 204 204 204 204 204
HEAD {API}/uploads/*                                    200 200 200 200 200 200 200 200 200 200 200
PATCH {API}/uploads/*                                   204 204 204 204 204 204 204 204 204 204 204
DELETE {API}/uploads/*                                  204 204 204 204 204 204 204 204 204 204 204
POST {API}/cases/-/submission                           401 401 401 200 404 403 404 404 403 404 404
POST {API}/cases/-/assignments                          401 401 401 403 404 403 404 404 201 404 404
DELETE {API}/cases/-/assignments/*                      401 401 401 403 404 403 404 404 204 404 404
GET {API}/cases/-/files/*                               401 401 401 200 404 200 404 404 200 404 404
GET {API}/cases/-/files/*/content                       401 401 401 200 404 200 404 404 403 404 404
GET {API}/cases/-/files/*/thumbnail                     401 401 401 200 404 200 404 404 403 404 404
PUT {API}/cases/-/files/*/slot                          401 401 401 409 404 403 404 404 403 404 404
GET {API}/cases/-/archive                               401 401 401 200 404 200 404 404 403 404 404
DELETE {API}/cases/-/files/*                            401 401 401 409 404 403 404 404 403 404 404
POST {API}/cases/-/handover                             401 401 401 403 404 422 404 404 403 404 404
GET {API}/assignments                                   401 401 401 403 403 403 403 403 200 403 403
GET {API}/planners                                      401 401 401 403 403 403 403 403 200 403 403
POST {API}/cases/-/emergency                            401 401 401 403 404 409 201 201 201 404 404
GET {API}/emergencies                                   401 401 401 200 200 403 403 403 403 200 403
POST {API}/emergencies/*/review                         401 401 401 403 404 403 404 404 403 200 404
POST {API}/cases/-/restriction                          401 401 401 204 404 403 404 404 403 204 404
POST {API}/cases/-/release                              401 401 401 204 404 404 404 404 403 204 404
POST {API}/cases/-/completion                           401 401 401 403 404 200 404 404 403 404 404
GET {API}/cases/-/events                                401 401 401 200 404 403 404 404 403 200 404
POST {API}/cases/-/misuse-reports                       401 401 401 201 404 403 404 404 403 404 404
GET {API}/alerts                                        401 401 401 403 403 403 403 403 403 200 403
GET {API}/alerts/*                                      401 401 401 403 403 403 403 403 403 200 403
POST {API}/incidents/*/notices                          401 401 401 403 403 403 403 403 403 409 403
GET {API}/incidents/*/notices                           401 401 401 403 403 403 403 403 403 200 403
GET {API}/breach-notices                                401 401 401 200 200 403 403 403 403 403 403
GET {API}/breach-notices/*                              401 401 401 200 404 403 403 403 403 200 403
GET {API}/breach-notices/*/document                     401 401 401 200 404 403 403 403 403 200 403
POST {API}/breach-notices/*/sending                     401 401 401 403 403 403 403 403 403 409 403
POST {API}/breach-notices/*/acknowledgement             401 401 401 200 404 403 403 403 403 403 403
GET {API}/deliveries                                    401 401 401 403 403 403 403 403 403 200 200
POST {API}/deliveries/*/retry                           401 401 401 403 403 403 403 403 403 202 202
POST {API}/alerts/*/assignment                          401 401 401 403 403 403 403 403 403 200 403
POST {API}/alerts/*/comments                            401 401 401 403 403 403 403 403 403 201 403
POST {API}/alerts/*/dismissal                           401 401 401 403 403 403 403 403 403 200 403
POST {API}/incidents                                    401 401 401 403 403 403 403 403 403 201 403
GET {API}/incidents                                     401 401 401 403 403 403 403 403 403 200 403
GET {API}/incidents/register                            401 401 401 403 403 403 403 403 403 200 403
GET {API}/incidents/register.csv                        401 401 401 403 403 403 403 403 403 200 403
GET {API}/incidents/*                                   401 401 401 403 403 403 403 403 403 200 403
PATCH {API}/incidents/*                                 401 401 401 403 403 403 403 403 403 200 403
POST {API}/incidents/*/entries                          401 401 401 403 403 403 403 403 403 201 403
POST {API}/incidents/*/alerts                           401 401 401 403 403 403 403 403 403 404 403
POST {API}/incidents/*/scope                            401 401 401 403 403 403 403 403 403 201 403
POST {API}/incidents/*/measures                         401 401 401 403 403 403 403 403 403 201 403
POST {API}/incidents/*/evidence                         401 401 401 403 403 403 403 403 403 201 403
GET {API}/incidents/*/evidence/*                        401 401 401 403 403 403 403 403 403 404 403
POST {API}/alerts/*/incident                            401 401 401 403 403 403 403 403 403 404 403
GET {API}/reviews                                       401 401 401 403 403 403 403 403 403 200 403
GET {API}/reviews/*                                     401 401 401 403 403 403 403 403 403 409 403
GET {API}/reviews/*/report                              401 401 401 403 403 403 403 403 403 409 403
POST {API}/reviews/*/verdicts                           401 401 401 403 403 403 403 403 403 409 403
POST {API}/canaries                                     401 401 401 403 403 403 403 403 403 409 403
GET {API}/canaries                                      401 401 401 403 403 403 403 403 403 200 403
DELETE {API}/canaries/*                                 401 401 401 403 403 403 403 403 403 204 403
PUT {API}/cases/-/patient                               401 401 401 202 404 403 404 404 403 404 404
POST {API}/cases/-/files/*/erasure                      401 401 401 202 404 403 404 404 403 404 404
GET {API}/cases/-/files/*/erasure                       401 401 401 200 404 403 404 404 403 200 404
POST {API}/cases/-/erasure                              401 401 401 202 404 403 404 404 403 404 404
GET {API}/cases/-/erasure                               401 401 401 200 404 404 404 404 403 200 404
POST {API}/erasures                                     401 401 401 202 404 404 404 404 403 404 404
GET {API}/erasures                                      401 401 401 200 200 403 403 403 403 200 403
GET {API}/erasures/*                                    401 401 401 200 404 403 403 403 403 200 403
POST {API}/erasures/*/approval                          401 401 401 202 404 404 404 404 403 404 404
DELETE {API}/erasures/*                                 401 401 401 204 404 404 404 404 403 404 404
"""
BODIES: Mapping[str, Mapping[str, Any]] = {
    f"POST {API}/session": {"email": "who@people.invalid", "password": "not the right one"},
    f"POST {API}/session/confirmation": {"password": "not the right one"},
    f"POST {API}/account/confidentiality": {"version": VERSION},
    f"POST {API}/cases": {"patient": PATIENT},
    f"POST {API}/cases/search": {"patient_number": "another"},
    f"PUT {API}/cases/-/patient": {**PATIENT, "name": "Another"},
    f"POST {API}/cases/-/emergency": {"reason": "urgent", "minutes": 5},
    f"POST {API}/emergencies/*/review": {"verdict": "justified", "words": "it was"},
    f"POST {API}/cases/-/restriction": {"reason": "a doubt"},
    f"POST {API}/cases/-/misuse-reports": {"words": "nobody had a reason"},
    f"POST {API}/alerts/*/assignment": {},
    f"POST {API}/incidents/*/notices": {"phase": "first", "words": {"en": {"contact": "us"}}},
    f"POST {API}/alerts/*/comments": {"words": "asked the practice"},
    f"POST {API}/alerts/*/dismissal": {"reason": "it was a colleague on call"},
    f"POST {API}/incidents": {"title": "a stolen token"},
    f"PATCH {API}/incidents/*": {"severity": "low"},
    f"POST {API}/incidents/*/entries": {"words": "called the practice"},
    f"POST {API}/incidents/*/alerts": {"alert_id": UNKNOWN},
    f"POST {API}/incidents/*/scope": {"addresses": ["192.0.2.7"]},
    f"POST {API}/alerts/*/incident": {"incident_id": UNKNOWN},
    f"POST {API}/reviews/*/verdicts": {"item": "event:0", "verdict": "explained", "words": "work"},
    f"POST {API}/cases/-/release": {"reason": "settled"},
}
