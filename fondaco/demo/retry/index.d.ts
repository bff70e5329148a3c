export interface Options {
  /** How often at the most; 3 where absent. */
  attempts?: number;
  /** The longest first pause in milliseconds; 100 where absent. It doubles each time. */
  first?: number;
  /** The longest pause in milliseconds; 5000 where absent. */
  most?: number;
}
export function retry<T>(action: (attempt: number) => Promise<T> | T, options?: Options): Promise<T>;
