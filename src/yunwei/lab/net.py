"""Sockets that only loopback can reach, for any number of addresses at once.

One socket serves all of 127.0.0.0/8, so it is bound to 0.0.0.0; three locks keep everything else out, each enough: the
socket is bound to the device "lo" (SO_BINDTODEVICE; unprivileged since Linux 5.7); a classic BPF filter in the
kernel drops packets whose destination is not in 127.0.0.0/8 before anything is read (SYNs too, so no
connection comes about: this matters because a machine's own outer address is also routed by "lo"); and the reader
checks the local address once more. Newer kernels let only administrators filter TCP (EPERM, seen with 6.18): for everybody else
the other two locks hold there.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Iterable

IP_PKTINFO = 8  # linux/in.h; the name came to Python's socket module in 3.12
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
NET_OFFSET = 0xFFF00000  # SKF_NET_OFF, linux/filter.h: addresses relative to the IP header
DESTINATION = 16  # RFC 791 §3.1: byte offset of the destination address
MAX_SILENCED = 1000  # a classic filter holds 4096 instructions, a silenced address takes two
PKTINFO_SPACE = socket.CMSG_SPACE(12)

LOOPBACK = "127.0.0.0/8"


def _instruction(code: int, jump_true: int, jump_false: int, k: int) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, k)


def destination_filter(network: str = LOOPBACK, silenced: Iterable[str] = ()) -> bytes:
    """A classic BPF program: keep packets to `network`, drop all others and those to a silenced address.

    BPF_LD|W|ABS 0x20, BPF_ALU|AND|K 0x54, BPF_JMP|JEQ|K 0x15, BPF_RET|K 0x06 (linux/bpf_common.h).
    """
    net = ipaddress.IPv4Network(network)
    load = _instruction(0x20, 0, 0, NET_OFFSET + DESTINATION)
    program = [load]
    for address in list(silenced)[:MAX_SILENCED]:
        program += [_instruction(0x15, 0, 1, int(ipaddress.IPv4Address(address))), _instruction(0x06, 0, 0, 0)]
    program += [
        _instruction(0x54, 0, 0, int(net.netmask)),
        _instruction(0x15, 1, 0, int(net.network_address)),
        _instruction(0x06, 0, 0, 0),
        _instruction(0x06, 0, 0, 0xFFFFFFFF),
    ]
    return b"".join(program)


def attach(sock: socket.socket, program: bytes) -> bool:
    """Put a filter on a socket, replacing the one before; packets are judged in the kernel from now on.

    False where the kernel does not let this user filter TCP; a filter refused for UDP is an OSError.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
    except PermissionError:
        if sock.type is socket.SOCK_STREAM:
            return False
        raise
    return True


def _guarded(kind: socket.SocketKind, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        attach(sock, destination_filter())
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", port))  # noqa: S104 - every 127.x.y.z and nothing else, see above
    except OSError:
        sock.close()
        raise
    return sock


def udp_socket(port: int) -> socket.socket:
    """A UDP socket that hears every 127.x.y.z and knows which one a packet was sent to."""
    sock = _guarded(socket.SOCK_DGRAM, port)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    for size in (1 << 22, 1 << 21):  # a sweep of thousands sends its first packets together; the kernel caps it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    return sock


def tcp_listener(port: int) -> socket.socket:
    """A TCP listener at every 127.x.y.z."""
    sock = _guarded(socket.SOCK_STREAM, port)
    sock.listen(4096)
    return sock


def receive(sock: socket.socket) -> tuple[bytes, str, tuple[str, int]] | None:
    """The next packet as (data, address it was sent to, sender); None when it was not for loopback.

    Raises BlockingIOError when there is none.
    """
    data, ancillary, _flags, sender = sock.recvmsg(65535, PKTINFO_SPACE)
    for level, kind, value in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO and value[8] == 127:
            return data, socket.inet_ntoa(value[8:12]), sender
    return None


def send(sock: socket.socket, data: bytes, local: str, to: tuple[str, int]) -> None:
    """Send from the address that was asked: a client drops answers from any other."""
    info = struct.pack("=i4s4s", 0, socket.inet_aton(local), b"\0\0\0\0")
    sock.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, to)


def local_address(connection: socket.socket) -> str | None:
    """The 127.x.y.z a client connected to, None for anything else."""
    address: str = connection.getsockname()[0]
    return address if address.startswith("127.") else None
