"""The server with the framework of its image: run inside of it, on a volume of memory."""

import os
import shutil
import tempfile
import threading
import unittest

from server import s3, settings
from server.child import Broken, Child
from server.repository import Full, Repository, Unknown
from server.tensors import Asked, Tensor, Wrong

FRAMEWORK = os.environ["FRAMEWORK"]
EXAMPLE = f"/opt/examples/{FRAMEWORK}"
SETOSA = Tensor("measures", "FP32", [1, 4], b"\x33\x33\xa3\x40\x00\x00\x60\x40\x33\x33\xb3\x3f\xcd\xcc\x4c\x3e")


def pieces(path):
    with open(path, "rb") as file:
        yield file.read()


class Models(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp()
        self.repository = Repository(self.data, FRAMEWORK, 1)
        self.repository.seed("iris", EXAMPLE)

    def tearDown(self):
        self.repository.stop()
        shutil.rmtree(self.data)

    def run_it(self):
        return self.repository.child(self.repository.find("iris")).run(Asked([SETOSA]), 20)[0]

    def test_a_model_lives_through_its_whole_life(self):
        first = self.run_it()
        self.assertEqual((first.name, first.shape), ("probabilities", [1, 3]))
        with self.assertRaises(Broken):
            self.repository.put("iris", iter([b"rubbish"]), 7)
        with self.assertRaises(Wrong):
            self.repository.put("iris", iter([b"cut"]), 7)
        self.assertEqual(self.run_it(), first, "what was served still is")
        self.assertEqual(os.listdir(self.repository.incoming), [], "nothing is left of what was refused")
        for version in range(2, 8):
            self.assertEqual(self.repository.put("iris", pieces(EXAMPLE), os.path.getsize(EXAMPLE))[0], version)
        self.assertEqual(self.repository.versions("iris"), [3, 4, 5, 6, 7])
        self.repository.serve("iris", 4)
        self.assertEqual(self.repository.find("iris").version, 4)
        with self.assertRaises(Unknown):
            self.repository.serve("iris", 1)
        again = Repository(self.data, FRAMEWORK, 1)
        again.start()
        self.assertEqual((again.find("iris").version, again.find("iris").ready()), (4, True))
        again.remove("iris")
        with self.assertRaises(Unknown):
            again.find("iris")

    def test_a_process_that_ends_is_started_again(self):
        first = self.run_it()
        self.repository.find("iris").child.stop()
        with self.assertRaises(Broken):
            self.run_it()
        for thread in threading.enumerate():
            if thread.daemon and thread is not threading.current_thread():
                thread.join(60)
        self.assertEqual(self.run_it(), first)

    def test_many_at_once_get_their_own_answers(self):
        expected, wrong = self.run_it(), []

        def ask():
            for _ in range(20):
                if self.run_it() != expected:
                    wrong.append(1)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaises(Full):
            self.repository.put("big", iter([]), 1 << 50)
        with self.assertRaises(Wrong):
            self.repository.put("../iris", iter([]), 1)

    def test_wrong_inputs_are_told(self):
        child = self.repository.child(self.repository.find("iris"))
        for wrong in (Tensor("measures", "FP32", [1, 2], b"\0" * 8), Tensor("nothing", "FP32", [1, 4], b"\0" * 16)):
            try:
                child.run(Asked([wrong]), 20)
                self.assertEqual((FRAMEWORK, wrong.name), ("pytorch", "nothing"), "only PyTorch takes inputs by their order")
            except Wrong as error:
                self.assertTrue(str(error))
        with self.assertRaisesRegex(Wrong, "there is no output"):
            child.run(Asked([SETOSA], outputs={"nothing": False}), 20)


class Settings(unittest.TestCase):
    def test_what_makes_no_sense_ends_the_program(self):
        for model in ({"framework": "abacus"}, {"version": "99.0"}, {"version": "new"}, {"modelPath": "/etc"}, {"path": 1},
                      {"modelPath": "s3://bucket/key"}, []):
            if model:
                with self.assertRaises(SystemExit) as ended:
                    settings.read({"model": model})
                self.assertEqual(ended.exception.code, 78)
        self.assertEqual(settings.read({}).framework, FRAMEWORK)

    def test_names_of_objects(self):
        for key, name in {"a/b/sentiment-model.pb": "sentiment-model", "ä b.onnx": "b", "..": "model"}.items():
            self.assertIn(name, s3.model_name(key))


if __name__ == "__main__":
    unittest.main()
