// Lets in the command line that waits at the given page.
import { arrives, check, fill, given, press, seen, somebody, story } from "./browser.mjs";

await story(async browser => {
  const page = await (await somebody(browser)).newPage();
  await check(page, "the page asks to sign in first, and says for what", async () => {
    await page.goto(given.page);
    await seen(page, "A command line waits for you.");
    await fill(page, { "User name or e-mail": given.user, Password: given.password });
    await press(page, "Sign in");
  });
  await check(page, "it says who asks", async () => {
    await page.getByRole("heading", { name: "Let in a command line?" }).waitFor();
    await page.locator("dd").getByText(/^npm\b/).waitFor();
  });
  await check(page, "approving lets it in", async () => {
    await press(page, "Let it in");
    await arrives(page, "/login/cli/approved");
    await page.getByRole("heading", { name: "The command line is let in" }).waitFor();
  });
  await check(page, "the page decides once", async () => {
    await page.goto(given.page);
    await seen(page, "This sign-in was decided, or is too old");
  });
});
