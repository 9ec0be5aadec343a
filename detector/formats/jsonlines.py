from __future__ import annotations
from dataclasses import dataclass
from typing import Any

@dataclass(frozen=True)
class JsonFormat:
    name: str
    about: str = ""

def compile_map(document: Any) -> Any:
    raise NotImplementedError
