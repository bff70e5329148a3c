"""localstripe, a Stripe that others wrote, on a free port of 127.0.0.1 for tests/stripe.rs.

By itself it listens on every interface and keeps its state in one file for everybody; here it does neither.
Prints the port as one JSON object on stdout.
"""

import json
import logging

from aiohttp import web
from localstripe import resources
from localstripe.server import app

resources.Store.dump_to_disk = lambda self: None
logging.disable(logging.CRITICAL)


async def tell(_):
    port = runner.addresses[0][1]
    print(json.dumps({"port": port}), flush=True)


runner = web.AppRunner(app)


async def main():
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await tell(None)
    import asyncio

    await asyncio.Event().wait()


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
