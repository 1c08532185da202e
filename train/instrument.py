"""Statements put into a chat template's syntax tree that tell which message is being written.

They print nothing. Every loop says when it starts and ends, which item it is at, and when it is
done with it; inside loops an assignment says what was assigned, for loops that count.
"""

from jinja2 import nodes

# the variable that holds the tracer of a render
TRACER = "tm_tracer"


def instrument(tree: nodes.Template) -> nodes.Template:
    """The same tree with calls around and inside each loop.

    They are the filters ``tm_push``, ``tm_enter``, ``tm_assigned``, ``tm_leave`` and ``tm_pop`` on
    the variable :data:`TRACER`.
    """
    for node in [tree, *tree.find_all((nodes.Node,))]:
        for field in node.fields:
            value = getattr(node, field)
            if isinstance(value, list) and any(isinstance(one, nodes.For) for one in value):
                setattr(node, field, [new for one in value for new in _around(one)])
    for loop in list(tree.find_all(nodes.For)):
        _mark_assignments(loop)
        loop.body = [_call("tm_enter", _loaded(loop.target)), *loop.body, _call("tm_leave")]
    return tree


def _around(node: nodes.Node) -> list[nodes.Node]:
    if isinstance(node, nodes.For):
        return [_call("tm_push"), node, _call("tm_pop")]
    return [node]


def _mark_assignments(node: nodes.Node) -> None:
    for field in node.fields:
        value = getattr(node, field)
        for child in value if isinstance(value, list) else [value]:
            # a loop inside marks its own
            if isinstance(child, nodes.Node) and not isinstance(child, nodes.For):
                _mark_assignments(child)
        if isinstance(value, list) and any(isinstance(one, nodes.Assign) for one in value):
            setattr(node, field, [new for one in value for new in _told(one)])


def _told(node: nodes.Node) -> list[nodes.Node]:
    if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
        return [node, _call("tm_assigned", _loaded(node.target))]
    return [node]


def _loaded(target: nodes.Node) -> nodes.Expr:
    if isinstance(target, nodes.Name):
        return nodes.Name(target.name, "load", lineno=target.lineno)
    return nodes.Const(None)


def _call(name: str, *arguments: nodes.Expr) -> nodes.ExprStmt:
    # a filter is called directly, a function by way of the sandbox
    tracer = nodes.Name(TRACER, "load")
    statement = nodes.ExprStmt(nodes.Filter(tracer, name, list(arguments), [], None, None))
    for node in statement.find_all((nodes.Node,)):
        node.set_lineno(1, override=False)
    statement.set_lineno(1, override=False)
    return statement


def tail_is_constant(tree: nodes.Template) -> bool:
    """Whether what follows the last loop prints the same for every conversation.

    It is so when nothing there reads a name that the template assigns from what it was given, and
    nothing before asks whether the generation prompt is wanted.
    """
    statements = [node for node in tree.body if not _defaults_prompt(node)]
    last = max((i for i, node in enumerate(statements) if _has_loop(node)), default=None)
    if last is None:
        return False
    body, tail = statements[: last + 1], statements[last + 1 :]
    if any(name.name == "add_generation_prompt" for node in body for name in _names(node)):
        return False
    allowed = _constants(tree)
    changed = set().union(*map(_assigned, statements))
    return all(
        name.name in allowed or (name.name not in changed and name.name not in _GIVEN)
        for node in tail
        for name in _names(node)
    )


# what differs between conversations
_GIVEN = frozenset({"messages", "loop", "tools", "documents", "self", "caller", "varargs"})


def _has_loop(node: nodes.Node) -> bool:
    # a call, block or include may hold one out of sight
    kinds = (nodes.For, nodes.CallBlock, nodes.Block, nodes.Include, nodes.Import)
    return isinstance(node, kinds) or any(True for _ in node.find_all(kinds))


def _names(node: nodes.Node) -> list[nodes.Name]:
    found = [node] if isinstance(node, nodes.Name) else []
    references = [nodes.Name(one.name, "load") for one in node.find_all(nodes.NSRef)]
    return [*found, *node.find_all(nodes.Name), *references]


def _defaults_prompt(node: nodes.Node) -> bool:
    """Whether a statement only gives ``add_generation_prompt`` a value where it has none."""
    if isinstance(node, nodes.If):
        absent = isinstance(node.test, nodes.Not) and isinstance(node.test.node, nodes.Test)
        return absent and _about_prompt(node) and not node.elif_ and not node.else_
    return isinstance(node, nodes.Assign) and _about_prompt(node)


def _about_prompt(node: nodes.Node) -> bool:
    quiet = not any(node.find_all((nodes.Output, nodes.Call, nodes.For)))
    return quiet and {name.name for name in node.find_all(nodes.Name)} == {"add_generation_prompt"}


def _assigned(tree: nodes.Node) -> set[str]:
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    names |= {reference.name for reference in tree.find_all(nodes.NSRef)}
    macros = [tree] if isinstance(tree, nodes.Macro) else []
    return names | {macro.name for macro in [*macros, *tree.find_all(nodes.Macro)]}


def _constants(tree: nodes.Template) -> set[str]:
    """Names that the template assigns, once and unconditionally, from constants and settings."""
    changed = _assigned(tree)
    counts: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.ctx in ("store", "param"):
            counts[name.name] = counts.get(name.name, 0) + 1
    # what lies in a namespace changes without the name being assigned again
    spaces = {reference.name for reference in tree.find_all(nodes.NSRef)}
    constants: set[str] = set()
    for node in tree.body:
        if not isinstance(node, nodes.Assign) or not isinstance(node.target, nodes.Name):
            continue
        target = node.target.name
        fixed = all(
            one.name == target
            or one.name in constants
            or (one.name not in changed and one.name not in _GIVEN)
            for one in node.node.find_all(nodes.Name)
        )
        value_is_name = isinstance(node.node, nodes.Name) and (
            node.node.name in changed or node.node.name in _GIVEN
        )
        if fixed and not value_is_name and counts[target] == 1 and target not in spaces:
            constants.add(target)
    return constants
