"""Messages of RFC 5424, and their delivery over TLS (RFC 5425) to a real receiver."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInputError
from gateway.exports.syslog import Receiver, framed, message
from storage.accesslog.event import AccessEvent
from tests.gateway.exports.ground import Authority, SyslogServer, entry
from tests.house import WAIT_SECONDS

# RFC 5424 section 6: HEADER, one element of STRUCTURED-DATA, MSG.
MESSAGE = re.compile(
    r"<(?P<priority>[0-9]{1,3})>1"
    r" (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)"
    r" (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128})"
    r" (?P<kind>[!-~]{1,32})"
    r' \[meta sequenceId="(?P<sequence>[1-9][0-9]{0,9})"\]'
    r" (?P<text>[ -~]*)"
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_message_has_the_parts_of_the_standard() -> None:
    made = entry(1)

    found = MESSAGE.fullmatch(message(made, "kluis.example").decode("ascii"))

    assert found is not None
    assert found["priority"] == "85"  # facility 10, notice
    assert found["time"] == "2026-03-01T08:00:01.250000Z"
    assert found.group("host", "app", "process", "kind") == (
        "kluis.example",
        "kluis",
        "node-1",
        "file.download",
    )
    assert found["sequence"] == "12"
    assert AccessEvent.from_record(json.loads(found["text"])) == made.event


@pytest.mark.parametrize(
    ("changes", "priority"),
    [({"stage": "refused"}, "84"), ({"stage": "refused", "code": "integrity.alarm"}, "81")],
)
def test_what_needs_a_look_is_louder(changes: dict[str, Any], priority: str) -> None:
    assert message(entry(**changes), "host").startswith(f"<{priority}>1 ".encode())


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_no_text_breaks_out_of_its_place(text: str, host: str) -> None:
    made = message(entry(source=text, code=text, detail={"name": text}), host)

    found = MESSAGE.fullmatch(made.decode("ascii"))
    assert found is not None
    assert json.loads(found["text"])["event"]["detail"] == {"name": text}


def test_a_frame_begins_with_its_length() -> None:
    assert framed(b"x" * 12) == b"12 xxxxxxxxxxxx"


async def test_messages_arrive_whole_and_in_order(authority: Authority) -> None:
    sent = [message(entry(number), "host") for number in range(1, 1001)]

    async with SyslogServer().listening(authority.server_context()) as server:
        await asyncio.to_thread(server.receiver(authority.path).deliver, sent)

        assert server.messages == sent


async def test_a_receiver_that_breaks_off_has_confirmed_nothing(authority: Authority) -> None:
    sent = [message(entry(number), "host") for number in range(1, 1001)]

    async with SyslogServer(takes=3).listening(authority.server_context()) as server:
        with pytest.raises(OSError, match=r".*"):
            await asyncio.to_thread(server.receiver(authority.path).deliver, sent)

        assert server.messages == sent[:3]


async def test_a_receiver_that_hangs_up_before_our_end_has_confirmed_nothing(
    authority: Authority,
) -> None:
    sent = [message(entry(number), "host") for number in range(1, 4)]

    async with SyslogServer(takes=3).listening(authority.server_context()) as server:
        with pytest.raises(OSError, match=r".*"):
            await asyncio.to_thread(server.receiver(authority.path).deliver, sent)

        assert server.messages == sent


async def test_a_receiver_that_reads_all_and_ends_in_order_has_confirmed(
    authority: Authority,
) -> None:
    sent = [message(entry(number), "host") for number in range(1, 1001)]

    async with SyslogServer(answers=False).listening(authority.server_context()) as server:
        await asyncio.to_thread(server.receiver(authority.path).deliver, sent)

        assert server.messages == sent


async def test_bytes_that_never_reached_the_other_machine_are_not_confirmed(
    authority: Authority,
) -> None:
    # It says that it ended in order, but its machine had no room for what was sent.
    sent = [message(entry(number), "host") for number in range(1, 151)]
    context, done = authority.server_context(), threading.Event()

    def hang_up(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.shutdown(socket.SHUT_WR)
            done.wait(WAIT_SECONDS)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ending = asyncio.create_task(asyncio.to_thread(hang_up, listener))
        receiver = SyslogServer(port=listener.getsockname()[1]).receiver(authority.path)
        with pytest.raises(ssl.SSLEOFError):
            await asyncio.to_thread(receiver.deliver, sent)
        done.set()
        await ending


async def test_nothing_goes_to_a_receiver_that_nobody_vouches_for(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    async with SyslogServer().listening(other.server_context()) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(server.receiver(authority.path).deliver, [b"message"])

        assert server.messages == []


async def test_nothing_goes_to_a_receiver_of_another_name(authority: Authority) -> None:
    async with SyslogServer().listening(authority.server_context("192.0.2.1")) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(server.receiver(authority.path).deliver, [b"message"])

        assert server.messages == []


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("siem.example", "siem.example", 6514),
        ("siem.example:1514", "siem.example", 1514),
        ("[2001:db8::1]:6514", "2001:db8::1", 6514),
    ],
)
def test_an_address_is_a_host_and_perhaps_a_port(address: str, host: str, port: int) -> None:
    receiver = Receiver.of(address, None)

    assert (receiver.host, receiver.port) == (host, port)
    assert receiver.context.verify_mode is ssl.CERT_REQUIRED
    assert receiver.context.check_hostname
    assert receiver.context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "address", [":6514", "host:port", "host:99999", "tls://host", "[::1", "user@host", "host/x"]
)
def test_an_address_that_is_none_is_refused_by_name(address: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Receiver.of(address, None)

    assert caught.value.field == "syslog_tls_address"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_a_certificate_is_refused_by_name(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InvalidInputError) as caught:
        Receiver.of("siem.example", path)

    assert caught.value.field == "syslog_ca_file"
