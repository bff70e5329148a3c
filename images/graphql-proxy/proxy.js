'use strict';
// Forwards GraphQL operations that the rules allow to one upstream. nginx is before it, with keys and limits.

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { Refused, read, measure, allow } = require('./rules.js');

const SOCKET = '/tmp/graphql.sock';
const BAD_CONFIGURATION = 78;
const MAX_ANSWER = 8 << 20;
const MAX_KEPT_ANSWER = 512 << 10;

/** The newest of what was kept, within a number and a sum of bytes. */
class Kept {
  constructor(most, mostBytes) {
    Object.assign(this, { most, mostBytes, bytes: 0, all: new Map() });
  }

  get(key) {
    const found = this.all.get(key);
    if (found === undefined) return undefined;
    this.all.delete(key);
    this.all.set(key, found);
    return found.value;
  }

  set(key, value, bytes) {
    this.drop(key);
    this.all.set(key, { value, bytes });
    this.bytes += bytes;
    while (this.all.size > this.most || this.bytes > this.mostBytes) this.drop(this.all.keys().next().value);
  }

  drop(key) {
    const found = this.all.get(key);
    if (found === undefined) return;
    this.bytes -= found.bytes;
    this.all.delete(key);
  }
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function start(settings) {
  const upstream = new URL(settings.upstream);
  const { request } = upstream.protocol === 'https:' ? https : http;
  const agent = new (upstream.protocol === 'https:' ? https : http).Agent({ keepAlive: true, maxSockets: 64 });
  const allowed = new Map(settings.operations.map((text) => [sha256(text), text]));
  const persisted = new Kept(1000, 8 << 20);
  const documents = new Kept(500, 8 << 20);
  const answers = new Kept(2000, 24 << 20);

  /** The text of an operation, that came with it or was left here before. */
  function textOf({ query, extensions }) {
    const hash = extensions?.persistedQuery?.sha256Hash;
    if (settings.persisted === 'allowlist') {
      const text = allowed.get(hash ?? (typeof query === 'string' ? sha256(query) : ''));
      if (text === undefined) throw new Refused('OPERATION_NOT_ALLOWED', 'This operation is not among those that are allowed here.', 403);
      return text;
    }
    if (hash !== undefined && settings.persisted === 'off') {
      throw new Refused('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported', 200);
    }
    if (typeof query === 'string' && query.length > 0) {
      if (hash !== undefined && sha256(query) !== hash) throw new Refused('BAD_REQUEST', 'The hash is not that of the query.');
      if (hash !== undefined) persisted.set(hash, query, query.length);
      return query;
    }
    if (typeof hash !== 'string') throw new Refused('BAD_REQUEST', 'Send a query.');
    const text = persisted.get(hash);
    if (text === undefined) throw new Refused('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', 200);
    return text;
  }

  function documentOf(text) {
    const hash = sha256(text);
    const known = documents.get(hash);
    if (known) return known;
    const document = read(text);
    documents.set(hash, document, text.length * 4);
    return document;
  }

  function forward(body, headers) {
    return new Promise((resolve, reject) => {
      const failed = (status, code, words) => reject(new Refused(code, words, status));
      const options = { method: 'POST', agent, timeout: settings.timeoutSeconds * 1000, headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json', 'content-length': Buffer.byteLength(body), ...headers } };
      const asked = request(upstream, options, (answer) => {
        const pieces = [];
        let bytes = 0;
        answer.on('data', (piece) => {
          bytes += piece.length;
          if (bytes > MAX_ANSWER) asked.destroy(new Error('too large'));
          else pieces.push(piece);
        });
        answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(pieces), type: answer.headers['content-type'] ?? 'application/json' }));
        answer.on('error', () => failed(502, 'UPSTREAM_FAILED', 'The upstream broke off its answer.'));
      });
      const timer = setTimeout(() => asked.destroy(new Error('timeout')), settings.timeoutSeconds * 1000);
      asked.on('close', () => clearTimeout(timer));
      asked.on('timeout', () => asked.destroy(new Error('timeout')));
      asked.on('error', (error) => {
        if (error.message === 'timeout') failed(504, 'UPSTREAM_TIMEOUT', 'The upstream took too long. Whether it did anything is not known.');
        else failed(502, 'UPSTREAM_FAILED', 'The upstream does not answer.');
      });
      asked.end(body);
    });
  }

  /** Does one operation. */
  async function work(method, operation, headers) {
    if (operation === null || typeof operation !== 'object' || Array.isArray(operation)) {
      throw new Refused('BAD_REQUEST', 'Send one operation as a JSON object; several at once are not taken.');
    }
    const { operationName = null, variables = null } = operation;
    if (variables !== null && (typeof variables !== 'object' || Array.isArray(variables))) throw new Refused('BAD_REQUEST', 'variables must be an object.');
    if (operationName !== null && typeof operationName !== 'string') throw new Refused('BAD_REQUEST', 'operationName must be a text.');
    const text = textOf(operation);
    const measured = measure(documentOf(text), operationName, variables);
    allow(measured, settings);
    if (method === 'GET' && measured.kind !== 'query') throw new Refused('METHOD_NOT_ALLOWED', 'Send mutations by POST.', 405);
    const body = JSON.stringify({ query: text, operationName: operationName ?? undefined, variables: variables ?? undefined });
    const sent = { 'x-consumer': headers['x-consumer'] ?? '-' };
    if (headers.authorization) sent.authorization = headers.authorization;
    if (measured.kind !== 'query' || settings.cacheSeconds === 0) return { ...(await forward(body, sent)), cache: 'BYPASS' };
    // What one sees another may not: each key and each token has answers of its own.
    const key = sha256(JSON.stringify([body, sent]));
    const known = answers.get(key);
    if (known && known.until > Date.now()) return { ...known.answer, cache: 'HIT' };
    const answer = await forward(body, sent);
    if (answer.status === 200 && answer.body.length <= MAX_KEPT_ANSWER && isWhole(answer.body)) {
      answers.set(key, { answer, until: Date.now() + settings.cacheSeconds * 1000 }, answer.body.length + 200);
    }
    return { ...answer, cache: 'MISS' };
  }

  http.createServer({ maxHeaderSize: 32 << 10 }, async (asked, answer) => {
    let done;
    try {
      const operation = asked.method === 'GET' ? ofAddress(asked.url) : ofBody(await bodyOf(asked, settings.maxBodyKb * 1024));
      done = await work(asked.method, operation, asked.headers);
    } catch (error) {
      if (!(error instanceof Refused)) process.stderr.write(`${error.stack}\n`);
      const { code = 'INTERNAL_SERVER_ERROR', status = 500 } = error instanceof Refused ? error : {};
      const message = error instanceof Refused ? error.message : 'The gateway failed.';
      done = { status, body: Buffer.from(JSON.stringify({ errors: [{ message, extensions: { code } }] })), type: 'application/json', cache: 'BYPASS' };
    }
    answer.writeHead(done.status, { 'content-type': done.type, 'content-length': done.body.length, 'x-cache': done.cache, 'cache-control': 'private, no-store' });
    answer.end(done.body);
  }).listen(SOCKET);
}

