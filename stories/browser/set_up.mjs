// The set-up link makes the first operator, once.
import { arrives, check, fill, given, press, same, seen, signIn, somebody, story } from "./browser.mjs";

const PASSWORD = "the first one walks to the market";

await story(async browser => {
  const page = await (await somebody(browser)).newPage();
  await check(page, "a made-up link does nothing", async () => {
    same((await page.goto("/setup?token=made-up")).status(), 410, "the status");
  });
  await check(page, "the link makes the operator's account", async () => {
    await page.goto(given.link);
    await fill(page, { "User name": "first", "E-mail": "first@example.com", Password: PASSWORD });
    await press(page, "Make the operator's account");
    await arrives(page, "/operator/users");
    await seen(page, "You are the operator now.");
    await page.getByRole("link", { name: "first", exact: true }).waitFor();
  });
  await check(page, "the audit trail tells of it", async () => {
    await page.getByRole("link", { name: "Audit trail" }).filter({ visible: true }).first().click();
    await arrives(page, "/operator/audit");
    await seen(page.getByRole("main"), "first");
  });
  const other = await (await somebody(browser)).newPage();
  await check(other, "the link is dead for anybody else", async () => {
    same((await other.goto(given.link)).status(), 410, "the status");
    await seen(other, "This set-up link no longer works");
  });
  await check(other, "the operator signs in", async () => {
    await signIn(other, "first", PASSWORD);
    same((await other.goto("/operator/users")).status(), 200, "the status");
  });
});
