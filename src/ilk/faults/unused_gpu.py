"""A GPU that torch can't use, or a torch for GPUs where there is none."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation

CPU = "it does no harm; for the room, the build of torch for the CPU (pytorch.org, Get Started)"
CUDA = "pip install --force-reinstall torch, in the build for your driver (pytorch.org, Get Started)"


class UnusedGpu(Fault):
    """A build of torch that does not fit the machine: gigabytes for nothing, or a GPU that stands idle."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The build and the machine."""
        build, gpu = thing.versions.get("torch"), thing.machine.get("gpu")
        if not build or gpu is None or str(thing.machine.get("system", "Linux")) == "Darwin":
            return
        cuda = thing.machine.get("cuda_build", "+cu" in build)
        if cuda and not gpu:
            yield self.found(f"torch {build}", "it is built for CUDA, and no NVIDIA GPU is here: some gigabytes that do nothing", CPU)
        if not cuda and gpu and "+rocm" not in build:
            yield self.found(f"torch {build}", f"it is built for the CPU alone, and there is a GPU ({gpu}): fits are many times slower than they need be", CUDA)
