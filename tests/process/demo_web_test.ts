/**
 * `deno task demo:web` as a program: what it lets others do, and what it leaves
 * behind. The page itself is tested in tests/browser.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { demoArgs, type DemoWeb, isAlive, startDemoWeb } from "./_demo_web.ts";

const HANG_MS = 60_000;
/** All that can be pressed. */
const NAMES = [
  ...["cut", "cut-silently", "move", "block", "unblock", "sleep", "wake"],
  ...["replace-server", "kill-server"],
  ...[1, 2, 3].flatMap((n) => [`kill-broker-${n}`, `start-broker-${n}`]),
];

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Does an action as the page does it, but for what is said otherwise. */
async function act(
  demo: DemoWeb,
  name: string,
  headers: Record<string, string | undefined> = {},
  method = "POST",
): Promise<Answer> {
  const all = {
    origin: new URL(demo.url).origin,
    "x-demo-token": await demo.token(),
    ...headers,
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  const response = await fetch(`${demo.url}actions/${name}`, {
    method,
    headers: given as [string, string][],
  });
  return { status: response.status, text: (await response.json()).text };
}

/** A request as it is written, for headers that fetch keeps to itself. */
async function raw(port: number, request: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(
    new TextEncoder().encode(request.replaceAll("\n", "\r\n")),
  );
  const into = new Uint8Array(512);
  const n = await conn.read(into);
  return new TextDecoder().decode(into.subarray(0, n ?? 0));
}

/** Whole numbers below a limit, which follow from a seed (xorshift32). */
function numbers(seed: number): (below: number) => number {
  let x = seed || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Waits until something is so. */
async function until(
  check: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const limit = Date.now() + HANG_MS;
  while (!await check()) {
    if (Date.now() > limit) throw new Error(`Waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function noFolders(): Promise<void> {
  for await (const { name } of Deno.readDir(".")) {
    assert(!/^\.demo-[0-9a-f]/.test(name), name);
  }
}

testWith({
  name: "demo:web does nothing for another page, and is seen on loopback only",
  needs: ["unix"],
  async fn() {
    await using demo = await startDemoWeb(["--no-namespace"]);
    const { port } = demo;
    const before = (await demo.hello()).view.resumed;
    for (
      const headers of [
        { "x-demo-token": undefined },
        { "x-demo-token": "0".repeat(32) },
        { origin: undefined },
        { origin: "http://evil.example" },
        { origin: `http://127.0.0.1:${port + 1}` },
        { "sec-fetch-site": "cross-site" },
      ]
    ) {
      const { status } = await act(demo, "cut", headers);
      assertEquals(status, 403, JSON.stringify(headers));
    }
    assertEquals((await act(demo, "cut", {}, "GET")).status, 405);
    assertEquals((await act(demo, "nonsense")).status, 404);
    const { hostname } = new URL("http://evil.example");
    assertMatch(
      await raw(port, `GET / HTTP/1.1\nHost: ${hostname}:${port}\n\n`),
      /^HTTP\/1.1 421 /,
    );
    for (
      const path of ["../web.ts", "app.ts%00", "deno.json", "../../deno.json"]
    ) {
      const text = await raw(
        port,
        `GET /${path} HTTP/1.1\nHost: 127.0.0.1:${port}\n\n`,
      );
      assertMatch(text, /^HTTP\/1.1 (400|404) /, path);
    }
    // All that was refused has done nothing.
    assertEquals((await demo.hello()).view.resumed, before);
    const { headers } = await fetch(demo.url).then(async (response) => {
      await response.body?.cancel();
      return response;
    });
    const policy = headers.get("content-security-policy")!;
    for (const part of ["default-src 'none'", "frame-ancestors 'none'"]) {
      assert(policy.includes(part), policy);
    }
    assert(!/unsafe|\*|http|data:/.test(policy), policy);
    for (const { address } of Deno.networkInterfaces()) {
      if (address.startsWith("127.") || address.startsWith("fe80")) continue;
      let open = true;
      try {
        (await Deno.connect({ hostname: address, port })).close();
      } catch {
        open = false;
      }
      assertEquals(open, false, address);
    }
  },
});

testWith({
  name: "demo:web bounds its pages and its actions",
  needs: ["unix"],
  async fn() {
    await using demo = await startDemoWeb(["--no-namespace"]);
    const pages: Response[] = [];
    for (let i = 0; i < 16; i++) pages.push(await fetch(`${demo.url}events`));
    const { status, body } = await fetch(`${demo.url}events`);
    await body?.cancel();
    assertEquals(status, 503);
    for (const page of pages) await page.body?.cancel();
    // The places are free again.
    await until(async () => {
      const { status, body } = await fetch(`${demo.url}events`);
      await body?.cancel();
      return status === 200;
    }, "a free place");
    const many = await Promise.all(
      Array.from({ length: 8 }, () => act(demo, "cut-silently")),
    );
    const statuses = new Set(many.map(({ status }) => status));
    assertEquals(statuses, new Set([200, 409]));
    const wait = many.find(({ status }) => status === 409)!;
    assertMatch(wait.text, /^Cut it silently: wait, it is under way/);
  },
});

