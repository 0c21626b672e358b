// How long the page takes from the start of its loading until its first chart is drawn, signed in, with no cache:
// node first_chart.mjs URL KEY MODULES CHROMIUM [TIMES]. MODULES is a folder with playwright-core. It prints the
// median and the longest in milliseconds, and the bytes of the assets as they are sent.

import { createRequire } from "node:module";

const [url, key, modules, executablePath, times = "20"] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
const devtools = await page.context().newCDPSession(page);
await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
await page.addInitScript(() => {
  const seen = new MutationObserver(() => {
    if (document.querySelector("#chart canvas")) {
      seen.disconnect();
      // The frame in which the chart is shown.
      requestAnimationFrame(() => requestAnimationFrame(() => (window.firstChart = performance.now())));
    }
  });
  seen.observe(document, { childList: true, subtree: true });
});
await page.goto(url);
await page.getByLabel("Access key").fill(key);
await page.getByRole("button", { name: "Sign in" }).click();
const drawn = () => page.waitForFunction(() => window.firstChart).then((time) => time.jsonValue());
await drawn();
const found = [];
for (let turn = 0; turn < Number(times); turn += 1) {
  await page.reload();
  found.push(await drawn());
}
found.sort((left, right) => left - right);
const assets = await page.evaluate(() =>
  performance
    .getEntries()
    .filter((entry) => "encodedBodySize" in entry && !new URL(entry.name).pathname.startsWith("/v1/"))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0),
);
const shown = (time) => `${time.toFixed(0)} ms`;
console.log(`first chart: median ${shown(found[found.length >> 1])}, longest ${shown(found.at(-1))}; assets ${assets} bytes`);
await browser.close();
