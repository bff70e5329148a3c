// What goes wrong is told: where, in words, with a way on, and nothing that was typed is lost.
import { arrives, check, fill, given, press, same, seen, signIn, somebody, story } from "./browser.mjs";

const heading = page => page.getByRole("heading", { level: 1 }).textContent();

/** Sends a form past the browser's own checks, which a program or an old browser does not make. */
async function send(page, button) {
  await page.$$eval("main form", forms => forms.forEach(form => { form.noValidate = true; }));
  await press(page, button);
  await page.getByRole("alert").waitFor();
}

/** The summary has the focus, says what is wrong, and leads to the fields. */
async function isSummed(page, fields) {
  same(await page.evaluate(() => document.activeElement.className), "summary", "what has the focus");
  for (const [name, wrong] of Object.entries(fields)) {
    const link = page.locator(`.summary a[href="#f-${name}"]`);
    const words = await link.textContent();
    if (!wrong.test(words)) throw new Error(`of ${name} it says “${words}”`);
    await link.click();
    same(await page.evaluate(() => document.activeElement.id), `f-${name}`, "the field that its link leads to");
    same(await page.locator(`#f-${name}-error`).textContent(), words, "what stands at the field");
  }
}

async function tellsStrangers(page) {
  await check(page, "an address that is not there offers the search", async () => {
    same((await page.goto("/nowhere")).status(), 404, "the status");
    same(await heading(page), "Nothing is here", "the heading");
    await page.getByRole("main").getByRole("searchbox").fill("router");
    await page.keyboard.press("Enter");
    await arrives(page, "/search");
    await page.getByRole("link", { name: "@elide/router", exact: true }).waitFor();
  });
  await check(page, "a package that is not there offers the search", async () => {
    same((await page.goto("/packages/not-there")).status(), 404, "the status");
    await page.getByRole("main").getByRole("searchbox").waitFor();
  });
  await check(page, "a refused sign-in keeps the name and not the password", async () => {
    await page.goto("/login?next=/account/tokens");
    await fill(page, { "User name or e-mail": "demo", Password: "not it" });
    await send(page, "Sign in");
    await isSummed(page, {});
    const typed = await page.$$eval("main input", inputs => inputs.map(({ name, value }) => [name, value]));
    same(typed, [["next", "/account/tokens"], ["username", "demo"], ["password", ""]], "what the form holds");
  });
  await check(page, "a refused sign-up says all that is wrong and keeps the rest", async () => {
    await page.goto("/signup");
    await fill(page, { "User name": "No Name", "E-mail": "nobody", Password: "short" });
    await send(page, "Make the account");
    await isSummed(page, { username: /lower-case/, email: /\w/, password: /8/ });
    const typed = await page.$$eval("main input", inputs => inputs.map(({ name, value }) => [name, value]));
    const kept = [["next", "/"], ["username", "No Name"], ["email", "nobody"], ["password", ""]];
    same(typed, kept, "what the form holds");
  });
  await check(page, "a page for accounts asks to sign in", async () => {
    same((await page.goto("/account")).status(), 401, "the status");
    await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
    await arrives(page, "/login");
  });
}

async function tellsUsers(page) {
  await signIn(page, "demo", given.password);
  await check(page, "operators' pages are closed to users, and not offered", async () => {
    for (const path of ["/operator/users", "/operator/users/new", "/operator/users/demo", "/operator/audit"]) {
      same((await page.goto(path)).status(), 403, `the status of ${path}`);
      same(await page.getByRole("heading", { level: 1 }).count(), 1, "the number of headings");
    }
    await page.goto("/account");
    same(await page.locator('a[href^="/operator"]').count(), 0, "the number of links to operators' pages");
  });
  await check(page, "a token with no right is refused, and its name kept", async () => {
    await page.goto("/account/tokens/new");
    await fill(page, { Name: "idle", "Only from these networks (optional)": "everywhere" });
    await page.getByRole("checkbox", { name: "Read" }).uncheck();
    await send(page, "Make the token");
    await isSummed(page, { scopes: /at least one/, networks: /\w/ });
    same(await page.getByLabel("Name", { exact: true }).inputValue(), "idle", "the name");
  });
  await check(page, "an organisation whose name is taken is refused at the field", async () => {
    await page.goto("/account/organisations");
    await fill(page, { Name: "elide" });
    await send(page, "Found the organisation");
    await isSummed(page, { name: /\w/ });
    same(await page.getByLabel("Name", { exact: true }).inputValue(), "elide", "the name");
  });
  await check(page, "a wrong old password changes nothing", async () => {
    await page.goto("/account/password");
    await fill(page, { "Password until now": "not it", "New password": "a longer one than before" });
    await send(page, "Change the password");
    await isSummed(page, {});
  });
}

await story(async browser => {
  await tellsStrangers(await (await somebody(browser)).newPage());
  await tellsUsers(await (await somebody(browser)).newPage());
});
