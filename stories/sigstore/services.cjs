// Sigstore's services, by the simulations that its authors publish, and the token endpoint of a CI, on one port of
// 127.0.0.1: node services.cjs ROOT_FILE
//
// Writes the root of trust of its TUF repository to ROOT_FILE, then prints "listening on ADDRESS". What a host of
// Sigstore answers to PATH is at /HOST/PATH; redirect.cjs leads a client there.
const { createHash, generateKeyPairSync } = require("node:crypto");
const { writeFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { createRequire } = require("node:module");

const tools = createRequire(process.execPath);
const sigstore = tools("@sigstore/mock");
const { initializeTUFRepo, tufHandlers } = tools("@tufjs/repo-mock");

const FULCIO = "fulcio.sigstore.dev";
const REKOR = "rekor.sigstore.dev";
const TUF = "tuf-repo-cdn.sigstore.dev";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

// The log keeps digests of an envelope and its signatures, not the envelope (Rekor's type dsse 0.0.1). The
// simulation logs whatever is proposed, which no client would take for an entry.
function logged(proposed) {
  if (proposed.kind !== "dsse") return proposed;
  const { envelope, verifiers } = proposed.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  const digest = (bytes) => ({ algorithm: "sha256", value: sha256(bytes).toString("hex") });
  const spec = {
    envelopeHash: digest(envelope),
    payloadHash: digest(Buffer.from(payload, "base64")),
    signatures: signatures.map(({ sig }) => ({ signature: sig, verifier: verifiers[0] })),
  };
  return { apiVersion: "0.0.1", kind: "dsse", spec };
}

// What a client has to know of these services in order to believe them.
function trustedRoot(ca, ctLog, log) {
  const validFor = { start: new Date(Date.now() - 60_000).toISOString() };
  const ofLog = (host, publicKey) => ({
    baseUrl: `https://${host}`,
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: base64(publicKey), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor },
    logId: { keyId: base64(sha256(publicKey)) },
  });
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [ofLog(REKOR, log.publicKey)],
    certificateAuthorities: [
      {
        subject: { organization: "sigstore.mock", commonName: "sigstore" },
        uri: `https://${FULCIO}`,
        certChain: { certificates: [{ rawBytes: base64(ca.rootCertificate) }] },
        validFor,
      },
    ],
    ctlogs: [ofLog("ctfe.sigstore.dev", ctLog.publicKey)],
    timestampAuthorities: [],
  });
}

// A token as a CI gives it to a workflow; nobody here checks its signature.
function identityToken(query) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const workflow = "ada/lantern/.github/workflows/publish.yml@refs/heads/main";
  const claims = {
    iss: "https://ci.example.com",
    sub: `https://example.com/${workflow}`,
    aud: query.get("audience"),
    repository: "ada/lantern",
    job_workflow_ref: workflow,
    ref: "refs/heads/main",
  };
  return JSON.stringify({ value: `${part({ alg: "none" })}.${part(claims)}.${base64("none")}` });
}

async function services() {
  const keys = () => generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const ctLog = await sigstore.initializeCTLog(keys());
  const ca = await sigstore.initializeCA(keys(), ctLog);
  const log = await sigstore.initializeTLog(`https://${REKOR}`, keys());
  const repository = initializeTUFRepo([{ name: "trusted_root.json", content: trustedRoot(ca, ctLog, log) }]);
  writeFileSync(process.argv[2], JSON.stringify(repository.rootMeta.toJSON()));

  const fulcio = sigstore.fulcioHandler(ca);
  const rekor = sigstore.rekorHandler(log);
  const answers = {
    [`POST /${FULCIO}${fulcio.path}`]: fulcio.fn,
    [`POST /${REKOR}${rekor.path}`]: (body) => rekor.fn(JSON.stringify(logged(JSON.parse(body)))),
    "GET /token": (_, query) => ({ statusCode: 200, response: identityToken(query) }),
  };
  for (const { path, fn } of tufHandlers(repository, { metadataPathPrefix: "", targetPathPrefix: "/targets" })) {
    answers[`GET /${TUF}${path}`] = fn;
  }
  return answers;
}

async function main() {
  const answers = await services();
  const server = createServer(async (request, response) => {
    const body = await request.reduce((text, chunk) => text + chunk, "");
    const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
    const answer = answers[`${request.method} ${pathname}`] ?? (() => ({ statusCode: 404, response: "" }));
    const { statusCode, response: text, contentType } = await answer(body, searchParams);
    response.writeHead(statusCode, { "content-type": contentType ?? "application/json" }).end(text);
  });
  server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
}

main();
