"""What a notebook's results depend on, in a few digits, kept in the notebook itself.

`make run` writes a fingerprint after a full run from top to bottom, and nothing else
does.  `stale` compares it with the code, the data and the pins of today and says what
has changed since.  Comments, docstrings, blank lines and Markdown do not count: code
is compared as a syntax tree.  Nor does the bootstrap, which only Colab runs and which
holds the book's address.
"""

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tools.workshop import notebook_files
from tools.workshop.notebook_files import FINGERPRINT

PACKAGE = "recsys_tutorial"
# What computes: tensors, tables, statistics, searches. What only draws, fetches, keeps
# or spreads the work (matplotlib, pooch, safetensors, joblib ...) changes no number.
LIBRARIES = ("torch", "numpy", "pandas", "scipy", "scikit-learn", "faiss-cpu")
# Beside a module: Python's own files, and what editors and merges leave behind.
NO_DATA = re.compile(r"\.py|\.so$|~$|\.(orig|rej|bak|old|swp|tmp)$")
SHA256 = re.compile("[0-9a-f]{64}")
NO_CODE = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Package:
    """The modules of a package, and what each depends on."""

    def __init__(self, root: Path, name: str = PACKAGE):
        self.root, self.name = root, name
        self.tree = cache(self._tree)
        self.digest = cache(lambda module: digest(canonical(self._counted(module))))

    def path(self, module: str) -> Path | None:
        """Give the file of a module, None if there is no such module."""
        place = self.root.joinpath(*module.split("."))
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
        return None

    def _tree(self, module: str) -> ast.Module:
        return _parsed(self.path(module).read_text(encoding="utf-8"), module)

    def _counted(self, module: str) -> ast.Module:
        """Give a module's tree without what no result depends on."""
        body = [node for node in self.tree(module).body if not _is_said(node)]
        return ast.Module(body=body, type_ignores=[])

    def imported(self, tree: ast.AST) -> Iterator[str]:
        """Give the package's modules that a piece of code imports by itself."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if self._inside(alias.name):
                        yield alias.name
            elif isinstance(node, ast.ImportFrom) and node.level:
                raise ValueError("relative imports are not followed: name the package")
            elif isinstance(node, ast.ImportFrom) and self._inside(node.module):
                for alias in node.names:
                    yield self._home(node.module, alias.name)

    def _inside(self, module: str) -> bool:
        return module.partition(".")[0] == self.name

    def _home(self, module: str, name: str) -> str:
        """Give the module that ``from module import name`` makes a notebook depend on.

        A package's ``__init__`` passes on names of its modules: who imports one of them
        depends on that one alone.
        """
        if self.path(f"{module}.{name}"):
            return f"{module}.{name}"
        if self.path(module).name == "__init__.py":
            for node in self.tree(module).body:
                if isinstance(node, ast.ImportFrom) and name in {
                    alias.asname or alias.name for alias in node.names
                }:
                    return self._home(node.module, name)
        return module

    def closure(self, trees: list[ast.AST]) -> list[str]:
        """List the modules that some code depends on, through all their imports."""
        found: set[str] = set()
        waiting = [module for tree in trees for module in self.imported(tree)]
        while waiting:
            module = waiting.pop()
            if module in found:
                continue
            if not self.path(module):
                raise ValueError(f"there is no module {module}")
            found.add(module)
            waiting += self.imported(self.tree(module))
        # Importing a.b runs a's __init__, too; what that passes on is not followed.
        return sorted(found.union(*map(_parents, found)))

    def data(self, module: str) -> dict[str, str]:
        """Give the digest of each file that a module reads or has the checksum of."""
        path = self.path(module)
        found = {
            beside.relative_to(self.root).as_posix(): digest(beside.read_bytes())
            for beside in sorted(path.parent.glob(f"{path.stem}.*"))
            if beside.is_file() and not NO_DATA.search(beside.name)
        }
        sums = {
            node.value
            for node in ast.walk(self.tree(module))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SHA256.fullmatch(node.value)
        }
        if sums:
            found[f"checksums in {module}"] = digest("".join(sorted(sums)))
        return found


def _is_said(node: ast.stmt) -> bool:
    """Say whether a statement only says something, and no result depends on it.

    That is the number of a release, and which colour a model has in the figures.
    """
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets] in (["__version__"], ["COLORS"])


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def digest(content: str | bytes) -> str:
    """Give ten hexadecimal digits: enough to notice a change, short in a diff."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:10]


def canonical(tree: ast.AST) -> str:
    """Write a syntax tree down, the same in each version of Python that the book takes.

    `ast.dump` is not: newer versions have more fields, empty in older code.
    """
    return json.dumps(_plain(tree), ensure_ascii=False, separators=(",", ":"))


def _plain(node) -> object:
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if isinstance(node, ast.Constant):
        return ["Constant", type(node.value).__name__, repr(node.value)]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.MatchSingleton):  # None, True or False: no empty field
        return ["MatchSingleton", repr(node.value)]
    fields = {name: value for name, value in ast.iter_fields(node) if value}
    if isinstance(node, DOCUMENTED) and not isinstance(node, Cell):
        fields["body"] = _without_docstring(node.body)
    return [type(node).__name__, *([n, _plain(v)] for n, v in fields.items())]


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body


