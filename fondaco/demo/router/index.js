/** A handler for `serve` of @elide/http that picks the first route which fits. */
export function router(routes) {
  const compiled = Object.entries(routes).map(([route, handler]) => {
    const [method, path] = route.split(" ");
    return { method, pattern: compile(path), handler };
  });
  return (request) => {
    const { pathname } = new URL(request.url);
    const fitting = compiled.filter(({ pattern }) => pattern.test(pathname));
    const found = fitting.find(({ method }) => method === request.method);
    if (found) return found.handler(request, { ...found.pattern.exec(pathname).groups });
    if (fitting.length === 0) return new Response("Not found.\n", { status: 404 });
    const allow = fitting.map(({ method }) => method).join(", ");
    return new Response("Method not allowed.\n", { status: 405, headers: { allow } });
  };
}

function compile(path) {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
}
