// Crawls every page as a stranger, a user and an operator, and looks at each in both colour schemes and at three
// widths. One page or two of each kind are enough: a kind is an address without names and values.
import { arrives, axeSource, fault, fill, given, picture, press, signIn, signUp, somebody, story } from "./browser.mjs";

/** The published success criteria up to WCAG 2.2 AA, and what axe calls good practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** The rules whose outcome depends on colours: the only ones that another colour scheme can break. */
const COLOURS = ["color-contrast", "link-in-text-block"];
const WIDE = { width: 1360, height: 900 }, NARROW = { width: 390, height: 844 }, NARROWEST = { width: 320, height: 640 };

/** Kinds of addresses that carry a name, and how many of each are looked at. */
const NAMED = [
  [/^\/packages\/.+$/, "/packages/{name}"],
  [/^\/market\/[^/]+$/, "/market/{id}"],
  [/^\/sell\/listings\/(?!new$)[^/]+$/, "/sell/listings/{id}"],
  [/^\/sell\/listings\/[^/]+\/offers\/(?!new$)[^/]+$/, "/sell/listings/{id}/offers/{offer}"],
  [/^\/sell\/listings\/[^/]+\/offers\/new$/, "/sell/listings/{id}/offers/new"],
  [/^\/account\/organisations\/[^/]+\/teams\/[^/]+$/, "/account/organisations/{name}/teams/{team}"],
  [/^\/account\/organisations\/[^/]+$/, "/account/organisations/{name}"],
  [/^\/operator\/users\/(?!new$)[^/]+$/, "/operator/users/{name}"],
  [/^\/events\/[^/]+$/, "/events/{id}"],
  [/^\/checkout\/[^/]+$/, "/checkout/{id}"],
  [/^\/orders\/[^/]+$/, "/orders/{id}"],
  [/^\/tickets\/(?!sell$)[^/]+$/, "/tickets/{id}"],
  [/^\/resale\/[^/]+$/, "/resale/{id}"],
  [/^\/sell\/events\/(?!new$)[^/]+$/, "/sell/events/{id}"],
  [/^\/sell\/events\/[^/]+\/check-in$/, "/sell/events/{id}/check-in"],
  [/^\/account\/webhooks\/(?!new$)[^/]+$/, "/account/webhooks/{id}"],
  [/^\/operator\/payments\/[^/]+$/, "/operator/payments/{id}"],
  [/^\/operator\/ledger\/accounts\/[^/]+$/, "/operator/ledger/accounts/{name}"],
  [/^\/operator\/orders\/[^/]+$/, "/operator/orders/{id}"],
];
const OF_A_KIND = 2;
/** What is no page: protocols, files, descriptions for programs. */
const NO_PAGE = /^\/(npm|assets|openapi\.json|metrics|-)(\/|$)/;

const axe = axeSource();

function kindOf(url) {
  const name = NAMED.find(([form]) => form.test(url.pathname))?.[1];
  const query = [...url.searchParams.keys()].filter(key => key !== "tab").sort();
  const tab = url.searchParams.get("tab");
  return (name ?? url.pathname) + (tab ? `?tab=${tab}` : "") + (query.length > 0 ? `?${query}` : "");
}

/** How many pages of a kind are looked at: names and their texts differ in length, filters only in words. */
const most = kind => (kind.includes("{") && !kind.includes("?") ? OF_A_KIND : 1);

/** Several filters at once draw the same page as one. */
const isCombination = kind => (kind.split("?")[1] ?? "").split(",").filter(key => key !== "q").length > 1;

/** Runs axe on what is shown. */
async function violations(page, rules) {
  const only = rules ? { type: "rule", values: rules } : { type: "tag", values: TAGS };
  return page.evaluate(async only => {
    const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) =>
      `${id} (${help}): ${nodes.slice(0, 3).map(node => `${node.target} ${node.any[0]?.message ?? ""}`).join("; ")}`);
  }, only);
}

