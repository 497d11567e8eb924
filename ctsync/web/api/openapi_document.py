"""The OpenAPI 3.1 document of the API, from its addresses and the schemas of its rows. Does no I/O.

The schemas are those that `ctsync schema` writes, so the source files of the rows are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from ctsync.model import JsonObject
from ctsync.report.rows.row_schema import schema_of
from ctsync.web.api.address_parameters import FIELDS, Parameter, ParameterType
from ctsync.web.api.answer_forms import NOTES_HEADER
from ctsync.web.api.endpoints import ENDPOINTS, ROOT, TRIAL, Endpoint
from ctsync.web.api.problems import PROBLEM_TYPE

VERSION = "1"
"""Of the API. It increases only together with ROOT."""

_ABOUT = (
    "The questions of ctsync over HTTP. Parameters are named as the options of the command line, "
    "and rows are those that its --json writes."
)
_ERRORS: Mapping[str, str] = {
    "400": "A parameter is wrong; the detail says which one and what to write.",
    "404": "No such address, trial or version is known.",
    "405": "The method is not GET or HEAD.",
    "406": "The answer cannot be written in the form that the client accepts.",
    "410": "The data have changed since the first page; ask again without cursor.",
    "429": "Too many requests; wait for the seconds of Retry-After.",
    "500": "ctsync failed; the log of the server has the cause.",
    "503": "The database cannot be read now.",
}
_NOTES: JsonObject = {
    "description": "Sentences about what the answer leaves out, as a JSON list of at most ten "
    "and the number of others. Absent if there are none.",
    "schema": {"type": "string"},
}
_TAG: JsonObject = {
    "description": "Identifies the answer; send it back as If-None-Match.",
    "schema": {"type": "string"},
}


def openapi_document() -> JsonObject:
    """Return the document."""
    schemas: dict[str, Any] = {"Problem": _problem_schema()}
    for endpoint in ENDPOINTS:
        if endpoint.row_type is not None:
            schemas |= _components(endpoint.row_type)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "ctsync", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": {f"{ROOT}{one.path}": {"get": _operation(one)} for one in ENDPOINTS},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {f"Problem{code}": _error(text) for code, text in _ERRORS.items()},
        },
    }


def _operation(endpoint: Endpoint) -> JsonObject:
    words = endpoint.path.strip("/").replace("{nct}", "trial").split("/")
    codes = [code for code in _ERRORS if code != "410" or endpoint.is_list]
    return {
        "operationId": "_".join(words),
        "summary": endpoint.summary,
        "parameters": list(_parameters(endpoint)),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {"ETag": _TAG, NOTES_HEADER: _NOTES},
                "content": _content(endpoint),
            },
            "304": {"description": "The answer has not changed.", "headers": {"ETag": _TAG}},
            **{code: {"$ref": f"#/components/responses/Problem{code}"} for code in codes},
        },
    }


def _parameters(endpoint: Endpoint) -> Iterator[JsonObject]:
    if endpoint.of_trial:
        yield {**_described(TRIAL), "in": "path", "required": True}
    for parameter in endpoint.query:
        found = {**_described(parameter), "in": "query", "required": parameter.is_required}
        if parameter is FIELDS and endpoint.row_type is not None:
            keys = [one.name for one in fields(endpoint.row_type)]
            found |= _several({"enum": keys}, explode=False)
        elif parameter.type is ParameterType.LIST:
            found |= _several(parameter.schema, explode=True)
        yield found


def _described(parameter: Parameter) -> JsonObject:
    return {
        "name": parameter.name,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _several(schema: JsonObject, *, explode: bool) -> JsonObject:
    array = {"type": "array", "items": schema, "minItems": 1}
    return {"schema": array, "style": "form", "explode": explode}


def _content(endpoint: Endpoint) -> JsonObject:
    if endpoint.row_type is None:
        return {"application/json": {"schema": {"description": "The record, or a part of it."}}}
    row: JsonObject = {"$ref": f"#/components/schemas/{endpoint.row_type.__name__}"}
    chosen = {"type": "object", "minProperties": 1, "description": "The keys of `fields` only."}
    answer: JsonObject = {"anyOf": [row, chosen]}
    if endpoint.is_list:
        answer = _page_schema(answer, endpoint)
    return {"application/json": {"schema": answer}, "text/csv": {"schema": {"type": "string"}}}


def _page_schema(row: JsonObject, endpoint: Endpoint) -> JsonObject:
    total: JsonObject = {"type": "integer", "minimum": 0, "description": "Number of all rows."}
    if not endpoint.is_counted:
        total |= {
            "type": ["integer", "null"],
            "description": "Number of all rows; null if the search reads the records themselves, "
            "except on the last page.",
        }
    return {
        "type": "object",
        "required": ["rows", "total", "next", "notes"],
        "additionalProperties": False,
        "properties": {
            "rows": {"type": "array", "items": row, "description": "The rows of this page."},
            "total": total,
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the next page; null on the last page.",
            },
            "notes": {
                "type": "array",
                "items": {"type": "string"},
                "description": "A sentence about each part of the answer that is not shown.",
            },
        },
    }


def _error(text: str) -> JsonObject:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": schema}}}


def _problem_schema() -> JsonObject:
    texts = {name: {"type": "string"} for name in ("type", "title", "detail")}
    return {
        "title": "Problem",
        "description": "An error, in the form of RFC 9457.",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": False,
        "properties": {**texts, "status": {"type": "integer"}},
    }


def _components(row_type: type) -> Iterator[tuple[str, JsonObject]] | dict[str, JsonObject]:
    described = schema_of(row_type)
    parts = described.pop("$defs", {})
    described.pop("$schema")
    return {
        name: _relocated(schema) for name, schema in {row_type.__name__: described, **parts}.items()
    }


def _relocated(value: Any) -> Any:
    """Return a schema whose references point to the components of the document."""
    if isinstance(value, dict):
        return {
            key: one.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref"
            else _relocated(one)
            for key, one in value.items()
        }
    return [_relocated(one) for one in value] if isinstance(value, list) else value
