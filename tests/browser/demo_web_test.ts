/**
 * The page of `deno task demo:web` in a real browser: every button, and what
 * the counters say meanwhile. With `HOLDFAST_SCREENSHOT=1`, as by the task
 * `screenshot`, the pictures of the documentation are made as well.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import axe from "axe-core";
import type { BrowserContext, Page } from "playwright-core";
import { isAlive, startDemoWeb } from "../process/_demo_web.ts";
import { startChromium } from "./_chromium.ts";

const HANG_MS = 60_000;
const WIDE = { width: 1280, height: 1000 };
const PHONE = { width: 360, height: 740 };

/** A page, and all that went wrong in it. */
interface Watched extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly trouble: string[];
}

async function open(url: string): Promise<Watched> {
  const browser = await startChromium();
  const context = await browser.newContext({ viewport: WIDE });
  context.setDefaultTimeout(HANG_MS);
  const page = await context.newPage();
  const trouble: string[] = [];
  // Chromium tells violations of the content security policy as errors.
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      trouble.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => trouble.push(`thrown: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) {
      trouble.push(`elsewhere: ${request.url()}`);
    }
  });
  await page.goto(url);
  await phase(page, "streaming");
  return {
    page,
    context,
    trouble,
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function phase(page: Page, name: string): Promise<void> {
  await page.waitForSelector(`#phase[data-phase=${name}]`);
}

/** What the counters show. */
async function counters(page: Page) {
  const of = (id: string, name: string) =>
    page.getAttribute(`#${id}`, `data-${name}`).then(Number);
  return {
    lost: await page.textContent("#lost strong"),
    doubled: await page.textContent("#doubled strong"),
    wrong: await page.textContent("#doubled small"),
    up: await of("up", "received"),
    down: await of("down", "received"),
  };
}

// Not by the page's own functions: its policy lets nobody make code of text.
async function until(
  check: () => Promise<boolean>,
  what: string,
): Promise<void> {
  const limit = Date.now() + HANG_MS;
  while (!await check()) {
    if (Date.now() > limit) throw new Error(`Waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until bytes arrive on both sides, and that none is lost or doubled. */
async function flows(page: Page, what: string): Promise<void> {
  const { up, down } = await counters(page);
  await until(async () => {
    const now = await counters(page);
    return now.up > up && now.down > down;
  }, `bytes both ways after: ${what}`);
  const now = await counters(page);
  assertEquals([now.lost, now.doubled], ["0", "0"], what);
  assertMatch(now.wrong!, /^0 wrong/);
}

/** Presses a button, and gives what the page says came of it. */
async function press(page: Page, name: string): Promise<string> {
  const button = page.locator(`#button-${name}`);
  await page.waitForSelector(`#button-${name}[aria-disabled=false]`);
  await button.click();
  await page.waitForSelector("#status:is([data-how=yes], [data-how=no])");
  const text = (await page.textContent("#status"))!;
  assertEquals(await page.getAttribute("#status", "data-how"), "yes", text);
  return text;
}

/** Waits until a process is gone, and its traces too. */
function ended(pid: number): Promise<void> {
  return until(
    () => Promise.resolve(!isAlive(pid)),
    `process ${pid} to be gone`,
  );
}

const pidIn = (text: string, before: string): number =>
  Number(new RegExp(`${before} (\\d+)`).exec(text)![1]);

/** What each button did, seen from outside of the page. */
const BUTTONS: readonly (readonly [
  name: string,
  says: RegExp,
  seen?: (text: string, page: Page) => Promise<void> | void,
])[] = [
  ["cut", /^The proxy reset the connection; the stream goes on/],
  ["cut-silently", /^The proxy let the connection hang.*goes on/],
  [
    "move",
    /^The client moved from 127\.0\.0\.2 to 127\.0\.0\.3, and the server sees it there/,
  ],
  [
    "block",
    /^A rule of nftables drops what goes to port \d+: [1-9]\d* packets/,
    async (_, page) => {
      await phase(page, "waiting");
      assertMatch((await page.textContent("#phase-text"))!, /blocked/);
    },
  ],
  [
    "block",
    /^Port \d+ is open, after [1-9]\d* dropped packets; the stream goes on/,
  ],
  [
    "replace",
    /^Process \d+ handed listener and session to \d+ and ended/,
    async (text) => {
      await ended(pidIn(text, "Process"));
      assert(isAlive(pidIn(text, "session to")));
    },
  ],
  [
    "kill",
    /^Process \d+ was killed, \d+ has its sessions from the SQLite store; the stream goes on/,
    async (text) => {
      await ended(pidIn(text, "Process"));
      assert(isAlive(pidIn(text, "killed,")));
    },
  ],
  [
    "sleep",
    /^The client, process \d+, got SIGSTOP, and ps says that it is stopped/,
    async (_, page) => {
      await phase(page, "waiting");
      assertMatch((await page.textContent("#phase-text"))!, /sleeps/);
    },
  ],
  ["sleep", /^The client, process \d+, got SIGCONT, and bytes flow both ways/],
  ...[1, 2, 3].map((n) =>
    [
      `broker-${n}`,
      new RegExp(
        `^Broker ${n}, process \\d+, is dead by kill -9, and port \\d+ refuses`,
      ),
      async (text: string) => {
        await ended(pidIn(text, "process"));
      },
    ] as const
  ),
  // With no broker at all the stream goes on, and can be cut.
  ["cut", /goes on over a new one/],
  ...[1, 2, 3].map((n) =>
    [
      `broker-${n}`,
      new RegExp(`^Process \\d+ is broker ${n} now, on the same port`),
      (text: string) => {
        assert(isAlive(pidIn(text, "Process")));
      },
    ] as const
  ),
];

/** What axe finds wrong with the page as it is now. */
async function accessibility(page: Page, how: string): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(
    `axe.run(document, {
      preload: false,
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    })`,
  ) as axe.AxeResults;
  // A check that looks at nothing finds nothing.
  assert(passes.some(({ id }) => id === "color-contrast"), how);
  assert(passes.some(({ id }) => id === "button-name"), how);
  return violations.map(({ id, nodes }) =>
    `${how}: ${id}: ${nodes.map(({ html }) => html).join(", ")}`
  );
}

/** Every button by the Tab key alone, each with a name and a visible focus. */
async function keyboard(page: Page): Promise<void> {
  const ids: string[] = [];
  await page.evaluate("document.activeElement?.blur()");
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(`(() => {
      const it = document.activeElement;
      return { id: it.id, outline: getComputedStyle(it).outlineStyle };
    })()`) as { id: string; outline: string };
    if (at.id === "" || ids.includes(at.id)) break;
    assertEquals(at.outline, "solid", at.id);
    ids.push(at.id);
  }
  assertEquals(
    ids,
    [
      ...["cut", "cut-silently", "move", "block", "replace", "kill", "sleep"],
      ...["broker-1", "broker-2", "broker-3"],
    ].map((name) => `button-${name}`).concat("log"),
  );
  const before = await connection(page);
  await page.focus("#button-cut");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#status[data-how=yes]");
  await until(
    async () => await connection(page) > before,
    "another connection",
  );
}

/** The number of the connection, as told to those who do not see the picture. */
async function connection(page: Page): Promise<number> {
  const text = (await page.textContent("#map-text"))!;
  return Number(/connection number (\d+)/.exec(text)?.[1] ?? 0);
}

/** The pictures of the documentation, after a minute of what one does there. */
async function pictures(page: Page): Promise<void> {
  if (Deno.env.get("HOLDFAST_SCREENSHOT") !== "1") return;
  const story = ["cut", "move", "replace", "broker-2", "kill", "cut-silently"];
  for (const name of story) {
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    await press(page, name);
  }
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  for (
    const [scheme, size, name] of [
      ["light", WIDE, "demo-web"],
      ["dark", WIDE, "demo-web-dark"],
      ["light", PHONE, "demo-web-phone"],
    ] as const
  ) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(size);
    await page.evaluate("scrollTo(0, 0)");
    await flows(page, "the picture");
    await page.screenshot({ path: `docs/${name}.png` });
  }
}

