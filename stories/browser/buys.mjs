// Somebody buys seats and comes to the event: choosing, paying, the ticket, the wallet, the seller's side, the door.
// `given.script` says whether script is on; everything but the running clock works without.
import { arrives, check, fill, given, press, same, seen, signIn, somebody, story } from "./browser.mjs";

const EVENT = "An evening of string quartets";
const GOOD = "4242 4242 4242 4242", DECLINED = "4000 0000 0000 0002", ASKS = "4000 0025 0000 3155";
const main = page => page.getByRole("main");
const heading = page => page.getByRole("heading", { level: 1 }).textContent();
const isCheckout = url => url.pathname.startsWith("/checkout/");

/** Reloads until the page says so: what is captured, delivered and counted follows a moment after the payment. */
async function comesToSay(page, text) {
  for (let tries = 0; tries < 40; tries++) {
    if (await main(page).getByText(text).filter({ visible: true }).count() > 0) return;
    await page.waitForTimeout(250);
    await page.reload();
  }
  throw new Error(`the page does not come to say ${text}`);
}

/** Goes to the event from the list and chooses the first free seats of its plan; says which. */
async function chooses(page, count) {
  await page.goto("/events");
  await main(page).getByRole("link", { name: EVENT }).click();
  const seats = page.locator("label.seat"), chosen = [];
  for (let at = 0; at < count; at++) {
    chosen.push(await seats.nth(at).getAttribute("title"));
    await seats.nth(at).click();
  }
  return chosen;
}

/** Presses what holds the chosen seats. */
async function reserves(page) {
  await press(page, "Reserve and pay");
  await page.waitForURL(isCheckout);
}

async function paysByCard(page, number) {
  await page.getByRole("radio", { name: /^Test card/ }).check();
  await fill(page, { Number: number, Month: "12", Year: "40", CVC: "123" });
  await main(page).getByRole("button", { name: /^Pay / }).click();
}

/** Until when the order is held, in seconds of the day; midnight does not matter here. */
async function heldUntil(page) {
  return Date.parse(await page.locator(".hold time").getAttribute("datetime")) / 1000;
}

/** Somebody who has no account yet chooses first: what was chosen waits on the other side of the sign-up. */
async function choosesSeats(page) {
  let chosen;
  await check(page, "who chooses seats without an account is led to make one", async () => {
    chosen = await chooses(page, 2);
    await press(page, "Reserve and pay");
    await arrives(page, "/login");
    await main(page).getByRole("link", { name: "Make an account" }).click();
    await fill(page, { "User name": given.user, "E-mail": `${given.user}@example.com`, Password: `${given.user} walks to the market` });
    await press(page, "Make the account");
    await page.getByRole("heading", { level: 1, name: EVENT }).waitFor();
  });
  await check(page, "the same seats are still chosen, and one press holds them", async () => {
    const kept = await page.$$eval("[name=seat]:checked", all => all.map(box => box.parentElement.title));
    same(kept, chosen, "the chosen seats");
    await reserves(page);
    for (const seat of chosen) await seen(main(page), seat.split(", $")[0].split(", ").slice(1).join(", "));
    same(await heading(page), "Pay $128.00", "the heading");
  });
  await check(page, "the page says until when they are held", async () => {
    if (await heldUntil(page) * 1000 < Date.now()) throw new Error("the hold is over already");
    same(await page.locator(".hold + [data-hold-over]").isVisible(), false, "whether it is over");
  });
  await check(page, "what is held is taken for others", async () => {
    const other = await (await somebody(page.context().browser(), { javaScriptEnabled: given.script })).newPage();
    await other.goto("/events");
    await main(other).getByRole("link", { name: EVENT }).click();
    same(await other.locator(".seat-row .seat.taken").count() >= 2, true, "whether two seats are taken");
    await other.context().close();
  });
}

/** The browser's clock runs ahead: the badge counts, and only three moments are said aloud. */
async function hearsTheClock(page) {
  await check(page, "the clock runs, and is said aloud at 5 minutes, 1 minute and the end", async () => {
    const tab = await page.context().newPage();
    await tab.clock.install();
    await tab.goto(page.url());
    const clock = async () => {
      const [minutes, seconds] = (await tab.locator(".hold time").textContent()).split(":");
      return minutes * 60 + Number(seconds);
    };
    const voice = () => tab.locator("[data-hold] [role=status]").textContent();
    const start = await clock();
    await tab.clock.runFor(3_000);
    same(start - await clock() >= 2, true, "whether the clock went on");
    same(await voice(), "", "what is said of each second");
    for (const [left, words] of [[299, "5 minutes left"], [59, "1 minute left"], [0, "The time is over. Nothing is held for you now."]]) {
      const now = left < (await clock()) ? await clock() : left;
      await tab.clock.runFor((now - left) * 1_000 + 500);
      same(await voice(), words, `what is said with ${left} seconds left`);
    }
    await seen(tab, "Your time is over and nothing was charged.");
    await tab.close();
  });
}

