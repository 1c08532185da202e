"""Jinja whose output remembers which message each character came from.

Strings with origins keep them through their own operations. What remains is where Jinja, or
Python's C code, makes a plain string of them: captured blocks, ``~``, ``%``, printing of lists and
dicts, methods of the template's own text, and filters.
"""

import functools
from collections.abc import Callable
from types import BuiltinMethodType, FunctionType, GeneratorType, MethodType
from typing import Any, cast

import jinja2
from jinja2 import filters, nodes, pass_eval_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from markupsafe import Markup

from train.control import RenderError
from train.provenance import Traced, TracedBytes, changed, concat, lifted
from train.provenance_markup import TracedMarkup, carry, escaped
from train.provenance_text import dumped, formatted, percent, shown
from train.sandbox import ChatSandbox

# no template can spell it
_TILDE = "~"
# methods by which text of the template takes in other text
_TAKES_TEXT = frozenset({"join", "replace", "center", "ljust", "rjust", "translate"})


class TracingEnvironment(ChatSandbox):
    """The sandbox of chat templates, with origins kept. Its text is that of the sandbox."""

    concat = staticmethod(concat)
    intercepted_binops = frozenset({"%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """``%`` of text fills a pattern."""
        if isinstance(left, Markup | bytes):
            return carry(super().call_binop(context, operator, left, right), [left, right])
        if isinstance(left, str):
            return percent(left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __called: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call what a template calls."""
        kind = type(__called)
        if kind is BuiltinMethodType:
            owner = __called.__self__
            if type(owner) is str and __called.__name__ in _TAKES_TEXT:
                __called = getattr(lifted(owner), __called.__name__)
        result = ImmutableSandboxedEnvironment.call(__self, __context, __called, *args, **kwargs)
        if kind is FunctionType and not __called.__module__.startswith("jinja2."):
            return carry(result, [args, _own(kwargs)])
        if kind is BuiltinMethodType and isinstance(owner, bytes | str):
            if type(owner) is Traced:
                return result
            named = _own(kwargs)
            if not named and type(owner) is str and all(type(one) in _PLAIN for one in args):
                return result
            return carry(result, [owner, args, named])
        return result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """A sandboxed ``format`` or ``format_map`` of text."""
        if not isinstance(value, MethodType | BuiltinMethodType):
            return None
        if value.__name__ not in ("format", "format_map"):
            return None
        pattern = value.__self__
        if not isinstance(pattern, str):
            return None
        if not isinstance(pattern, Markup):
            return _Format(self, pattern, value.__name__)
        plain = Markup(str.__str__(pattern))  # noqa: S704 - markup that a template made
        stock = super().wrap_str_format(getattr(plain, value.__name__))
        return _Carrying(cast("Callable[..., Any]", stock), pattern)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read an attribute."""
        return super().is_safe_attribute(obj, attr, value) and not _is_ours(obj, attr)

    def unsafe_undefined(self, obj: Any, attribute: str) -> jinja2.Undefined:
        """What a template gets in place of an attribute that it may not read."""
        if _is_ours(obj, attribute):
            return self.undefined(obj=obj, name=attribute)
        return super().unsafe_undefined(obj, attribute)


def prepare(environment: jinja2.Environment) -> None:
    """Make an environment keep origins. Its templates must be passed through :func:`rewrite`.

    Args:
        environment: one of chat templates; changed in place.

    Raises:
        RenderError: it is of another kind.
    """
    kind = type(environment)
    if kind is not ImmutableSandboxedEnvironment or environment.finalize or environment.autoescape:
        raise RenderError(
            "the chat template's environment is not the one this version knows",
            "use the tested version of transformers (constraints.txt)",
        )
    environment.__class__ = TracingEnvironment
    environment.finalize = shown
    given = environment.filters
    environment.filters = {name: _traced_filter(name, given[name]) for name in given}
    environment.filters[_TILDE] = _tilde


def rewrite(template: nodes.Template) -> nodes.Template:
    """The syntax tree with ``~`` done by a function that keeps origins.

    Args:
        template: changed in place.

    Raises:
        RenderError: it switches escaping on.
    """
    if template.find(nodes.EvalContextModifier):
        raise RenderError(
            "the chat template switches HTML escaping on",
            "remove its autoescape block, or choose another base model",
        )
    rewritten = cast("nodes.Template", _Rewriter().visit(template))
    if template.environment:
        rewritten.set_environment(template.environment)
    return rewritten


class _Rewriter(jinja2.visitor.NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - named by Jinja
        self.generic_visit(node)
        parts = nodes.Tuple(node.nodes, "load", lineno=node.lineno)
        return nodes.Filter(parts, _TILDE, [], [], None, None, lineno=node.lineno)


class _Format:
    """``format`` or ``format_map`` of a text, as the sandbox allows it."""

    __slots__ = ("_formatter", "_mapped", "_pattern")

    def __init__(self, environment: TracingEnvironment, pattern: str, name: str) -> None:
        self._formatter = SandboxedFormatter(environment)
        self._pattern = pattern
        self._mapped = name == "format_map"

    def __call__(self, *values: Any, **named: Any) -> str:
        if self._mapped:
            if named:
                raise TypeError("format_map() takes no keyword arguments")
            if len(values) != 1:
                raise TypeError(f"format_map() takes exactly one argument ({len(values)} given)")
            return formatted(self._formatter, self._pattern, (), values[0])
        return formatted(self._formatter, self._pattern, values, named)


class _Carrying:
    """A function whose result is contributed by its arguments."""

    __slots__ = ("_called", "_owner")

    def __init__(self, called: Callable[..., Any], owner: Any) -> None:
        self._called = called
        self._owner = owner

    def __call__(self, *values: Any, **named: Any) -> Any:
        return carry(self._called(*values, **named), [self._owner, values, named])


# a plain text's method with such arguments has no origin to carry
_PLAIN = (str, int, bool)
# the template's variables at the call, which Jinja hands on beside the arguments
_AROUND = ("_loop_vars", "_block_vars")


def _own(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a call in a template names."""
    return {key: value for key, value in kwargs.items() if key not in _AROUND}


def _is_ours(obj: Any, attribute: str) -> bool:
    return attribute in ("spans", "of") and isinstance(obj, Traced | TracedBytes)


def _soft(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


# filters of Jinja that hand on what they are given, or make numbers
_HANDS_ON = frozenset(
    (
        *("abs", "attr", "batch", "count", "d", "default", "dictsort", "first", "float", "groupby"),
        *("int", "items", "last", "length", "list", "map", "max", "min", "random", "reject"),
        *("rejectattr", "reverse", "round", "select", "selectattr", "slice", "sort", "sum"),
        *("truncate", "unique", "wordcount"),
    )
)
# filters of Jinja that use the methods of the text they are given
_BY_METHOD = frozenset(("capitalize", "center", "lower", "string", "trim", "upper"))


def _traced_filter(name: str, given: Callable[..., Any]) -> Callable[..., Any]:
    if name == "tojson":
        return _json(given)
    known: object = filters.FILTERS.get(name)
    if known is not given:
        return _carried(given)
    if name in _HANDS_ON:
        return given
    if name in _BY_METHOD:
        return _by_method(given)
    return _OWN[name] if name in _OWN else _carried(given)


def _by_method(given: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(given)
    def of_text(value: Any, *args: Any, **kwargs: Any) -> Any:
        return given(_soft(value), *args, **kwargs)

    return of_text


def _carried(given: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(given)
    def carried(*args: Any, **kwargs: Any) -> Any:
        # what a generator holds is seen only once
        values = [list(one) if isinstance(one, GeneratorType) else one for one in args]
        fresh = [
            iter(value) if isinstance(one, GeneratorType) else one
            for one, value in zip(args, values, strict=True)
        ]
        return carry(given(*fresh, **kwargs), [values, kwargs])

    return carried


def _json(given: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(given)
    def to_json(*args: Any, **kwargs: Any) -> Any:
        text = given(*args, **kwargs)
        value = next((one for one in args if not isinstance(one, nodes.EvalContext)), None)
        if isinstance(text, Markup):
            return carry(text, [value])
        return dumped(value, text)

    return to_json


def _tilde(parts: tuple[Any, ...]) -> str:
    return concat([shown(part) for part in parts])


@pass_eval_context
def _join(
    context: nodes.EvalContext, value: Any, d: str = "", attribute: str | int | None = None
) -> str:
    if attribute is not None:
        value = map(filters.make_attrgetter(context.environment, attribute), value)
    return lifted(shown(d)).join(map(shown, value))


@pass_eval_context
def _replace(
    context: nodes.EvalContext,  # noqa: ARG001 - Jinja's signature
    s: Any,
    old: Any,
    new: Any,
    count: int | None = None,
) -> str:
    return lifted(shown(s)).replace(shown(old), shown(new), -1 if count is None else count)


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        return filters.do_format(value, *args, **kwargs)  # raises
    pattern, values = _soft(value), kwargs or args
    if isinstance(pattern, Markup):
        return cast("str", carry(pattern % values, [pattern, values]))
    return percent(pattern, values)


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    if not isinstance(s, str) or isinstance(s, Markup):
        return cast("str", carry(filters.do_indent(s, width, first, blank), [s, width]))
    margin = lifted(width if isinstance(width, str) else " " * width)
    lines = lifted(s + "\n").splitlines()
    more = [margin + line if line or blank else line for line in lines[1:]]
    text = lifted("\n").join([lines[0], *more])
    return margin + text if first else text


def _title(s: Any) -> str:
    value = _soft(s)
    return (
        changed(value, filters.do_title) if isinstance(value, Traced) else filters.do_title(value)
    )


def _safe(value: Any) -> TracedMarkup:
    text = shown(value)
    return TracedMarkup.of(text, lifted(text).spans)


_OWN: dict[str, Callable[..., Any]] = {
    "e": escaped,
    "escape": escaped,
    "format": _format,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "safe": _safe,
    "title": _title,
}
