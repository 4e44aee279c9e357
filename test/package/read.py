"""Opens what `resnet-serve embed` wrote in this folder, and holds the formats to each other."""

import json

import numpy
import pyarrow
import pyarrow.parquet


def lines(name):
    return [json.loads(line) for line in open(name, encoding="utf-8")]


array = numpy.load("x.npy")
assert array.dtype == numpy.float32 and array.shape == (2, 256), (array.dtype, array.shape)

table = pyarrow.parquet.read_table("x.parquet")
assert table.column_names == ["path", "embedding", "label", "probability"], table.column_names
assert table.schema.field("embedding").type.value_type == pyarrow.float32(), table.schema
assert (numpy.stack(table["embedding"].to_numpy()) == array).all()
assert json.loads(table.schema.metadata[b"resnet-serve"])["model"] == "digits"

rows = lines("x.jsonl")
assert (numpy.array([row["embedding"] for row in rows], dtype="f4") == array).all()

paths = lines("x.paths.jsonl")
for row, beside, in_parquet in zip(rows, paths, table.to_pylist(), strict=True):
    assert row["path"] == beside["path"] == in_parquet["path"]
    assert row["label"] == beside["label"] == in_parquet["label"]
    assert abs(in_parquet["probability"] - row["probability"]) < 1e-6

assert [row["label"] for row in rows] == ["7", "3"], rows
assert [row["label"] for row in lines("classes.jsonl")] == ["7", "3"]

# By a server and here: batches differ, and int8 rounds.
served = numpy.load("served.npy")
cosines = (served * array).sum(1) / numpy.linalg.norm(served, axis=1) / numpy.linalg.norm(array, axis=1)
assert (cosines > 0.999).all(), cosines
