"""Generate `allocator/v1` from `proto/`; with `--check`, tell whether it is what would be generated."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "proto"
PACKAGE = Path("allocator/v1")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class GenerationError(Exception):
    """The compiler refused the contract, or a plugin of it is missing; the message says which."""


def proto_files(sources: Path = SOURCES) -> list[Path]:
    """The contract's files, relative to `sources`, sorted."""
    return sorted(path.relative_to(sources) for path in (sources / PACKAGE).glob("*.proto"))


def protoc(files: Sequence[Path], *options: str, sources: Path = SOURCES) -> None:
    """Run the protobuf compiler on `files` of `sources`.

    Raises:
        GenerationError: it failed; the message is what it printed.
    """
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{sources}", f"-I{_googleapis()}", *options]
    done = subprocess.run(
        [*command, *map(Path.as_posix, files)], cwd=sources, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GenerationError(done.stderr.strip() or f"protoc ended with status {done.returncode}")


def generate(target: Path, sources: Path = SOURCES) -> None:
    """Write the code of every message and service below `target`, as `allocator/v1/...`.

    Raises:
        GenerationError: the compiler failed or a plugin is missing.
    """
    files = proto_files(sources)
    with_services = [path for path in files if "\nservice " in (sources / path).read_text("utf-8")]
    mypy, mypy_grpc = _plugin("protoc-gen-mypy"), _plugin("protoc-gen-mypy_grpc")
    protoc(files, f"--python_out={target}", mypy, f"--mypy_out=quiet:{target}", sources=sources)
    stubs = (f"--grpc_python_out={target}", mypy_grpc, f"--mypy_grpc_out=quiet:{target}")
    protoc(with_services, *stubs, sources=sources)


def generated_files(folder: Path) -> dict[str, bytes]:
    """Content of the generated files below `folder` by their path, without hand-written ones."""
    paths = (path for pattern in GENERATED for path in (folder / PACKAGE).glob(pattern))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def stale_files(root: Path = ROOT, sources: Path = SOURCES) -> list[str]:
    """What is missing, different or left over below `root`: one line for each file, sorted."""
    with tempfile.TemporaryDirectory(prefix="allocator-proto-") as folder:
        generate(Path(folder), sources)
        wanted = generated_files(Path(folder))
    found = generated_files(root)
    return [
        f"{path}: {_difference(path, wanted, found)}"
        for path in sorted(wanted.keys() | found.keys())
        if wanted.get(path) != found.get(path)
    ]


def replace_generated(root: Path = ROOT, sources: Path = SOURCES) -> list[str]:
    """Bring `root` up to date; the paths written. Nothing is touched unless all of it could be generated."""
    with tempfile.TemporaryDirectory(prefix="allocator-proto-") as folder:
        generate(Path(folder), sources)
        wanted = generated_files(Path(folder))
        for path in generated_files(root).keys() - wanted.keys():
            (root / path).unlink()
        for path in wanted:
            shutil.copyfile(Path(folder) / path, root / path)
    return sorted(wanted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when all is well, 1 when files are stale or cannot be generated."""
    parser = argparse.ArgumentParser(prog="tools/proto.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is stale")
    check: bool = parser.parse_args(arguments).check
    try:
        return _check() if check else _write()
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1


def _check() -> int:
    stale = stale_files()
    if not stale:
        print(f"{PACKAGE} is what proto/ makes.")
        return 0
    print(f"{PACKAGE} is not what proto/ makes; run `make proto` and commit the result:", file=sys.stderr)
    print("\n".join(f"  {line}" for line in stale), file=sys.stderr)
    return 1


def _write() -> int:
    print(f"Generated {len(replace_generated())} files in {PACKAGE}.")
    return 0


def _difference(path: str, wanted: dict[str, bytes], found: dict[str, bytes]) -> str:
    if path not in found:
        return "missing"
    return "differs" if path in wanted else "left over"


def _googleapis() -> Path:
    """The folder whose google/rpc and google/type the contract imports."""
    return Path(str(distribution("googleapis-common-protos").locate_file("")))


def _plugin(name: str) -> str:
    """The option that makes protoc take plugin `name` from beside this interpreter, wherever PATH points."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise GenerationError(f"{path} is missing; install the dev requirements (make does it by itself)")
    return f"--plugin={name}={path}"


if __name__ == "__main__":
    sys.exit(main())