async function takesTime(page) {
  await check(page, "the time is extended, once", async () => {
    const before = await heldUntil(page);
    await main(page).getByRole("button", { name: /^Add / }).click();
    await page.waitForURL(isCheckout);
    await page.getByRole("heading", { name: "Your order" }).waitFor();
    same(await heldUntil(page) > before, true, "whether it is held for longer");
    same(await main(page).getByRole("button", { name: /^Add / }).count(), 0, "the number of further extensions");
  });
}

async function pays(page) {
  const checkout = new URL(page.url()).pathname;
  await check(page, "a declined card is told, with nothing charged and nothing secret kept", async () => {
    await paysByCard(page, DECLINED);
    const words = await page.getByRole("alert").first().textContent();
    if (!/declined/.test(words) || !/not charged|Nothing was charged/.test(words)) throw new Error(`it says “${words}”`);
    const holds = await page.$$eval("[name=cardNumber], [name=expMonth], [name=expYear], [name=cvc]", all => all.map(({ value }) => value));
    same(holds, ["", "12", "40", ""], "number, month, year and CVC");
    same(await page.getByRole("radio", { name: /^Test card/ }).isChecked(), true, "whether the way to pay is kept");
    await page.locator(".hold").waitFor();
  });
  await check(page, "a good card pays, and the receipt says so", async () => {
    await paysByCard(page, GOOD);
    await page.waitForURL(url => url.pathname.startsWith("/orders/"));
    await comesToSay(page, "Paid");
    for (const words of ["$128.00", "4242"]) await seen(main(page), words);
    same((await page.goto(checkout)).status() < 400, true, "whether its checkout still answers");
    same(await main(page).getByRole("button", { name: /^Pay / }).count(), 0, "the number of ways to pay it again");
  });
}

/** The bytes that a link of the page leads to. */
async function bytes(page, name) {
  const href = await main(page).getByRole("link", { name, exact: true }).getAttribute("href");
  const answer = await page.request.get(href);
  same(answer.status(), 200, `the status of ${href}`);
  return answer.body();
}

/** Opens the newest ticket that is still good; gives its code and its seat. */
async function opensTicket(page) {
  let code;
  await check(page, "the tickets stand with their owner", async () => {
    await page.goto("/tickets");
    await comesToSay(page, EVENT);
    same(await main(page).getByRole("link", { name: EVENT }).count(), 2, "the number of tickets");
    await main(page).getByRole("link", { name: EVENT }).first().click();
    await main(page).getByRole("img", { name: "QR code of this ticket" }).locator("svg").waitFor();
    code = (await page.locator(".qr code").textContent()).trim();
    if (!code.startsWith("T1")) throw new Error(`the code is ${code}`);
  });
  await check(page, "it comes as PDF, picture and calendar file", async () => {
    const pdf = await bytes(page, "PDF"), png = await bytes(page, "Picture");
    const calendar = (await bytes(page, "Calendar file")).toString();
    same(pdf.subarray(0, 4).toString(), "%PDF", "how the PDF begins");
    same(png.subarray(1, 4).toString(), "PNG", "how the picture begins");
    if (!/^BEGIN:VCALENDAR\r\n/.test(calendar) || !calendar.includes(`SUMMARY:${EVENT}`)) throw new Error(`the calendar is ${calendar}`);
  });
  await check(page, "the order stands among one's orders", async () => {
    await page.goto("/orders");
    const row = main(page).getByRole("row").filter({ hasText: EVENT });
    same(await row.count(), 1, "the number of orders");
    await row.getByText("Paid").waitFor();
  });
  return code;
}

