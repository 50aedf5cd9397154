"""The cell that answers a self-checked exercise: one function with a docstring."""

import ast

STUB = 'raise NotImplementedError("在这里写 | your answer")'


def emptied(source: str) -> str:
    """Take the body of an answer's function away, but for its docstring.

    Parameters
    ----------
    source : str
        Imports, and one function that has a docstring.

    Raises
    ------
    ValueError
        If there is not exactly one function, or it has no docstring.
    """
    start, end = _body(source)
    lines = source.splitlines()
    return "\n".join([*lines[:start], "    " + STUB, *lines[end:]])


def marked(source: str) -> str:
    """Put nbgrader's marks around the body of an answer's function."""
    start, end = _body(source)
    lines = source.splitlines()
    body = ["    ### BEGIN SOLUTION", *lines[start:end], "    ### END SOLUTION"]
    return "\n".join([*lines[:start], *body, *lines[end:]])


def function_name(answer: str) -> str:
    """Give the name of the function that an answer defines."""
    return _function(answer).name


def _function(source: str) -> ast.FunctionDef:
    functions = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    if len(functions) != 1:
        raise ValueError(
            f"an answer holds one function, this one holds {len(functions)}"
        )
    return functions[0]


def _body(source: str) -> tuple[int, int]:
    """Give the first line of the function's body below its docstring, and its end."""
    function = _function(source)
    if ast.get_docstring(function) is None or len(function.body) < 2:
        raise ValueError(f"{function.name} needs a docstring, and a body below it")
    return function.body[0].end_lineno, function.end_lineno
