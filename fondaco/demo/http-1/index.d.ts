export interface Options extends RequestInit {
  /** Milliseconds until the request is given up; 10 s where absent. */
  timeout?: number;
}
export function request(url: string, options?: Options): Promise<{ status: number; text: string }>;
export function json<T = unknown>(url: string, options?: Options): Promise<T>;
