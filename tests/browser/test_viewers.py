"""What other programs show of a notebook that nobody has signed: every figure.

In a notebook that its reader runs, the live figure moves as it does on the site.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import nbconvert
import nbformat
import pytest
from playwright.sync_api import expect

from tools.website.ext.live import records
from tools.workshop import notebook_files
from tools.workshop.rules import outputs

NOTEBOOK = notebook_files.NOTEBOOKS / "multitask" / "mmoe.ipynb"
# All cells at once: as it is, JupyterLab draws a cell when it comes into view.
WHOLE = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
LIVE = """\
import json
from pathlib import Path
from recsys_tutorial import live, plots
kept = json.loads(Path("kept.json").read_text())
figure, axes = plots.canvas()
shown, numbers = (live.unpack(kept[name]) for name in ("shown", "numbers"))
live.show(kept["name"], figure, shown, numbers, kept["words"])"""


@pytest.fixture
def lab(tmp_path):
    """Start JupyterLab on a copy of the notebook, for a reader without signatures."""
    settings = tmp_path / "config" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(WHOLE))
    (tmp_path / "work").mkdir()
    shutil.copy2(NOTEBOOK, tmp_path / "work")
    (kept,) = records(notebook_files.read(NOTEBOOK))
    (tmp_path / "work" / "kept.json").write_text(json.dumps(kept))
    cell = nbformat.v4.new_code_cell(LIVE)
    small = nbformat.v4.new_notebook(cells=[cell], metadata=notebook_files.METADATA)
    notebook_files.save(small, tmp_path / "work" / "live.ipynb")
    places = {name: str(tmp_path / name.lower()) for name in ("CONFIG", "DATA")}
    places = {f"JUPYTER_{name}_DIR": place for name, place in places.items()}
    places["JUPYTER_RUNTIME_DIR"] = str(tmp_path / "runtime")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", "--IdentityProvider.token="]
    process = subprocess.Popen(
        [*command, f"--ServerApp.root_dir={tmp_path / 'work'}"],
        env=os.environ | places,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address(process, tmp_path / "runtime")
    finally:
        process.kill()  # asked politely, it waits for its kernels
        process.wait()


def address(process, runtime):
    """Wait until the server answers; give its address."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "JupyterLab did not start"
        for path in runtime.glob("jpserver-*.json"):
            url = json.loads(path.read_text())["url"]
            try:
                urllib.request.urlopen(f"{url}api/status", timeout=5)
            except (urllib.error.URLError, json.JSONDecodeError):
                continue
            return url
        time.sleep(0.2)
    raise AssertionError("JupyterLab did not answer within a minute")


def figures():
    """Count the figures of the notebook."""
    cells = notebook_files.read(NOTEBOOK).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    return sum(len(outputs.pictures(cell)) for cell in code)


def test_jupyterlab_shows_every_figure_of_an_unsigned_notebook(chromium, lab):
    page = chromium.new_page()
    page.goto(f"{lab}lab/tree/{NOTEBOOK.name}")
    shown = page.locator(".jp-OutputArea-output img[src^='data:image/png']")
    expect(shown).to_have_count(figures(), timeout=60_000)
    widths = shown.evaluate_all("all => all.map(img => img.naturalWidth)")
    assert min(widths) > 1000, "sharp on a screen of two pixels for one"
    assert page.get_by_text("<Figure size").count() == 0
    page.close()


def test_a_live_figure_moves_in_jupyterlab(chromium, lab):
    page = chromium.new_page()
    page.goto(f"{lab}lab/tree/live.ipynb")
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    idle.wait_for(timeout=60_000)  # the kernel has started
    said = page.locator(".live .said")
    for _ in range(4):  # a busy JupyterLab may miss the first click
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.locator('[data-jp-item-name="run"] jp-button').click()
        with suppress(AssertionError):
            expect(said).not_to_be_empty(timeout=15_000)
            break
    expect(said).not_to_be_empty()
    expect(page.locator(".jp-OutputArea-output img").first).to_be_visible()
    before = said.inner_text()
    page.locator(".live [data-state]").last.click()
    expect(said).not_to_have_text(before)
    page.locator(".live input[type=range]").first.focus()
    before = page.locator(".live .told").first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".live .told").first).not_to_have_text(before)
    page.close()


def test_nbconvert_shows_every_figure():
    made, _ = nbconvert.HTMLExporter().from_filename(str(NOTEBOOK))
    drawn = re.findall(r'<img[^>]*src="data:image/', made)
    assert len(drawn) == figures()
    assert "&lt;Figure size" not in made
