"""Literals in place of names: what the keypad's modules name for each other does not take room on its heap.

A module's constants cost a keypad some 60 bytes each, for the name and its place in a dictionary, and a look-up at
each use. mpy-cross folds `const()` within a module only. So a constant of one module that another uses is written
there as a literal before that is compiled; a module of which nothing else is used is then not even loaded. Then
nobody needs the names of numbers any more, and they go.

Names have a cost that comes at once, too: MicroPython keeps them in pools, each twice as large as the one before.
With the first name that has no room it takes the next one: after 1,260 names 14 KB in one piece here, 8 on an ESP32.
"""

import ast
from collections.abc import Mapping

Constants = Mapping[str, object]


def constants(text: str) -> dict[str, object]:
    """Return what a module calls by upper-case names at its top: numbers, texts, bytes, and tuples of them."""
    found: dict[str, object] = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name, value = statement.targets[0].id, statement.value
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
            value = value.args[0]
        try:
            literal = ast.literal_eval(value)
        except ValueError:
            continue
        if name.isupper() and not name.startswith("_") and isinstance(literal, int | str | bytes | tuple):
            found[name] = literal
    return found


def nameless(text: str) -> str:
    """Return a module's source without the public numbers at its top: literals where it uses them itself.

    For what nobody imports by name any more. Lines stay in place.
    """
    own = {name: value for name, value in constants(text).items() if isinstance(value, int)}
    tree = ast.parse(text)
    edits: list[tuple[ast.expr | ast.stmt, str]] = [
        (node, _literal(own[node.id]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in own
    ]
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") in own:
            edits.append((statement, "pass" + "\n" * _more_lines(statement)))
    return _apply(text, edits)


def inline(text: str, modules: Mapping[str, Constants]) -> str:
    """Return a module's source with the constants of `modules` (by full name) as literals. Lines stay in place."""
    tree = ast.parse(text)
    known: dict[str, Constants] = {}  # by what the module calls them here
    taken: dict[str, object] = {}  # constants that were imported by name
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for statement in imports:
        package = statement.module or ""
        for alias in statement.names:
            name = alias.asname or alias.name
            if f"{package}.{alias.name}" in modules:
                known[name] = modules[f"{package}.{alias.name}"]
            elif alias.name in modules.get(package, {}):
                taken[name] = modules[package][alias.name]
    edits: list[tuple[ast.expr | ast.stmt, str]] = []
    kept: set[str] = set()  # modules of which something else is used
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            if node.attr in known[node.value.id]:
                edits.append((node, _literal(known[node.value.id][node.attr])))
                inside.add(node.value)
            else:
                kept.add(node.value.id)
        elif isinstance(node, ast.Name) and node.id in taken:
            edits.append((node, _literal(taken[node.id])))
    kept |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in known and node not in inside
    }
    for statement in imports:
        names = [
            alias
            for alias in statement.names
            if (name := alias.asname or alias.name) not in taken and (name not in known or name in kept)
        ]
        if len(names) < len(statement.names):
            edits.append((statement, _import(statement, names)))
    return _apply(text, edits)


def _literal(value: object) -> str:
    return f"({value!r})" if isinstance(value, int) and value < 0 else repr(value)


def _import(statement: ast.ImportFrom, names: list[ast.alias]) -> str:
    lines = "\n" * _more_lines(statement)
    if not names:
        return "pass" + lines
    return ast.unparse(ast.ImportFrom(statement.module, names, statement.level)) + lines


def _more_lines(statement: ast.stmt) -> int:
    return (statement.end_lineno or statement.lineno) - statement.lineno


def _apply(text: str, edits: list[tuple[ast.expr | ast.stmt, str]]) -> str:
    lines = text.encode().splitlines(keepends=True)  # columns count bytes
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    source = b"".join(lines)
    for node, new in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        assert node.end_lineno is not None and node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        source = source[:begin] + new.encode() + source[end:]
    return source.decode()
