"""What the owner of the deployment chose."""

import os
import re
from dataclasses import dataclass

from serving import give_up

FRAMEWORKS = "/opt/frameworks"


@dataclass
class Settings:
    """All of it, checked."""

    framework: str
    seconds: int
    threads: int
    model_path: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str


def read(chosen):
    """Checks the settings; what makes no sense ends the program."""
    model = chosen.get("model") or {}
    if not isinstance(model, dict):
        give_up("The setting model must be an object with framework, version and modelPath.")
    unknown = set(model) - {"framework", "version", "modelPath"}
    if unknown:
        give_up(f"The setting model has framework, version and modelPath, not {', '.join(sorted(unknown))}.")
    framework = str(model.get("framework") or os.environ.get("FRAMEWORK", ""))
    check_framework(framework, model.get("version"))
    path = str(model.get("modelPath") or "upload")
    if path != "upload" and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}/[^?#\s]{1,500}", path):
        give_up(f"The setting modelPath must be upload or s3://bucket/key, not {path[:200]}.")
    settings = Settings(
        framework=framework,
        seconds=int(chosen.get("timeoutSeconds", 30)),
        threads=max(1, round(float(os.environ.get("CPUS", "1")))),
        model_path=path,
        s3_endpoint=str(chosen.get("s3Endpoint") or ""),
        s3_access_key=str(chosen.get("s3AccessKey") or ""),
        s3_secret_key=str(chosen.get("s3SecretKey") or ""),
    )
    if path != "upload" and not (settings.s3_endpoint and settings.s3_access_key and settings.s3_secret_key):
        give_up("A modelPath in s3:// needs the settings s3Endpoint, s3AccessKey and s3SecretKey.")
    return settings


def check_framework(framework, version):
    """Refuses a framework that is not in this image, and a version that is newer than the one in it."""
    there = sorted(os.listdir(FRAMEWORKS))
    if framework not in there:
        give_up(f"The setting model.framework must be one of {', '.join(there)}, not {framework[:50] or 'empty'}.")
    if version is None:
        return
    found = re.match(r"(\d+)(?:\.(\d+))?", str(version))
    with open(os.path.join(FRAMEWORKS, framework, "VERSION"), encoding="ascii") as file:
        has = file.read().strip()
    if found is None:
        give_up("The setting model.version must be a version such as 2.13.")
    wanted = (int(found[1]), int(found[2] or 0))
    if wanted > tuple(int(part) for part in has.split(".")[:2]):
        give_up(f"The model needs {framework} {str(version)[:50]}; here is {has}, which loads models of that version and older.")

