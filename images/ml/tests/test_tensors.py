"""Requests of strangers: what is right is read, whatever else comes is refused and nothing worse."""

import json
import random
import struct
import unittest

from server import tensors
from server.tensors import Asked, Tensor, Wrong

NUMBERS = [name for name in tensors.SIZES if name not in ("BOOL", "BYTES", "BF16")]


def body(**changes):
    item = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2.5]} | changes
    return json.dumps({"inputs": [item]}).encode()


class Reading(unittest.TestCase):
    def test_numbers_come_back_as_they_were(self):
        for datatype in NUMBERS:
            values = [0, 1, 100]
            asked = tensors.read(body(datatype=datatype, shape=[3], data=values))
            self.assertEqual(tensors.to_json(asked.inputs[0]), values, datatype)

    def test_nested_data_is_row_major(self):
        asked = tensors.read(body(shape=[2, 2], data=[[1, 2], [3, 4]]))
        self.assertEqual(asked.inputs[0].data, struct.pack("<4f", 1, 2, 3, 4))

    def test_texts_and_truth(self):
        asked = tensors.read(body(datatype="BYTES", data=["bread", "ä"]))
        self.assertEqual(tensors.to_json(asked.inputs[0]), ["bread", "ä"])
        asked = tensors.read(body(datatype="BOOL", data=[True, False]))
        self.assertEqual(tensors.to_json(asked.inputs[0]), [True, False])

    def test_binary_data_follows_the_head(self):
        numbers = struct.pack("<2f", 1, 2.5)
        item = {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": len(numbers)}}
        head = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
        asked = tensors.read(head + numbers, len(head))
        self.assertEqual(asked.inputs[0].data, numbers)
        answer, length = tensors.write(asked, "m", 1, [Tensor("y", "FP32", [2], numbers)])
        self.assertEqual(answer[length:], numbers)
        self.assertEqual(json.loads(answer[:length])["outputs"][0]["parameters"], {"binary_data_size": 8})
        with self.assertRaises(Wrong):
            tensors.read(head + numbers + b"x", len(head))
        with self.assertRaises(Wrong):
            tensors.read(head + numbers[:-1], len(head))

    def test_what_is_no_number_becomes_null(self):
        data = struct.pack("<3f", float("nan"), float("inf"), 1)
        answer, _ = tensors.write(Asked([]), "m", 1, [Tensor("y", "FP32", [3], data)])
        self.assertEqual(json.loads(answer)["outputs"][0]["data"], [None, None, 1.0])
        self.assertEqual(tensors.to_json(Tensor("y", "BF16", [2], b"\x80\x3f\x00\xc0")), [1.0, -2.0])

    def test_wrong_ones_are_refused_with_words(self):
        wrong = {
            "3 elements": dict(shape=[3]),
            "datatype must be": dict(datatype="FP31"),
            "does not fit FP32": dict(data=["1", "2"]),
            "does not fit UINT8": dict(datatype="UINT8", data=[1, 256]),
            "not true or false": dict(data=[True, 1]),
            "shape must be": dict(shape=[-1]),
            "shape must be ": dict(shape=[1 << 40]),
            "nested at most": dict(data=[[[[[[[[[[1]]]]]]]]]]),
            "has no name": dict(name=""),
            "BF16 has no form": dict(datatype="BF16"),
        }
        for words, changes in wrong.items():
            with self.assertRaisesRegex(Wrong, words.strip()):
                tensors.read(body(**changes))
        for text in (b"", b"[]", b"{}", b'{"inputs": 1}', b"[" * 100_000, b'{"inputs": [NaN]}', b"\xff"):
            with self.assertRaises(Wrong):
                tensors.read(text)

    def test_broken_bodies_are_refused_and_nothing_else(self):
        chance = random.Random(4)
        whole = body(datatype="BYTES", data=["a", "b"]) + struct.pack("<I", 1) + b"a"
        for _ in range(20_000):
            text = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(text))
                text[at:at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            try:
                tensors.read(bytes(text), chance.choice([None, chance.randint(0, len(text) + 2)]))
            except Wrong:
                pass


if __name__ == "__main__":
    unittest.main()