class Cell(ast.Module):
    """The code of a cell: a string that it begins with is no docstring but a value."""


def parse(source: str, place: str = "the cell") -> Cell:
    """Parse a cell's code, IPython's magics included; ValueError if it is none."""
    tree = _parsed(TransformerManager().transform_cell(source), place)
    return Cell(body=tree.body, type_ignores=[])


def _parsed(source: str, place: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        told = f"{place} is no Python: {error.msg} (line {error.lineno})"
        raise ValueError(told) from None


@cache
def pins(path: Path = notebook_files.ROOT / "requirements.txt") -> dict[str, str]:
    """Give the pinned versions of the libraries that results depend on.

    Raises
    ------
    ValueError
        If one of them is not pinned.
    """
    text = path.read_text(encoding="utf-8")
    found = dict(re.findall(r"^([\w-]+)==([^\s;]+)", text, flags=re.M))
    if missing := set(LIBRARIES) - set(found):
        raise ValueError(f"{path.name} does not pin {', '.join(sorted(missing))}")
    return {name: found[name] for name in LIBRARIES}


def check_versions() -> None:
    """Complain if what is installed is not what is pinned.

    Raises
    ------
    ValueError
        A sentence that names the library.
    """
    for name, pinned in pins().items():
        installed = metadata.version(name).partition("+")[0]
        if installed != pinned:
            raise ValueError(
                f"{name} {installed} is installed, requirements.txt has {pinned}: "
                "results are kept with the pinned versions alone"
            )


def book_package() -> Package:
    """Give the package of this book, as its files are now."""
    return Package(notebook_files.ROOT)


def take(notebook: NotebookNode, package: Package | None = None) -> dict:
    """Take the fingerprint of a notebook as its code, data and pins are now.

    Returns
    -------
    dict
        ``cells``, one ``id digest`` for each code cell, in order; ``modules`` and
        ``data``, name -> digest; ``versions``, library -> version; ``outputs``, a
        digest.

    Raises
    ------
    ValueError
        If a cell or a module cannot be parsed, or a module is not there.
    """
    package = package or book_package()
    numbered = list(_counted(notebook))
    codes = [cell for _, cell in numbered]
    trees = [parse(c.source, notebook_files.place(i, c)) for i, c in numbered]
    cells = [
        f"{cell.get('id')} {digest(canonical(tree) + _silent(cell.source))}"
        for cell, tree in zip(codes, trees, strict=True)
    ]
    modules = package.closure(trees)
    outputs = [cell.outputs for cell in codes]
    return {
        "cells": cells,
        "modules": {module: package.digest(module) for module in modules},
        "data": {k: v for m in modules for k, v in package.data(m).items()},
        "versions": pins(),
        "outputs": digest(json.dumps(outputs, sort_keys=True)),
    }


def _counted(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Iterate over the code cells but the bootstrap, with their indices."""
    for index, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "bootstrap" not in tags:
            yield index, cell


def _silent(source: str) -> str:
    """Give the semicolon that hides a cell's output: it stands in no syntax tree."""
    code = TransformerManager().transform_cell(source)
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    *_, last = ["", *(t.string for t in tokens if t.type not in NO_CODE)]
    return ";" if last == ";" else ""


def stale(notebook: NotebookNode, package: Package | None = None) -> list[str]:
    """Say what has changed since the results of a notebook were made; [] if nothing.

    Each reason is half a sentence: "recsys_tutorial.layers has changed".
    """
    kept = notebook.metadata.get(FINGERPRINT)
    if kept is None:
        return ["it has no fingerprint"]
    found = take(notebook, package)
    if not isinstance(kept, dict) or set(kept) != set(found):
        return ["its fingerprint cannot be read"]
    reasons = list(_changed_cells(notebook, kept["cells"], found["cells"]))
    for part, what in (
        ("modules", "{}"),
        ("data", "{}"),
        ("versions", "the pin of {}"),
    ):
        for name in sorted(set(kept[part]) | set(found[part])):
            old, new = kept[part].get(name), found[part].get(name)
            if old != new:
                change = (
                    "has changed" if old and new else "is new" if new else "is gone"
                )
                reasons.append(f"{what.format(name)} {change}")
    if kept["outputs"] != found["outputs"]:
        reasons.append("its outputs are not those of the run")
    return reasons


def _changed_cells(
    notebook: NotebookNode, kept: list[str], found: list[str]
) -> Iterator[str]:
    old = dict(line.rpartition(" ")[::2] for line in kept)
    new = {}
    for (index, cell), line in zip(_counted(notebook), found, strict=True):
        name, _, now = line.rpartition(" ")
        place = notebook_files.place(index, cell)
        if name in new:
            yield f"{place} has the id of another cell, {name}"
        elif old.get(name) != now:
            yield f"{place} {'has changed' if name in old else 'is new'}"
        new[name] = now
    for name in set(old) - set(new):
        yield f"the code cell {name} is gone"
    if [n for n in old if n in new] != [n for n in new if n in old]:
        yield "the code cells are in another order"
