"""An expression of a template, compiled once.

A plain path such as `Body.heartrate` or `readings[0].value` becomes direct look-ups;
any other JMESPath expression is parsed once and interpreted.

https://jmespath.org/specification.html
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jmespath.exceptions import ParseError  # type: ignore[import-untyped]  # it has no types of its own
from jmespath.lexer import Lexer, LexerError  # type: ignore[import-untyped]  # likewise
from jmespath.parser import ParsedResult, Parser  # type: ignore[import-untyped]  # likewise

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.templates.interpreter import FUNCTIONS, evaluate

MAX_LENGTH = 512
"""Characters of an expression."""

MAX_DEPTH = 32
"""Parts of an expression within one another."""

Step = str | int
Find = Callable[[Any], Any]
"""What an expression finds in a value; None where it finds nothing."""


class ExpressionError(ValueError):
    """An expression that is none.

    Attributes:
        column: Where in it, counted from 1.

    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


class Expression(NamedTuple):
    """A compiled expression.

    Attributes:
        find: What it finds in a value.
        path: Its steps, where it is a plain path; else None.
        reads: Paths of what it looks at; all below a path counts as read, and an empty
            one is all of the value.

    """

    find: Find
    path: tuple[Step, ...] | None
    reads: tuple[tuple[Step, ...], ...]


class _Lexer(Lexer):  # type: ignore[misc]  # jmespath has no types
    """Reads the numbers of a literal with their digits."""

    def _consume_literal(self) -> dict[str, Any]:
        start: int = self._position
        text = self._consume_until("`").replace("\\`", "`")
        try:
            value = fhir_json.loads(text.encode())
        except (FHIRError, UnicodeEncodeError):
            raise LexerError(
                lexer_position=start,
                lexer_value=text,
                message="what stands between backquotes is not JSON",
            ) from None
        return {"type": "literal", "value": value, "start": start, "end": start}


class _Parser(Parser):  # type: ignore[misc]  # jmespath has no types
    """jmespath's parser over our literals, and without its cache."""

    def _parse(self, expression: str) -> Any:
        tokens = _Lexer().tokenize(expression)
        self.tokenizer = None
        self._tokens = list(tokens)
        self._index = 0
        parsed = self._expression(binding_power=0)
        if self._current_token() != "eof":
            token = self._lookahead_token(0)
            raise ParseError(token["start"], token["value"], token["type"])
        return ParsedResult(expression, parsed)

    def tree(self, expression: str) -> Any:
        """Return the syntax tree of an expression."""
        return self._do_parse(expression).parsed


def compiled(text: str) -> Expression:
    """Return the compiled expression.

    Raises:
        ExpressionError: with its place, for what is no expression, for a function that
            is not known, and for what is too long or too deep.

    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"The expression has more than {MAX_LENGTH} characters.", MAX_LENGTH + 1
        )
    tree = _tree(text)
    _check(text, tree)
    path = _path(tree)
    if path is not None:
        return Expression(_look_up(path), path, (path,))
    reads = tuple(sorted({*_reads(tree)}, key=str))
    return Expression(lambda value: evaluate(tree, value), None, reads)


def _tree(text: str) -> Any:
    try:
        return _Parser().tree(text)
    except ParseError as error:
        raise ExpressionError(
            _told(error), min(_column(error), len(text)) + 1
        ) from None
    except RecursionError:
        raise ExpressionError("The expression is too deep.", 1) from None
    except ValueError:
        raise ExpressionError("The expression is empty.", 1) from None


def _told(error: Any) -> str:
    if isinstance(error, LexerError) and error.message.startswith("what stands"):
        return f"The expression is not JMESPath: {error.message}."
    if error.token_value is None:
        return "The expression is not JMESPath: it ends early."
    return f"The expression is not JMESPath: `{error.token_value}` is not expected."


def _column(error: Any) -> int:
    position = error.lex_position
    return position if isinstance(position, int) else 0


def _nodes(tree: Any, depth: int = 1) -> Iterator[tuple[Any, int]]:
    yield tree, depth
    for child in tree.get("children", ()):
        if isinstance(child, dict):
            yield from _nodes(child, depth + 1)


def _check(text: str, tree: Any) -> None:
    for node, depth in _nodes(tree):
        if depth > MAX_DEPTH:
            raise ExpressionError("The expression is too deep.", 1)
        if node["type"] == "function_expression":
            _check_function(text, node)


def _check_function(text: str, node: Any) -> None:
    name, given = node["value"], len(node["children"])
    found = re.search(rf"\b{re.escape(name)}\s*\(", text)
    column = 1 if found is None else found.start() + 1
    if name not in FUNCTIONS:
        raise ExpressionError(f"There is no function `{name}`.", column)
    takes, takes_more = FUNCTIONS[name]
    if given < takes or (given > takes and not takes_more):
        more = " or more" if takes_more else ""
        raise ExpressionError(
            f"`{name}` takes {takes}{more} arguments, not {given}.", column
        )


def _path(node: Any) -> tuple[Step, ...] | None:
    """Return the steps of a plain path; None for any other expression."""
    kind = node["type"]
    if kind in ("current", "identity"):
        return ()
    if kind in ("field", "index"):
        return (node["value"],)
    if kind not in ("subexpression", "index_expression"):
        return None
    steps: list[Step] = []
    for child in node["children"]:
        path = _path(child)
        if path is None:
            return None
        steps += path
    return tuple(steps)


_BEGINNINGS = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
    }
)
"""Nodes whose first part alone looks at the value that the expression is given."""


def _reads(node: Any) -> Iterator[tuple[Step, ...]]:
    """Yield the paths that an expression reads, as far as they are plain."""
    kind, children, path = node["type"], node.get("children", ()), _path(node)
    if path is not None:
        yield path
    elif kind in _BEGINNINGS:
        yield from _reads(children[0])
    elif kind not in ("literal", "expref", "slice"):
        for child in children:
            yield from _reads(child)


def _look_up(path: tuple[Step, ...]) -> Find:
    """Return direct look-ups, as JMESPath would do them (§Identifiers, §Index)."""
    if not path:
        return lambda value: value
    if len(path) == 1 and isinstance(path[0], str):
        return _member(path[0])
    if len(path) == 2 and all(isinstance(step, str) for step in path):  # noqa: PLR2004 - a member of a member
        return _member_of_member(*path)
    return _steps(path)


def _member(name: str) -> Find:
    def find(value: Any) -> Any:
        return value.get(name) if type(value) is dict else None

    return find


def _member_of_member(outer: Step, inner: Step) -> Find:
    def find(value: Any) -> Any:
        if type(value) is not dict:
            return None
        value = value.get(outer)
        return value.get(inner) if type(value) is dict else None

    return find


def _steps(path: tuple[Step, ...]) -> Find:
    def find(value: Any) -> Any:
        for step in path:
            if type(step) is str:
                value = value.get(step) if type(value) is dict else None
            else:
                value = _element(value, step)
        return value

    return find


def _element(value: Any, index: Any) -> Any:
    if type(value) is not list:
        return None
    try:
        return value[index]
    except IndexError:
        return None