async function paysFromWallet(page) {
  await check(page, "the wallet is topped up", async () => {
    await page.goto("/wallet");
    await main(page).getByLabel("Amount", { exact: true }).first().fill("200");
    const top = page.locator("#top-up");
    const card = top.getByRole("radio", { name: /card/i }).last();
    await card.check();
    for (const [name, text] of [["number", GOOD], ["expiry", "12/40"], ["cvc", "123"]]) await top.locator(`[name=${name}]`).fill(text);
    await top.getByRole("button", { name: "Top up" }).click();
    await arrives(page, "/wallet");
    await comesToSay(page, "$200.00");
  });
  await check(page, "the next order is paid from the balance", async () => {
    await chooses(page, 1);
    await reserves(page);
    await page.getByRole("radio", { name: /^Wallet/ }).check();
    await main(page).getByRole("button", { name: /^Pay / }).click();
    await page.waitForURL(url => url.pathname.startsWith("/orders/"));
    await comesToSay(page, "Paid");
    await page.goto("/wallet");
    await comesToSay(page, "$136.00");
  });
}

async function isAskedByTheBank(page) {
  await check(page, "a card that asks for confirmation leads to the bank and back", async () => {
    await chooses(page, 1);
    await reserves(page);
    await paysByCard(page, ASKS);
    await page.getByRole("heading", { name: "Sandbox bank" }).waitFor();
    await press(page, "Accept");
    await page.waitForURL(url => /^\/(orders|pay|checkout)\//.test(url.pathname));
    await page.goto("/orders");
    for (let tries = 0; tries < 40; tries++) {
      if (await main(page).getByRole("row").filter({ hasText: EVENT }).filter({ hasText: "Paid" }).count() === 3) return;
      await page.waitForTimeout(250);
      await page.reload();
    }
    throw new Error("the confirmed order is not paid");
  });
}

async function sellerSees(page) {
  await check(page, "the seller's sales show the orders", async () => {
    await page.goto("/sell/orders");
    await main(page).getByRole("row").filter({ hasText: EVENT }).filter({ hasText: "$128.00" }).first().getByText("Paid").waitFor();
  });
  await check(page, "the seller's payouts show what was earned", async () => {
    await page.goto("/sell/payouts?org=elide");
    await comesToSay(page, "Pending");
    const amounts = await page.locator(".balance b").allTextContents();
    if (!amounts.some(amount => /[1-9]/.test(amount))) throw new Error(`the balances are ${amounts}`);
  });
}

/** Chromium reads codes on phones, not here: this stands for it, and reads what the story holds before the camera. */
function readsCodes() {
  window.BarcodeDetector = class {
    static getSupportedFormats = async () => ["qr_code"];
    detect = async video => video.videoWidth > 0 && window.held ? [{ rawValue: window.held }] : [];
  };
}

async function checksIn(page, code) {
  const alert = async () => (await page.getByRole("alert").textContent()).trim();
  const scan = async () => {
    await fill(page, { Code: code });
    await press(page, "Check in");
    return alert();
  };
  const holds = async () => {
    await press(page, "Scan with the camera");
    await page.locator("video").waitFor();
    await page.evaluate(text => { window.held = text; }, code);
    return alert();
  };
  if (given.script) {
    await page.context().grantPermissions(["camera"]);
    await page.addInitScript(readsCodes);
  }
  await check(page, "the organiser lets the ticket in", async () => {
    await page.goto("/sell/events");
    await main(page).getByRole("link", { name: EVENT }).click();
    await main(page).getByRole("link", { name: "Check-in" }).click();
    await page.getByRole("heading", { level: 1, name: "Check-in" }).waitFor();
    const words = await (given.script ? holds : scan)();
    if (!/^Let in: .*row/.test(words)) throw new Error(`it says “${words}”`);
  });
  if (given.script) await check(page, "a code that stays before the camera counts once, and the camera stays on", async () => {
    await page.waitForTimeout(3_000);
    same([/^Let in/.test(await alert()), await main(page).locator("#scans tbody tr").count()], [true, 1], "verdict and scans");
    await press(page, "Stop the camera");
    same(await page.locator("video").isVisible(), false, "whether the picture is shown");
  });
  await check(page, "the second scan is refused, with when the first was", async () => {
    const words = await scan();
    if (!/First scanned \d/.test(words)) throw new Error(`it says “${words}”`);
  });
}

await story(async browser => {
  const settings = { javaScriptEnabled: given.script };
  const page = await (await somebody(browser, settings)).newPage();
  await choosesSeats(page);
  if (given.script) await hearsTheClock(page);
  await takesTime(page);
  await pays(page);
  const code = await opensTicket(page);
  await paysFromWallet(page);
  await isAskedByTheBank(page);
  const seller = await (await somebody(browser, settings)).newPage();
  await signIn(seller, "demo", given.password);
  await sellerSees(seller);
  await checksIn(seller, code);
});
