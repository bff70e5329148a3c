"""What the server and the processes that run models say to each other: frames on a pipe.

A frame is the length of its JSON head (four bytes, big-endian), the head, and the bytes of the tensors that the head lists.
"""

import json
import os
import select
import struct
import time

MAX_HEAD = 1 << 20


class Late(Exception):
    """It did not come in time."""


class Gone(Exception):
    """The other side has ended."""


class Pipe:
    """One end of a pair of pipes. Deadlines are seconds of `time.monotonic`; None waits for ever."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        os.set_blocking(reads, False)
        os.set_blocking(writes, False)

    def send(self, head, chunks=(), deadline=None):
        """Sends a frame."""
        text = json.dumps(head).encode()
        if len(text) > MAX_HEAD:
            raise ValueError("the head of a frame is too large")
        for chunk in (struct.pack(">I", len(text)) + text, *chunks):
            left = memoryview(chunk)
            while left:
                _wait([], [self.writes], deadline)
                try:
                    left = left[os.write(self.writes, left[:1 << 16]):]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise Gone from None

    def head(self, deadline=None):
        """Receives the head of the next frame."""
        (size,) = struct.unpack(">I", self.exactly(4, deadline))
        if size > MAX_HEAD:
            raise Gone
        return json.loads(self.exactly(size, deadline))

    def exactly(self, size, deadline=None):
        """Receives so many bytes."""
        found = bytearray(size)
        left = memoryview(found)
        while left:
            _wait([self.reads], [], deadline)
            try:
                chunk = os.read(self.reads, min(len(left), 1 << 16))
            except BlockingIOError:
                continue
            if not chunk:
                raise Gone
            left[:len(chunk)] = chunk
            left = left[len(chunk):]
        return bytes(found)

    def close(self):
        """Closes both."""
        os.close(self.reads)
        os.close(self.writes)


def _wait(reads, writes, deadline):
    patience = None if deadline is None else max(0.0, deadline - time.monotonic())
    ready = select.select(reads, writes, [], patience)
    if not any(ready):
        raise Late
