"""System calls by other doors than libc's: int 0x80, and the x32 numbers."""

import ctypes
import mmap

X32_BIT = 0x40000000

_RETURN = b"\xc3"
_SYSCALL = b"\x0f\x05"
_INT_80 = b"\xcd\x80"
_PUSH_RBX, _POP_RBX = b"\x53", b"\x5b"

# mov R32, imm32: of the i386 convention eax, ebx, ecx, edx, esi, edi; of the
# native one eax, edi, esi, edx, and with a prefix r10d, r8d.
_I386 = (b"\xb8", b"\xbb", b"\xb9", b"\xba", b"\xbe", b"\xbf")
_NATIVE = (b"\xb8", b"\xbf", b"\xbe", b"\xba", b"\x41\xba", b"\x41\xb8")


def _load(registers, words):
    return b"".join(
        register + (word & 0xFFFFFFFF).to_bytes(4, "little")
        for register, word in zip(registers, words)
    )


def _run(code):
    page = mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    )
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, "")
    return result


def int_80(*words):
    """A call of the i386 kernel interface; the number comes first."""
    code = _load(_I386, words) + _INT_80
    return _run(_PUSH_RBX + code + _POP_RBX + _RETURN)


def x32(*words):
    """A call by its x32 number."""
    words = (words[0] | X32_BIT, *words[1:])
    return _run(_load(_NATIVE, words) + _SYSCALL + _RETURN)


def low_memory(data):
    """Puts data below 4 GiB, where 32 bits reach; its address."""
    map_32bit = 0x40
    page = mmap.mmap(
        -1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | map_32bit
    )
    page.write(data)
    _kept.append(page)
    return ctypes.addressof(ctypes.c_char.from_buffer(page))


_kept = []
