"""A record of tensors whose first axis is the batch, such as what a window is drawn from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch


@dataclass(frozen=True)
class Batched:
    """Fields are tensors (B, ...), or None where there is nothing of the kind."""

    def to(self, device: torch.device) -> Self:
        return type(self)(*(None if each is None else each.to(device) for each in self._parts()))

    @classmethod
    def join(cls, records: Sequence[Self]) -> Self:
        """One batch. A field that is None in one of them must be so in all."""
        columns = zip(*(record._parts() for record in records), strict=True)
        return cls(*(None if column[0] is None else torch.cat(column) for column in columns))

    def _parts(self) -> list[torch.Tensor | None]:
        return [getattr(self, each.name) for each in fields(self)]


class WindowCondition(Batched, ABC):
    """What a denoiser draws a batch of windows from, beside noise; each family of networks has its own fields."""

    @abstractmethod
    def frames(self, start: int, stop: int) -> Self:
        """The same reference with the poses of latent frames `start` to `stop`."""
