"""A mail server (aiosmtpd) on a free port of 127.0.0.1 for tests/smtp.rs.

smtp_server.py MODE FOLDER   MODE is plain, starttls, implicit, refusing or later
Writes its certificate to FOLDER/authority.pem, then one JSON object per line on stdout: first the port, then
each message it took.
"""

import asyncio
import datetime
import ipaddress
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MODE, FOLDER = sys.argv[1:]


def tell(**fields):
    print(json.dumps(fields), flush=True)


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    with open(f"{FOLDER}/authority.pem", "wb") as file:
        file.write(signed.public_bytes(serialization.Encoding.PEM))
    with open(f"{FOLDER}/key.pem", "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{FOLDER}/authority.pem", f"{FOLDER}/key.pem")
    return context


class Handler:
    async def handle_DATA(self, server, session, envelope):
        if MODE == "refusing":
            return "554 we do not want this"
        if MODE == "later":
            return "451 come back later"
        content = envelope.content.decode()
        tell(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            content=content,
            tls=session.ssl is not None,
            user=session.auth_data,
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"fondaco" and data.password == b"s3cret"
    return AuthResult(success=right, handled=right, auth_data=data.login.decode())


def smtp(context):
    options = {"enable_SMTPUTF8": True, "hostname": "test"}
    if MODE == "starttls":
        options |= {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    return SMTP(Handler(), **options)


async def main():
    context = certificate()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: smtp(context),
        "127.0.0.1",
        0,
        ssl=context if MODE == "implicit" else None,
    )
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
