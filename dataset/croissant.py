"""Croissant metadata (JSON-LD, format 1.1) of a version: its files and the fields of a row."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.card import split_files
from dataset.manifest import DatasetVersion

_ROW = {
    "chat": "Conversations, one a row, with the roles and tool calls of each message.",
    "preference": "Preference pairs, one a row: a better and a worse answer to one prompt.",
}
_COLUMN = {
    "id": "of the row; the same in every version",
    "importer": "format of the export that it comes from",
    "title": "as the export has it",
    "created_at": "when the conversation began, ISO 8601; with an offset only if a zone is known",
    "participants": "names of those who take part",
    "tools": "tools that could be called, as JSON text",
    "messages": "the conversation, oldest first",
    "content_hash": "sha256 of the conversation as it was imported",
    "conversation": "id of the conversation that the pair comes from",
    "source": "what says which answer is better: path, rating or pair",
    "prompt": "messages before both answers",
    "chosen": "messages of the better answer",
    "rejected": "messages of the worse answer",
}

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(version: DatasetVersion, repo: str) -> dict[str, Any]:
    """The JSON-LD document: each file with its sha256, each split as a record set with its fields.

    Args:
        version: sealed.
        repo: where it is published, ORG/NAME.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": version.name,
        "description": _ROW[version.spec.kind],
        "license": "unknown",
        "url": f"https://huggingface.co/datasets/{repo}",
        "version": f"0.0.0+{version.fingerprint[:12]}",
        "identifier": version.fingerprint,
        "datePublished": version.created_at.isoformat(),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "contentUrl": path,
                "contentSize": f"{version.files[path].bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": version.files[path].sha256,
            }
            for files in split_files(version).values()
            for path in files
        ],
        "recordSet": [
            _record_set(version, path, split, number if len(files) > 1 else None)
            for split, files in split_files(version).items()
            for number, path in enumerate(files)
        ],
    }


def _record_set(version: DatasetVersion, path: str, split: str, part: int | None) -> dict[str, Any]:
    """The rows of one file; a split of several files is a record set for each."""
    name = split if part is None else f"{split}-{part:05d}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                **_field(f"{name}/{each.name}", each.name, each.type, _source(path, each.name)),
                "description": _COLUMN[each.name],
            }
            for each in pq.read_schema(version.path / path)
        ],
    }


def _source(path: str, column: str) -> dict[str, Any]:
    return {"fileObject": {"@id": path}, "extract": {"column": column}}


def _field(id_: str, name: str, type_: pa.DataType, source: dict[str, Any]) -> dict[str, Any]:
    """A column, or what it holds: a list is an array, a struct a field of fields."""
    field: dict[str, Any] = {"@type": "cr:Field", "@id": id_, "name": name, "source": source}
    if pa.types.is_list(type_):
        field |= {"isArray": True, "arrayShape": "-1"}
        type_ = type_.value_type
    if not pa.types.is_struct(type_):
        return {**field, "dataType": _data_type(type_)}
    path = source.get("transform", {}).get("jsonPath")
    del field["source"]
    field["subField"] = [
        _field(
            f"{id_}/{each.name}",
            each.name,
            each.type,
            {**source, "transform": {"jsonPath": f"{path}.{each.name}" if path else each.name}},
        )
        for each in type_
    ]
    return field


def _data_type(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "sc:Boolean"
    if pa.types.is_integer(type_):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(type_) else "sc:Text"
