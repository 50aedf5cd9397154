"""Notebooks are executed in place: whole, or not at all."""

import base64
import os
import re
import signal
import subprocess
import sys
import time
from io import BytesIO

import pytest
from nbformat import NotebookNode, v4
from PIL import Image, ImageChops

from tools.workshop import execute, fingerprint, notebook_files

MEET = """\
import pathlib, time
pathlib.Path("{mine}").touch()
end = time.monotonic() + 60
while not pathlib.Path("{other}").exists():
    assert time.monotonic() < end, "ran alone"
    time.sleep(0.05)"""
WAIT = """\
import os, pathlib, time
pathlib.Path("part").write_text(str(os.getpid()))
os.rename("part", "started")
time.sleep(600)"""


def test_outputs_are_kept_and_nothing_else(tiny, capsys):
    path = tiny("n.ipynb", "x = 1\nprint('hello')\nx + 1", "import os; os.getcwd()")
    notebook = notebook_files.read(path)
    notebook.cells[0].metadata = {"tags": ["solution"], "scrolled": True}
    notebook.metadata.widgets = {}
    del notebook.cells[1]["id"]
    notebook.cells.append(v4.new_markdown_cell("# 甲 | A", id="cell-0"))
    notebook_files.save(notebook, path)
    assert execute.main([str(path)]) == 0
    assert re.search(r"\[1/1\] .*n\.ipynb: \d+\.\d s", capsys.readouterr().out)
    done = notebook_files.read(path)
    first, second, last = done.cells
    assert (first.execution_count, second.execution_count) == (1, 2)
    assert first.outputs[0].text == "hello\n"
    assert first.outputs[1].data == {"text/plain": "2"}
    assert str(path.parent) in second.outputs[0].data["text/plain"]
    assert first.metadata == {"tags": ["solution"]}
    assert set(done.metadata) == {*notebook_files.METADATA, "fingerprint"}
    assert fingerprint.stale(done) == []
    assert first.id == "cell-0"
    assert len({first.id, second.id, last.id}) == 3
    again = path.read_bytes()
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == again


def test_a_run_is_full_and_without_the_shells_back_end(tiny, monkeypatch):
    monkeypatch.setenv(execute.QUICK, "1")
    path = tiny("n.ipynb", f"import os; os.environ['{execute.QUICK}']")
    assert execute.main([str(path)]) == 0
    assert notebook_files.read(path).cells[0].outputs[0].data["text/plain"] == "'0'"


def test_no_tag_keeps_a_cell_from_running(tiny):
    path = tiny("n.ipynb", "1 + 1")
    notebook = notebook_files.read(path)
    notebook.cells[0].metadata.tags = ["skip-execution"]
    notebook_files.save(notebook, path)
    assert execute.main([str(path)]) == 0
    (cell,) = notebook_files.read(path).cells
    assert cell.outputs[0].data["text/plain"] == "2"


def test_no_tag_lets_a_cell_fail(tiny, capsys):
    path = tiny("n.ipynb", "1 / 0")
    notebook = notebook_files.read(path)
    notebook.cells[0].metadata.tags = ["raises-exception"]
    notebook_files.save(notebook, path)
    assert execute.main([str(path)]) == 1
    assert "failed: ZeroDivisionError" in capsys.readouterr().out


def test_a_package_that_changes_meanwhile_is_noticed(tiny, monkeypatch, capsys):
    path = tiny("n.ipynb", "1")
    before = path.read_bytes()
    prints = [{"modules": {"a": digit}, "data": {}} for digit in "12"]
    monkeypatch.setattr(fingerprint, "take", lambda _: prints.pop())
    assert execute.main([str(path)]) == 1
    assert "changed while it ran: run it again" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_what_was_written_meanwhile_stays(tiny, capsys):
    edit = "import pathlib; pathlib.Path('n.ipynb').write_text('an hour of writing')"
    path = tiny("n.ipynb", edit)
    assert execute.main([str(path)]) == 1
    assert "somebody saved it while it ran: run it again" in capsys.readouterr().out
    assert path.read_text() == "an hour of writing"


def test_a_slip_of_the_pen_is_told_in_a_sentence(tiny, monkeypatch, capsys):
    path = tiny("n.ipynb", "x = (")
    told = r"n.ipynb: cell 0 \(x = \(\) is no Python: .+ \(line 1\); the file is as"
    assert execute.main([str(path)]) == 1
    assert re.search(told, capsys.readouterr().out)
    monkeypatch.setattr(notebook_files, "find", lambda _: [path])
    assert execute.main([]) == 1
    assert re.search(told, capsys.readouterr().out)


