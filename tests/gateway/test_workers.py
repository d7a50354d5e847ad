"""Several serving processes: a credential that is refused is tried by one of them alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import serve
from gateway.settings import Settings, load
from keys.errors import ProviderRefusedError
from keys.providers import KeyProvider


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data=tmp_path, workers=3, port=0)


def test_no_worker_starts_with_a_credential_that_was_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    async def refused(chosen: Settings, _passphrase: str) -> KeyProvider:
        tried.append(chosen.key_provider)
        raise ProviderRefusedError("the PIN is refused", "put the PIN file right")

    def start(*_: object) -> None:
        tried.append("a worker")

    monkeypatch.setattr(serve, "open_provider", refused)
    monkeypatch.setattr(serve, "_Supervisor", start)
    for name in ("keep_to_itself", "configure_log"):
        monkeypatch.setattr(serve, name, lambda: None)
    with pytest.raises(ProviderRefusedError):
        serve.run_server(settings, "", lambda _: None)

    assert tried == ["local"]
