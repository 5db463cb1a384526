"""PyTorch's meta device in place of a GPU: no data, but whatever is left behind on the CPU is an error there too."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch

from cospeech.attention.backends.gathered import Gathered
from cospeech.attention.plan import AttentionPlan

META = torch.device("meta")


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be autocast, and let plans go there, which make their tables from data."""
    autocast, to, enabled = torch.autocast, AttentionPlan.to, torch.is_autocast_enabled

    def cast(device: str, *arguments: Any, **named: Any) -> AbstractContextManager:
        return nullcontext() if device == "meta" else autocast(device, *arguments, **named)

    def moved(plan: AttentionPlan, device: torch.device | str) -> AttentionPlan:
        if torch.device(device) == META:
            plan.tables(Gathered)
        return to(plan, device)

    monkeypatch.setattr(torch, "autocast", cast)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device != "meta" and enabled(device))
    monkeypatch.setattr(AttentionPlan, "to", moved)
