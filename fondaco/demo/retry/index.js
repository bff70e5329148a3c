/** Calls `action` until it succeeds, at most `attempts` times; the last error is thrown. */
export async function retry(action, { attempts = 3, first = 100, most = 5_000 } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action(attempt);
    } catch (error) {
      if (attempt >= attempts) throw error;
      // Full jitter: many callers that failed together do not come back together.
      const wait = Math.random() * Math.min(most, first * 2 ** (attempt - 1));
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}
