"""Loads tokenizers and models from a Hub id or a folder: safetensors only, never foreign code."""

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.errors import UserError
from ingest.files import sha256_file
from ingest.settings import Settings
from train.spec import Quantization

SMALL = 50_000_000  # parameters
_TEXTS = ["*.json", "*.jinja", "*.model", "*.txt"]
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken")
_WANTED = [*_TEXTS, "*.safetensors"]


class BaseError(UserError):
    """A base model that cannot be found, fetched or loaded as it is."""


def resolve_base(ref: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Where the files of a base model lie; fetched from the Hub when ``ref`` is no folder.

    Args:
        ref: a folder, or a Hub id such as ``org/name``.
        revision: commit, tag or branch on the Hub.

    Returns:
        The folder, and the commit for a model from the Hub.

    Raises:
        BaseError: no such folder or repository, no network, no access, or it needs own code.
    """
    folder = Path(ref).expanduser()
    if folder.is_dir():
        _check_config(folder, ref)
        return folder.resolve(), None
    _check_ref(ref)
    folder = _fetched(ref, revision, _WANTED)
    _check_config(folder, ref)
    return folder, folder.name


def load_tokenizer(ref: str, revision: str | None = None, *, with_template: bool = True) -> Any:
    """The tokenizer of a base model; its weights are neither needed nor fetched.

    Args:
        ref: a folder or a Hub id.
        revision: on the Hub.
        with_template: whether it must have a chat template.

    Raises:
        BaseError: as for :func:`resolve_base`; no tokenizer; no chat template.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = Path(ref).expanduser()
    if not folder.is_dir():
        _check_ref(ref)
        folder = _fetched(ref, revision, _TEXTS)
    described = any((folder / name).is_file() for name in ("config.json", "tokenizer_config.json"))
    if described and (folder / "config.json").is_file():
        _check_config(folder, ref)
    if not any(file for name in _VOCABULARIES for file in folder.glob(name)):
        raise BaseError(f"{ref}: holds no tokenizer.json", "name a Hugging Face model folder")
    # without either there is nothing that says which class it is
    kind = AutoTokenizer if described else PreTrainedTokenizerFast
    with _loading(ref, "tokenizer"):
        tokenizer = kind.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if with_template and not tokenizer.chat_template:
        raise BaseError(
            f"{ref}: its tokenizer has no chat template",
            "choose an instruction-tuned model, or put a chat_template.jinja in its folder",
        )
    return tokenizer


def quantization_config(quantization: Quantization) -> Any:
    """How bitsandbytes rounds a base model's linear layers, the head left out.

    ``nf4`` as in QLoRA (Dettmers et al. 2023): the scales rounded once more, arithmetic in bf16.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def require_bitsandbytes(what: str) -> None:
    """Refuse what only bitsandbytes can do where it cannot.

    Args:
        what: that asks for it, in words.

    Raises:
        BaseError: no CUDA device, or bitsandbytes is not installed.
    """
    import torch

    if not torch.cuda.is_available():
        raise BaseError(
            f"{what}: bitsandbytes runs on CUDA only, and torch finds no CUDA device here",
            "leave it out, or train on a machine with an NVIDIA card",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BaseError(f"{what}: bitsandbytes is not installed", "pip install 'turnmill[quant]'")


def load_model(
    ref: str,
    revision: str | None = None,
    dtype: str = "float32",
    *,
    quantization: Quantization | None = None,
    attention: str | None = None,
) -> Any:
    """The weights of a base model in evaluation mode: on the CPU, or quantised on the card.

    Args:
        ref: a folder or a Hub id.
        revision: on the Hub.
        dtype: ``float32`` or ``bfloat16``.
        quantization: of its linear layers.
        attention: as transformers names it; left out: its own choice.

    Raises:
        BaseError: as for :func:`resolve_base`; no safetensors; an architecture unknown here;
            quantised where bitsandbytes cannot run.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from train.distributed import world

    folder, _ = resolve_base(ref, revision)
    if not any(folder.glob("*.safetensors")):
        raise BaseError(
            f"{ref}: holds no .safetensors file",
            "only safetensors are loaded: other weight files can run code",
        )
    more: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
    if quantization is not None:
        require_bitsandbytes(f'quantization = "{quantization}"')
        more["quantization_config"] = quantization_config(quantization)
        # it is rounded on the card that trains it
        more["device_map"] = {"": world().rank}
    quiet()
    with _loading(ref, "model"):
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            **more,
        )
    _settle_threads(model)
    return model


def _settle_threads(model: Any) -> None:
    """One thread for a small model on a CPU.

    Its matrices are too small to gain from a second thread, and where other work takes a core the
    threads wait for each other at every operation: measured 16 times slower.
    """
    import torch

    if model.num_parameters() < SMALL and not torch.cuda.is_available():
        torch.set_num_threads(1)


def weights_sha256(folder: Path) -> dict[str, str]:
    """sha256 (hex) of each weight file in a model folder, by name."""
    return {file.name: sha256_file(file) for file in sorted(folder.glob("*.safetensors"))}


def quiet() -> None:
    """No progress bars on stderr: what happens is told by events."""
    import warnings

    from transformers.utils import logging

    # peft 0.21 still reads the old name of a setting that transformers has renamed
    warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _check_ref(ref: str) -> None:
    if ref.startswith((".", "/", "~")) or ref.count("/") > 1 or "\\" in ref:
        raise BaseError(f"{ref}: no such folder", "name a model folder or a Hub id (org/name)")


def _fetched(ref: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import errors, snapshot_download

    token = Settings().hf_token
    try:
        return Path(
            snapshot_download(
                ref,
                revision=revision,
                allow_patterns=patterns,
                token=token.get_secret_value() if token else False,
            )
        )
    except errors.GatedRepoError:
        raise BaseError(
            f"{ref}: access must be granted first",
            "accept its terms on huggingface.co and set HF_TOKEN",
        ) from None
    except errors.RepositoryNotFoundError:
        raise BaseError(
            f"{ref}: no such folder, and no such repository on the Hub",
            "check the spelling; for a private repository set HF_TOKEN",
        ) from None
    except errors.RevisionNotFoundError:
        raise BaseError(
            f"{ref}: has no revision {revision!r}", "name a commit, tag or branch"
        ) from None
    except errors.HFValidationError:
        raise BaseError(
            f"{ref}: no such folder, and not a Hub id", "name a model folder or a Hub id (org/name)"
        ) from None
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, ConnectionError) as error:
        raise BaseError(
            f"{ref}: not on this machine, and the Hub cannot be reached ({type(error).__name__})",
            "check the network and HF_HUB_OFFLINE, or name a model folder",
        ) from None


def _check_config(folder: Path, ref: str) -> None:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BaseError(
            f"{ref}: holds no config.json", "name a Hugging Face model folder"
        ) from None
    except ValueError:
        raise BaseError(f"{file}: is not JSON", "fetch the model again") from None
    if "auto_map" in config:
        raise BaseError(
            f"{ref}: wants to run code of its own (auto_map in config.json)",
            "choose a model whose architecture transformers knows",
        )


@contextmanager
def _loading(ref: str, what: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        # the first line says what is wrong; the rest is advice for other settings
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise BaseError(
            f"{ref}: its {what} cannot be loaded: {detail}", "check its files"
        ) from error
