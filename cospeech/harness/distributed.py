"""The processes that train one model together, one batch shared out among them.

Started by `accelerate launch` (GPUs, on any number of hosts) or torchrun (those, and CPUs); a plain process is a team
of one. Every process draws the whole batch of a step from (seed, step) and takes its own part, so that the batch does
not depend on how many there are. Gradients are averaged once an update, when all of them are there: models are called
in several ways here (under a plan, without gradients, as each other's judges), which suits no wrapper around a call.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from cospeech.utils.precision import Precision


class _Batch(Protocol):
    """A list or a tensor."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: Any, /) -> Any: ...


Items = TypeVar("Items", bound=_Batch)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Team:
    """rank: of this process, 0 .. size - 1; the first alone writes files."""

    rank: int = 0
    size: int = 1
    accelerator: "Accelerator | None" = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, items: Items) -> Items:
        """This process's part of a batch, the same number for each.

        Raises:
            ValueError: the batch cannot be shared out evenly.
        """
        if len(items) % self.size:
            raise ValueError(
                f"a batch of {len(items)} cannot be shared by {self.size} processes; make it a multiple of {self.size}"
            )
        part: Items = items[self.rank :: self.size]
        return part

    def mean(self, tensors: "Sequence[torch.Tensor]") -> None:
        """Replace each tensor by its mean over the processes; they must be of one dtype and on one device."""
        if self.accelerator is None:
            return
        import torch

        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        flat = self.accelerator.reduce(flat, "mean")
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def told(self, value: Value) -> Value:
        """What the first process has as `value`, on all."""
        if self.accelerator is None:
            return value
        from accelerate.utils import broadcast_object_list

        told: list[Value] = [value]
        broadcast_object_list(told)
        return told[0]


ALONE = Team()


def launched() -> int:
    """How many processes a launcher started this one with; 1: none did."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join_team(device: str, precision: "Precision") -> Team:
    """The team that the launcher's environment (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) describes.

    device: auto, cpu or cuda.
    """
    if launched() == 1:
        return ALONE
    import torch
    from accelerate import Accelerator

    from cospeech.utils.precision import computed_in

    cpu = device == "cpu" or not torch.cuda.is_available()
    bf16 = not cpu and computed_in(torch.device("cuda"), precision) == "bf16"
    accelerator = Accelerator(cpu=cpu, mixed_precision="bf16" if bf16 else "no")
    return Team(accelerator.process_index, accelerator.num_processes, accelerator)
