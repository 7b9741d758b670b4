// The pages in a real browser: node browser.mjs NODE_PREFIX CHROMIUM PLAN
// PLAN is JSON: what there is and what to do; see tests/integ/test_browser.py. Prints TAP.
import fs from "fs";
import http from "http";
import net from "net";
import path from "path";
import { createRequire } from "module";

const [prefix, executablePath, planText] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(prefix), "x.js"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const plan = JSON.parse(planText);
const base = `http://127.0.0.1:${plan.port}`;

let count = 0, failed = 0;
async function check(name, f) {
  try {
    const began = Date.now(), note = await f();
    console.log(`ok ${++count} - ${name}${note ? ": " + note : ""} (${Date.now() - began} ms)`);
  } catch (e) {
    failed++;
    console.log(`not ok ${++count} - ${name}\n# ${String(e.message || e).slice(0, 1500).replaceAll("\n", "\n# ")}`);
  }
}
function must(what, words) {
  if (!what) throw new Error(words);
}

// What ssh -L does for the administrator: a port that leads to the Unix socket.
const forward = net.createServer((c) => {
  const s = net.connect(plan.socket);
  c.pipe(s).pipe(c);
  c.on("error", () => s.destroy());
  s.on("error", () => c.destroy());
});
await new Promise((done) => forward.listen(0, "127.0.0.1", done));
const admin = `http://127.0.0.1:${forward.address().port}`;
// And the search for addresses that the configuration names.
const search = http.createServer((q, a) => {
  const found = /markt/i.test(new URL(q.url, base).searchParams.get("q"));
  a.writeHead(200, { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" });
  a.end(JSON.stringify({ response: { docs: found ? [{ weergavenaam: "Markt 1", centroide_ll: "POINT(4.3162 52.0771)" }] : [] } }));
});
await new Promise((done) => search.listen(plan.searchPort, "127.0.0.1", done));

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

async function open(where, { language = "nl", js = true, scripts = true, scheme = "light", width = 1440, ...more } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 780 : 900 }, colorScheme: scheme, javaScriptEnabled: js,
    locale: language === "nl" ? "nl-NL" : "en-GB", ...more });
  const page = await context.newPage();
  page.complaints = [];
  page.bytes = 0;
  if (!scripts) await page.route("**/*.js*", (r) => r.abort());
  page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && scripts && !m.text().includes("status of 404")) page.complaints.push(m.text()); });
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  page.on("request", (r) => {
    const host = new URL(r.url()).host;
    if (!host.startsWith("127.0.0.1") && r.url().startsWith("http")) page.complaints.push("asked elsewhere: " + r.url());
  });
  page.on("response", async (r) => { if (!r.url().includes("leaflet")) page.bytes += Number(r.headers()["content-length"] || 0); });
  await page.goto(where);
  page.done = async () => {
    await context.close();
    must(page.complaints.length === 0, page.complaints.join("\n"));
  };
  return page;
}

async function accessible(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  const said = result.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message || "")).join(" | "));
  must(said.length === 0, said.join("\n"));
}

// ---- every page, in every way
const ways = [];
for (const language of ["nl", "en"])
  for (const js of [true, false])
    for (const scheme of ["light", "dark"])
      for (const width of [360, 1440]) ways.push({ language, js, scheme, width });
for (const [name, where, isAdmin] of plan.pages) {
  for (const way of plan.all ? ways : ways.filter((_, i) => [1, 14].includes(i))) {
    const label = `${name} ${way.language} ${way.js ? "js" : "nojs"} ${way.scheme} ${way.width}`;
    await check(label, async () => {
      // axe itself is a script, so the page's own are not let through rather than all forbidden
      const page = await open((isAdmin ? admin : base) + where, { ...way, js: true, scripts: way.js });
      must(await page.evaluate(() => document.documentElement.lang) === way.language, "the language");
      const [inside, outside] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      must(inside <= outside, `it is ${inside} wide on a screen of ${outside}`);
      await accessible(page);
      must(page.bytes < 200_000, `${page.bytes} bytes without the map`);
      if (plan.shots) await page.screenshot({ path: path.join(plan.shots, label.replaceAll(" ", "-") + ".png"), fullPage: true });
      await page.done();
    });
  }
}

