"""Pure functions from a graph to numbers."""

from archcost.analysis.memory import (
    ForwardMemory,
    Lifetime,
    TrainingMemory,
    forward_memory,
    lifetimes,
    training_memory,
    weight_bytes,
)
from archcost.analysis.receptive import ReceptiveField, receptive_fields
from archcost.analysis.result import Analysis, LayerCost, Totals, Unread, analyze
from archcost.analysis.storage import STORAGE_DTYPES, storage_bytes
from archcost.analysis.structure import depth, depths

__all__ = [
    "STORAGE_DTYPES",
    "Analysis",
    "ForwardMemory",
    "LayerCost",
    "Lifetime",
    "ReceptiveField",
    "Totals",
    "TrainingMemory",
    "Unread",
    "analyze",
    "depth",
    "depths",
    "forward_memory",
    "lifetimes",
    "receptive_fields",
    "storage_bytes",
    "training_memory",
    "weight_bytes",
]
