"""The primitives we build on, against the vectors of their standards.

Each standard's own first vectors are always run. Where the folder of real files is present
(KLUIS_CORPUS, else ../shared/corpus), Project Wycheproof's hostile ones are run as well.
"""

import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys.errors import SignatureError
from keys.signing import Verifier

REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY / os.environ.get("KLUIS_CORPUS", "../shared/corpus") / "vectors"
OWN: dict[str, dict[str, Any]] = {
    # McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13 and 14.
    "aes_gcm": {
        "keySize": 256,
        "ivSize": 96,
        "tests": [
            {"msg": "", "ct": "", "tag": "530f8afbc74536b9a963b4f1c4cb738b"},
            {
                "msg": "00" * 16,
                "ct": "cea7403d4d606b6e074ec5d3baf39d18",
                "tag": "d0d1c8a799996bf0265b98b5d48ab919",
            },
        ],
    },
    # RFC 5869, A.1.
    "hkdf_sha256": {
        "tests": [
            {
                "ikm": "0b" * 22,
                "salt": "000102030405060708090a0b0c",
                "info": "f0f1f2f3f4f5f6f7f8f9",
                "size": 42,
                "okm": "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                "34007208d5b887185865",
            }
        ]
    },
    # RFC 4231, 4.2.
    "hmac_sha256": {
        "tagSize": 256,
        "tests": [
            {
                "key": "0b" * 20,
                "msg": b"Hi There".hex(),
                "tag": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            }
        ],
    },
    # RFC 8032, 7.1, test 1.
    "ed25519": {
        "publicKey": {"pk": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
        "tests": [
            {
                "msg": "",
                "sig": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f"
                "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            }
        ],
    },
    # RFC 7748, 5.2.
    "x25519": {
        "tests": [
            {
                "private": "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "public": "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "shared": "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            }
        ],
    },
}
Case = tuple[dict[str, Any], dict[str, Any], bool]


def sources(primitive: str) -> pytest.MarkDecorator:
    found = sorted(CORPUS.glob(f"{primitive}_test.json"))
    groups = [[OWN[primitive]], *(json.loads(file.read_bytes())["testGroups"] for file in found)]
    ids = ["standard", *(file.stem for file in found)]
    return pytest.mark.parametrize("groups", groups, ids=ids)


def cases(groups: list[dict[str, Any]]) -> Iterator[Case]:
    """Yield (group, case, whether it is valid), and print how many there were."""
    count = 0
    for group in groups:
        for case in group["tests"]:
            count += 1
            yield group, case, case.get("result", "valid") == "valid"
    print(f"{count} vectors")  # noqa: T201


def raw(case: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(case[field])


@sources("aes_gcm")
def test_aes_256_gcm_agrees_with_every_vector(groups: list[dict[str, Any]]) -> None:
    ours = [group for group in groups if (group["keySize"], group["ivSize"]) == (256, 96)]
    assert ours
    for _, case, valid in cases(ours):
        cipher = AESGCM(bytes.fromhex(case.get("key", "00" * 32)))
        nonce, aad = bytes.fromhex(case.get("iv", "00" * 12)), bytes.fromhex(case.get("aad", ""))
        sealed = raw(case, "ct") + raw(case, "tag")
        if valid:
            assert cipher.encrypt(nonce, raw(case, "msg"), aad) == sealed
            assert cipher.decrypt(nonce, sealed, aad) == raw(case, "msg")
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed, aad)


@sources("hkdf_sha256")
def test_hkdf_sha256_agrees_with_every_vector(groups: list[dict[str, Any]]) -> None:
    for _, case, valid in cases(groups):
        ikm, salt, info = (raw(case, field) for field in ("ikm", "salt", "info"))
        if valid:
            assert HKDF(SHA256(), case["size"], salt, info).derive(ikm) == raw(case, "okm")
        else:
            with pytest.raises(ValueError, match="larger than"):
                HKDF(SHA256(), case["size"], salt, info)


@sources("hmac_sha256")
def test_hmac_sha256_agrees_with_every_vector(groups: list[dict[str, Any]]) -> None:
    for group, case, valid in cases(groups):
        tag = hmac.digest(raw(case, "key"), raw(case, "msg"), "sha256")[: group["tagSize"] // 8]
        assert hmac.compare_digest(tag, raw(case, "tag")) == valid


@sources("ed25519")
def test_ed25519_agrees_with_every_vector(groups: list[dict[str, Any]]) -> None:
    for group, case, valid in cases(groups):
        verifier = Verifier("log", raw(group["publicKey"], "pk"))
        if valid:
            verifier.verify(raw(case, "msg"), raw(case, "sig"))
        else:
            with pytest.raises(SignatureError):
                verifier.verify(raw(case, "msg"), raw(case, "sig"))


@sources("x25519")
def test_x25519_agrees_with_every_vector(groups: list[dict[str, Any]]) -> None:
    # "Acceptable" are points that a library may refuse; it may compute nothing else of them.
    for _, case, valid in cases(groups):
        private = X25519PrivateKey.from_private_bytes(raw(case, "private"))
        public = X25519PublicKey.from_public_bytes(raw(case, "public"))
        if int(case["shared"], 16):
            assert private.exchange(public) == raw(case, "shared")
        else:
            assert not valid
            with pytest.raises(ValueError, match="shared key"):
                private.exchange(public)


def test_scrypt_agrees_with_its_standard() -> None:
    """RFC 7914, 12, the third; there are no hostile vectors of it."""
    derived = Scrypt(b"NaCl", 64, 1024, 8, 16).derive(b"password")
    assert derived.hex() == (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )
