from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from allocator.core.ids import ID_PATTERN
from allocator.v1 import common_pb2
from tools import proto

CONTRACT = proto.SOURCES / proto.PACKAGE
LINE_LENGTH_MAX = 120
SERVICES = {
    "AvailabilityService": "CheckAvailability BatchGetAvailability WatchAvailability QueryAvailability",
    "ReservationService": "Reserve Allocate BatchReserve StreamReserve CommitReservation ExtendReservation"
    " ReleaseReservation FulfilReservation TransferReservation RejectAssignment GetReservation ListReservations",
    "SourcingService": "Source ExplainSourcing",
    "InventoryService": "RecordMovements StreamMovements SetCount SetStockPolicy GetStock ListStock"
    " SetSupply ListSupply",
    "NetworkService": "CreateLocation GetLocation ListLocations UpdateLocation DeleteLocation"
    " CreateLocationGroup GetLocationGroup ListLocationGroups UpdateLocationGroup DeleteLocationGroup"
    " SetCapacity CreateLane GetLane ListLanes UpdateLane DeleteLane"
    " CreateSourcingProfile GetSourcingProfile ListSourcingProfiles UpdateSourcingProfile DeleteSourcingProfile",
}
READS = re.compile(r"(Check|BatchGet|Watch|Query|Get|List|Source|Explain)")
CARRIERS = {"BatchReserveRequest", "StreamMovementsRequest", "StreamReserveRequest"}
"""Requests whose parts have a request_id each."""
NARROW = {"page_size", "priority", "open_minute", "close_minute", "minute"}
NARROW |= {"handling_days", "days", "distance_max_km", "splits_max", "plans_max", "plans_tried"}
"""Integers that are neither quantities nor versions: int32."""
TERMS = ("cost", "lateness", "parcels", "stock_cover", "capacity", "priority")
WEIGHTS = {f"{message}.{name}" for message in ("SourcingProfile", "SourcingWeights") for name in TERMS}
WEIGHTS |= {f"SourcingTerm.{name}" for name in ("raw", "weight", "weighted")}
WEIGHTS |= {f"{message}.{name}" for message in ("Parcel", "SourcingVerdict") for name in ("distance_km", "score")}
WEIGHTS |= {"SourcingPlan.score"}
"""The only numbers that are no counts: double."""
CODES = {
    "ALREADY_EXISTS",
    "DATA_LOSS",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
}

Thing = DescriptorProto | EnumDescriptorProto | FieldDescriptorProto | MethodDescriptorProto | ServiceDescriptorProto


class Element(NamedTuple):
    """A named part of the contract with its leading comment."""

    name: str
    comment: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """The contract's own files as the compiler reads them, with comments."""
    path = tmp_path_factory.mktemp("contract") / "contract.binpb"
    proto.protoc(proto.proto_files(), f"--descriptor_set_out={path}", "--include_source_info")
    return list(FileDescriptorSet.FromString(path.read_bytes()).file)


@pytest.fixture(scope="module")
def elements(files: list[FileDescriptorProto]) -> list[Element]:
    """Every message, field, oneof, enum, value, service and rpc of the contract."""
    return [element for file in files for element in _elements(file)]


@pytest.fixture(scope="module")
def messages(files: list[FileDescriptorProto]) -> dict[str, DescriptorProto]:
    """Every message, by its name."""
    return {message.name: message for file in files for message in file.message_type}


@pytest.fixture(scope="module")
def services(files: list[FileDescriptorProto]) -> dict[str, ServiceDescriptorProto]:
    """Every service, by its name."""
    return {service.name: service for file in files for service in file.service}


@pytest.fixture(scope="module")
def methods(services: dict[str, ServiceDescriptorProto]) -> list[MethodDescriptorProto]:
    """Every rpc of every service."""
    return [method for service in services.values() for method in service.method]


def _elements(file: FileDescriptorProto) -> Iterator[Element]:
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def element(prefix: str, thing: Thing, *path: int) -> Element:
        return Element(f"{prefix}{thing.name}", comments.get(path, "").strip())

    for m, message in enumerate(file.message_type):
        yield element("", message, 4, m)
        for f, field in enumerate(message.field):
            yield element(f"{message.name}.", field, 4, m, 2, f)
        for o, oneof in enumerate(message.oneof_decl):
            if not oneof.name.startswith("_"):  # the compiler's own, for `optional`
                yield Element(f"{message.name}.{oneof.name}", comments.get((4, m, 8, o), "").strip())
    for e, enum in enumerate(file.enum_type):
        yield element("", enum, 5, e)
        for v, value in enumerate(enum.value):
            yield Element(value.name, comments.get((5, e, 2, v), "").strip())
    for s, service in enumerate(file.service):
        yield element("", service, 6, s)
        for r, method in enumerate(service.method):
            yield element(f"{service.name}.", method, 6, s, 2, r)


def _fields(messages: dict[str, DescriptorProto]) -> Iterator[tuple[str, FieldDescriptorProto]]:
    for message in messages.values():
        for field in message.field:
            yield f"{message.name}.{field.name}", field


def test_generated_code_is_what_the_contract_makes() -> None:
    """Nobody edited allocator/v1, and nobody changed proto/ without generating."""
    assert proto.stale_files() == []


def test_a_stale_file_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    """The check tells a changed, a missing and a left-over file apart, and generating mends all three."""
    folder = tmp_path / proto.PACKAGE
    folder.mkdir(parents=True)
    written = proto.replace_generated(root=tmp_path)
    (folder / "network_pb2.py").write_text("# edited by hand\n")
    (folder / "common_pb2.pyi").unlink()
    (folder / "webhook_pb2.py").touch()
    assert proto.stale_files(root=tmp_path) == [
        "allocator/v1/common_pb2.pyi: missing",
        "allocator/v1/network_pb2.py: differs",
        "allocator/v1/webhook_pb2.py: left over",
    ]
    assert proto.replace_generated(root=tmp_path) == written
    assert proto.stale_files(root=tmp_path) == []


def test_a_broken_contract_is_told_with_file_and_line_and_changes_nothing(tmp_path: Path) -> None:
    """A typing error in a .proto fails with the compiler's words and leaves the generated code alone."""
    sources = tmp_path / "proto"
    shutil.copytree(proto.SOURCES, sources)
    (sources / proto.PACKAGE / "common.proto").write_text('syntax = "proto3";\nmessage {}\n')
    with pytest.raises(proto.GenerationError, match=r"common\.proto:2:9"):
        proto.replace_generated(root=tmp_path, sources=sources)
    assert proto.generated_files(tmp_path) == {}


def test_services_have_the_methods_that_were_agreed(services: dict[str, ServiceDescriptorProto]) -> None:
    """Nothing is promised on the wire that is not there yet, and nothing is missing."""
    found = {name: [method.name for method in service.method] for name, service in services.items()}
    assert found == {name: listed.split() for name, listed in SERVICES.items()}


def test_files_are_in_the_package_and_folder_of_the_version(files: list[FileDescriptorProto]) -> None:
    """File names are lower_snake, and folder and package say allocator.v1."""
    assert len(files) == 6
    for file in files:
        assert re.fullmatch(r"allocator/v1/[a-z_]+\.proto", file.name)
        assert (file.package, file.syntax) == ("allocator.v1", "proto3")


def test_everything_has_a_comment(elements: list[Element]) -> None:
    """Every part of the contract says in a sentence what it is."""
    assert [element.name for element in elements if not re.search(r"\w.*[.:]$", element.comment, re.DOTALL)] == []


def test_no_line_of_the_contract_is_too_long() -> None:
    """The contract reads without scrolling sideways."""
    lines = [line for path in CONTRACT.glob("*.proto") for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if len(line) > LINE_LENGTH_MAX or line != line.rstrip()] == []


def test_names_follow_the_style(
    messages: dict[str, DescriptorProto],
    files: list[FileDescriptorProto],
    services: dict[str, ServiceDescriptorProto],
) -> None:
    """Messages, enums and services are PascalCase, fields lower_snake, and services end in Service."""
    pascal, snake = re.compile(r"([A-Z][a-z0-9]+)+"), re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
    types = [*messages, *services, *(enum.name for file in files for enum in file.enum_type)]
    assert [name for name in types if not pascal.fullmatch(name)] == []
    assert [name for name, field in _fields(messages) if not snake.fullmatch(field.name)] == []
    assert all(name.endswith("Service") for name in services)


def test_enum_values_carry_the_enums_name_and_begin_unspecified(files: list[FileDescriptorProto]) -> None:
    """Value 0 is XXX_UNSPECIFIED, all others begin with XXX_, numbers are used once."""
    for enum in (enum for file in files for enum in file.enum_type):
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
        assert (enum.value[0].name, enum.value[0].number) == (f"{prefix}_UNSPECIFIED", 0)
        assert all(value.name.startswith(f"{prefix}_") for value in enum.value)
        assert len({value.number for value in enum.value}) == len(enum.value)


def test_each_rpc_has_request_and_response_of_its_own(methods: list[MethodDescriptorProto]) -> None:
    """An rpc can grow without touching another one."""
    for method in methods:
        assert method.input_type == f".allocator.v1.{method.name}Request"
        assert method.output_type == f".allocator.v1.{method.name}Response"


def test_streams_are_where_the_contract_wants_them(methods: list[MethodDescriptorProto]) -> None:
    """Watch streams one way, query, reserves and movements both ways, everything else is one call."""
    streaming = {m.name: (m.client_streaming, m.server_streaming) for m in methods}
    assert {name: shape for name, shape in streaming.items() if any(shape)} == {
        "WatchAvailability": (False, True),
        "QueryAvailability": (True, True),
        "StreamReserve": (True, True),
        "StreamMovements": (True, True),
    }


def test_field_numbers_leave_no_gap(messages: dict[str, DescriptorProto]) -> None:
    """A message has numbers 1..n, mostly one byte each: few of them go beyond 15, none far."""
    for message in messages.values():
        numbers = sorted(field.number for field in message.field)
        assert numbers == list(range(1, len(numbers) + 1)), message.name
        assert len(numbers) <= 20, message.name


def test_quantities_and_versions_are_int64(messages: dict[str, DescriptorProto]) -> None:
    """Units never wrap at 32 bits, and only weights are floats (a position on the map is a google.type.LatLng)."""
    texts = {
        FieldDescriptorProto.TYPE_STRING,
        FieldDescriptorProto.TYPE_BYTES,
        FieldDescriptorProto.TYPE_BOOL,
    }
    numbers = [(name, field) for name, field in _fields(messages) if not field.type_name and field.type not in texts]
    assert {field.name for _, field in numbers} > NARROW | {"quantity", "available", "held", "version"}
    for name, field in numbers:
        if name in WEIGHTS:
            assert field.type == FieldDescriptorProto.TYPE_DOUBLE, name
            continue
        narrow = field.name in NARROW
        assert field.type == (FieldDescriptorProto.TYPE_INT32 if narrow else FieldDescriptorProto.TYPE_INT64), name


def test_points_and_lengths_of_time_have_the_standard_types(messages: dict[str, DescriptorProto]) -> None:
    """A *_time is a Timestamp; ttl, age and window are Durations."""
    for name, field in _fields(messages):
        if field.name.endswith("_time"):
            assert field.type_name == ".google.protobuf.Timestamp", name
        if field.name in {"ttl", "age", "window"}:
            assert field.type_name == ".google.protobuf.Duration", name


