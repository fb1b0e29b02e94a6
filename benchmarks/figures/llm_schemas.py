"""Answers of the embedded model to 20 JSON Schemas, drawn at temperature 1, checked by the library jsonschema."""
from __future__ import annotations

import json
from typing import Any

from ilk.backends.gguf import GGUF
from ilk.chat import Answer, Schema, Turn, Want
from ilk.errors import UsageError

EACH, TOKENS = 10, 800


def text(most: int = 20) -> dict[str, Any]:
    return {"type": "string", "maxLength": most}


def record(properties: dict[str, Any], optional: tuple[str, ...] = (), extra: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [k for k in properties if k not in optional], "additionalProperties": extra}


def array(of: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least, "maxItems": most}


def whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


POINT = record({"x": {"type": "number", "minimum": -1, "maximum": 1}, "y": {"type": "number", "minimum": -1, "maximum": 1}})
PERSON = record({"name": text(), "age": whole(0, 120)})
SCHEMAS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Is Paris in France?", {"type": "boolean"}),
    ("Which colour has the sky?", {"enum": ["red", "green", "blue"]}),
    ("How old is the oldest dog?", whole(1, 40)),
    ("What is the weight of an apple in kilograms?", {"type": "number", "exclusiveMinimum": 0, "maximum": 2}),
    ("Name a city.", text(30)),
    ("Give a date.", {"type": "string", "format": "date"}),
    ("Give a code of three letters and four digits.", {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}),
    ("Describe a person.", PERSON),
    ("Describe a person, the mail if you know it.", record({"name": text(), "mail": text(30), "tall": {"type": "boolean"}}, ("mail", "tall"))),
    ("List three animals.", array(text(12), 3, 3)),
    ("List some even digits.", array({"enum": [0, 2, 4, 6, 8]}, 1, 6)),
    ("Describe a family.", record({"mother": PERSON, "father": PERSON, "children": array(PERSON, 0, 2)})),
    ("Draw a triangle.", record({"kind": {"const": "triangle"}, "points": array(POINT, 3, 3)})),
    ("Order a pizza.", record({"size": {"enum": ["small", "large"]}, "toppings": array({"enum": ["ham", "cheese", "olives"]}, 1, 3), "tip": whole(0, 10)}, ("tip",))),
    ("Give a number or nothing.", {"anyOf": [whole(0, 9), {"type": "null"}]}),
    ("Say what shape it is.", {"oneOf": [record({"circle": whole(1, 9)}), record({"square": whole(1, 9)})]}),
    ("Give a tree of names.", {"$defs": {"leaf": record({"name": text(8)}), "node": record({"name": text(8), "leaves": array({"$ref": "#/$defs/leaf"}, 0, 2)})},
                               "$ref": "#/$defs/node"}),
    ("Give a matrix.", array(array(whole(-9, 9), 2, 2), 2, 2)),
    ("Tell of a book.", record({"title": text(40), "year": whole(1500, 2030), "isbn": {"type": "string", "pattern": "^[0-9]{13}$"},
                                "author": record({"first": text(), "last": text(), "born": {"type": ["integer", "null"], "minimum": 1400, "maximum": 2010}}, ("born",))}, ("isbn",))),
    ("Give the weather of a week in words and degrees.", record({"city": text(), "days": array(record({"day": {"enum": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]},
                                                                                                     "sky": {"enum": ["sun", "rain", "snow"]}, "low": whole(-40, 40)}), 2, 7)})))


def valid(answer: str, schema: dict[str, Any]) -> bool:
    """By a library that had no hand in making it."""
    import jsonschema

    try:
        jsonschema.validate(json.loads(answer), schema, format_checker=jsonschema.FormatChecker())
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


def figure(seed: int, each: int = EACH) -> dict[str, Any]:
    """The value counts valid answers, `each` a schema; a cut answer is an error of ilk, and counts as invalid."""
    model = GGUF().open("smollm2-135m-instruct")
    right, wrong = 0, []
    for number, (question, schema) in enumerate(SCHEMAS):
        for i in range(each):
            try:
                said = Answer.of(model.chat([Turn.of("user", f"{question} Answer in JSON.")], Want(most=TOKENS, seed=1000 * seed + i, shape=Schema(schema)))).text
            except UsageError as why:
                said = f"{why.code}: {why}"
            good = valid(said, schema)
            right += good
            wrong += [] if good else [[number, i, said[:200]]]
    return {"value": right, "n": each * len(SCHEMAS), "schemas": len(SCHEMAS), "wrong": wrong, "unit": "valid answers", "floor": 0, "ceiling": each * len(SCHEMAS), "published": None,
            "protocol": f"SmolLM2-135M-Instruct in 4 bits through llama.cpp with llguidance, temperature 1, at most {TOKENS} tokens; checked by jsonschema; one thread"}