// ---- values change with a publish, within a second: of several tries one at least, for the machine may be busy with others
async function publish(feed, thing, body) {
  const a = await fetch(`${base}/v1/feeds/${feed}/events?thing=${thing}`, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ dateObserved: new Date().toISOString(), ...body }) });
  must(a.status === 201, "published: " + a.status + " " + (await a.text()));
}
for (const where of ["/feeds/place", "/t/markt", "/map?feed=place"]) {
  await check(`live: ${where}`, async () => {
    const page = await open(base + where);
    await page.waitForSelector("button.live:not(.waits)");
    let took = Infinity;
    for (let i = 0; i < 8 && took >= 1000; i++) {
      const value = 20 + i + Math.floor(Math.random() * 9) / 10 + 0.05;
      const text = value.toFixed(2).replace(".", ",");
      const began = Date.now();
      await publish("place", "markt", { pm25: Number(value.toFixed(2)) });
      await page.waitForFunction((t) => [...document.querySelectorAll(".value")].some((e) => e.textContent === t), text, { timeout: 10000, polling: 20 });
      took = Math.min(took, Date.now() - began);
    }
    must(took < 1000, `the fastest took ${took} ms`);
    await page.click("button.live");
    await publish("place", "markt", { pm25: 7.77 });
    await page.waitForTimeout(700);
    must(!(await page.textContent("main")).includes("7,77"), "paused, and it went on");
    await page.click("button.live");
    await page.waitForFunction(() => document.querySelector("main").textContent.includes("7,77"), null, { timeout: 10000 });
    await page.done();
    return took + " ms";
  });
}
await check("charts: drawn without a script, and again as time goes on", async () => {
  const still = await open(base + "/t/markt", { js: false });
  for (const img of await still.locator(".chart img").all()) {
    await img.scrollIntoViewIfNeeded();
    await img.evaluate((e) => e.decode());
  }
  must((await still.locator(".chart img").count()) >= 1, "a chart");
  await still.done();
  const page = await open(base + "/t/markt");
  const first = await page.locator(".chart img").first().elementHandle();
  await first.evaluate((e) => e.setAttribute("src", e.getAttribute("src").replace("to=", "to=1999")) || e.setAttribute("data-same", "1"));
  page.complaints.length = 0;
  await publish("place", "markt", { pm25: 11 });
  await page.waitForFunction(() => /to=20/.test(document.querySelector(".chart img[data-same]")?.getAttribute("src")), null, { timeout: 10000 });
  await page.context().close();
});
await check("live: a thing that is new appears", async () => {
  const page = await open(base + "/feeds/place");
  await page.waitForTimeout(600);
  await publish("place", "nieuw", { pm25: 3 });
  await page.waitForSelector("tr[data-thing=nieuw]", { timeout: 10000 });
  await page.done();
});
await check("live: the first page counts on", async () => {
  const page = await open(base + "/");
  await publish("place", "teller", { pm25: 3 });
  const n = Number(await page.textContent("tr[data-feed=place] td:nth-of-type(3)"));
  await page.waitForFunction((k) => Number(document.querySelector("tr[data-feed=place] td:nth-of-type(3)").textContent) > k, n, { timeout: 10000 });
  await page.done();
});

// ---- what strangers come for, from the pages alone
await check("task: the air quality nearest to an address", async () => {
  const page = await open(base + "/");
  await page.click("nav >> text=Kaart");
  await page.selectOption("select[name=feed]", "place");
  await page.fill("input[name=near]", "Nergens 1");
  await page.click("form.filters button");
  await page.waitForFunction(() => !document.querySelector("input[name=near]").checkValidity());
  await page.fill("input[name=near]", "Markt 1, Den Haag");
  await Promise.all([page.waitForNavigation(), page.click("form.filters button")]);
  must((await page.textContent("tbody tr th")).includes("markt"), "the nearest stands first");
  must(/\d m/.test(await page.textContent("tbody tr td[data-label=Afstand]")), "with its distance");
  await page.done();
});
await check("task: why a sensor's data is refused", async () => {
  const page = await open(admin + "/");
  await page.click("nav >> text=Beheer");
  await page.click("a[href='/admin/quarantine/place']");
  const text = await page.textContent("main");
  must(text.includes("/pm25: 1300 is more than maximum 1000") && text.includes("city/place/kapot"), text);
  must(text.includes("oudp quarantine retry place"), "and what to do then");
  await page.done();
});
await check("task: a partner's subscription line", async () => {
  const page = await open(base + "/?lang=en", { language: "en", permissions: ["clipboard-read", "clipboard-write"] });
  await page.click("text=Plaatsen");
  await page.click("figure.code:has-text('websocat') button");
  const line = await page.evaluate(() => navigator.clipboard.readText());
  must(line === `websocat --protocol cloudevents.json ws://127.0.0.1:${plan.port}/v1/feeds/place/events`, line);
  const code = await page.textContent("figure.code:has-text('JavaScript') code");
  const got = page.waitForEvent("console", (m) => m.text().startsWith("markt"));
  await page.evaluate(code);
  await page.waitForTimeout(500);
  await publish("place", "markt", { pm25: 9.5 });
  must((await got).text(), "the line for JavaScript works");
  await page.done();
});
await check("task: what a pole measures", async () => {
  const page = await open(`${base}/t/${plan.code}`, { width: 360, js: false });
  const text = await page.textContent("main");
  for (const part of ["Meter op de markt", "fijnstof PM2,5", "Weten hoe schoon de lucht is", "Publieke taak", "Gemeente Test", "markt@example.nl"])
    must(text.includes(part), part);
  await page.done();
});
await check("task: which sensors are silent", async () => {
  const page = await open(base + "/map", { js: false });
  await page.check("input[name=silent]");
  await Promise.all([page.waitForNavigation(), page.click("form.filters button")]);
  must((await page.textContent("tbody tr th")).includes("stil-1"), "the silent one");
  must((await page.locator("tbody tr").count()) === 1, "and no other");
  await page.done();
});
await check("by keyboard: skip link, menu, map", async () => {
  const page = await open(base + "/map?feed=place");
  await page.keyboard.press("Tab");
  must(await page.evaluate(() => document.activeElement.className) === "skip", "the first is the skip link");
  await page.keyboard.press("Enter");
  must(await page.evaluate(() => document.activeElement.id) === "main", "it leads to main");
  await page.done();
});
await check("map: dots with what they measure", async () => {
  const page = await open(base + "/map?feed=place&property=pm25");
  await page.waitForSelector("#map path.dot");
  must((await page.locator("#map path.dot").count()) >= 2, "a dot for each place");
  await page.locator("#map path.dot").first().click({ force: true });
  await page.waitForSelector(".leaflet-popup a[href^='/t/']");
  await page.done();
});

await browser.close();
forward.close();
search.close();
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
