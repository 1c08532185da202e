"""Grammars that answers are held to, token by token; the parsing is llguidance's."""

import json
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from serve.engine.base import ConstraintState, Grammar, GrammarError

if TYPE_CHECKING:
    import numpy as np

_ANY_OBJECT = '{"type": "object"}'


class GrammarCompiler:
    """Compiles grammars for one vocabulary.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        stop_ids: tokens that end an answer.
        size: of the model's output; it may be larger than the tokenizer's vocabulary.
    """

    def __init__(self, tokenizer: Any, stop_ids: Iterable[int], size: int) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = sorted(stop_ids)
        self._size = size
        self._lock = threading.Lock()
        self._vocabulary: Any = None

    def compile(self, grammar: Grammar) -> "CompiledGrammar":
        """See ``Engine.constraint``."""
        try:
            from llguidance import LLMatcher
        except ImportError:
            raise GrammarError(
                "answers in a given form need the package llguidance",
                "install turnmill's extra 'serve'",
            ) from None
        source = _source(grammar)
        vocabulary = self._built()
        fault = LLMatcher.validate_grammar(source, vocabulary)
        if fault and not fault.startswith("WARNING"):
            # the first line says what; the rest repeats the grammar
            raise GrammarError(f"the grammar is not supported: {fault.strip().splitlines()[0]}")
        return CompiledGrammar(LLMatcher(vocabulary, source, log_level=0), self._size)

    def _built(self) -> Any:
        """The vocabulary as llguidance wants it; about a second's work, done when first needed."""
        from llguidance.hf import from_tokenizer

        with self._lock:
            if self._vocabulary is None:
                self._vocabulary = from_tokenizer(
                    self._tokenizer,
                    n_vocab=max(self._size, len(self._tokenizer)),
                    eos_token=self._stop_ids,
                )
            return self._vocabulary


class CompiledGrammar:
    """See ``Constraint``."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._size = size

    def start(self) -> ConstraintState:
        """See ``Constraint``."""
        return _State(self._matcher.deep_copy(), self._size)


class _State:
    """See ``ConstraintState``."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._size = size

    def allowed(self) -> "np.ndarray[Any, Any]":
        """See ``ConstraintState``.

        Raises:
            GrammarError: the grammar is too costly to follow.
        """
        import numpy as np

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, bitorder="little")[: self._size].astype(bool)
        return np.pad(allowed, (0, self._size - len(allowed)))

    def accept(self, token_id: int) -> None:
        """See ``ConstraintState``."""
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token_id)
            self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            # its message may quote the answer
            raise GrammarError("the grammar cannot be followed any further")


def _source(grammar: Grammar) -> str:
    from llguidance import LLMatcher

    source: str
    match grammar.kind:
        case "lark":
            source = LLMatcher.grammar_from_lark(grammar.text)
        case "regex":
            source = LLMatcher.grammar_from_regex(grammar.text)
        case _:
            text = grammar.text if grammar.kind == "json_schema" else _ANY_OBJECT
            try:
                schema = json.loads(text)
            except ValueError:
                raise GrammarError("the schema is not JSON") from None
            if not isinstance(schema, dict):
                raise GrammarError("the schema is not a JSON object")
            # free white space lets a model that is unsure write blanks until max_tokens
            options = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
            source = LLMatcher.grammar_from_json_schema(schema, overrides=options)
    return source
