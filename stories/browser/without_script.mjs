// Everything that matters works with script turned off.
import { arrives, check, fill, press, same, seen, signUp, somebody, story } from "./browser.mjs";

const PASSWORD = "no script walks to the market";

async function looksAround(page) {
  await check(page, "the search finds a package", async () => {
    await page.goto("/");
    await page.getByRole("searchbox").first().fill("router");
    await page.keyboard.press("Enter");
    await arrives(page, "/search");
    await page.getByRole("link", { name: "@elide/router", exact: true }).click();
    await arrives(page, "/packages/@elide/router");
  });
  await check(page, "what needs script is not shown", async () => {
    same(await page.locator(".needs-js:visible").count(), 0, "the number of dead buttons");
  });
  for (const [tab, text] of [["Versions", "Published"], ["Dependencies", "Package"], ["Downloads", "By version"]]) {
    await check(page, `the tab ${tab} opens`, async () => {
      await page.locator("nav.tabs, .tabs").getByRole("link", { name: tab }).first().click();
      await page.waitForURL(url => url.searchParams.get("tab") === tab.toLowerCase());
      await seen(page.getByRole("main"), text);
    });
  }
  await check(page, "another package manager shows its command", async () => {
    await page.goto("/packages/@elide/router");
    await page.locator(".install").getByText("pnpm", { exact: true }).click();
    const shown = await page.locator(".install .cmd:visible code").allTextContents();
    same(shown, ["pnpm add @elide/router"], "the commands");
  });
}

async function usesTokens(page) {
  let secret;
  await check(page, "a token is made and shown", async () => {
    await page.goto("/account/tokens");
    await page.getByRole("main").getByRole("link", { name: "New token" }).first().click();
    await fill(page, { Name: "scriptless" });
    await page.getByRole("checkbox", { name: "Publish" }).check();
    await press(page, "Make the token");
    secret = await page.locator("#secret").textContent();
    if (!/^elk_\w{20,}$/.test(secret)) throw new Error(`the token is ${secret.slice(0, 4)}…`);
  });
  await check(page, "the token is not shown again", async () => {
    await page.getByRole("link", { name: "Back to your tokens" }).click();
    await page.getByRole("rowheader", { name: "scriptless" }).waitFor();
    if ((await page.content()).includes(secret)) throw new Error("the list holds the whole token");
  });
  await check(page, "the token is revoked, after a question", async () => {
    await page.getByRole("row", { name: "scriptless" }).getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("button", { name: "Revoke the token" }).click();
    await seen(page, "No tokens yet");
  });
}

await story(async browser => {
  const page = await (await somebody(browser, { javaScriptEnabled: false })).newPage();
  await looksAround(page);
  await check(page, "an account is made", () => signUp(page, "scriptless", PASSWORD));
  await check(page, "it can sign out", async () => {
    await page.locator("summary.face").click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await seen(page, "You are signed out.");
  });
  await check(page, "signing in leads back to the page that asked for it", async () => {
    await page.goto("/account/tokens");
    await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
    await fill(page, { "User name or e-mail": "scriptless", Password: PASSWORD });
    await press(page, "Sign in");
    await arrives(page, "/account/tokens");
  });
  await usesTokens(page);
  await check(page, "an organisation is founded", async () => {
    await page.goto("/account/organisations");
    await fill(page, { Name: "quiet" });
    await press(page, "Found the organisation");
    await arrives(page, "/account/organisations/quiet");
  });
  await check(page, "a member is added", async () => {
    await fill(page, { "User name": "demo" });
    await press(page, "Add or change");
    await page.getByRole("row", { name: "demo" }).waitFor();
  });
  await check(page, "the session ends with signing out", async () => {
    await page.goto("/account/sessions");
    await press(page, "Sign out");
    await page.goto("/account");
    await page.getByRole("main").getByRole("link", { name: "Sign in" }).waitFor();
  });
});