testWith({
  name:
    "demo:web in Chromium: every button does what it says, and no byte is lost",
  needs: ["chromium", "netns", "nft"],
  // The browser is a program with timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using demo = await startDemoWeb();
    await using watched = await open(demo.url);
    const { page, trouble } = watched;
    await flows(page, "the start");
    for (const [name, says, seen] of BUTTONS) {
      const text = await press(page, name);
      assertMatch(text, says);
      await seen?.(text, page);
      const waits = ["blocked", "SIGSTOP", "nftables"]
        .some((word) => text.includes(word));
      if (!waits) await flows(page, text);
    }
    // What the page says is what the server knows.
    const { view } = await demo.hello();
    assertEquals([
      view.up.lost,
      view.down.lost,
      view.up.doubled,
      view.down.doubled,
    ], [0, 0, 0, 0]);
    assertEquals(view.server.generation, 3);
    assertEquals(trouble, []);
    const log = await page.textContent("#log");
    for (
      const word of ["Cut the link", "goes on", "is down", "Wake the client"]
    ) {
      assert(log!.includes(word), word);
    }
    await pictures(page);
    assertEquals(trouble, []);
  },
});

testWith({
  name:
    "demo:web is usable by keyboard, screen reader, on a phone, light and dark",
  needs: ["chromium", "unix"],
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using demo = await startDemoWeb();
    await using watched = await open(demo.url);
    const { page, trouble } = watched;
    await keyboard(page);
    const found: string[] = [];
    for (const scheme of ["light", "dark"] as const) {
      for (const size of [WIDE, PHONE]) {
        await page.emulateMedia({
          colorScheme: scheme,
          reducedMotion: "reduce",
        });
        await page.setViewportSize(size);
        await flows(page, scheme);
        found.push(...await accessibility(page, `${scheme} ${size.width}`));
        const wide = await page.evaluate(
          "document.documentElement.scrollWidth",
        );
        assertEquals(wide, size.width);
      }
    }
    // Where much cannot be pressed, and where things are wrong.
    await press(page, "sleep");
    await page.waitForSelector("#button-cut[aria-disabled=true]");
    await phase(page, "waiting");
    found.push(...await accessibility(page, "asleep"));
    // It can be reached all the same, and then says why not.
    await page.focus("#button-cut");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#status[data-how=no]");
    assertEquals(
      await page.textContent("#status"),
      "Cut the link: not now, the client sleeps: wake it first.",
    );
    await press(page, "sleep");
    assertEquals(found, []);
    const moving = await page.evaluate(
      "document.getAnimations().length",
    );
    assertEquals(moving, 0);
    assertEquals(trouble, []);
  },
});

