export type Write = (entry: Record<string, unknown>) => void;
export type Method = (message: string, fields?: Record<string, unknown>) => void;
export function logger(
  name: string,
  options?: { write?: Write; level?: "debug" | "info" | "warn" | "error" },
): { debug: Method; info: Method; warn: Method; error: Method };
