"""What of a text or of a program fits on a slide: its lead, its pieces, its width."""

import ast
import html
import io
import re
import tokenize
import unicodedata

MASKED = re.compile(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)")
ABBREVIATION = re.compile(r"\b(?:al|e\.g|i\.e|vs|cf|Eqs?|Figs?|Secs?|Tab|No|approx)\.$")
SHORT = 15  # in widths of a Chinese character
NO_ROOM = re.compile(r"\\(left|right|[Bb]ig+[lr]?|math\w+|text|operatorname)\b")
SCRIPT = re.compile(r"[_^]\{([^{}]*)\}")
# What stands above and below a sign takes no room beside it.
LIMITS = re.compile(r"(\\(?:sum|prod)|\})(?:_\{\\text\{[^{}]*\}\}|[_^]\{[^{}]*\}){1,2}")
END = re.compile(
    r"(?:[。！？](?:\*\*|[”’）」』])*|[.!?](?:\*\*|[”’\")])*\s+(?=[^a-z\s)]))"
)


def sentences(text: str) -> list[str]:
    """Split a paragraph of Markdown; formulas, code and addresses stay whole."""
    masked = MASKED.sub(lambda found: "\ue000" * len(found[0]), text)
    found, start = [], 0
    for mark in END.finditer(masked):
        if ABBREVIATION.search(masked[: mark.start() + 1]):
            continue
        end = mark.end()
        if "**" in mark[0] and masked[: mark.start()].count("**") % 2 == 0:
            end = mark.start() + mark[0].index("**")  # they open what follows
        found.append(text[start:end].strip())
        start = end
    return [*found, text[start:].strip()] if text[start:].strip() else found


def lead(text: str) -> str:
    """Give what to show of a paragraph: its first sentence with bold, or its first.

    What is too short to stand alone, as a name is, takes the next sentence along.
    """
    found = sentences(text)
    start = next((i for i, s in enumerate(found) if s.count("**") == 2), 0)
    shown = found[start]
    for following in found[start + 1 :]:
        if ems(plain(shown)) >= SHORT:
            break
        space = " " if shown.rstrip("*")[-1].isascii() else ""
        shown += space + following
    return shown


def plain(text: str) -> str:
    """Free a text from its markup, roughly: to see how wide it is."""
    text = re.sub(r"<annotation.*?</annotation>|<[^>]*>", "", text)
    text = re.sub(r"\]\([^)]*\)|\*\*|[`\[]", "", html.unescape(text))
    return re.sub(r"\$[^$]*\$", lambda found: letters(found[0]), text)


def letters(latex: str) -> str:
    """Free a formula from what takes no room of its own, roughly."""
    latex = re.sub(r"\\tag\{.*?\}|\\(begin|end)\{.*?\}", "", latex)
    latex = LIMITS.sub(lambda found: found[1], latex)
    latex = NO_ROOM.sub("", latex)
    latex = SCRIPT.sub(lambda found: _smaller(found[1]), latex)
    latex = re.sub(r"\\(qquad|quad)", "xxx", latex)
    latex = re.sub(r"\\(log|exp|tanh|sin|cos|max|min|ln)\b", r"\1", latex)
    latex = re.sub(r"\\[a-zA-Z]+|\\.", "x", latex)
    return re.sub(r"[${}^_&\s]", "", re.sub(r"([=+<>-])", r"\1x", latex))


def _smaller(script: str) -> str:
    script = re.sub(r"\\[a-zA-Z]+", "x", script).replace(" ", "")
    return script[: (2 * len(script) + 2) // 3]


def ems(text: str) -> float:
    """Say how wide a line of text is, in widths of a Chinese character."""
    wide = sum(unicodedata.east_asian_width(c) in "WFA" for c in text)
    return wide + 0.54 * (len(text) - wide)


def without_docstrings(source: str) -> str:
    """Take the docstrings out of a program, and blank lines that they leave behind."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
            and len(node.body) > 1
        ):
            text = node.body[0]
            for i in range(text.lineno - 1, text.end_lineno):
                lines[i] = None
            if lines[text.end_lineno : text.end_lineno + 1] == [""]:
                lines[text.end_lineno] = None
    return "\n".join(line for line in lines if line is not None)


def only_imports(source: str) -> bool:
    """Say whether a program prepares the stage: imports, settings, and no more."""
    body = ast.parse(source).body
    imports = [isinstance(node, ast.Import | ast.ImportFrom) for node in body]
    calls = [isinstance(node, ast.Expr) for node in body]
    return any(imports) and all(map(any, zip(imports, calls, strict=True)))


def pieces(source: str, limit: int = 16) -> list[str]:
    """Cut a program into pieces of at most `limit` lines, where it hurts least.

    Best is a blank line before a function, then a blank line, then the start of a
    statement, the less indented the better. Among equals, pieces are of like length.
    """
    lines = source.splitlines()
    if len(lines) <= limit:
        return [source]
    starts = _statements(source)
    even = len(lines) / -(-len(lines) // limit)
    best = {0: (0.0, [])}  # up to a line: what it costs, and the cuts
    for end in range(1, len(lines) + 1):
        hurt = 0.0 if end == len(lines) else _hurt(lines, end, starts)
        best[end] = min(
            (cost + 3 + hurt + abs(end - start - even) / 8, [*cuts, end])
            for start, (cost, cuts) in best.items()
            if end - start <= limit
        )
    cuts = best[len(lines)][1]
    return [
        "\n".join(lines[a:b]).strip("\n")
        for a, b in zip([0, *cuts], cuts, strict=False)
        if any(lines[a:b])
    ]


def _hurt(lines: list[str], cut: int, starts: set[int]) -> float:
    below = lines[cut]
    head = below.lstrip().startswith(("def ", "class ", "@"))
    if not lines[cut - 1].strip():
        return 0 if head else 1
    if not below.strip():
        return 2
    if cut not in starts or lines[cut - 1].lstrip().startswith("@"):
        return 40
    return 6 + (len(below) - len(below.lstrip())) / 4


def _statements(source: str) -> set[int]:
    """Give the lines, from 0 on, in which a statement starts."""
    found, fresh = set(), True
    skip = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if fresh and token.type not in skip:
            found.add(token.start[0] - 1)
            fresh = False
        if token.type in (tokenize.NEWLINE, tokenize.COMMENT):
            fresh = True
    return found


def chunks(text: str, limit: int) -> list[str]:
    """Cut a text into parts of at most `limit` lines, of like length."""
    lines = text.splitlines()
    count = -(-len(lines) // -(-len(lines) // limit)) if lines else 1
    return ["\n".join(lines[i : i + count]) for i in range(0, len(lines), count)]
