"""Reads the settings of a gateway, says in one line what makes no sense in them, and writes the configuration of nginx."""

import json
import os
import re
import sys

SECRETS = os.environ.get("SECRETS_DIR", "/run/secrets")
BAD_CONFIGURATION = 78
MAX_ROUTES, MAX_KEYS = 100, 500
UPSTREAM = re.compile(r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?(/[A-Za-z0-9._~/-]{0,200})?$")
PATH = re.compile(r"/[A-Za-z0-9._~/@:+-]{0,200}$")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Wrong(Exception):
    """What makes no sense, in a sentence."""


def check(fine, words):
    if not fine:
        raise Wrong(words)


def members(thing, what, known):
    """Refuses what is no object, and members that nobody asked for."""
    check(isinstance(thing, dict), f"{what} must be an object.")
    for name in thing:
        check(name in known, f"{what} has {name[:40]!r}, which is not known; known are: {', '.join(known)}.")
    return thing


def number(value, what, least, most):
    fine = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    check(fine, f"{what} must be a whole number from {least} to {most}.")
    return value


def texts(value, what, pattern, most=100):
    fine = isinstance(value, list) and len(value) <= most
    fine = fine and all(isinstance(text, str) and re.fullmatch(pattern, text) for text in value)
    check(fine, f"{what} must be a list of at most {most} texts like {pattern}")
    return value


def upstream(value, what):
    """Scheme, host with port, and path without a slash at its end."""
    found = UPSTREAM.match(value) if isinstance(value, str) else None
    check(found and int(found[3] or 1) in range(1, 65536), f"{what} must be an address such as http://my-api:8080.")
    default = 443 if found[1] == "https" else 80
    return f"{found[1]}://{found[2]}:{found[3] or default}", (found[4] or "").rstrip("/")


def keys(value, more=()):
    """The keys by their secret, each with a name of its own."""
    check(isinstance(value, list) and len(value) <= MAX_KEYS, f"keys must be a list of at most {MAX_KEYS} keys.")
    known, names = {}, set()
    for index, entry in enumerate(value):
        what = f"keys[{index}]"
        members(entry, what, ("name", "key", "perMinute", *more))
        name, key = entry.get("name"), entry.get("key")
        fine = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) and name != "-"
        check(fine, f"{what}.name must be of 1 to 60 letters, digits, '_', '.' or '-'.")
        check(name not in names, f"two keys are called {name}.")
        check(isinstance(key, str) and re.fullmatch(r"[!-~]{16,200}", key), f"{what}.key must have 16 to 200 visible characters.")
        check(key not in known, f"{what}.key is that of another key.")
        if "perMinute" in entry:
            number(entry["perMinute"], f"{what}.perMinute", 1, 1_000_000)
        names.add(name)
        known[key] = entry
    return known


def cors(value):
    members(value, "cors", ("origins", "headers", "maxAge", "credentials"))
    origins = texts(value.get("origins", []), "cors.origins", r"\*|https?://[A-Za-z0-9.:-]{1,255}")
    headers = texts(value.get("headers", []), "cors.headers", r"[A-Za-z0-9-]{1,60}")
    age = number(value.get("maxAge", 600), "cors.maxAge", 0, 86400)
    credentials = value.get("credentials", False)
    check(isinstance(credentials, bool), "cors.credentials must be true or false.")
    check(not (credentials and "*" in origins), "cors.credentials is not for every origin: name the origins instead of *.")
    allowed = {"authorization", "content-type", "x-api-key", *(header.lower() for header in headers)}
    return {"origins": origins, "headers": ", ".join(sorted(allowed)), "maxAge": age, "credentials": credentials}


def secret(name):
    try:
        with open(os.path.join(SECRETS, name), encoding="utf-8") as file:
            return file.read()
    except OSError:
        raise Wrong(f"The secret file {name} is missing.") from None


def resolver():
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        found = re.search(r"^nameserver ([0-9.]+)$", file.read(), re.M)
    return found[1] if found else "127.0.0.11"


def configuration(main, server):
    """The file for nginx: what all gateways have, with what one adds."""
    return f"""
load_module modules/ndk_http_module.so;
load_module modules/ngx_http_lua_module.so;
{"load_module modules/ngx_nchan_module.so;" if "nchan_" in server else ""}
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events {{ worker_connections 4096; }}
http {{
    server_tokens off;
    tcp_nodelay on;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    resolver {resolver()} valid=5s ipv6=off;
    resolver_timeout 3s;
    client_header_timeout 15s;
    client_body_timeout 30s;
    send_timeout 60s;
    large_client_header_buffers 4 16k;
    client_body_buffer_size 64k;
    keepalive_timeout 60s;
    proxy_http_version 1.1;
    proxy_buffers 16 8k;
    proxy_max_temp_file_size 0;
    proxy_connect_timeout 5s;
    proxy_ssl_server_name on;
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 4;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
    log_format brief '$request_method $uri $status $body_bytes_sent $request_time $gw_key';
    access_log /dev/stdout brief;
    map $http_upgrade $gw_connection {{ default upgrade; '' ''; }}
    lua_shared_dict figures 16m;
    lua_shared_dict rates 4m;
    init_by_lua_block {{
        gateway = dofile("/etc/nginx/gateway.lua")
        gateway.start("/tmp/gateway.json")
    }}
    {main}
    server {{
        listen 8080 backlog=1024;
        set $gw_key "";
        set $gw_route "";
        set $gw_target "";
        set $gw_open "";
        header_filter_by_lua_block {{ gateway.headers() }}
        log_by_lua_block {{ gateway.count() }}
        location = /-/health {{ access_log off; return 204; }}
        location = /-/metrics {{ access_log off; content_by_lua_block {{ gateway.metrics() }} }}
        location = /-/usage {{ access_log off; content_by_lua_block {{ gateway.usage() }} }}
        location = /-/password {{ access_log off; client_max_body_size 1k; content_by_lua_block {{ gateway.password() }} }}
        location @refused {{ content_by_lua_block {{ gateway.refused() }} }}
        error_page 400 404 405 408 411 413 414 415 417 494 500 502 503 504 @refused;
        {server}
    }}
}}
"""


FORWARD = """proxy_set_header Host $proxy_host;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-API-Key "";
            proxy_set_header X-Consumer $gw_key;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $gw_connection;"""


def prepare(read):
    """Calls `read` with the settings; it gives what Lua reads, and two parts of the file for nginx."""
    try:
        settings = json.loads(secret("settings.json"))
        for_lua, main, server = read(settings)
        for_lua["password"] = secret("password").strip()
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(BAD_CONFIGURATION)
    os.umask(0o077)
    with open("/tmp/gateway.json", "w", encoding="utf-8") as file:
        json.dump(for_lua, file)
    with open("/tmp/nginx.conf", "w", encoding="utf-8") as file:
        file.write(configuration(main, server))


def start():
    # nchan asks for the folders that were compiled into nginx, whatever is configured; they lead here.
    os.makedirs("/tmp/nginx", exist_ok=True)
    os.execvp("nginx", ["nginx", "-e", "/dev/stderr", "-c", "/tmp/nginx.conf", "-g", "daemon off;"])
