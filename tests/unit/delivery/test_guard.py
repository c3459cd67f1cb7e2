"""Requests go where the settings list, and nowhere else, however the way there is spelt."""

from ipaddress import ip_address

import pytest

from sinks.delivery.guard import Guard, NotAllowed, Resolve, is_public, read_url

HOSTS = ("hooks.example.com",)
SPELLINGS = (
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://127.0.0.1./",
    "https://localhost/",
    "https://localhost./",
    "https://hooks.example.com./",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1\\@hooks.example.com/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://127.0.0.1%2f@hooks.example.com/",
    "https://127.0.0.1?@hooks.example.com/",
    "https://hooks.example.com\t.evil.example/",
    "https://hooks.example.com:@127.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://hooks.example.com。/",
    "https://%31%32%37.0.0.1/",
    "https://hooks.example.com.evil.example/",
    "https://evil.example/",
    "https:///hooks.example.com/",
    "https:hooks.example.com/",
    "//hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "http://hooks.example.com/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:08/",
    "https://hooks.example.com/\r\nHost: evil.example",
    " https://hooks.example.com/",
    "https://hooks.example.com/ ",
    "",
)
INSIDE = (
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::",
    "2001::1",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::8.8.8.8",
)


def leads_to(*addresses: str) -> Resolve:
    """Return a resolver that gives these addresses for every name."""
    return lambda _name, _port: list(addresses)


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_leads_past_the_list(url: str) -> None:
    """What is not listed, or not in its plain spelling, is refused before anything is asked."""
    with pytest.raises(NotAllowed):
        Guard(HOSTS).allowed(url)


@pytest.mark.parametrize("address", INSIDE)
def test_a_listed_name_does_not_lead_inside(address: str) -> None:
    """A name that resolves to an address of ours, or to a way round to one, is not followed."""
    assert not is_public(ip_address(address))
    guard = Guard(HOSTS, leads_to("93.184.216.34", address))
    with pytest.raises(NotAllowed, match="not public"):
        guard.addresses(guard.allowed("https://hooks.example.com/x"))


def test_a_listed_name_leads_to_public_addresses() -> None:
    """The usual case: name, port and path come out as they went in."""
    guard = Guard(HOSTS, leads_to("93.184.216.34", "2606:2800:220:1::1", "93.184.216.34"))
    target = guard.allowed("https://HOOKS.example.com:8443/a/b?c=d%20e")
    assert (target.host, target.port, target.path) == ("hooks.example.com", 8443, "/a/b?c=d%20e")
    assert [str(each) for each in guard.addresses(target)] == [
        "93.184.216.34",
        "2606:2800:220:1::1",
    ]


@pytest.mark.parametrize("entry", ["10.9.0.0/16", "10.9.8.7", "fd00::/8"])
def test_a_private_place_is_reached_only_if_it_is_listed_itself(entry: str) -> None:
    """Listing a name is not enough; listing the network or the address is."""
    inside = "fd00::7" if ":" in entry else "10.9.8.7"
    shown = f"[{inside}]" if ":" in inside else inside
    assert Guard((entry,)).allowed(f"https://{shown}/").address == ip_address(inside)
    guard = Guard((*HOSTS, entry), leads_to(inside))
    assert guard.addresses(guard.allowed("https://hooks.example.com/")) == [ip_address(inside)]


def test_plain_http_is_for_the_loopback_alone() -> None:
    """And for it only when the loopback is listed."""
    assert Guard(("127.0.0.1",)).allowed("http://127.0.0.1:8080/x").port == 8080
    with pytest.raises(NotAllowed, match="not https"):
        Guard(("10.0.0.1",)).allowed("http://10.0.0.1/")
    guard = Guard(("localhost", "10.0.0.0/8"), leads_to("10.0.0.1"))
    with pytest.raises(NotAllowed, match="plain http"):
        guard.addresses(guard.allowed("http://localhost/"))


@pytest.mark.parametrize("entry", ["0.0.0.0/0", "::/0", "8.0.0.0/8", "*.example.com", "a b", ""])
def test_a_list_that_would_allow_anything_is_refused(entry: str) -> None:
    """Networks are private ones; public hosts are listed by name, each."""
    with pytest.raises(NotAllowed, match="hosts"):
        Guard((entry,))


def test_an_address_is_read_in_one_spelling_only() -> None:
    """So that two readers cannot understand a URL differently."""
    assert str(read_url("https://[2606:2800:220:1:0:0:0:1]/").address) == "2606:2800:220:1::1"
