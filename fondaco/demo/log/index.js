const LEVELS = ["debug", "info", "warn", "error"];

/** A logger that writes to standard error. `LOG_LEVEL` names the least level that is written. */
export function logger(name, { write = defaultWrite, level = process.env.LOG_LEVEL ?? "info" } = {}) {
  const least = Math.max(0, LEVELS.indexOf(level));
  const methods = LEVELS.map((word, index) => [
    word,
    (message, fields = {}) => {
      if (index >= least) write({ time: new Date().toISOString(), level: word, name, message, ...fields });
    },
  ]);
  return Object.fromEntries(methods);
}

function defaultWrite(entry) {
  if (!process.stderr.isTTY) return void process.stderr.write(`${JSON.stringify(entry)}\n`);
  const { time, level, name, message, ...fields } = entry;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  process.stderr.write(`${time.slice(11, 19)} ${level.padEnd(5)} ${name}: ${message}${rest.join("")}\n`);
}
