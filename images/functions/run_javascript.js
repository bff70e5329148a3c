// A worker for one JavaScript function: a module whose default export is `fetch(request, env)`, alone or in an object.
// It has no permission at all; frames come by stdin and go by stdout.

const MAX_BODY = 6 << 20;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// What the function writes is its log; stdout is for frames.
for (const level of ["log", "info", "debug"]) console[level] = console.error;

let pending = new Uint8Array(0);

async function more() {
  const piece = new Uint8Array(64 << 10);
  const count = await Deno.stdin.read(piece);
  if (count === null) return false;
  const joined = new Uint8Array(pending.length + count);
  joined.set(pending);
  joined.set(piece.subarray(0, count), pending.length);
  pending = joined;
  return true;
}

async function read() {
  let end;
  while ((end = pending.indexOf(10)) < 0) if (!(await more())) return null;
  const head = JSON.parse(decoder.decode(pending.subarray(0, end)));
  while (pending.length < end + 1 + head.length) if (!(await more())) return null;
  const body = pending.slice(end + 1, end + 1 + head.length);
  pending = pending.slice(end + 1 + head.length);
  return { head, body };
}

async function write(head, body = new Uint8Array(0)) {
  const top = encoder.encode(JSON.stringify({ ...head, length: body.length }) + "\n");
  const whole = new Uint8Array(top.length + body.length);
  whole.set(top);
  whole.set(body, top.length);
  for (let sent = 0; sent < whole.length; ) sent += await Deno.stdout.write(whole.subarray(sent));
}

function request({ head, body }) {
  const host = head.headers.find(([name]) => name.toLowerCase() === "host")?.[1] ?? "localhost";
  const query = head.query ? `?${head.query}` : "";
  const empty = head.method === "GET" || head.method === "HEAD";
  return new Request(`http://${host}${head.path || "/"}${query}`, {
    method: head.method,
    headers: head.headers,
    body: empty ? undefined : body,
  });
}

async function answer(handle, asked) {
  const response = await handle(request(asked), asked.head.environment);
  if (!(response instanceof Response)) throw new TypeError("the function must return a Response");
  const body = new Uint8Array(await response.arrayBuffer());
  if (body.length > MAX_BODY) throw new RangeError("the answer is too long");
  return [{ status: response.status, headers: [...response.headers] }, body];
}

export default async function run(module) {
  const main = module.default;
  const handle = typeof main === "function" ? main : main?.fetch?.bind(main);
  if (!handle) {
    await write({ error: "it has no default export with a function fetch(request, env)" });
    return;
  }
  await write({ ready: true });
  for (let asked; (asked = await read()); ) {
    try {
      await write(...(await answer(handle, asked)));
    } catch (error) {
      console.error(error);
      await write({ error: `${error}`.slice(0, 500) });
    }
  }
}
