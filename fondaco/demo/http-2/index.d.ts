export interface Running {
  /** Where the server is reached. */
  url: string;
  /** Stops it after running requests have ended. */
  close(): Promise<void>;
}
export interface Options extends RequestInit {
  /** Milliseconds until one attempt is given up; 10 s where absent. */
  timeout?: number;
  /** How often a busy server is asked; 3 where absent. */
  attempts?: number;
}
export function serve(
  handler: (request: Request) => Response | Promise<Response>,
  options?: { port?: number; host?: string },
): Promise<Running>;
export function request(url: string, options?: Options): Promise<Response>;
export function json<T = unknown>(url: string, options?: Options): Promise<T>;