def test_what_is_stale_is_run_by_default(tiny, monkeypatch, capsys):
    old, fresh = tiny("old.ipynb", "1"), tiny("fresh.ipynb", "2")
    monkeypatch.setattr(notebook_files, "find", lambda _: [old, fresh])
    execute.execute(fresh, set())
    written, ran = fresh.read_bytes(), []
    monkeypatch.setattr(execute, "_run", lambda paths, jobs: ran.extend(paths) or 0)
    assert execute.main([]) == 0
    assert ran == [old]
    assert "old.ipynb: it has no fingerprint" in capsys.readouterr().out
    assert fresh.read_bytes() == written
    assert execute.main(["--all"]) == 0
    assert ran == [old, old, fresh]


def test_nothing_stale_means_nothing_to_run(tiny, monkeypatch, capsys):
    path = tiny("n.ipynb", "1")
    assert execute.main([str(path)]) == 0
    monkeypatch.setattr(notebook_files, "find", lambda _: [path])
    assert execute.main([]) == 0
    assert "nothing to run" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["multitask/mmoe", "mmoe", "notebooks/multitask"])
def test_a_notebook_is_found_by_its_name(name, monkeypatch):
    monkeypatch.chdir(notebook_files.ROOT)
    found = [path.resolve() for path in notebook_files.find([name])]
    assert notebook_files.NOTEBOOKS / "multitask" / "mmoe.ipynb" in found


def test_progress_bars_are_left_out_and_warnings_stay(tiny):
    path = tiny(
        "n.ipynb",
        "from tqdm import tqdm\nfor _ in tqdm(range(3), desc='seed'): pass",
        "from tqdm.auto import tqdm\nfor _ in tqdm(iter('ab')): pass",
        "import warnings\nwarnings.warn('hot')",
    )
    assert execute.main([str(path)]) == 0
    plain, auto, warned = notebook_files.read(path).cells
    assert plain.outputs == auto.outputs == []
    assert "hot" in warned.outputs[0].text


def test_cleaning_drops_widgets_and_dates():
    svg = (
        "<svg>\n <metadata>\n  <date>today</date>\n </metadata>\n <!-- axes -->\n"
        ' <path d="M 0.25 1.123456\nz"/></svg>'
    )
    outputs = [
        v4.new_output("display_data", {execute.WIDGET: {}, "text/plain": "Bar()"}),
        v4.new_output("display_data", {"image/svg+xml": svg}),
    ]
    cell = v4.new_code_cell("plot()", outputs=outputs)
    execute.clean(v4.new_notebook(cells=[cell]))
    assert [output.data for output in cell.outputs] == [
        {"image/svg+xml": '<svg><path d="M 0.25 1.123 z"/></svg>'}
    ]


def test_a_png_gets_a_palette_and_looks_the_same():
    picture = Image.linear_gradient("L").convert("RGB").resize((64, 64))
    made = BytesIO()
    picture.save(made, format="PNG")
    data = {"image/png": base64.b64encode(made.getvalue()).decode()}
    cell = v4.new_code_cell("plot()", outputs=[v4.new_output("display_data", data)])
    execute.clean(v4.new_notebook(cells=[cell]))
    found = Image.open(BytesIO(base64.b64decode(cell.outputs[0].data["image/png"])))
    assert (found.mode, found.size) == ("P", (64, 64))
    far = ImageChops.difference(found.convert("RGB"), picture)
    assert max(high for _, high in far.getextrema()) <= 4


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (" 30%|###       | 3/10 [00:01<00:02,  5.1it/s]", False),
        ("seed: 100%|█████| 10/10 [01:00:00<00:00, 5.1s/it]", False),
        ("3it [00:00, 91.3it/s]", False),
        ("5.0kB [00:00, 91.3kB/s]", False),
        ("TqdmWarning: IProgress not found. Please update jupyter", False),
        ("UserWarning: 30% of the rows are empty", True),
        ("UserWarning: see [12:30]", True),
    ],
)
def test_what_is_a_progress_bar(line, kept):
    output = v4.new_output("stream", name="stderr", text=line + "\n")
    cell = v4.new_code_cell("x", outputs=[output])
    execute.clean(v4.new_notebook(cells=[cell]))
    assert bool(cell.outputs) == kept


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "x = 1\nraise ValueError('too hot')",
            r"cell 1 \(x = 1\) .*ValueError: too hot",
        ),
        ("import os; os._exit(1)", "cell 1 .*the kernel died"),
    ],
)
def test_a_failing_notebook_stays_as_it_was(tiny, capsys, source, reason):
    bad, good = tiny("bad.ipynb", "1", source, "2"), tiny("good.ipynb", "1")
    before = bad.read_bytes()
    assert execute.main([str(bad), str(good), "--jobs", "1"]) == 1
    told = capsys.readouterr().out
    assert re.search(rf"bad\.ipynb: {reason}", told)
    assert re.search(r"good\.ipynb: \d", told)
    assert bad.read_bytes() == before
    assert notebook_files.read(good).cells[0].execution_count == 1
    assert {p.name for p in bad.parent.iterdir()} == {"bad.ipynb", "good.ipynb"}


