"""What strangers may send to `serving`, which this stands on, and what comes of it. Runs when the image is built."""

import random
import socket
import threading
import unittest

import serving


def application(request):
    if request.path == "/closed":
        request.needs(type("Key", (), {"password": "butter"}))
    if request.path == "/broken":
        raise RuntimeError("as expected by this test")
    return serving.Response.json({"path": request.path, "body": len(request.body(1000)), "words": request.words()})


class Serving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = serving._Server(0, application)
        cls.port = cls.server.server_address[1]
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def say(self, data):
        """All that is answered to these bytes, until the server or we have said everything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
                return answer
            except ConnectionError:
                return b""

    def status(self, data):
        answer = self.say(data)
        return int(answer.split(b" ", 2)[1]) if answer else 0

    def test_requests_are_answered_one_after_the_other(self):
        answer = self.say(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n"
                          b"POST /e HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        self.assertIn(b'{"path":"/a b","body":0,"words":{"c":"d"}}', answer)
        self.assertIn(b'{"path":"/e","body":3,"words":{}}', answer)

    def test_limits(self):
        for status, data in [
            (413, b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001),
            (413, b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n"),
            (411, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n"),
            (431, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
            (431, b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"),
            (400, b"GET /?" + b"a=b&" * 100 + b" HTTP/1.1\r\n\r\n"),
            (501, b"BREW / HTTP/1.1\r\n\r\n"),
            (500, b"GET /broken HTTP/1.1\r\n\r\n"),
        ]:
            self.assertEqual(self.status(data), status, data[:60])

    def test_the_password_is_asked_for(self):
        ask = b"GET /closed HTTP/1.1\r\nAuthorization: %s\r\n\r\n"
        for status, words in [(200, b"Bearer butter"), (401, b"Bearer bread"), (401, b"butter"), (401, b"Bearer \xff")]:
            self.assertEqual(self.status(ask % words), status, words)

    def test_any_bytes_leave_it_serving(self):
        chance, pieces = random.Random(7), [b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\n", b"\0", b"Content-Length: ",
                                            b"5", b":", b"\xff", b"%zz", b"?", b"Expect: 100-continue\r\n", b"a=b&"]
        for _ in range(300):
            self.say(b"".join(chance.choice(pieces) for _ in range(chance.randrange(30))))
        self.assertEqual(self.status(b"GET / HTTP/1.1\r\n\r\n"), 200)


unittest.main()