testWith({
  name: "demo:web without a namespace says so, and its proxy blocks the port",
  needs: ["unix"],
  async fn() {
    await using demo = await startDemoWeb(["--no-namespace"]);
    assertMatch(demo.place, /done by the proxy, since it was switched off/);
    const blocked = await act(demo, "block");
    assertEquals(blocked.status, 200, blocked.text);
    assertMatch(blocked.text, /^The proxy refuses every connection to port/);
    assertEquals(
      (await act(demo, "cut")).text,
      "Cut the link: no, the port is blocked: open it first",
    );
    // A server that comes meanwhile must not be reached through the back door.
    const killed = await act(demo, "kill-server");
    assertMatch(killed.text, /from the SQLite store; the stream waits/);
    const { view } = await demo.hello();
    const opened = await act(demo, "unblock");
    assertMatch(opened.text, /is open; the stream goes on over a new one/);
    await until(async () => {
      const now = (await demo.hello()).view;
      return now.up["received"]! > view.up["received"]! &&
        now.down["received"]! > view.down["received"]!;
    }, "bytes both ways");
    const { up, down } = (await demo.hello()).view;
    assertEquals([up["lost"], down["lost"], up["doubled"], down["doubled"]], [
      0,
      0,
      0,
      0,
    ]);
  },
});

testWith({
  name: "demo:web loses nothing, whatever is pressed, in any order and at once",
  needs: ["unix"],
  async fn() {
    const seed = Number(
      Deno.env.get("HOLDFAST_SEED") ?? Math.floor(Math.random() * 2 ** 31),
    );
    const replay =
      `replay: HOLDFAST_SEED=${seed} deno task test tests/process/demo_web_test.ts`;
    const random = numbers(seed);
    await using demo = await startDemoWeb();
    const pressed: Promise<Answer>[] = [];
    for (let i = 0; i < runs(25, 400); i++) {
      const name = NAMES[random(NAMES.length)]!;
      pressed.push(act(demo, name));
      await new Promise((resolve) => setTimeout(resolve, random(600)));
    }
    for (const { status, text } of await Promise.all(pressed)) {
      // Done, or refused since it made no sense then: nothing has failed.
      assert([200, 409].includes(status), `${status} ${text}: ${replay}`);
    }
    for (const name of ["wake", "unblock"]) await act(demo, name);
    const { view } = await demo.hello();
    await until(async () => {
      const now = (await demo.hello()).view;
      return now.up["received"]! > view.up["received"]! &&
        now.down["received"]! > view.down["received"]!;
    }, `bytes both ways: ${replay}`);
    const { up, down } = (await demo.hello()).view;
    for (const { lost, doubled, corrupt } of [up, down]) {
      assertEquals([lost, doubled, corrupt], [0, 0, 0], replay);
    }
  },
});

testWith({
  name:
    "an interrupted demo:web leaves no process and no file, whatever was done to it",
  needs: ["sh"], // signals, as Unix has them
  async fn() {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const demo = await startDemoWeb();
      const pids = new Set<number>();
      const note = async () => {
        const { client, server, brokers } = (await demo.hello()).view;
        for (const { pid } of [client, server, ...brokers]) pids.add(pid);
      };
      await note();
      for (
        const name of [
          "replace-server",
          "kill-server",
          "kill-broker-2",
          "start-broker-2",
          "sleep",
        ]
      ) {
        const { status, text } = await act(demo, name);
        assertEquals(status, 200, text);
        await note();
      }
      assertEquals(pids.size, 8);
      demo.child.kill(signal);
      assertEquals((await demo.child.status).code, 0);
      for (const pid of pids) {
        await until(() => !isAlive(pid), `process ${pid} to end`);
      }
      await demo[Symbol.asyncDispose]();
      await noFolders();
    }
  },
});

testWith({
  name: "the programs of a demo:web that was killed itself end all the same",
  needs: ["sh"],
  async fn() {
    const demo = await startDemoWeb();
    const before = new Set<string>();
    for await (const { name } of Deno.readDir(".")) before.add(name);
    assertEquals((await act(demo, "replace-server")).status, 200);
    const { client, server, brokers } = (await demo.hello()).view;
    demo.child.kill("SIGKILL");
    await demo[Symbol.asyncDispose]();
    for (const { pid } of [client, server, ...brokers]) {
      await until(() => !isAlive(pid), `process ${pid} to end`);
    }
    // Its folder is what it cannot take away.
    const folders = [...before].filter((name) => /^\.demo-[0-9a-f]/.test(name));
    assertEquals(folders.length, 1);
    await Deno.remove(folders[0]!, { recursive: true });
  },
});

testWith({
  name: "demo:web tells what is wrong in one sentence",
  needs: ["unix"],
  async fn() {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const cases: [string[], number, RegExp][] = [
      [
        ["--port", "none"],
        2,
        /^--port must be a whole number.*not "none"\nUsage: /,
      ],
      [["--kilobytes-per-second", "0"], 2, /^--kilo.*from 1 to 20000/],
      [["--nonsense"], 2, /\nUsage: deno task demo:web /],
      [
        ["--port", String(taken.addr.port)],
        1,
        /^The demo failed: port \d+ is taken/,
      ],
    ];
    for (const [args, expected, says] of cases) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: demoArgs(args),
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals(code, expected, text);
      assertMatch(text, says);
      assert(!text.includes("    at "), text);
    }
    await noFolders();
  },
});
