"""JMESPath evaluated over numbers that keep their digits, within limits.

jmespath knows `int` and `float` alone; here a `Decimal` is a number, no function makes
a float, and an expression ends after a bounded number of steps.

https://jmespath.org/specification.html
"""

from decimal import Context, Decimal, localcontext
from typing import Any

from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]  # it has no types of its own
from jmespath.functions import Functions, signature  # type: ignore[import-untyped]  # likewise
from jmespath.visitor import Options, TreeInterpreter  # type: ignore[import-untyped]  # likewise

from conformance import fhir_json
from mappings.measurement import Reason
from mappings.payload import Unreadable, number_text

MAX_STEPS = 200_000
"""Parts of an expression that one evaluation visits."""

MAX_ITEMS = 100_000
"""Elements of a list, or characters of a text, that an expression makes."""

_DECIMALS = ("Number", "Decimal")
_ANY: dict[str, list[str]] = {"types": []}
_NUMBER = {"types": ["number"]}
_TEXT = {"types": ["string"]}


class _BoundError(ValueError):
    """An expression takes too long or makes too much."""


class _Functions(Functions):  # type: ignore[misc]  # jmespath has no types
    """JMESPath's functions, and a few of our own."""

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        """Return the result of a function, which is of bounded length.

        Raises:
            ValueError: for arguments it does not take, and for a longer result.

        """
        result = super().call_function(function_name, resolved_args)
        if isinstance(result, str | list) and len(result) > MAX_ITEMS:
            raise _BoundError
        return result

    def _get_allowed_pytypes(self, types: list[str]) -> Any:
        allowed, subtypes = super()._get_allowed_pytypes(types)
        return (
            [*allowed, *_DECIMALS] if "float" in allowed else allowed,
            [(*one, *_DECIMALS) if "float" in one else one for one in subtypes],
        )

    def _convert_to_jmespath_type(self, pyobject: str) -> Any:
        if pyobject in _DECIMALS:
            return "number"
        return super()._convert_to_jmespath_type(pyobject)

    @signature(_ANY)  # type: ignore[untyped-decorator]  # jmespath has no types
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, str):
            try:
                return number_text(arg)
            except Unreadable:
                return None
        return arg if type(arg) is int or isinstance(arg, Decimal) else None

    @signature(_ANY)  # type: ignore[untyped-decorator]  # likewise
    def _func_to_string(self, arg: Any) -> str:
        return arg if isinstance(arg, str) else fhir_json.dumps(arg).decode()

    @signature(_ANY)  # type: ignore[untyped-decorator]  # likewise
    def _func_type(self, arg: Any) -> Any:
        return self._convert_to_jmespath_type(type(arg).__name__)

    @signature(_TEXT, _TEXT)  # type: ignore[untyped-decorator]  # likewise
    def _func_split(self, text: str, separator: str) -> list[str]:
        return text.split(separator) if separator else [text]

    @signature({"types": ["object"]})  # type: ignore[untyped-decorator]  # likewise
    def _func_items(self, members: dict[str, Any]) -> list[list[Any]]:
        return [[name, value] for name, value in members.items()]

    @signature(_TEXT)  # type: ignore[untyped-decorator]  # likewise
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature(_NUMBER, _NUMBER)  # type: ignore[untyped-decorator]  # likewise
    def _func_add(self, left: Decimal | int, right: Decimal | int) -> Decimal | int:
        return left + right

    @signature(_NUMBER, _NUMBER)  # type: ignore[untyped-decorator]  # likewise
    def _func_subtract(
        self, left: Decimal | int, right: Decimal | int
    ) -> Decimal | int:
        return left - right

    @signature(_NUMBER, _NUMBER)  # type: ignore[untyped-decorator]  # likewise
    def _func_multiply(
        self, left: Decimal | int, right: Decimal | int
    ) -> Decimal | int:
        return left * right


WITHOUT = frozenset({"avg"})
"""Functions of JMESPath that are refused: their result has no exact decimal."""

FUNCTIONS = {
    name: (len(known["signature"]), bool(known["signature"][-1].get("variadic")))
    for name, known in _Functions.FUNCTION_TABLE.items()
    if name not in WITHOUT
}
"""Name of a function → how many arguments it takes, and whether it takes more."""

_EXACT = Context(prec=200)
"""Digits enough for the product of two numbers that JSON may hold here."""

_OPTIONS = Options(custom_functions=_Functions())


class _Interpreter(TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    """Evaluates one expression once."""

    def __init__(self) -> None:
        super().__init__(_OPTIONS)
        self._left = MAX_STEPS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the value of a part of the expression.

        Raises:
            ValueError: where the expression takes too many steps.

        """
        self._left -= 1
        if self._left < 0:
            raise _BoundError
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """Return a list whose lists are merged into it.

        Raises:
            ValueError: where it grows too long.

        """
        merged = super().visit_flatten(node, value)
        if merged is not None and len(merged) > MAX_ITEMS:
            raise _BoundError
        return merged


_FAILURES = (
    JMESPathError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What jmespath raises for values that an expression does not fit."""


def evaluate(node: Any, value: Any) -> Any:
    """Return what a parsed expression finds in `value`; None where it finds nothing.

    Raises:
        Unreadable: `malformed` where the expression does not fit the value, or takes
            too long over it.

    """
    try:
        with localcontext(_EXACT):
            return _Interpreter().visit(node, value)
    except _FAILURES:
        raise Unreadable(
            Reason.MALFORMED, "An expression of the template does not fit the message."
        ) from None
