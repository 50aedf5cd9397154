"""Run notebooks from top to bottom, each in a fresh kernel, and keep the outputs.

``python -m tools.workshop.execute [names] [--all] [--jobs N]`` rewrites each notebook
in place, in one step, when all its cells have run; a notebook that fails or is
interrupted stays as it was. Without names it takes those whose results are stale. What
would differ from run to run or from machine to machine (timings, progress bars,
versions) is left out of the file; what the results depend on goes into its fingerprint.
"""

import argparse
import asyncio
import base64
import hashlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from io import BytesIO
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image
from tqdm import tqdm

from recsys_tutorial.budget import VARIABLE as QUICK
from tools.workshop import fingerprint, notebook_files
from tools.workshop.notebook_files import CELL_METADATA, FINGERPRINT, LIVE, METADATA
from tools.workshop.sentences import printable, show

CELL_SECONDS = 600
COLOURS = 96  # of a PNG's palette
WIDGET = "application/vnd.jupyter.widget-view+json"
# "30%|###  | 3/10 [00:01<00:02" or "3it [00:01, ", and tqdm's wish for a widget
PROGRESS_BAR = re.compile(
    r"\d(%\|.*|\w*) \[(\d+:)?\d\d:\d\d[<,]|IProgress not found|\.autonotebook import"
)


def execute(
    path: Path,
    kernels: set[int],
    finished: Callable[[NotebookNode, float], None] | None = None,
) -> str:
    """Run one notebook in full and save it with its new outputs and fingerprint.

    Parameters
    ----------
    path : Path
        The notebook; its cells run in the folder it lies in.
    kernels : set of int
        Holds the kernel's process id while it runs, so that it can be ended.
    finished : callable, optional
        Called after each cell with the cell and the seconds that it took.

    Returns
    -------
    str
        What it took: seconds and, where the system tells it, peak memory.

    Raises
    ------
    RuntimeError
        If a cell fails, takes longer than `CELL_SECONDS`, or its kernel dies, or if
        the notebook, or what it depends on, has changed in the meantime.
    """
    written = path.read_bytes()
    notebook = notebook_files.read(path)
    before = fingerprint.take(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    client = NotebookClient(
        notebook,
        kernel_name=METADATA["kernelspec"]["name"],
        timeout=CELL_SECONDS,
        extra_arguments=["--log-level=ERROR"],
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        # No tag keeps a cell from running, or lets it fail.
        skip_cells_with_tag="",
        force_raise_errors=True,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    # Figures must go into the notebook, whatever back end the shell asks for.
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    environment[QUICK] = "0"
    # A loop of its own, closed at the end with all that hangs on it: nbclient's
    # synchronous calls leave one open in each thread.
    cost = asyncio.run(_run_cells(client, environment, kernels, finished))
    clean(notebook)
    after = fingerprint.take(notebook)
    for part in ("modules", "data"):
        if before[part] != after[part]:
            raise RuntimeError("the package changed while it ran: run it again")
    if path.read_bytes() != written:
        raise RuntimeError("somebody saved it while it ran: run it again")
    notebook.metadata[FINGERPRINT] = after
    notebook_files.save(notebook, path)
    return cost


async def _run_cells(
    client: NotebookClient,
    environment: dict[str, str],
    kernels: set[int],
    finished: Callable[[NotebookNode, float], None] | None,
) -> str:
    start = time.perf_counter()
    async with client.async_setup_kernel(env=environment):
        process = client.km.provisioner.pid
        kernels.add(process)
        try:
            for index, cell in enumerate(client.nb.cells):
                before = time.perf_counter()
                await _run_cell(client, cell, index)
                if finished:
                    finished(cell, time.perf_counter() - before)
            return f"{time.perf_counter() - start:.1f} s{_peak_memory(process)}"
        finally:
            kernels.discard(process)


async def _run_cell(client: NotebookClient, cell: NotebookNode, index: int) -> None:
    try:
        await client.async_execute_cell(cell, index)
        return
    except CellExecutionError as error:
        reason = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
    except CellTimeoutError:
        reason = f"it ran for more than {CELL_SECONDS} s"
    except DeadKernelError:
        reason = "the kernel died (out of memory, or ended from outside)"
    raise RuntimeError(f"{notebook_files.place(index, cell)} failed: {reason}")


def _peak_memory(process: int) -> str:
    """Give the peak memory of a process in words; Linux only, "" elsewhere."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return ""
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return f", {int(peak[1]) / 1000:.0f} MB" if peak else ""


def clean(notebook: NotebookNode) -> None:
    """Leave out of a notebook what depends on the run, the machine or the editor."""
    notebook.update(metadata=METADATA, nbformat=4, nbformat_minor=5)
    seen = set()
    for index, cell in enumerate(notebook.cells):
        kept = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        cell.metadata = NotebookNode(kept)
        if cell.get("id") in seen | {None}:
            digest = hashlib.sha256(f"{index} {cell.source}".encode())
            cell.id = digest.hexdigest()[:8]
        seen.add(cell.id)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _worth_keeping(output)]


def _worth_keeping(output: NotebookNode) -> bool:
    """Shorten an output to what is worth keeping; False if nothing is."""
    data = output.get("data", {})
    if LIVE in data:  # its scripts belong to the package, and run in Jupyter alone
        data.pop("text/html", None)
    if "image/svg+xml" in data:
        data["image/svg+xml"] = _slim(data["image/svg+xml"])
    if "image/png" in data:
        data["image/png"] = _small(data["image/png"])
    if output.get("name") == "stderr":
        lines = output.text.splitlines(keepends=True)
        output.text = "".join(x for x in lines if not PROGRESS_BAR.search(x))
        return bool(output.text.strip())
    return WIDGET not in data


def _slim(svg: str) -> str:
    """Leave out of a figure its date, comments, line breaks and spare decimals."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r"(?<=\d\.\d{3})\d+", "", svg)
    return re.sub(r">\s+<", "><", svg).replace("\n", " ").strip()


def _small(png: str) -> str:
    """Give a picture in base64 a palette: a quarter of the size, no dithering."""
    picture = Image.open(BytesIO(base64.b64decode(png))).convert("RGB")
    made = BytesIO()
    palette = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(made, format="PNG", optimize=True)
    return base64.b64encode(made.getvalue()).decode() + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Execute the notebooks named on the command line, or those that are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", help="multitask/mmoe, mmoe, or a path (default: the stale)"
    )
    parser.add_argument("--all", action="store_true", help="all, stale or not")
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="how many notebooks run at the same time (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}, expected 1 or more")
    try:
        paths = notebook_files.find(options.names)
        if options.names and not paths:
            raise FileNotFoundError(f"no notebook in {', '.join(options.names)}")
        for path in paths:
            notebook_files.read(path)
        if any(path.resolve().is_relative_to(notebook_files.ROOT) for path in paths):
            fingerprint.check_versions()
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    if not options.names and not options.all:
        paths = [path for path in paths if _is_stale(path)]
        if not paths:
            show("nothing to run: all results are of this code (--all runs all)")
    return _run(paths, options.jobs)


