// A person with a real browser: Chromium shows every page, in light and dark, on a desk and on a phone, and axe
// finds nothing to complain about; the whole way through sign-in and consent works with the keyboard, and without
// scripts, of which there are none. Pictures go to the folder in SCREENSHOTS, if there is one.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const { DOORWARD_URL, DOORWARD_PASSWORD, TOOLS_URL, SCREENSHOTS, CALLBACK_PORT } = process.env;
const EXECUTABLE = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"].find(existsSync);
const REDIRECT_URI = `http://127.0.0.1:${CALLBACK_PORT}/callback`;
// A page of the client's, of another origin than its redirect URI.
const ONWARD = `http://localhost:${CALLBACK_PORT}/welcome`;

let browser, listener, arrivals;
before(async () => {
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox"] });
  arrivals = [];
  listener = createServer((request, response) => {
    if (request.url.startsWith("/callback")) {
      arrivals.push(new URL(request.url, REDIRECT_URI));
      if (request.url.includes("state=onward")) response.writeHead(302, { location: ONWARD });
    }
    response.end("You can close this window.");
  }).listen(Number(CALLBACK_PORT), "127.0.0.1");
});
after(async () => { await browser.close(); listener.close(); });

async function register(metadata = {}) {
  const answer = await fetch(`${DOORWARD_URL}/oauth2/register`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Tea Planner", "client_name#de": "Teeplaner", redirect_uris: [REDIRECT_URI], ...metadata }),
  });
  return (await answer.json()).client_id;
}

const authorize = (client_id, changes = {}) =>
  `${DOORWARD_URL}/oauth2/authorize?${new URLSearchParams({
    client_id, redirect_uri: REDIRECT_URI, response_type: "code", state: "xyz", scope: "tools:use", resource: TOOLS_URL,
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256", ...changes,
  })}`;

const LOOKS = {
  "light desk": { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  "dark desk": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "light phone": { viewport: { width: 360, height: 740 }, colorScheme: "light" },
  "dark phone": { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
};

// What must hold of every page.
async function look(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name.replaceAll(" ", "-")}.png`), fullPage: true });
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], name);
  const { scroll, width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
  assert.ok(scroll <= width, `${name} is wider than the screen: ${scroll} > ${width}`);
}

async function signIn(page) {
  await page.locator("input[type=password]").fill(DOORWARD_PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator('form[action$="/oauth2/consent"]').waitFor();
}

for (const [look_, options] of Object.entries(LOOKS)) {
  test(`every page can be read (${look_})`, async () => {
    const context = await browser.newContext({ ...options, locale: "en-GB" });
    const page = await context.newPage();
    const complaints = [];
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });

    const client = await register();
    await page.goto(authorize(client));
    await look(page, `sign-in ${look_}`);
    await signIn(page);
    await look(page, `consent ${look_}`);
    assert.match(await page.textContent("body"), /127\.0\.0\.1/);

    const borrowed = await register({ client_name: "Claude", redirect_uris: ["https://phish.example/cb"] });
    await page.goto(authorize(borrowed, { redirect_uri: "https://phish.example/cb" }));
    await look(page, `consent look-alike ${look_}`);
    await page.goto(authorize("0199f2a4-7c11-7abc-8def-001122334455"));
    await look(page, `unknown client ${look_}`);
    await page.goto(authorize(client, { redirect_uri: "https://elsewhere.example/cb" }));
    await look(page, `unknown redirect ${look_}`);
    await page.goto(`${DOORWARD_URL}/oauth2/grants`);
    await look(page, `grants ${look_}`);
    await page.goto(`${DOORWARD_URL}/oauth2/sign-out`);
    await look(page, `sign-out ${look_}`);
    // What was answered 400 is a complaint of the browser's; a blocked style or form would be another.
    assert.deepEqual(complaints.filter((text) => !/status of 400/.test(text)), []);
    await context.close();
  });
}

test("a person allows with the keyboard, without scripts, and arrives at the client", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(authorize(await register()));
  await signIn(page);
  const allow = page.getByRole("button", { name: /allow/i });
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press("Tab");
    if (await allow.evaluate((button) => button === document.activeElement)) break;
  }
  await page.keyboard.press("Enter");
  await page.waitForURL(`${REDIRECT_URI}*`);
  const { searchParams } = arrivals.at(-1);
  assert.match(searchParams.get("code"), /^dwc_/);
  assert.equal(searchParams.get("state"), "xyz");
  assert.equal(searchParams.get("iss"), DOORWARD_URL);
  await context.close();
});

test("a person disconnects an app", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${DOORWARD_URL}/oauth2/grants`);
  await look(page, "sign-in for grants");
  await page.locator("input[type=password]").fill(DOORWARD_PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Connected apps", exact: true }).waitFor();
  const apps = page.getByRole("button", { name: /^Disconnect/ });
  const before = await apps.count();
  await page.goto(authorize(await register({ client_name: "Short visit" })));
  await page.getByRole("button", { name: /allow/i }).click();
  await page.waitForURL(`${REDIRECT_URI}*`);
  await page.goto(`${DOORWARD_URL}/oauth2/grants`);
  assert.equal(await apps.count(), before + 1);
  await look(page, "connected apps");
  const app = page.locator("article", { hasText: "Short visit" });
  await app.getByRole("button").click();
  await app.waitFor({ state: "detached" });
  assert.equal(await apps.count(), before);
  await context.close();
});

test("a client sends a person on to a page of another origin", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(authorize(await register(), { state: "onward" }));
  await signIn(page);
  await page.getByRole("button", { name: /allow/i }).click();
  await page.waitForURL(ONWARD);
  await context.close();
});

test("a person denies, and the client is told", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(authorize(await register()));
  await signIn(page);
  await page.getByRole("button", { name: /deny/i }).click();
  await page.waitForURL(`${REDIRECT_URI}*`);
  assert.equal(arrivals.at(-1).searchParams.get("error"), "access_denied");
  await context.close();
});

test("a browser reads names in its language", async () => {
  const context = await browser.newContext({ locale: "de-DE" });
  const page = await context.newPage();
  await page.goto(authorize(await register()));
  assert.match(await page.textContent("body"), /Teeplaner/);
  await context.close();
});

test("what a client calls itself never becomes part of a page", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("dialog", () => assert.fail("a script ran"));
  const client_name = `"><img src=x onerror=alert(1)><script>alert(1)</script>`;
  await page.goto(authorize(await register({ client_name })));
  await signIn(page);
  assert.equal(await page.locator("img[src=x], script").count(), 0);
  assert.ok((await page.textContent("body")).includes(client_name));
  await context.close();
});
