"""Why a run failed, in classes, and what to do about each. Nothing else names a class."""

from ingest.errors import UserError

OUT_OF_MEMORY = "out-of-memory"
HOST_MEMORY = "host-memory"
DISK = "disk"
NAN = "nan"
STALL = "stall"
DATA = "data"
TEMPLATE = "template"
KILLED = "killed"
BUG = "bug"
# of rented machines
NO_GPU = "no-gpu"
CARD = "card"
INSTALL = "install"
CARRIER = "carrier"
MAX_HOURS = "max-hours"
MAX_USD = "max-usd"

# how allocators without an error of their own say it; each is torch's wording
_OUT_OF_MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
LESS_MEMORY = (
    "nothing is left that needs less: train in 8 bit or nf4, a smaller base model, a smaller"
    " max_length (or allow_shorter = true), or a larger device"
)


class DataError(UserError):
    """What the run trains on is not what was planned."""


class TemplateError(UserError):
    """The chat template is not the one that was planned."""


class DivergedError(UserError):
    """A loss is no longer a number.

    Args:
        step: in which it was taken.
        which: the loss, or that of the validation split.
        value: what it is instead.
    """

    def __init__(self, step: int, which: str, value: float) -> None:
        super().__init__(
            f"step {step}: {which} is {value}", "start again with a lower learning_rate"
        )


class BusyError(UserError):
    """Another process does this run."""


# by the name of the error's class, for some live beside torch
_CLASSES = {
    "DataError": DATA,
    "VersionError": DATA,
    "RowsError": DATA,
    "TemplateError": TEMPLATE,
    "VerdictError": TEMPLATE,
    "DiskError": DISK,
    "DivergedError": NAN,
}


def class_of(error: UserError) -> str:
    """The class of a failure; for the rarer ones the error's own name, such as ``plan``."""
    name = type(error).__name__
    return _CLASSES.get(name, name.removesuffix("Error").lower())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the host's allocator, has no more memory."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _OUT_OF_MEMORY_WORDS
    )
