"""Bytes of what bitsandbytes quantises, after its sources; needs no torch."""

NF4_BLOCK = 64  # weights per absmax
_NESTED_BLOCK = 256  # absmax per second-level absmax; parameters per absmax of the 8-bit optimiser
_SMALLEST_8BIT = 4096  # smaller parameters keep fp32 states


def int8_bytes(rows: int, columns: int) -> int:
    """Bytes of an int8 weight with its fp32 scale per output row."""
    return rows * columns + 4 * rows


def nf4_bytes(rows: int, columns: int) -> int:
    """Bytes of an NF4 weight with double quantisation, its two code tables included."""
    blocks = -(-rows * columns // NF4_BLOCK)
    return rows * columns // 2 + blocks + 4 * -(-blocks // _NESTED_BLOCK) + 4 * (16 + 256)


def states_8bit_bytes(parameters: int) -> int:
    """Bytes that 8-bit Adam keeps for a tensor of so many parameters."""
    if parameters < _SMALLEST_8BIT:
        return 8 * parameters
    return 2 * parameters + 2 * 4 * -(-parameters // _NESTED_BLOCK)
