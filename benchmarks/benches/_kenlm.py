"""KenLM's own programs: those on the path, or built once from the pinned source package. No wheel has them: they need Boost."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from benchmarks.benches._peers import VENV, python
from ilk.errors import DataError

SOURCE, HOME, WAIT = "kenlm==0.3.0", VENV / "kenlm", 200   # seconds for the package
FOLDERS = ("util", "util/stream", "util/double-conversion", "lm", "lm/builder", "lm/common")
MAINS = {"lmplz": "lm/builder/lmplz_main.cc", "query": "lm/query_main.cc"}
LINKED = ["-lboost_program_options", "-lboost_thread", "-lboost_system", "-lboost_chrono", "-lboost_atomic"]


def program(name: str) -> Path:
    """`lmplz` (the builder) or `query`; DataError where there is none and none can be built."""
    if found := shutil.which(name):
        return Path(found)
    if not (HOME / name).exists():
        try:
            _build()
        except (OSError, subprocess.SubprocessError) as why:
            raise DataError(f"KenLM is not here and can't be built: {str(why)[:200]}", code="PEER_ABSENT",
                            remedy="put lmplz and query on the path, or install g++ and Boost (program_options, thread), BOOST_ROOT naming where it is") from None
    return HOME / name


def perplexity(model: Path, text: Path) -> float:
    """KenLM's own word on a text, a sentence a line, their ends included."""
    with text.open() as lines:
        said = subprocess.run([str(program("query")), "-v", "summary", str(model)], stdin=lines, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Perplexity including OOVs:\s*([0-9.]+)", said)
    if found is None:
        raise DataError(f"KenLM said no perplexity: {said[:200]}", code="PEER")
    return float(found[1])


def _build() -> None:
    """With all optimisation, and static Boost as KenLM's own build has it."""
    HOME.mkdir(parents=True, exist_ok=True)
    fetch = [str(python()), "-m", "pip", "download", "-q", SOURCE, "--no-binary", ":all:", "--no-deps", "--no-build-isolation", "-d", str(HOME)]
    subprocess.run(fetch, check=True, stdout=sys.stderr, timeout=WAIT)
    with tarfile.open(next(HOME.glob("kenlm-*.tar.gz"))) as whole:
        whole.extractall(HOME, filter="data")
    source, boost = next(p for p in HOME.glob("kenlm-*") if p.is_dir()), Path(os.environ.get("BOOST_ROOT", "/usr"))
    flags = ["-O3", "-DNDEBUG", "-DKENLM_MAX_ORDER=6", "-std=c++14", "-w", f"-I{source}", f"-I{boost / 'include'}"]
    parts = [f for folder in FOLDERS for f in sorted((source / folder).glob("*.cc")) if not f.stem.endswith(("_test", "main"))]
    for part in (*parts, *(source / main for main in MAINS.values())):
        subprocess.run(["g++", *flags, "-c", str(part), "-o", str(part.with_suffix(".o"))], check=True, stdout=sys.stderr)
    shared = [str(part.with_suffix(".o")) for part in parts]
    libraries = [f"-L{boost / 'lib'}", f"-L{boost / 'lib' / 'x86_64-linux-gnu'}", "-Wl,-Bstatic", *LINKED, "-Wl,-Bdynamic", "-lpthread", "-lrt"]
    for name, main in MAINS.items():
        subprocess.run(["g++", str((source / main).with_suffix(".o")), *shared, "-o", str(HOME / name), *libraries], check=True, stdout=sys.stderr)
