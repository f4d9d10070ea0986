"""One process or many: what torchrun sets up, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ai_for_sudan.errors import UserError

#: the first process may verify and decode a large dataset while the others wait; torchrun ends those whose peer died
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Processes:
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process prints and saves."""
        return self.rank == 0

    def mine(self, batch: Tensor) -> Tensor:
        """This process's part of a batch of indices; all parts together are the batch."""
        return batch[self.rank :: self.count]

    def gather(self, values: Tensor) -> Tensor:
        """``(n, ...)`` of each process (n may differ) -> all of them one after another, on every process."""
        if self.count == 1:
            return values
        parts: list[Tensor | None] = [None] * self.count
        dist.all_gather_object(parts, values.cpu())
        return torch.cat([part for part in parts if part is not None])

    def share(self, value: Any) -> Any:
        """The first process's ``value`` on every process: on other machines its files do not exist."""
        if self.count == 1:
            return value
        said = [value]
        dist.broadcast_object_list(said, src=0)
        return said[0]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def processes() -> Iterator[Processes]:
    """Join the group that ``torchrun`` started, if it did (its variables RANK and WORLD_SIZE are set)."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count)
    except RuntimeError as error:  # the only sign that gloo gives of a process that ended with an error of its own
        if "peer" not in str(error):
            raise
        raise UserError("another process of the group has ended; its output says why") from error
    finally:
        dist.destroy_process_group()
