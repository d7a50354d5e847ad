"""Settings: documented, read in a known order, refused by name, silent about secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import InvalidInputError
from gateway.settings import Settings, load


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("KLUIS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_means(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description
    assert len(description) > 15


def test_a_bare_directory_needs_no_settings_at_all(tmp_path: Path) -> None:
    settings = load(data=tmp_path)

    assert settings.host == "127.0.0.1"
    assert settings.main_database == f"sqlite+aiosqlite:///{tmp_path}/kluis.db"
    assert settings.keystore_database == f"sqlite+aiosqlite:///{tmp_path}/keystore.db"


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kluis.toml").write_text("port = 1\nworkers = 2\nfiles_per_case = 3\n")
    monkeypatch.setenv("KLUIS_PORT", "10")
    monkeypatch.setenv("KLUIS_WORKERS", "20")
    settings = load(data=tmp_path, port=100)

    assert (settings.port, settings.workers, settings.files_per_case) == (100, 20, 3)


def test_what_is_not_given_on_the_command_line_counts_as_not_given(tmp_path: Path) -> None:
    (tmp_path / "kluis.toml").write_text("port = 1\n")

    assert load(data=tmp_path, port=None).port == 1


def test_the_file_is_found_in_the_directory_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kluis.toml").write_text('trusted_proxies = ["10.0.0.1", "10.0.0.2"]\n')
    monkeypatch.setenv("KLUIS_DATA", str(tmp_path))

    assert load().trusted_proxies == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("prot = 1", "prot"),
        ("[server]\nport = 1", "server"),
        ("port = 70000", "port"),
        ('port = "x"', "port"),
        ("workers = 0", "workers"),
        ("session_hours = 0", "session_hours"),
        ("upload_memory_bytes = -1", "upload_memory_bytes"),
        ("trusted_proxies = 7", "trusted_proxies"),
    ],
)
def test_a_setting_in_the_file_that_is_wrong_is_named(
    tmp_path: Path, line: str, field: str
) -> None:
    (tmp_path / "kluis.toml").write_text(line)
    with pytest.raises(InvalidInputError) as caught:
        load(data=tmp_path)

    assert (caught.value.field or "").split(".")[0] == field


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kluis.toml").write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        load(data=tmp_path)

    assert caught.value.field == "kluis.toml"


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "x"), ("session_hours", "-1"), ("trusted_proxies", "127.0.0.1 10.0.0.1")],
)
def test_a_setting_in_the_environment_that_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"KLUIS_{name.upper()}", value)
    with pytest.raises(InvalidInputError) as caught:
        load(data=tmp_path)

    assert caught.value.field == name


def test_no_secret_is_printed_and_none_is_quoted_when_it_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+asyncpg://kluis:hush@db/kluis"
    settings = load(data=tmp_path, passphrase="hush", database_url=url, keystore_url=url)
    assert "hush" not in repr(settings) + str(settings)

    monkeypatch.setenv("KLUIS_PORT", "hush")
    with pytest.raises(InvalidInputError) as caught:
        load(data=tmp_path)
    assert "hush" not in str(caught.value) + repr(caught.value)


def test_settings_do_not_change_once_read(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # that is what is tested
