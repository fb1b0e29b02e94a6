"""Indexes of vectors: one suite for all of them, and the checks can fail."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilk.indexes.exact import Exact
from ilk.indexes.usearch import Usearch
from ilk.testing import check_index


def test_exact(tmp_path: Path) -> None:
    check_index(Exact(), tmp_path)


def test_usearch(tmp_path: Path) -> None:
    check_index(Usearch(), tmp_path)


def test_chroma(tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    from ilk.indexes.chroma import Chroma

    check_index(Chroma(), tmp_path)


def test_milvus(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    from ilk.indexes.milvus import Milvus

    check_index(Milvus(), tmp_path)
