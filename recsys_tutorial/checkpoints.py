"""Checkpoints of a run in several processes that may be killed at any moment."""

import json
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def save_checkpoint(folder: str | Path, step: int, parts: dict[str, Any]) -> None:
    """Keep what a run needs to go on: each rank its part, then rank 0 the step.

    All ranks call it together. Until every part is there whole, ``latest.json`` names
    the checkpoint before. What is older is removed at the end.

    Parameters
    ----------
    folder : str or Path
        On a disk that all ranks see; made if it is not there.
    step : int
        Steps that have been done.
    parts : dict
        Model, optimiser: whatever has ``state_dict()`` and ``load_state_dict(...)``.
    """
    folder, (rank, world) = Path(folder), _place()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(step, rank)
    partial = path.with_suffix(".partial")
    torch.save({name: part.state_dict() for name, part in parts.items()}, partial)
    os.replace(partial, path)  # in one step: there is no half a file of this name
    _wait_for_all()
    if rank == 0:
        partial = folder / "latest.partial"
        partial.write_text(json.dumps({"step": step, "processes": world}))
        os.replace(partial, folder / "latest.json")
    _wait_for_all()
    for old in folder.glob(_name("*", rank)):
        if old != path:
            old.unlink()


def load_checkpoint(folder: str | Path, parts: dict[str, Any]) -> int:
    """Fill a run's parts from the latest checkpoint, and give the steps done.

    Parameters
    ----------
    folder : str or Path
    parts : dict
        As for `save_checkpoint`; they are changed in place.

    Returns
    -------
    int
        0 if there is no checkpoint: the parts are as they were.

    Raises
    ------
    ValueError
        If it was kept by another number of processes: the rows are cut otherwise.
    """
    folder, (rank, world) = Path(folder), _place()
    if not (folder / "latest.json").exists():
        return 0
    told = json.loads((folder / "latest.json").read_text())
    if told["processes"] != world:
        raise ValueError(
            f"the checkpoint is of {told['processes']} processes, this run has "
            f"{world}: start as many, or join the rows and cut them anew"
        )
    kept = torch.load(folder / _name(told["step"], rank), weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return told["step"]


def _name(step: int | str, rank: int) -> str:
    return f"step-{step}.rank-{rank}.pt"


def _place() -> tuple[int, int]:
    if not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def _wait_for_all() -> None:
    if dist.is_initialized():
        dist.barrier()
