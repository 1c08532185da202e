"""What this machine is good for: number format, threads, memory for caches."""

import os
import time
from typing import Any

# of the machine's memory, or of what the accelerator has left
_CACHE_SHARE = 0.25
_PROBE_S = 0.05


def faster_dtype() -> str:
    """``bfloat16`` where this processor multiplies it clearly faster than float32.

    Processors without units for bfloat16 take about twice as long for it. Measured on a small
    product of few rows, as in decoding, for about 50 ms.
    """
    import torch

    times = {dtype: _product_s(dtype) for dtype in (torch.float32, torch.bfloat16)}
    # a tie goes to the exact one
    return "bfloat16" if times[torch.bfloat16] < 0.8 * times[torch.float32] else "float32"


def _product_s(dtype: Any) -> float:
    """Seconds of the quickest of some products."""
    import torch

    weights, rows = torch.ones(1024, 1024, dtype=dtype), torch.ones(16, 1024, dtype=dtype)
    best = float("inf")
    end = time.perf_counter() + _PROBE_S / 2
    while True:
        began = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        now = time.perf_counter()
        best = min(best, now - began)
        if now > end:
            return best


def use_own_cores() -> None:
    """At most as many threads as this process may use cores; torch counts the whole machine's."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores and torch.get_num_threads() > cores:
        torch.set_num_threads(cores)


def max_cells(model: Any) -> int:
    """Tokens whose keys and values fit into a quarter of the memory; at least 1.

    Args:
        model: a causal language model, on its device.
    """
    import torch

    config = model.config.get_text_config()
    plain = config.to_dict()
    heads = int(plain.get("num_key_value_heads") or config.num_attention_heads)
    size = int(plain.get("head_dim") or config.hidden_size // config.num_attention_heads)
    per_token: int = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    if model.device.type == "cuda":
        available = torch.cuda.mem_get_info(model.device)[0]
    else:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, int(available * _CACHE_SHARE) // per_token)
