"""What the server and its workers say to each other: a line of JSON, and behind it as many bytes as `length` says."""

import json

MAX_HEAD, MAX_BODY = 256 << 10, 6 << 20


def frame(head, body=b""):
    return json.dumps({**head, "length": len(body)}).encode() + b"\n" + body


def take(buffer):
    """The first frame of a bytearray, which then has it no more; None while it is not whole. ValueError: no frame."""
    end = buffer.find(b"\n", 0, MAX_HEAD)
    if end < 0:
        if len(buffer) >= MAX_HEAD:
            raise ValueError("the head is too long")
        return None
    head = json.loads(buffer[:end])
    length = head.get("length") if isinstance(head, dict) else None
    if not isinstance(length, int) or not 0 <= length <= MAX_BODY:
        raise ValueError("there is no fitting length")
    if len(buffer) < end + 1 + length:
        return None
    body = bytes(buffer[end + 1:end + 1 + length])
    del buffer[:end + 1 + length]
    return head, body


def read(file):
    """The next frame of a stream of the server's, None at its end."""
    line = file.readline(MAX_HEAD)
    if not line:
        return None
    head = json.loads(line)
    return head, file.read(head["length"])


def write(file, head, body=b""):
    file.write(frame(head, body))
    file.flush()


def environ(head, length):
    """A request as RFC 3875 (CGI) has it."""
    found = {
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "fondaco",
        "SERVER_NAME": "localhost", "SERVER_PORT": "8080", "REQUEST_METHOD": head["method"],
        "SCRIPT_NAME": "/" + head["name"], "PATH_INFO": head["path"], "QUERY_STRING": head["query"],
        "REMOTE_ADDR": head["peer"], "CONTENT_LENGTH": str(length),
    }
    for name, value in head["headers"]:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            found[key] = value
        elif key not in ("CONTENT_LENGTH", "PROXY"):
            key = "HTTP_" + key
            found[key] = f"{found[key]}, {value}" if key in found else value
    return found
