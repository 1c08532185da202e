"""Croissant metadata (JSON-LD, format 1.1) of a version, made from its manifest alone."""

from typing import Any

import pyarrow as pa

from dataset.card import split_files
from dataset.manifest import DatasetVersion
from dataset.rows import ROW_SCHEMA

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
        "description": "Conversations, one a row, with the roles and tool calls of each message.",
        "license": "unknown",
        "url": f"https://huggingface.co/datasets/{repo}",
        "version": f"0.0.0+{version.fingerprint[:12]}",
        "identifier": version.fingerprint,
        "datePublished": version.created_at.isoformat(),
        "creator": {"@type": "sc:SoftwareApplication", "name": f"turnmill {version.code_version}"},
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
            _record_set(path, split, number if len(files) > 1 else None)
            for split, files in split_files(version).items()
            for number, path in enumerate(files)
        ],
    }


def _record_set(path: str, split: str, part: int | None) -> dict[str, Any]:
    """The rows of one file; a split of several files is a record set for each."""
    name = split if part is None else f"{split}-{part:05d}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, column, path) for column in ROW_SCHEMA],
    }


def _field(record_set: str, column: pa.Field, path: str) -> dict[str, Any]:
    type_, repeated = column.type, pa.types.is_list(column.type)
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
    }
    if repeated:
        field |= {"isArray": True, "arrayShape": "-1"}
        type_ = type_.value_type
    # what is in a struct is left as it is: the format has no lists of structs that hold lists
    field["dataType"] = "sc:Text" if pa.types.is_string(type_) else "sc:StructuredValue"
    return field
