"""FHIRPath text → syntax tree.

https://hl7.org/fhirpath/N1/#appendices
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from conformance.fhir_json import Number


class FHIRPathSyntaxError(ValueError):
    """An expression that is not FHIRPath, or uses syntax outside of what is read."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, a number, a boolean, or `{}` as None."""

    value: str | int | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class External:
    """A `%name`."""

    name: str


@dataclass(frozen=True, slots=True)
class This:
    """`$this`."""


@dataclass(frozen=True, slots=True)
class Member:
    """A path step; without a source it starts at the focus."""

    source: "Expression | None"
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function; without a source it applies to the focus."""

    source: "Expression | None"
    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Indexer:
    """A `[n]`."""

    source: "Expression"
    index: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`is` or `as` with the name of a type."""

    operator: str
    operand: "Expression"
    type: str


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus."""

    operand: "Expression"


Expression = (
    Literal | External | This | Member | Call | Indexer | Binary | TypeTest | Negation
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`]*`)
      | (?P<external>%(?:[A-Za-z0-9_-]+|`[^`]*`|'[^']*'))
      | (?P<variable>\$[a-z]+)
      | (?P<symbol><=|>=|!=|!~|[-+*/&|()\[\]{}.,<>=~])
    )""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"xor", "or"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "~", "!=", "!~"}),
    frozenset({"<=", "<", ">", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
    frozenset({"*", "/", "div", "mod"}),
)
"""Binary operators, loosest first (§10.1)."""

_TYPE_LEVEL = 7


def _unescaped(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped = match.group(1)
        if len(escaped) > 1:
            return chr(int(escaped[1:], 16))
        return _ESCAPES.get(escaped, escaped)

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", replace, text, flags=re.DOTALL)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise FHIRPathSyntaxError(f"no FHIRPath at {position}: {text!r}")
        position = match.end()
        kind = match.lastgroup or ""
        yield kind, match.group(kind)
    yield "end", ""


class _Parser:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._position = 0

    def parse(self) -> Expression:
        """Return the tree of the whole text."""
        tree = self._binary(0)
        if self._kind != "end":
            raise self._unexpected()
        return tree

    @property
    def _kind(self) -> str:
        return self._tokens[self._position][0]

    @property
    def _value(self) -> str:
        return self._tokens[self._position][1]

    def _unexpected(self) -> FHIRPathSyntaxError:
        return FHIRPathSyntaxError(f"unexpected {self._value!r} in {self._text!r}")

    def _next(self) -> str:
        value = self._value
        self._position += 1
        return value

    def _accept(self, symbol: str) -> bool:
        if self._kind in {"symbol", "name"} and self._value == symbol:
            self._position += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise self._unexpected()

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._kind in {"symbol", "name"} and self._value in _LEVELS[level]:
            operator = self._next()
            if level == _TYPE_LEVEL:
                left = TypeTest(operator, left, self._type_name())
            else:
                left = Binary(operator, left, self._binary(level + 1))
        return left

    def _type_name(self) -> str:
        if self._kind != "name":
            raise self._unexpected()
        name = self._next().strip("`")
        if name in {"FHIR", "System"} and self._accept("."):
            name = self._next().strip("`")
        return name

    def _unary(self) -> Expression:
        if self._accept("-"):
            return Negation(self._unary())
        self._accept("+")
        return self._postfix()

    def _postfix(self) -> Expression:
        tree = self._term()
        while True:
            if self._accept("."):
                tree = self._invocation(tree)
            elif self._accept("["):
                tree = Indexer(tree, self._binary(0))
                self._expect("]")
            else:
                return tree

    def _invocation(self, source: Expression | None) -> Expression:
        if self._kind != "name":
            raise self._unexpected()
        name = self._next().strip("`")
        if self._accept("("):
            return Call(source, name, self._arguments())
        return Member(source, name)

    def _arguments(self) -> tuple[Expression, ...]:
        found: list[Expression] = []
        if self._accept(")"):
            return ()
        found.append(self._binary(0))
        while self._accept(","):
            found.append(self._binary(0))
        self._expect(")")
        return tuple(found)

    def _term(self) -> Expression:
        terms: dict[str, Callable[[], Expression]] = {
            "string": lambda: Literal(_unescaped(self._next()[1:-1])),
            "number": self._number,
            "external": lambda: External(self._next()[1:].strip("`'")),
            "variable": self._variable,
            "name": self._name,
            "symbol": self._group,
        }
        if self._kind not in terms:
            raise self._unexpected()
        return terms[self._kind]()

    def _number(self) -> Expression:
        text = self._next()
        return Literal(Number(text) if "." in text else int(text))

    def _variable(self) -> Expression:
        if self._value != "$this":
            raise self._unexpected()
        self._next()
        return This()

    def _name(self) -> Expression:
        if self._value in {"true", "false"}:
            return Literal(self._next() == "true")
        return self._invocation(None)

    def _group(self) -> Expression:
        if self._accept("{"):
            self._expect("}")
            return Literal(None)
        self._expect("(")
        tree = self._binary(0)
        self._expect(")")
        return tree


def parse(text: str) -> Expression:
    """Return the syntax tree of an expression.

    Raises:
        FHIRPathSyntaxError: where it is not FHIRPath, or uses `$index`, `$total`,
            date literals or quantity literals, which no definition of R4 uses.

    """
    return _Parser(text).parse()
