// What the stories in the browser share: starting Chromium, telling what was checked, watching for what no page
// may do. A story is started as `node STORY.mjs '{"web": ADDRESS, "pictures": FOLDER, …}'`, prints one line for
// each check, and ends with 1 when one failed.
import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What the test said: addresses, names, folders. */
export const given = JSON.parse(process.argv[2]);

/** Longer than any step on a busy machine. */
const STEP_MS = 20_000;
const tools = createRequire(process.execPath);
const faults = [];
let pages = 0;

function missing(what) {
  console.log(`${what} is missing: run scripts/setup`);
  process.exit(2);
}

function tool(name) {
  try {
    return tools.resolve(name);
  } catch {
    return missing(name);
  }
}

/** The source of axe-core, for `page.evaluate`: the page's policy forbids it as a script element. */
export const axeSource = () => readFileSync(tool("axe-core/axe.min.js"), "utf8");

function chromium() {
  for (const folder of process.env.PATH.split(":")) {
    try {
      accessSync(join(folder, "chromium"), constants.X_OK);
      return join(folder, "chromium");
    } catch { /* the next folder */ }
  }
  return missing("chromium");
}

/** Runs `tell` with a browser, then says what failed. */
export async function story(tell) {
  const { chromium: driver } = tools(tool("playwright-core"));
  mkdirSync(given.pictures, { recursive: true });
  // Without these Chromium looks for hosts of its maker at every start.
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    // A camera that shows a test picture.
    "--use-fake-device-for-media-stream"];
  const browser = await driver.launch({ executablePath: chromium(), args: quiet });
  try {
    await tell(browser);
  } catch (error) {
    if (!faults.includes(error.message)) fault(error.stack);
  } finally {
    await browser.close();
  }
  if (faults.length > 0) console.log(`${faults.length} failed`);
  process.exit(faults.length > 0 ? 1 : 0);
}

/** Notes that something is wrong, and goes on. */
export function fault(text) {
  faults.push(text);
  console.log(`FAILED ${text}`);
}

/** A picture of what is shown, for who looks into a failure. */
export async function picture(page) {
  const path = join(given.pictures, `${++pages}.png`);
  await page.screenshot({ path, fullPage: true }).catch(() => {});
  return path;
}

/** One check: what is true, and how it is seen on the page. What comes after it depends on it. */
export async function check(page, words, look) {
  try {
    await look();
    console.log(`ok     ${words}`);
  } catch (error) {
    fault(`${words}\n       at ${page.url()}\n       ${error.message}\n       picture: ${await picture(page)}`);
    throw new Error(faults.at(-1));
  }
}

/** Fails the check unless the two are the same. */
export function same(seen, wanted, of = "value") {
  const [a, b] = [JSON.stringify(seen), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${of} is ${a} and should be ${b}`);
}

/** Somebody's browser: an empty profile, watched for what no page may do. */
export async function somebody(browser, settings = {}) {
  const context = await browser.newContext({
    baseURL: given.web, viewport: { width: 1360, height: 900 }, colorScheme: "light", reducedMotion: "reduce",
    ...settings,
  });
  context.setDefaultTimeout(STEP_MS);
  watch(context);
  return context;
}

/** Errors in the console (a violated Content-Security-Policy is one), scripts that fail, requests that fail. */
function watch(context) {
  const at = page => page?.url() ?? "a closed page";
  context.on("console", message => {
    // The status of an answer is judged below.
    const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status");
    if (message.type() === "error" && !isStatus) fault(`console at ${at(message.page())}: ${message.text()}`);
  });
  context.on("weberror", error => fault(`script at ${at(error.page())}: ${error.error().message}`));
  context.on("dialog", dialog => {
    fault(`a dialog at ${at(dialog.page())}: ${dialog.message()}`);
    dialog.dismiss();
  });
  context.on("requestfailed", request => {
    // What a new page cuts short has not failed.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") fault(`request at ${request.frame().url()}: ${request.url()}: ${why}`);
  });
  context.on("response", answer => {
    const expected = answer.request().isNavigationRequest() ? 500 : 400;
    if (answer.status() >= expected) fault(`answer ${answer.status()} of ${answer.url()}`);
  });
}

/** Waits until the text can be seen. */
export const seen = (page, text) => page.getByText(text).filter({ visible: true }).first().waitFor();

/** Waits until the address is this path. */
export const arrives = (page, path) => page.waitForURL(url => url.pathname === path);

/** Fills in the fields with these labels. */
export async function fill(page, answers) {
  for (const [label, text] of Object.entries(answers)) {
    await page.getByLabel(label, { exact: true }).and(page.locator("input, textarea")).fill(text);
  }
}

/** Presses the button of a form in the main part of the page. */
export const press = (page, name) => page.getByRole("main").getByRole("button", { name, exact: true }).click();

/** Signs in on the page for that. */
export async function signIn(page, name, password) {
  await page.goto("/login");
  await fill(page, { "User name or e-mail": name, Password: password });
  await press(page, "Sign in");
  await page.waitForURL(url => url.pathname !== "/login");
}

/** Makes an account on the page for that. */
export async function signUp(page, name, password) {
  await page.goto("/signup");
  await fill(page, { "User name": name, "E-mail": `${name}@example.com`, Password: password });
  await press(page, "Make the account");
  await arrives(page, "/account");
}

/** Says that it is the test's turn, and waits until the test says to go on. */
export async function wait(words) {
  process.stdout.write(`${words}\nGo on? `);
  const lines = createInterface({ input: process.stdin });
  await new Promise(resolve => lines.once("line", resolve));
  lines.close();
}
