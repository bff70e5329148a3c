import { createServer } from "node:http";

import { logger } from "@elide/log";
import { retry } from "@elide/retry";

const MAX_BODY = 1024 * 1024;
const log = logger("http");

/** Serves `handler`, which gets a Request and returns a Response. Resolves to the running server. */
export function serve(handler, { port = 0, host = "127.0.0.1" } = {}) {
  const server = createServer(async (incoming, outgoing) => {
    const began = performance.now();
    let response;
    try {
      response = await handler(await toRequest(incoming));
    } catch (error) {
      log.error("a handler failed", { path: incoming.url, error: String(error) });
      response = new Response("Something went wrong.\n", { status: 500 });
    }
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
    log.info("answered", { path: incoming.url, status: response.status, ms: Math.round(performance.now() - began) });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const url = `http://${host}:${server.address().port}`;
      resolve({ url, close: () => new Promise((done) => server.close(done)) });
    });
  });
}

async function toRequest(incoming) {
  const chunks = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`the body is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  const body = size > 0 ? Buffer.concat(chunks) : undefined;
  const url = new URL(incoming.url, `http://${incoming.headers.host ?? "localhost"}`);
  return new Request(url, { method: incoming.method, headers: incoming.headers, body });
}

/** Asks for a page; a server that is busy (429, 502, 503, 504) is asked again. */
export async function request(url, { timeout = 10_000, attempts = 3, ...options } = {}) {
  return retry(
    async () => {
      const response = await fetch(url, { ...options, signal: AbortSignal.timeout(timeout) });
      if ([429, 502, 503, 504].includes(response.status)) throw new Error(`${url} answered with ${response.status}`);
      return response;
    },
    { attempts },
  );
}

/** Asks for JSON; anything but a 2xx is an error. */
export async function json(url, options) {
  const response = await request(url, options);
  if (!response.ok) throw new Error(`${url} answered with ${response.status}`);
  return response.json();
}
