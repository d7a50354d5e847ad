"""A webhook reaches the public internet and what an operator named, however an address is put."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.addresses import Addresses
from gateway.delivery.webhook import Hook, Webhooks
from gateway.errors import InvalidInputError
from gateway.settings import Settings
from tests.gateway.delivery.receiver import hooked

PUBLIC = ("9.9.9.9", "193.0.14.129", "2620:fe::9", "2a00:1450:400e:80c::200e")
CLOSED = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"),  # noqa: S104
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "233.252.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:9.9.9.9", "::ffff:a9fe:a9fe"),
    *("::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::909:909"),
    *("64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1"),
    *("4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1"),
    *("ff02::1", "ff0e::1"),
)
NO_ADDRESS = (
    *("", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", " 9.9.9.9"),
    *("9.9.9.9\n", "[2620:fe::9]", "9.9.9.9:443", "９.9.9.9"),  # noqa: RUF001 - a wide figure
)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(address: str) -> None:
    assert Addresses().allows(address)


@pytest.mark.parametrize("address", [*CLOSED, *NO_ADDRESS])
def test_what_is_not_the_public_internet_is_closed(address: str) -> None:
    assert not Addresses().allows(address)


@given(st.integers(0, 2**32 - 1))
def test_no_dress_of_an_ipv4_address_opens_what_is_closed(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    packed = plain.packed
    dressed = (
        *(b"\0" * 10 + b"\xff\xff" + packed, b"\0" * 12 + packed),  # mapped, compatible
        *(b"\0d\xff\x9b" + b"\0" * 8 + packed, b"\0d\xff\x9b\0\x01" + b"\0" * 6 + packed),  # NAT64
        b"\x20\x02" + packed + b"\0" * 10,  # 6to4
        b"\x20\x01\0\0" + b"\0" * 8 + bytes(255 - each for each in packed),  # Teredo
        b"\xfe\x80" + b"\0" * 6 + b"\0\0\x5e\xfe" + packed,  # ISATAP
    )

    assert not any(Addresses().allows(str(ipaddress.IPv6Address(each))) for each in dressed)
    assert not Addresses(("10.0.0.0/8",)).allows(str(ipaddress.IPv6Address(dressed[0])))


def test_a_network_that_an_operator_named_is_open_and_its_neighbour_is_not() -> None:
    addresses = Addresses(("10.1.2.0/24", "fd12::/64"))

    assert addresses.allows("10.1.2.3")
    assert addresses.allows("fd12::3")
    assert not addresses.allows("10.1.3.3")
    assert not addresses.allows("fd12:0:0:1::3")


@pytest.mark.parametrize(
    "network",
    [
        *("169.254.169.254/32", "0.0.0.0/0", "::/0", "224.0.0.0/8", "fe80::/64", "ff02::/16"),
        *("::ffff:0:0/96", "64:ff9b::/96", "10.0.0.1/8", "somewhere", ""),
    ],
)
def test_no_setting_opens_link_local_multicast_or_everything(network: str) -> None:
    with pytest.raises(InvalidInputError, match="webhook_networks"):
        Addresses((network,))


@pytest.mark.parametrize(
    "url",
    [
        *("http://siem.example/", "ftp://siem.example/", "//siem.example/", "siem.example"),
        *("https://", "https:///path", "https:siem.example", "HTTPS://siem.example/"),
        *("https://user@siem.example/", "https://user:word@siem.example/", "https://@siem.example"),
        *("https://siem.example@127.0.0.1/", "https://siem.example\\@evil.example/"),
        *(
            "https://siem.example#@evil.example/",
            "https://siem.example/#part",
            "https://SIEM.example",
        ),
        *(
            "https://siem.example./",
            "https://siem..example/",
            "https://.example/",
            "https://-a.example",
        ),
        *("https://bücher.example/", "https://siem。example/", "https://ⓛocalhost/"),
        *("https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/"),
        *("https://017700000001/", "https://127.1/", "https://127.0.0.1./", "https://127.0.0.01/"),
        *(
            "https://1.2.3.256/",
            "https://[::1",
            "https://[::ffff:127.0.0.1]/",
            "https://[fe80::1%1]/",
        ),
        *("https://[0:0:0:0:0:0:0:1]/", "https://::1/", "https://siem.example:0/"),
        *(
            "https://siem.example:65536/",
            "https://siem.example:99999999/",
            "https://siem.example:/",
        ),
        *("https://siem.example:443:80/", "https://siem.example/a\tb", "https://siem.example/\x7f"),
        *("https://siem.example?x=1", "https://a.0x7f/", "https://siem.example%2eevil.example/"),
    ],
)
def test_an_address_that_programs_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="webhooks"):
        Hook.parse(f"siem {url} secret")


@pytest.mark.parametrize(
    "url",
    [
        *("https://siem.example", "https://siem.example:8443/a/b?token=x&y=@z", "https://9.9.9.9/"),
        *("https://[2620:fe::9]:8443/", "https://xn--bcher-kva.example/", "https://localhost/"),
    ],
)
def test_a_plain_address_is_taken(url: str) -> None:
    assert Hook.parse(f"siem {url} /run/secrets/siem key").url == url


@pytest.mark.parametrize(
    "entries",
    [
        *(
            ("siem https://siem.example",),
            ("https://siem.example secret",),
            ("Siem https://a.b c",),
        ),
        ("siem https://a.example one", "siem https://b.example two"),
        *(("siem https://127.0.0.1/ secret",), ("siem https://[::1]/ secret",)),
        ("siem https://169.254.169.254/latest secret",),
    ],
)
def test_hooks_that_cannot_be_meant_stop_the_start(entries: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="webhooks"):
        Webhooks(hooked(Settings(), webhooks=entries))
