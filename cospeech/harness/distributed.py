"""Data-parallel training: several processes train one model, each on its shard of the batch.

Start them with `accelerate launch` (GPUs, on any number of hosts) or `torchrun` (GPUs or CPUs); a plain process is a
group of one. Every process draws the whole batch of a step from (seed, step) and keeps its own shard, so the batch does
not depend on the number of processes. Gradients are averaged explicitly, once per update: models are called in several
ways here (under a plan, without gradients, to score one another), which DistributedDataParallel's wrapper around
`forward` does not cover.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from cospeech.utils.precision import Precision


class _Batch(Protocol):
    """A list or a tensor."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> Self: ...


Items = TypeVar("Items", bound=_Batch)
Value = TypeVar("Value")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together. rank: of this process, 0 to world_size - 1; only rank 0 writes files."""

    rank: int = 0
    world_size: int = 1
    accelerator: "Accelerator | None" = None

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def shard(self, items: Items) -> Items:
        """Return this process's shard of a batch; all shards have the same length.

        Raises:
            ValueError: the batch does not divide evenly among the processes.
        """
        if len(items) % self.world_size:
            raise ValueError(
                f"a batch of {len(items)} does not divide among {self.world_size} processes; make it a multiple of "
                f"{self.world_size}"
            )
        shard: Items = items[self.rank :: self.world_size]
        return shard

    def average(self, tensors: "Sequence[torch.Tensor]") -> None:
        """Replace each tensor in place by its mean over the processes; all must have one dtype and one device."""
        if self.accelerator is None:
            return
        import torch

        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        flat = self.accelerator.reduce(flat, "mean")
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def broadcast(self, value: Value) -> Value:
        """Return, in every process, the `value` that rank 0 passes."""
        if self.accelerator is None:
            return value
        from accelerate.utils import broadcast_object_list

        values: list[Value] = [value]
        broadcast_object_list(values)
        return values[0]


SINGLE_PROCESS = ProcessGroup()


def launched_processes() -> int:
    """How many processes a launcher started this one with; 1: none did."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def init_process_group(device: str, precision: "Precision") -> ProcessGroup:
    """The team that the launcher's environment (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) describes.

    device: auto, cpu or cuda.
    """
    if launched_processes() == 1:
        return SINGLE_PROCESS
    import torch
    from accelerate import Accelerator

    from cospeech.utils.precision import resolve_precision

    cpu = device == "cpu" or not torch.cuda.is_available()
    bf16 = not cpu and resolve_precision(torch.device("cuda"), precision) == "bf16"
    accelerator = Accelerator(cpu=cpu, mixed_precision="bf16" if bf16 else "no")
    return ProcessGroup(accelerator.process_index, accelerator.num_processes, accelerator)
