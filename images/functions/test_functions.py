"""What functions and their owners may send, and what comes of it. Runs when the image is built."""

import random
import unittest

import frames
import functions
import run_wasm
from serving import Refused


class Frames(unittest.TestCase):
    def test_a_frame_comes_back_however_it_is_cut(self):
        whole = frames.frame({"status": 200}, b"a\nb") + frames.frame({}, b"")
        for cut in range(len(whole)):
            buffer, found = bytearray(), []
            for piece in (whole[:cut], whole[cut:]):
                buffer.extend(piece)
                while (one := frames.take(buffer)) is not None:
                    found.append(one)
            self.assertEqual(found, [({"status": 200, "length": 3}, b"a\nb"), ({"length": 0}, b"")])

    def test_what_is_no_frame_is_refused(self):
        for odd in [b"x\n", b"[]\n", b"{}\n", b'{"length":-1}\n', b'{"length":99999999999}\n', b'{"length":"1"}\n']:
            with self.assertRaises(ValueError):
                frames.take(bytearray(odd))
        with self.assertRaises(ValueError):
            frames.take(bytearray(b"x" * frames.MAX_HEAD))

    def test_any_bytes_are_a_frame_or_none(self):
        chance = random.Random(7)
        for _ in range(5000):
            data = bytearray(chance.choice(b'{}"length:1234,[]\n\xff x') for _ in range(chance.randrange(40)))
            try:
                frames.take(data)
            except ValueError:
                pass


class Answers(unittest.TestCase):
    def test_cgi(self):
        head, body = run_wasm.answer(b"Status: 404 Not Found\r\nX-A: b: c\r\n\r\nno\n\nbody")
        self.assertEqual((head, body), ({"status": 404, "headers": [["X-A", "b: c"]]}, b"no\n\nbody"))
        for odd in [b"", b"hello", b"\n\nbody", b"Status: x\n\n"]:
            with self.assertRaises((ValueError, IndexError)):
                run_wasm.answer(odd)

    def test_no_header_changes_how_an_answer_is_framed(self):
        taken = functions.headers_of({"headers": [["A", "b"], ["Content-Length", "5"], ["transfer-encoding", "chunked"]]})
        self.assertEqual(taken, [("A", "b")])
        for odd in [None, {}, [["A"]], [["A", 5]], [["A b", "c"]], [["A", "b\r\nC: d"]], [["", "b"]], [["A", "b"]] * 99]:
            with self.assertRaises(Refused):
                functions.headers_of({"headers": odd})
        for odd in [None, 99, 600, "200", 101]:
            with self.assertRaises(Refused):
                functions.status_of({"status": odd})

    def test_any_headers_are_taken_or_refused(self):
        chance, letters = random.Random(7), "aZ-: \r\n\0ü\u2028\"'"
        for _ in range(5000):
            pair = ["".join(chance.choice(letters) for _ in range(chance.randrange(6))) for _ in range(2)]
            try:
                for name, value in functions.headers_of({"headers": [pair]}):
                    f"{name}: {value}".encode("latin-1")
                    self.assertFalse(set("\r\n\0") & set(name + value))
            except Refused:
                pass


class Settings(unittest.TestCase):
    def test_the_environment_is_names_and_texts(self):
        self.assertEqual(functions.environment({"A": "b", "C": 5}), {"A": "b", "C": "5"})
        for odd in [[], {"a b": "c"}, {"A": ["b"]}, {"A": "b\0"}, {"": "b"}]:
            with self.assertRaises(SystemExit):
                functions.environment(odd)


unittest.main()