def test_a_cell_that_never_ends_is_stopped(tiny, capsys, monkeypatch):
    monkeypatch.setattr(execute, "CELL_SECONDS", 1)
    path = tiny("n.ipynb", "while True: pass")
    assert execute.main([str(path)]) == 1
    assert "ran for more than 1 s" in capsys.readouterr().out


def test_two_notebooks_run_at_the_same_time(tiny):
    one = tiny("one.ipynb", MEET.format(mine="1", other="2"))
    two = tiny("two.ipynb", MEET.format(mine="2", other="1"))
    assert execute.main([str(one), str(two), "--jobs", "2"]) == 0


def test_a_write_that_fails_leaves_the_old_file(tiny, monkeypatch):
    path = tiny("n.ipynb", "1")
    before = path.read_bytes()

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="full"):
        notebook_files.save(v4.new_notebook(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process")
def test_an_interrupt_leaves_files_and_no_kernels(tiny):
    path = tiny("n.ipynb", WAIT)
    before = path.read_bytes()
    # In the background of a shell Ctrl-C would be ignored, and so it would be here.
    code = "import signal, sys\nfrom tools.workshop import execute\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "sys.exit(execute.main())"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(notebook_files.ROOT)},
    ) as process:
        started = path.with_name("started")
        while not started.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in told
    assert path.read_bytes() == before
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_wrong_arguments_are_told(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        execute.main(["--jobs", "0"])
    assert "--jobs is 0, expected 1 or more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        execute.main([str(tmp_path / "no.ipynb")])
    assert "neither a notebook" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        execute.main([str(tmp_path)])
    assert f"no notebook in {tmp_path}" in capsys.readouterr().err
    (tmp_path / "n.ipynb").write_text("{")
    with pytest.raises(SystemExit, match="2"):
        execute.main([str(tmp_path)])
    assert "n.ipynb does not hold a Jupyter notebook" in capsys.readouterr().err


def test_a_notebook_named_twice_runs_once(monkeypatch):
    monkeypatch.chdir(notebook_files.ROOT)
    path = notebook_files.NOTEBOOKS / "multitask" / "mmoe.ipynb"
    again = path.relative_to(notebook_files.ROOT)
    assert notebook_files.find(["mmoe", path, again]) == [again]


def nbval(path, folder):
    """Run nbval on a notebook, as `make` does."""
    where = f"{folder}{os.pathsep}{notebook_files.ROOT}"
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", str(path)]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=path.parent,
        env=os.environ | {"PYTHONPATH": where},
        capture_output=True,
        text=True,
    )


def test_nbval_understands_the_tags(sample_path, sample: NotebookNode, tmp_path):
    folder = sample_path.parent.parent
    done = nbval(sample_path, folder)
    assert done.returncode == 0, done.stdout
    count = sum(cell.cell_type == "code" for cell in sample.cells)
    assert f"{count} passed" in done.stdout
    exact = next(cell for cell in sample.cells if cell.id == "exact")
    exact.outputs[0].data["text/plain"] = "[0.4, 0.6]"
    notebook_files.save(sample, tmp_path / "wrong.ipynb")
    done = nbval(tmp_path / "wrong.ipynb", folder)
    assert done.returncode == 1, done.stdout
    assert f"1 failed, {count - 1} passed" in done.stdout