testWith({
  name: "demo:web says that its server ended, and comes back with the next one",
  needs: ["chromium", "unix"],
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const first = await startDemoWeb();
    await using watched = await open(first.url);
    const { page, trouble } = watched;
    await first[Symbol.asyncDispose]();
    await page.waitForSelector("#away:not([hidden])");
    assertMatch(
      (await page.textContent("#away"))!,
      new RegExp(`has ended.*demo:web --port ${first.port}`),
    );
    await page.waitForSelector("#button-cut[aria-disabled=true]");
    await using _second = await startDemoWeb(["--port", String(first.port)]);
    await page.waitForSelector("#away[hidden]", { state: "attached" });
    await phase(page, "streaming");
    // It has the token of the new run.
    assertMatch(await press(page, "cut"), /goes on/);
    await flows(page, "the second run");
    // Nobody answered for a while: that alone may be in the console.
    assertEquals(
      trouble.filter((line) => !line.includes("net::ERR_")),
      [],
    );
  },
});

testWith({
  name:
    "with replay switched off demo:web counts lost bytes: its zeros mean something",
  needs: ["chromium", "unix"],
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using demo = await startDemoWeb(["--without-replay"]);
    await using watched = await open(demo.url);
    const { page } = watched;
    const bad = page.locator("#lost[data-bad=yes]");
    await until(async () => {
      // A cut that finds no byte under way takes none.
      await page.click("#button-cut", { force: true });
      return await bad.count() > 0;
    }, "a byte to be lost");
    await phase(page, "lost");
    assertMatch((await page.textContent("#away"))!, /^The stream is over: /);
    await page.setViewportSize(PHONE);
    const wide = await page.evaluate("document.documentElement.scrollWidth");
    assertEquals(wide, PHONE.width);
    assertEquals(await accessibility(page, "lost"), []);
    assert(Number(await page.textContent("#lost strong")) > 0);
  },
});