def _is_stale(path: Path) -> bool:
    try:
        reasons = fingerprint.stale(notebook_files.read(path))
    except ValueError as error:  # the run says it, too
        reasons = [str(error)]
    if reasons:
        more = f", and {len(reasons) - 2} more" if len(reasons) > 2 else ""
        show(f"{notebook_files.shown(path)}: {'; '.join(reasons[:2])}{more}")
    return bool(reasons)


def _run(paths: list[Path], jobs: int) -> int:
    """Execute notebooks, some at a time; give the exit status."""
    kernels: set[int] = set()
    failed = 0
    pool = ThreadPoolExecutor(jobs)
    count = sum(len(notebook_files.read(path).cells) for path in paths)
    bar = tqdm(total=count, unit=" cells", disable=None, leave=False)
    try:
        running = {
            pool.submit(execute, path, kernels, lambda *_: bar.update()): path
            for path in paths
        }
        for done, future in enumerate(as_completed(running), start=1):
            where = f"[{done}/{len(paths)}] {notebook_files.shown(running[future])}"
            try:
                told = future.result()
            except (RuntimeError, ValueError, OSError) as error:
                failed += 1
                told = f"{error}; the file is as it was"
            bar.write(printable(f"{where}: {told}", sys.stdout))
            sys.stdout.flush()
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in running):
            for process in list(kernels):
                os.kill(process, signal.SIGTERM)
            time.sleep(0.1)
        show("interrupted; notebooks that were running are as they were")
        return 130
    finally:
        pool.shutdown()
        bar.close()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
