export type Handler = (request: Request, parameters: Record<string, string>) => Response | Promise<Response>;
/** Keys are a method and a path: `GET /users/:id`. */
export function router(routes: Record<string, Handler>): (request: Request) => Response | Promise<Response>;
