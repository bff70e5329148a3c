"""Starts the server: python3 -m server"""

import os
import signal
import sys
import threading

import serving

from server import settings
from server.api import Api
from server.counts import Counts
from server.repository import Repository
from server.s3 import fetch

PORT = 8080
DATA = "/data"
RESTORED = "/data/restored"
EXAMPLES = "/opt/examples"


def load(api, chosen):
    """Loads what there is; then the server says that it serves."""
    repository = api.repository
    if os.path.isdir(RESTORED):
        # This program was ended while it took them.
        repository.replace(RESTORED)
    try:
        if chosen.model_path == "upload":
            repository.seed("iris", os.path.join(EXAMPLES, chosen.framework))
        else:
            fetch(repository, chosen)
    except Exception as error:
        if not os.listdir(repository.models):
            print(f"The model could not be had: {error}", file=sys.stderr, flush=True)
            os._exit(serving.BAD_CONFIGURATION)
        print(f"the model could not be had, the one from before is served: {error}", flush=True)
    repository.start()
    api.ready = True
    print(f"serving {len(repository.all())} models by {chosen.framework}", flush=True)


def reload(api):
    """Takes the models that were restored from a backup."""
    if os.path.isdir(RESTORED):
        api.ready = False
        api.repository.replace(RESTORED)
        api.ready = True


def main():
    """Serves until it is told to stop."""
    chosen = settings.read(serving.settings())
    repository = Repository(DATA, chosen.framework, chosen.threads)
    api = Api(repository, Counts(), serving.Key(), chosen.seconds)
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload, args=(api,), daemon=True).start())
    threading.Thread(target=load, args=(api, chosen), daemon=True).start()
    serving.serve(PORT, api, repository.stop)


main()
