// Takes pictures of every page that links lead to: node screenshots.cjs ADDRESS FOLDER
// NODE_PATH has to name a folder with playwright-core; the browser is Debian's Chromium.
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [address, folder] = process.argv.slice(2);
const origin = new URL(address).origin;
const MOST_PAGES = 80;
const VIEWS = ["light", "dark"].flatMap((theme) =>
  [1280, 390].map((width) => ({ theme, width, name: `${theme}-${width}` })),
);

// A page's file name: its path, and its query where it has one.
const fileName = (url) => {
  const { pathname, search } = new URL(url);
  return (pathname + search).replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "home";
};

// The pages that links lead to from the home page, breadth first; one per path.
async function pagesFrom(context) {
  const page = await context.newPage();
  const found = [`${origin}/`];
  for (let at = 0; at < found.length && found.length < MOST_PAGES; at++) {
    const answer = await page.goto(found[at], { waitUntil: "load" });
    if (!answer?.headers()["content-type"]?.startsWith("text/html")) {
      found.splice(at--, 1);
      continue;
    }
    const links = await page.$$eval("a[href]:not([download])", (all) => all.map((a) => a.href));
    for (const link of links.map((link) => link.split("#")[0].split("?")[0])) {
      const isOurs = link.startsWith(`${origin}/`) && !/logout|sign-out|\/api\/|\/docs\/problems\/|\.(json|tgz|xml|csv)$/.test(link);
      if (isOurs && !found.includes(link) && found.length < MOST_PAGES) found.push(link);
    }
  }
  await page.close();
  return [...found, `${origin}/no-such-page`];
}

// Fills in the sign-in form, wherever links lead to it.
async function signIn(context, pages) {
  const page = await context.newPage();
  for (const url of pages) {
    await page.goto(url);
    const password = page.locator('input[type="password"]');
    const isSignIn = (await password.count()) === 1 && !(await page.locator('form input[type="email"]').count());
    if (!isSignIn) continue;
    const form = page.locator("form", { has: password });
    await form.locator('input:not([type="hidden"]):not([type="password"]):not([type="checkbox"])').first().fill("demo");
    await password.fill("demo123");
    await password.press("Enter");
    await page.waitForURL((now) => now.href !== url);
    await page.close();
    return true;
  }
  await page.close();
  return false;
}

// Orders two seats of the first event that has a plan, and pays when told to: gives the address of the checkout.
async function buy(context, pays) {
  const page = await context.newPage();
  await page.goto(`${origin}/events`);
  for (const href of await page.$$eval('main a[href^="/events/"]', (all) => all.map((a) => a.href))) {
    await page.goto(href);
    if (await page.locator("label.seat").count()) break;
  }
  for (const at of [0, 1]) await page.locator("label.seat").nth(at).click();
  await page.getByRole("button", { name: "Reserve and pay" }).click();
  await page.waitForURL("**/checkout/*");
  const checkout = page.url();
  if (pays) {
    const card = { cardNumber: "4242424242424242", expMonth: "12", expYear: "40", cvc: "123" };
    for (const [name, text] of Object.entries(card)) await page.locator(`[name=${name}]`).fill(text);
    await page.getByRole("button", { name: /^Pay / }).click();
    await page.waitForURL("**/orders/*");
    await page.waitForTimeout(2000); // the tickets are made a moment after the payment
  }
  await page.close();
  return checkout;
}

async function shoot(context, urls, who) {
  for (const { theme, width, name } of VIEWS) {
    const page = await context.newPage();
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 900 });
    for (const url of urls) {
      await page.goto(url, { waitUntil: "load" });
      const file = path.join(folder, who, `${fileName(url)}.${name}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
    await page.close();
  }
  console.log(`${who}: ${urls.length} pages, ${VIEWS.length} views each`);
}

async function main() {
  fs.mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
  try {
    const context = await browser.newContext();
    const pages = await pagesFrom(context);
    await shoot(context, pages, "stranger");
    if (!(await signIn(context, pages))) throw new Error("no link leads to a sign-in form");
    await buy(context, true);
    const checkout = await buy(context, false);
    await shoot(context, [...(await pagesFrom(context)), checkout], "demo");
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
