// Loaded into a client before it starts (node --require): what it asks the hosts of Sigstore goes to services.cjs at
// STORY_SIGSTORE, and no other host is asked in an encrypted connection. The client itself stays as it is.
const http = require("node:http");
const https = require("node:https");

const services = new URL(process.env.STORY_SIGSTORE);

https.request = (options, ...rest) => {
  const host = options.hostname ?? options.host;
  if (!/^[a-z-]+\.sigstore\.dev$/.test(host)) throw new Error(`the client asks ${host}, which is not in this story`);
  const { method, headers } = options;
  const path = `/${host}${options.path}`;
  return http.request({ host: services.hostname, port: services.port, method, headers, path }, ...rest);
};
