"""Gets a model from S3-compatible storage, such as a deployment of the same account. Requests are signed (version 4)."""

import datetime
import hashlib
import hmac
import http.client
import os
import time
from urllib.parse import quote, urlsplit

SECONDS = 60
REGION = "us-east-1"
EMPTY = hashlib.sha256(b"").hexdigest()
TRIES = 3
CHUNK = 1 << 18


def fetch(repository, chosen):
    """Takes the object that `modelPath` names as a new version, unless its newest version is that object already."""
    bucket, key = chosen.model_path.removeprefix("s3://").split("/", 1)
    name = model_name(key)
    for attempt in range(TRIES):
        try:
            return fetch_once(repository, chosen, bucket, key, name)
        except OSError as error:
            if attempt == TRIES - 1:
                raise RuntimeError(f"{chosen.s3_endpoint} does not answer ({error})") from None
            time.sleep(1 + attempt)


def fetch_once(repository, chosen, bucket, key, name):
    """Asks once."""
    address = urlsplit(chosen.s3_endpoint if "//" in chosen.s3_endpoint else f"http://{chosen.s3_endpoint}")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise RuntimeError("the setting s3Endpoint must be an address such as http://my-storage:9000")
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname, address.port, timeout=SECONDS)
    path = f"{address.path.rstrip('/')}/{bucket}/{quote(key, safe='/-_.~')}"
    note = os.path.join(repository.models, name, "etag")
    try:
        connection.request("GET", path, headers=signed(address.netloc, path, chosen, datetime.datetime.now(datetime.UTC)))
        answer = connection.getresponse()
        if answer.status != 200:
            text = " ".join(answer.read(500).decode("utf-8", "replace").split())
            raise RuntimeError(f"{chosen.model_path} was answered with {answer.status} {answer.reason}: {text}")
        size, etag = answer.getheader("Content-Length"), answer.getheader("ETag", "")
        if size is None or not size.isdigit():
            raise RuntimeError("the storage does not tell how large the object is")
        if etag and read(note) == etag:
            return
        repository.put(name, iter(lambda: answer.read(CHUNK), b""), int(size))
    finally:
        connection.close()
    with open(note, "w", encoding="utf-8") as file:
        file.write(etag)


def signed(host, path, chosen, now):
    """The headers of a GET without a body, signed."""
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": EMPTY, "x-amz-date": at}
    names = ";".join(headers)
    asked = "\n".join(["GET", path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, EMPTY])
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{chosen.s3_secret_key}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{chosen.s3_access_key}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


def model_name(key):
    """What the model of an object is called: the last part of its key without the end."""
    stem = key.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    cleaned = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in stem)
    return cleaned.lstrip("._-")[:64] or "model"


def read(path):
    """A small file's text; empty when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(1000)
    except FileNotFoundError:
        return ""