/** Whether an answer has data and no errors. */
function isWhole(body) {
  try {
    const { data, errors } = JSON.parse(body.toString('utf8'));
    return data !== undefined && data !== null && errors === undefined;
  } catch {
    return false;
  }
}

function json(text, what) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused('BAD_REQUEST', `${what} is no JSON.`);
  }
}

function ofAddress(url) {
  const given = new URL(url, 'http://here').searchParams;
  const part = (name) => (given.has(name) ? json(given.get(name), name) : undefined);
  return { query: given.get('query') ?? undefined, operationName: given.get('operationName'), variables: part('variables'), extensions: part('extensions') };
}

const ofBody = (body) => json(body.toString('utf8'), 'The body');

async function bodyOf(asked, most) {
  const pieces = [];
  let bytes = 0;
  for await (const piece of asked) {
    bytes += piece.length;
    if (bytes > most) throw new Refused('BAD_REQUEST', `A request has at most ${most} bytes.`, 413);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const settings = JSON.parse(fs.readFileSync('/tmp/graphql.json', 'utf8'));
if (process.argv.includes('--check')) {
  for (const [index, text] of settings.operations.entries()) {
    try {
      read(text);
    } catch (error) {
      process.stderr.write(`operations[${index}] cannot be read: ${error.message.split('\n')[0]}\n`);
      process.exit(BAD_CONFIGURATION);
    }
  }
} else {
  start(settings);
}
