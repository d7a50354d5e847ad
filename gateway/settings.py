"""One frozen Settings, read once. Every field says what it means; `kluis settings` prints it.

Sources, first wins: what the command line gives, the environment (`KLUIS_...`), the file
`kluis.toml` in the data directory. An unknown key in the file is an error.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.errors import InvalidInputError
from storage.durable import replace_file

MiB = 1024 * 1024
# A digest of what few could be is no secret: whoever reads it could try them all.
_UNDIGESTED = frozenset({"passphrase", "database_url", "keystore_url"})


def _listed(given: object) -> object:
    """Several values in the environment: a JSON list, or with commas between them."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        return json.loads(given)
    return [part.strip() for part in given.split(",") if part.strip()]


def _addresses(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(address)) for address in given)


Several = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]
Addresses = Annotated[Several, AfterValidator(_addresses)]


class Settings(BaseSettings):
    """Everything an operator can choose."""

    model_config = SettingsConfigDict(env_prefix="KLUIS_", frozen=True, extra="forbid")
    toml_file: ClassVar[Path | None] = None

    data: Path = Field(Path("./data"), description="directory of everything that is kept")
    passphrase: SecretStr | None = Field(
        None, description="unlocks the local keyring; better given as passphrase_file"
    )
    passphrase_file: Path | None = Field(
        None, description="file that holds the passphrase, such as a systemd credential"
    )
    key_provider: Literal["local", "openbao", "pkcs11"] = Field(
        "local", description="where controller keys live; chosen before init, changed by moving"
    )
    key_provider_before: Literal["", "local", "openbao", "pkcs11"] = Field(
        "", description="where they are moved from by `kluis keys migrate`; empty: they stay"
    )
    openbao_address: str = Field(
        "", description="the OpenBao server: https://, or http:// on this machine"
    )
    openbao_mount: str = Field(
        "kluis", description="path on it; the engines are MOUNT/transit and MOUNT/kv"
    )
    openbao_ca_file: Path | None = Field(
        None, description="certificates that vouch for it; else this machine's own"
    )
    openbao_token_file: Path | None = Field(
        None, description="file that holds a token; read again when it no longer works"
    )
    openbao_role_id: str = Field("", description="AppRole to log in with, instead of a token")
    openbao_secret_id_file: Path | None = Field(
        None, description="file that holds a secret id of that role"
    )
    pkcs11_module: Path | None = Field(None, description="library (.so) of the HSM")
    pkcs11_token: str = Field("", description="label of the token on it")
    pkcs11_pin_file: Path | None = Field(None, description="file that holds the user's PIN")
    database_url: str = Field(
        "", description="main database; empty: SQLite in the data directory", repr=False
    )
    keystore_url: str = Field(
        "", description="database of wrapped keys; empty: SQLite in the data directory", repr=False
    )
    host: str = Field("127.0.0.1", description="address to listen on; plain HTTP, so loopback")
    port: int = Field(8460, ge=0, le=65535, description="port to listen on; 0: any free one")
    workers: int = Field(1, ge=1, le=64, description="serving processes")
    request_seconds: float = Field(
        15.0, gt=0, description="time for headers, for a small body, and between two requests"
    )
    connections_per_address: int = Field(
        256,
        gt=0,
        description="connections that one address may hold; a trusted proxy's are not counted",
    )
    trusted_proxies: Addresses = Field(
        (), description="addresses of proxies whose X-Forwarded-For and -Proto are believed"
    )
    log_origin: str = Field(
        "kluis.local/log", description="name of the access log in its checkpoints; set before init"
    )
    log_key_days: float = Field(
        30.0, gt=0, description="days that a replaced log key goes on signing beside the new one"
    )
    witnesses: Several = Field(
        (), description="who cosigns the log's checkpoints, each as VERIFIER_KEY ADDRESS"
    )
    syslog_tls_address: str = Field(
        "", description="syslog receiver of the access log, HOST:PORT, over TLS; empty: none"
    )
    syslog_ca_file: Path | None = Field(
        None, description="certificates that vouch for the receiver; else this machine's own"
    )
    watch_history_days: int = Field(
        60, gt=0, description="days of the log from which the watch knows what is usual"
    )
    smtp_host: str = Field("", description="mail server; empty: no mail leaves")
    smtp_port: int = Field(587, ge=1, le=65535, description="port of that mail server")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="TLS with it; none: for a server on this machine alone"
    )
    smtp_ca_file: Path | None = Field(
        None, description="certificates that vouch for it; else this machine's own"
    )
    smtp_user: str = Field("", description="user name at the mail server; empty: none")
    smtp_password_file: Path | None = Field(None, description="file that holds its password")
    mail_from: str = Field("kluis@localhost", description="address that mail comes from")
    webhooks: Several = Field(
        (), description="programs that are told of alerts, each as NAME https://ADDRESS SECRET_FILE"
    )
    webhook_networks: Several = Field(
        (), description="networks that webhooks may reach besides the public internet"
    )
    webhook_ca_file: Path | None = Field(
        None, description="certificates that vouch for their receivers; else this machine's own"
    )
    digest_hour: int = Field(
        6, ge=-1, le=23, description="hour (UTC) of the officers' daily mail with counts; -1: none"
    )
    public_url: str = Field(
        "", description="address of our pages as people reach them, such as https://kluis.example"
    )
    oidc_issuer: str = Field(
        "", description="sign-on provider, as it names itself: https://...; empty: none"
    )
    oidc_client_id: str = Field("", description="our name at the sign-on provider")
    oidc_client_secret_file: Path | None = Field(
        None, description="file that holds our secret there; none: a public client"
    )
    oidc_scopes: str = Field(
        "openid email", description="scopes that are asked of the sign-on provider"
    )
    oidc_groups_claim: str = Field(
        "groups", description="claim of its tokens that lists a person's groups"
    )
    oidc_groups: Several = Field(
        (), description="who they are here, first match wins: GROUP=ROLE or GROUP=ROLE@CLIENT_ID"
    )
    oidc_second_factor: Several = Field(
        (), description="values of amr or acr that count as a second factor; empty: none does"
    )
    oidc_create_staff: bool = Field(
        False, description="whether sign-on makes accounts of staff whom oidc_groups names"
    )
    scan_limit_bytes: int = Field(256 * MiB, gt=0, description="largest scan taken, in bytes")
    photo_limit_bytes: int = Field(32 * MiB, gt=0, description="largest photo taken, in bytes")
    plan_limit_bytes: int = Field(256 * MiB, gt=0, description="largest plan file, in bytes")
    scan_limit_triangles: int = Field(2_500_000, gt=0, description="triangles of one scan")
    photo_limit_pixels: int = Field(40_000_000, gt=0, description="pixels of one photo")
    files_per_case: int = Field(200, gt=0, description="files of one case, refused ones too")
    upload_memory_bytes: int = Field(
        64 * MiB, gt=0, description="unsealed bytes of all running uploads together"
    )
    upload_hours: float = Field(24.0, gt=0, description="time to finish an upload, in hours")
    upload_idle_seconds: float = Field(
        30.0, gt=0, description="silence after which a connection that uploads is closed"
    )
    inspection_workers: int = Field(2, ge=1, le=64, description="scans inspected at a time")
    inspection_seconds: float = Field(30.0, gt=0, description="time for one inspection")
    inspection_memory_bytes: int = Field(
        1024 * MiB, gt=0, description="memory that one inspection may take"
    )
    clamd_address: str = Field(
        "",
        description="virus scanner on this machine, path of its socket or HOST:PORT; empty: none",
    )
    session_idle_minutes: float = Field(30.0, gt=0, description="a session ends after this silence")
    lock_on_move: bool = Field(
        True, description="whether staff prove themselves again in another network or browser"
    )
    code_clock_steps: int = Field(
        0,
        ge=0,
        le=1,
        description="steps of 30 seconds that the clock of a one-time code may be off",
    )
    session_lock_minutes: float = Field(
        15.0, gt=0, description="staff who were silent for this long prove themselves again"
    )
    session_hours: float = Field(12.0, gt=0, description="a session ends after this in any case")
    invitation_hours: float = Field(72.0, gt=0, description="how long an invitation's link works")
    reset_minutes: float = Field(30.0, gt=0, description="how long the link of a reset works")
    factor_recovery_hours: float = Field(
        24.0, ge=24, description="wait before a lost second factor is removed; a day at least"
    )
    confirmation_minutes: float = Field(
        5.0, gt=0, description="how long a repeated password counts for what cannot be undone"
    )
    two_people: bool = Field(
        True, description="whether what undoes the house takes a second person's password"
    )
    emergency_minutes: int = Field(
        60, ge=1, le=240, description="how long an emergency gives access at the most"
    )
    emergency_review_hours: float = Field(
        72.0, gt=0, description="time until an emergency must have been reviewed"
    )
    assignment_grace_days: float = Field(
        14.0, ge=0, description="days that a planner keeps access to a case that is completed"
    )
    log_years: float = Field(
        5.0, ge=5, description="years that records of the access log are kept; the law asks for 5"
    )
    disk_reserve_bytes: int = Field(
        16 * MiB, gt=0, description="room kept back, so that a full disk locks nobody out"
    )
    backup_directories: Paths = Field(
        (), description="places for back-ups of data and keystore; each must be there and be ours"
    )
    key_backup_directories: Paths = Field(
        (),
        description="places for the back-up of a local keyring's keys; never with the data's own",
    )
    backup_hours: float = Field(
        0.0, ge=0, description="time between two back-ups while serving, in hours; 0: none"
    )
    backup_keep: int = Field(7, ge=1, description="back-ups of the data that a place keeps")
    sweep_minutes: float = Field(10.0, gt=0, description="time between two sweeps of orphans")
    orphan_hours: float = Field(
        1.0, gt=0, description="age at which bytes that no row names are taken for orphans"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, file: in this order."""
        file = TomlConfigSettingsSource(settings_cls, cls.toml_file)
        return init_settings, env_settings, file

    @property
    def main_database(self) -> str:
        """Address of the main database for SQLAlchemy."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data.absolute() / 'kluis.db'}"

    @property
    def keystore_database(self) -> str:
        """Address of the keystore for SQLAlchemy."""
        return self.keystore_url or f"sqlite+aiosqlite:///{self.data.absolute() / 'keystore.db'}"

    @property
    def witness_keys(self) -> tuple[str, ...]:
        """The verifier keys of the witnesses."""
        return tuple(entry.partition(" ")[0] for entry in self.witnesses)

    @property
    def disk_reserve_path(self) -> Path:
        """The file that keeps room back."""
        return self.data / "reserve"

    @property
    def places_path(self) -> Path:
        """Which directories were made places of back-ups, by absolute path."""
        return self.data / "places.json"

    @property
    def keyring_path(self) -> Path:
        """The local keyring's file."""
        return self.data / "keyring.json"

    @property
    def recovery_key_path(self) -> Path:
        """The public half of the recovery key; the other half is on paper."""
        return self.data / "recovery.pub"

    @property
    def restoring_path(self) -> Path:
        """There while a restore is not complete; nothing else opens the directory then."""
        return self.data / "restoring"

    @property
    def log_head_path(self) -> Path:
        """What the log's signer remembers outside the database."""
        return self.data / "log-head.json"

    @property
    def syslog_position_path(self) -> Path:
        """How far the access log was delivered to the syslog receiver."""
        return self.data / "syslog-position.json"

    @property
    def log_key_path(self) -> Path:
        """The log's public key, as a C2SP verifier key."""
        return self.data / "log.pub"

    @property
    def certificate_key_path(self) -> Path:
        """The public key of certificates, as a C2SP verifier key."""
        return self.data / "certificate.pub"


def settings_changed(settings: Settings) -> tuple[list[str], Callable[[], None]]:
    """Name the settings that are not as they were when they were last remembered.

    What is remembered is a digest each, in the data directory; secrets are left out.

    Returns:
        The names (none where nothing was remembered yet), and what remembers them.
    """
    path = settings.data / "settings-seen.json"
    seen: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    present = {}
    for name in type(settings).model_fields:
        if name not in _UNDIGESTED:
            value = repr(getattr(settings, name)).encode()
            present[name] = hashlib.sha256(value).hexdigest()
    if not seen:
        _write_seen(path, present)
        return [], lambda: None
    changed = sorted(name for name in present if present[name] != seen.get(name))
    return changed, lambda: _write_seen(path, present)


def _write_seen(path: Path, digests: Mapping[str, str]) -> None:
    replace_file(path, json.dumps(digests, indent=1).encode() + b"\n")


def load(**given: Any) -> Settings:
    """Read the settings.

    Args:
        given: What the command line sets; None means not given.

    Raises:
        InvalidInputError: A setting is unknown or not of its type; the field is named.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        data = Settings(**chosen).data
        from_file: type[Settings] = type(
            "Settings", (Settings,), {"toml_file": data / "kluis.toml"}
        )
        read = from_file(**chosen)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InvalidInputError(field="kluis.toml", reason="it is not TOML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(field=field, reason=first["msg"]) from None
    # A plain Settings: a class made here could not be handed to another process.
    return Settings.model_construct(**dict(read))
