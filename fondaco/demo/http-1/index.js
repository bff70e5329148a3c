/** Asks for a page and gives its status and text. */
export async function request(url, { timeout = 10_000, ...options } = {}) {
  const response = await fetch(url, { ...options, signal: AbortSignal.timeout(timeout) });
  return { status: response.status, text: await response.text() };
}

/** Asks for JSON; anything but a 2xx is an error. */
export async function json(url, options) {
  const { status, text } = await request(url, options);
  if (status < 200 || status > 299) throw new Error(`${url} answered with ${status}`);
  return JSON.parse(text);
}
