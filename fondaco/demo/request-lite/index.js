import { request } from "@elide/http";

/** Calls back with an error, or with null, the status and the text. */
export default function get(url, callback) {
  request(url).then(
    ({ status, text }) => callback(null, status, text),
    (error) => callback(error),
  );
}
