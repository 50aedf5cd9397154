"""Break the package on purpose, one place at a time, and see a test fall.

``make mutants`` tries every break of the lists beside this file; ``make mutants
NAMES="models/din metrics"`` those of some modules. Lists below ``tools/`` break what
builds the book. Each break is made in a copy, and the tests of its module run against
the copy; nothing else is touched.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = "recsys_tutorial"
TOOLS = "tools"
SECONDS = 300  # longer, and the tests count as hanging
PYTEST = f"""
import sys, pytest, {PACKAGE}, {TOOLS}
for package in ({PACKAGE}, {TOOLS}):
    assert package.__file__.startswith(sys.argv[1]), package.__file__
sys.exit(pytest.main(sys.argv[2:]))
"""


def modules() -> list[str]:
    """Give the modules that have a list: ``models/din``, ``metrics`` ..."""
    lists = HERE.rglob("*.toml")
    return sorted(p.relative_to(HERE).with_suffix("").as_posix() for p in lists)


def source(module: str) -> Path:
    """Give where a module's text stands, from the root of the house on."""
    path = Path(f"{module}.py")
    return path if path.parts[0] == TOOLS else PACKAGE / path


def breaks(module: str) -> dict[str, str]:
    """Give each break of a module as the module's whole text with the break in it.

    Raises
    ------
    ValueError
        If an old text does not stand there exactly once, or what comes out is no
        Python.
    """
    text = (ROOT / source(module)).read_text(encoding="utf-8")
    broken = {}
    for name, place in tomllib.loads((HERE / f"{module}.toml").read_text()).items():
        if (times := text.count(place["old"])) != 1:
            raise ValueError(f"{module}, {name}: the old text stands there {times} x")
        broken[name] = text.replace(place["old"], place["new"])
        ast.parse(broken[name])
    return broken


def fallen(module: str, text: str | None) -> str:
    """Give the first test of a module that falls with this text in its place, or ""."""
    folder, name = os.path.split(module)
    tests = ROOT / "tests" / folder / f"test_{name}.py"
    with TemporaryDirectory() as place:
        copy, no = Path(place).resolve(), shutil.ignore_patterns("*.pyc")
        for folder in (PACKAGE, TOOLS):
            shutil.copytree(ROOT / folder, copy / folder, ignore=no)
        shutil.copy2(ROOT / "requirements.txt", copy)
        (copy / "notebooks").mkdir()
        if text is not None:
            (copy / source(module)).write_text(text, encoding="utf-8")
        options = ["-x", "-q", f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}"]
        options += ["--hypothesis-seed=0", "-p", "no:cacheprovider", str(tests)]
        paths = os.pathsep.join([place, str(ROOT)])  # other processes find both, too
        try:
            run = subprocess.run(
                [sys.executable, "-c", PYTEST, str(copy), *options],
                cwd=place,
                env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "(the tests hang)"
    if not run.returncode:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) \S+?::([^\s\[]+)", run.stdout, re.M)
    if run.returncode != 1 or not found:
        raise RuntimeError(f"{module}: the tests do not run\n{run.stdout}{run.stderr}")
    return found[1]


def main(arguments: list[str] | None = None) -> int:
    """Try the breaks of the modules named on the command line; 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="models/din ... (default: all)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--save", action="store_true", help="write README.md's table")
    options = parser.parse_args(arguments)
    if options.save and options.modules:
        parser.error("--save writes the whole table, and so goes without modules")
    chosen = options.modules or modules()
    cases = [(m, None, None) for m in chosen]  # first of all, the modules as they are
    cases += [(m, name, text) for m in chosen for name, text in breaks(m).items()]
    rows = []
    with ThreadPoolExecutor(options.jobs) as pool:
        tests = pool.map(lambda case: fallen(case[0], case[2]), cases)
        for (module, name, _), test in zip(cases, tests, strict=True):
            if name is None and test:
                pool.shutdown(cancel_futures=True)
                print(f"{module}: {test} falls although nothing is broken")
                return 1
            if name is not None:
                rows.append((module, name, test))
                print(f"{module}: {name}\n    {test or 'NOT CAUGHT'}", flush=True)
    missed = [row for row in rows if not row[2]]
    print(f"{len(rows)} breaks, {len(missed)} not caught")
    if options.save:
        save(rows)
    return int(bool(missed))


def save(rows: list[tuple[str, str, str]]) -> None:
    """Write the counts and the table of all breaks at the end of README.md."""
    readme = HERE / "README.md"
    head, mark, _ = readme.read_text(encoding="utf-8").partition("<!-- the table -->\n")
    caught = sum(bool(test) for *_, test in rows)
    lines = [
        f"{date.today()}: {len(rows)} breaks in {len({row[0] for row in rows})} "
        f"modules, {caught} caught.",
        "",
        "| module | break | the first test to fall |",
        "| --- | --- | --- |",
    ]
    for module, name, test in rows:
        lines.append(f"| `{module}` | {name} | {f'`{test}`' if test else '**none**'} |")
    readme.write_text(head + mark + "\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
