"""Writes the schemas in a CustomResourceDefinition as JSON schemas, under the names that kubeconform looks for.

    python crd-schemas.py definition.yaml folder

A field that a definition does not know is an error here, where Kubernetes would drop it in silence.
"""

import json
import pathlib
import sys

import yaml


def strict(schema):
    """Forbids fields that the schema does not name, wherever it does not say that any may come."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: strict(part) for key, part in schema.items()}
    if isinstance(out.get("properties"), dict) and not out.get("x-kubernetes-preserve-unknown-fields"):
        out.setdefault("additionalProperties", False)
    # The definition leaves its type open: it is a whole number or text.
    if out.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
    return out


definition_file, folder = sys.argv[1:]
for definition in yaml.safe_load_all(pathlib.Path(definition_file).read_text()):
    spec = definition["spec"]
    for version in spec["versions"]:
        name = f"{spec['names']['kind'].lower()}-{spec['group'].split('.')[0]}-{version['name']}.json"
        schema = version["schema"]["openAPIV3Schema"]
        schema["properties"]["metadata"] = {"type": "object", "additionalProperties": True}
        (pathlib.Path(folder) / name).write_text(json.dumps(strict(schema)))