/** What is wrong with the page whatever its size. */
async function structure(page) {
  const wrong = [];
  const { title, headings, icons, focusable } = await page.evaluate(() => ({
    title: document.title,
    headings: document.querySelectorAll("h1").length,
    icons: [...document.querySelectorAll("[data-missing-icon]")].map(icon => icon.dataset.missingIcon),
    focusable: document.querySelector("a, button, input, summary")?.className,
  }));
  const isHome = new URL(page.url()).pathname === "/";
  if (!(isHome ? /^Fondaco$/ : /^\S.* - Fondaco$/).test(title)) wrong.push(`its title is “${title}”`);
  if (headings !== 1) wrong.push(`it has ${headings} h1`);
  if (icons.length > 0) wrong.push(`icons are missing: ${icons}`);
  if (focusable !== "skip") wrong.push("the skip link is not first");
  return wrong;
}

/** The parts that stick out at this width, unless a box around them scrolls. */
async function overflow(page) {
  return page.evaluate(() => {
    const width = innerWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > width + 0.5);
    const parts = wide.slice(0, 3).map(one => `${one.tagName.toLowerCase()}.${one.className}`);
    return [`at ${width} px it is ${document.documentElement.scrollWidth} px wide: ${parts.join(", ")}`];
  });
}

/** Looks at the page that is open, in all schemes and sizes, and says what is wrong with it. */
async function inspect(page, who, kind) {
  const wrong = await structure(page);
  await page.evaluate(axe);
  for (const [size, viewport] of [["1360 px", WIDE], ["390 px", NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const found = await violations(page, colorScheme === "dark" && COLOURS);
      wrong.push(...found.map(text => `${size}, ${colorScheme}: ${text}`));
    }
    wrong.push(...await overflow(page));
  }
  await page.setViewportSize(NARROWEST);
  await page.emulateMedia({ colorScheme: "light" });
  wrong.push(...await overflow(page));
  if (wrong.length === 0) console.log(`ok     ${who}: ${kind}`);
  else fault(`${who}: ${kind} (${page.url()})\n       ${wrong.join("\n       ")}\n       picture: ${await picture(page)}`);
  await page.setViewportSize(WIDE);
}

/** Opens `seeds` and what is linked from there on, and inspects the kinds that `wanted` says. */
async function crawl(page, who, seeds, wanted = () => true) {
  const queue = [...seeds], queued = new Set(queue), count = new Map();
  for (let path; (path = queue.shift());) {
    const url = new URL(path, given.web), kind = kindOf(url);
    const isWanted = wanted(kind) && !isCombination(kind);
    if (!(isWanted || seeds.includes(path)) || (count.get(kind) ?? 0) >= most(kind)) continue;
    count.set(kind, (count.get(kind) ?? 0) + 1);
    await page.goto(path, { waitUntil: "load" });
    const hrefs = await page.$$eval("a[href]", links => links.map(link => link.href));
    for (const href of hrefs) {
      const to = new URL(href);
      const next = to.pathname + to.search;
      if (to.origin !== url.origin || NO_PAGE.test(to.pathname) || queued.has(next)) continue;
      queued.add(next);
      queue.push(next);
    }
    if (isWanted) await inspect(page, who, kind);
  }
  return count;
}

/** Pages that are the answer to a form, or that no other page leads to. */
async function states(page, who) {
  const state = async (name, reach) => {
    await reach();
    await inspect(page, who, name);
  };
  if (who === "a stranger") {
    await state("sign-in refused", async () => {
      await page.goto("/login");
      await fill(page, { "User name or e-mail": "demo", Password: "wrong" });
      await press(page, "Sign in");
      await page.getByRole("alert").waitFor();
    });
    await state("sign-up refused", async () => {
      await page.goto("/signup");
      await page.$eval("main form", form => { form.noValidate = true; });
      await press(page, "Make the account");
      await page.getByRole("alert").waitFor();
    });
    return;
  }
  await state("a token that was made", async () => {
    await page.goto("/account/tokens/new");
    await fill(page, { Name: "ci" });
    await press(page, "Make the token");
    await page.locator("#secret").waitFor();
  });
  await state("a question before something is lost", async () => {
    await page.goto("/account/tokens");
    await page.getByRole("button", { name: "Revoke" }).first().click();
    await page.getByRole("button", { name: "Revoke the token" }).waitFor();
  });
  await state("a command line that asks", async () => { await page.goto(given.login); });
  await state("a command line that was refused", async () => {
    await press(page, "Refuse");
    await arrives(page, "/login/cli/refused");
  });
  await state("the menu of the account", async () => {
    await page.goto("/");
    await page.locator("summary.face").click();
  });
}

async function asStranger(browser) {
  const page = await (await somebody(browser)).newPage();
  const unlinked = ["/reset?token=none", "/verify?token=none", "/setup?token=none", "/login/cli/none", "/nowhere"];
  const searches = ["/search?q=htpt", "/search?q=nothingatall", "/account"];
  const kinds = await crawl(page, "a stranger", ["/", ...unlinked, ...searches]);
  await states(page, "a stranger");
  return kinds;
}

/** Who is signed in sees the same public pages with another bar: one of them is enough. */
async function asUser(browser) {
  const page = await (await somebody(browser)).newPage();
  await signIn(page, "demo", given.password);
  await page.goto("/account/organisations/elide");
  await fill(page, { "Team name": "developers" });
  await press(page, "Make the team");
  const isOwn = kind => kind === "/packages" || kind.endsWith("?tab=manage") || /^\/(account|operator|sell|billing|wallet|orders|tickets|cart)/.test(kind);
  const kinds = await crawl(page, "demo", ["/", "/packages/@elide/http?tab=manage", "/operator/users"], isOwn);
  await states(page, "demo");
  return kinds;
}

/** What stands between choosing a seat and opening the ticket, which no link leads to. */
async function asBuyer(browser) {
  const page = await (await somebody(browser)).newPage(), who = "a buyer";
  await signUp(page, "buyer", "a buyer walks to the market");
  await page.goto("/events");
  await page.getByRole("link", { name: "An evening of string quartets" }).click();
  for (const at of [0, 1]) await page.locator("label.seat").nth(at).click();
  await inspect(page, who, "chosen seats");
  await press(page, "Reserve and pay");
  await page.waitForURL(url => url.pathname.startsWith("/checkout/"));
  await inspect(page, who, "/checkout/{id}");
  const pay = async number => {
    await page.getByRole("radio", { name: /^Test card/ }).check();
    await fill(page, { Number: number, Month: "12", Year: "40", CVC: "123" });
    await page.getByRole("main").getByRole("button", { name: /^Pay / }).click();
  };
  await pay("4000 0000 0000 0002");
  await page.getByRole("alert").waitFor();
  await inspect(page, who, "a declined card");
  await pay("4242 4242 4242 4242");
  await page.waitForURL(url => url.pathname.startsWith("/orders/"));
  await page.goto("/tickets");
  for (let tries = 0; tries < 40 && await page.getByRole("main").getByRole("rowheader").count() < 2; tries++) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  const bought = kind => /^\/(orders|tickets|wallet|billing|cart)/.test(kind);
  return crawl(page, who, ["/tickets", "/orders", "/wallet", "/cart"], bought);
}

/** Where nothing is yet, a page says what belongs there. */
async function asNewcomer(browser) {
  const page = await (await somebody(browser)).newPage();
  await signUp(page, "newcomer", "a newcomer's password");
  for (const path of ["/account/organisations", "/account/tokens", "/account/activity", "/orders", "/tickets", "/wallet", "/cart", "/sell/payouts"]) {
    await page.goto(path);
    await inspect(page, "a newcomer", path);
  }
}

async function asOperator(browser) {
  const page = await (await somebody(browser)).newPage();
  await signIn(page, given.operator.name, given.operator.password);
  const seeds = ["/operator/users", "/operator/users/new", "/operator/users?q=nobodyhere", "/operator/audit"];
  return crawl(page, "an operator", seeds, kind => kind.startsWith("/operator"));
}

await story(async browser => {
  const signedIn = async () => {
    // Sellers and operators have something to see as soon as somebody has bought.
    const bought = await asBuyer(browser), kinds = await asUser(browser);
    await asNewcomer(browser);
    return [bought, kinds, await asOperator(browser)];
  };
  // A page of one person does not wait for those of another.
  const [open, others] = await Promise.all([asStranger(browser), signedIn()]);
  for (const needed of given.needed) {
    if (![open, ...others].some(kinds => kinds.has(needed))) fault(`no link leads to ${needed}`);
  }
});
