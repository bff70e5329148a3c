// Somebody signs up, makes a token, publishes with npm (which the test does), and looks at what others see.
import { arrives, check, fill, given, press, same, seen, signUp, somebody, story, wait } from "./browser.mjs";

const { name } = given;

async function makesToken(page) {
  let secret;
  await check(page, "a token that may publish is made, and copied", async () => {
    await page.goto("/account/tokens/new");
    await fill(page, { Name: "my machine" });
    await page.getByRole("checkbox", { name: "Publish" }).check();
    await press(page, "Make the token");
    secret = await page.locator("#secret").textContent();
    await page.locator(".secret").getByRole("button", { name: "Copy" }).click();
    await seen(page, "Copied to clipboard");
    same(await page.evaluate(() => navigator.clipboard.readText()), secret, "the clipboard");
  });
  await wait(`token: ${secret}`);
}

/** Everything in a README that could act: nothing of it may be left. */
async function isInert(page) {
  const acts = await page.evaluate(() => {
    const readme = document.querySelector(".prose"), all = [...readme.querySelectorAll("*")];
    const handler = one => [...one.attributes].some(({ name }) => name.startsWith("on") || name === "srcdoc" || name.startsWith("hx-"));
    const address = one => ["href", "src", "action", "formaction", "xlink:href"].some(name => /^\s*(java|vb)script:|^\s*data:text/i.test(one.getAttribute(name) ?? ""));
    const element = one => one.matches("script, style, iframe, object, embed, form, base, meta, link, template, button:not([data-copy])");
    return all.filter(one => handler(one) || address(one) || element(one)).map(one => one.outerHTML);
  });
  same(acts, [], "what could act");
  same(await page.evaluate(() => globalThis.ran ?? "nothing"), "nothing", "what ran");
  const before = page.url();
  for (const text of await page.locator(".prose").getByText(/click me/i).all()) await text.click();
  same([page.url(), await page.evaluate(() => globalThis.ran ?? "nothing")], [before, "nothing"], "what a click did");
}

async function isFound(page) {
  await check(page, "/ goes to the search, which finds the package", async () => {
    await page.goto("/packages");
    await page.keyboard.press("/");
    same(await page.evaluate(() => document.activeElement.name), "q", "the focused field");
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await arrives(page, "/search");
    await page.getByRole("link", { name, exact: true }).click();
    await arrives(page, `/packages/${name}`);
  });
  await check(page, "the README is rendered", async () => {
    const readme = page.locator(".prose");
    await readme.getByRole("heading", { name: "Lantern of the story" }).waitFor();
    same(await readme.getByRole("cell", { name: "bright" }).count(), 1, "the number of table cells");
    await readme.locator("pre code").getByText("lantern.light()").waitFor();
  });
  await check(page, "a hostile README does nothing", () => isInert(page));
  await check(page, "the install command is copied", async () => {
    await page.locator(".install .cmd:visible").getByRole("button", { name: "Copy" }).click();
    await seen(page, "Copied to clipboard");
    same(await page.evaluate(() => navigator.clipboard.readText()), `npm install ${name}`, "the clipboard");
  });
}

async function choosesTheme(page) {
  await check(page, "the other theme stays", async () => {
    const look = () => page.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.documentElement).backgroundColor]);
    const [, light] = await look();
    await page.getByRole("button", { name: "Switch between light and dark" }).click();
    const [theme, dark] = await look();
    same(theme, "dark", "the theme");
    if (light === dark) throw new Error(`the background is ${dark} in both themes`);
    await page.goto("/packages");
    same(await look(), ["dark", dark], "theme and background of the next page");
  });
}

/** What has the focus: its words, and how its ring is drawn. */
const focused = page => page.evaluate(() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  return { words: one.labels?.[0]?.textContent ?? one.ariaLabel ?? one.textContent.trim(), ring };
});

async function goesByKeyboard(page) {
  await check(page, "the keyboard reaches all of sign-in, in the order that is read", async () => {
    await page.goto("/login");
    const stops = [];
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      stops.push(await focused(page));
    }
    const order = ["Skip to content", "Fondaco, home", "Switch between light and dark", "Make an account", "User name or e-mail",
      "Password", "Sign in", "Forgot your password?"];
    same(stops.map(stop => stop.words), order, "the order");
    same(stops.filter(stop => !stop.ring).map(stop => stop.words), [], "what shows no focus");
  });
  await check(page, "the skip link leads to the content", async () => {
    await page.goto("/packages");
    await page.keyboard.press("Tab");
    same((await focused(page)).words, "Skip to content", "the first stop");
    await page.keyboard.press("Enter");
    same(await page.evaluate(() => document.activeElement.id), "main", "the focused part");
    await page.keyboard.press("Tab");
    same(await page.evaluate(() => document.activeElement.closest("main") !== null), true, "whether the next stop is in the content");
  });
}

await story(async browser => {
  const context = await somebody(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  await check(page, "somebody signs up", () => signUp(page, given.user, given.password));
  await makesToken(page);
  await isFound(page);
  await choosesTheme(page);
  const stranger = await (await somebody(browser)).newPage();
  await check(stranger, "a stranger finds it too", async () => {
    await stranger.goto(`/search?q=${name}`);
    await stranger.getByRole("link", { name, exact: true }).waitFor();
  });
  await goesByKeyboard(stranger);
});
