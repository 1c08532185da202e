"""Publishing a sealed version to a Hugging Face repository, and fetching one from there."""

from dataset.hub.record import PushRecord, read_pushes, write_push

__all__ = ["PushRecord", "read_pushes", "write_push"]