def test_every_write_takes_a_request_id_and_no_read_does(
    messages: dict[str, DescriptorProto], methods: list[MethodDescriptorProto]
) -> None:
    """A caller can make every write safe to repeat, itself or in its parts."""
    for method in methods:
        request = f"{method.name}Request"
        has = any(field.name == "request_id" for field in messages[request].field)
        assert has == (READS.match(method.name) is None and request not in CARRIERS), method.name


def test_lists_page_by_token(messages: dict[str, DescriptorProto], methods: list[MethodDescriptorProto]) -> None:
    """Every List has page_size and page_token, its answer one list and next_page_token (AIP-158)."""
    for name in (method.name for method in methods if method.name.startswith("List")):
        asked = {field.name: field.type for field in messages[f"{name}Request"].field}
        assert asked["page_size"] == FieldDescriptorProto.TYPE_INT32
        assert asked["page_token"] == FieldDescriptorProto.TYPE_STRING
        rows, token = messages[f"{name}Response"].field
        assert rows.label == FieldDescriptorProto.LABEL_REPEATED
        assert (token.name, token.type) == ("next_page_token", FieldDescriptorProto.TYPE_STRING)


def test_every_list_a_caller_sends_states_its_maximum(
    elements: list[Element], files: list[FileDescriptorProto]
) -> None:
    """No batch of a request is without a bound that the comment names."""
    comments = dict(elements)
    inputs = re.compile(r"\w+Request|Quotas|StockPolicyLine|Capacity|Location(Group)?|Lane")
    lists = [
        f"{message.name}.{field.name}"
        for file in files
        for message in file.message_type
        if inputs.fullmatch(message.name)
        for field in message.field
        if field.label == FieldDescriptorProto.LABEL_REPEATED
    ]
    assert len(lists) > 20
    unbounded = [
        name for name in lists if not re.search(r"(up to|to|as in \w+,) [\d,]+|, [\d,]+ at most", comments[name])
    ]
    assert unbounded == []


def test_every_text_a_caller_sends_says_what_bad_input_gets(
    elements: list[Element], messages: dict[str, DescriptorProto]
) -> None:
    """A string in a request names its error, so nobody has to guess what is checked."""
    comments = dict(elements)
    texts = [
        f"{name}.{field.name}"
        for name, message in messages.items()
        if name.endswith("Request")
        for field in message.field
        if field.type == FieldDescriptorProto.TYPE_STRING
    ]
    error = re.compile(r"INVALID_ARGUMENT|NOT_FOUND|BATCH_TOO_LARGE|as in \w+")
    assert [name for name in texts if not error.search(comments[name])] == []


def test_comments_name_only_codes_and_reasons_that_exist(elements: list[Element]) -> None:
    """An UPPER_SNAKE word in a comment is a gRPC code, a reason, or a value of an enum of the contract."""
    values = {element.name for element in elements if element.name.isupper()}
    short = {part for value in values for part in _endings(value)}
    words = {word for element in elements for word in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", element.comment)}
    assert words >= {"BATCH_TOO_LARGE", "DISPOSITION_CHANGE", "INVALID_ARGUMENT"}
    assert words - short - values - CODES == set()


def _endings(value: str) -> Iterator[str]:
    parts = value.split("_")
    return ("_".join(parts[start:]) for start in range(len(parts)))


def test_reasons_are_fit_for_error_info() -> None:
    """What goes into ErrorInfo.reason matches the pattern of AIP-193 and is at most 63 characters."""
    for name in common_pb2.ErrorReason.keys():  # noqa: SIM118  # an enum wrapper is not a mapping
        reason = name.removeprefix("ERROR_REASON_")
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason)
        assert len(reason) <= 63


def test_the_stated_id_pattern_is_the_one_that_is_checked() -> None:
    """The conventions quote the pattern of the core."""
    assert f"`{ID_PATTERN}`" in (CONTRACT / "common.proto").read_text("utf-8")
