import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";
import { isClosedByUs, nextPauseMs } from "./_accept_rules.ts";
import { superviseAccept, superviseServe } from "./mod.ts";

const hostname = "127.0.0.1";
const DRIVER = fileURLToPath(
  import.meta.resolve("./testdata/few_descriptors.ts"),
);

async function withFew(
  what: string,
  which: string,
): Promise<{ alive: boolean; told: string[] }> {
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n 64; exec "$@"',
      "sh",
      ...[Deno.execPath(), "run", "--no-prompt", "--no-check"],
      ...["--allow-net=127.0.0.1", DRIVER, what, which],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(text(stdout).startsWith("{"), text(stderr));
  return JSON.parse(text(stdout));
}

testWith({
  name: "out of descriptors: the plain loop over a listener ends for good",
  needs: ["linux", "sh"],
  async fn() {
    const { alive, told } = await withFew("accept", "plain");
    assertEquals({ alive, told }, { alive: false, told: ["EMFILE"] });
  },
});

testWith({
  name:
    "out of descriptors: a supervised listener pauses, says so, and goes on",
  needs: ["linux", "sh"],
  async fn() {
    const { alive, told } = await withFew("accept", "supervised");
    assertEquals({ alive, told }, {
      alive: true,
      told: ["accept-paused", "accept-resumed"],
    });
  },
});

testWith({
  name: "out of descriptors: Deno.serve ends for good",
  needs: ["linux", "sh"],
  async fn() {
    const { alive, told } = await withFew("serve", "plain");
    assertEquals(alive, false);
    assert(told.join().includes("os error 24"), told.join());
  },
});

testWith({
  name: "out of descriptors: a supervised server listens again on its port",
  needs: ["linux", "sh"],
  async fn() {
    const { alive, told } = await withFew("serve", "supervised");
    assertEquals({ alive, told }, {
      alive: true,
      told: ["serve-failed", "serve-resumed"],
    });
  },
});

for (const how of ["tls", "unix"]) {
  testWith({
    name:
      `out of descriptors: by ${how} it serves again, and shutdown() ends what is from before`,
    needs: ["linux", "sh"],
    async fn() {
      const folder = await Deno.makeTempDir();
      const script = new URL(
        "./testdata/few_descriptors_serve.ts",
        import.meta.url,
      );
      const { stdout, stderr } = await new Deno.Command("sh", {
        args: [
          ...["-c", 'ulimit -n 64; exec "$@"', "sh", Deno.execPath(), "run"],
          ...["--no-prompt", "--no-check"],
          `--allow-net=127.0.0.1,unix:${folder}/socket`,
          ...["--allow-read", `--allow-write=${folder}`],
          ...[fileURLToPath(script), how, folder],
        ],
        env: { NO_COLOR: "1" },
      }).output();
      await Deno.remove(folder, { recursive: true });
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert(text(stdout).startsWith("{"), text(stderr));
      assertEquals(JSON.parse(text(stdout)), {
        told: ["serve-failed", "serve-resumed"],
        answers: ["hello", "hello", "hello"],
        order: ["answered", "down"],
        end: "ended",
      });
    },
  });
}

Deno.test("superviseAccept() ends when it is closed, aborted, or its listener is closed", async () => {
  for (const how of ["close", "signal", "listener"] as const) {
    const plain = Deno.listen({ hostname, port: 0 });
    const abort = new AbortController();
    const listener = superviseAccept(plain, { signal: abort.signal });
    const accepting = assertRejects(
      () => listener.accept(),
      DOMException,
      "closed",
    );
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (how === "close") listener.close();
    else if (how === "signal") abort.abort();
    else plain.close();
    await accepting;
    for await (const _ of listener) throw new Error("it is closed");
    listener.close();
  }
});

Deno.test("a failed accept is a pause and an event, whatever failed", async () => {
  const errors = [
    Object.assign(new Error("Too many open files (os error 24)"), {
      code: "EMFILE",
    }),
    new Deno.errors.ConnectionAborted("left the queue"),
    new Error("something that nobody has heard of"),
  ];
  const conn = { close() {} };
  let closed = 0;
  using listener = superviseAccept({
    accept: () => {
      const error = errors.shift();
      return error === undefined
        ? Promise.resolve(conn)
        : Promise.reject(error);
    },
    close: () => void closed++,
  });
  const told: string[] = [];
  listener.on("*", (event) =>
    told.push(
      event.type === "accept-paused"
        ? `${event.failure} for ${event.retryInMs}`
        : event.type === "accept-resumed"
        ? `after ${event.failures}`
        : event.type,
    ));
  assertEquals(await listener.accept(), conn);
  assertEquals(told, [
    "fd-exhausted for 5",
    "undefined for 10",
    "undefined for 20",
    "after 3",
  ]);
  listener.close();
  assertEquals(closed, 1);
});

Deno.test("a hasRoom that throws leaves no connection open", async () => {
  let closed = 0;
  using listener = superviseAccept({
    accept: () => Promise.resolve({ close: () => void closed++ }),
    close() {},
  }, {
    hasRoom: () => {
      throw new Error("cannot count");
    },
  });
  await assertRejects(() => listener.accept(), Error, "cannot count");
  assertEquals(closed, 1);
});

Deno.test("without room a client is sent away at once, and is not left waiting", async () => {
  let room = 1;
  const plain = Deno.listen({ hostname, port: 0 });
  using listener = superviseAccept(plain, { hasRoom: () => room-- > 0 });
  const shed = listener.once("connection-shed");
  const accepted = listener.accept();
  const connect = () => Deno.connect({ hostname, port: plain.addr.port });
  using first = await connect();
  using conn = await accepted;
  const next = assertRejects(() => listener.accept(), DOMException);
  using second = await connect();
  // End of file, or a reset: nothing that it would wait for.
  const read = await second.read(new Uint8Array(1)).catch(() => null);
  assertEquals(read, null);
  assertEquals((await shed).total, 1);
  assertEquals(first.localAddr.port, conn.remoteAddr.port);
  listener.close();
  await next;
});

Deno.test("superviseServe() answers what is under way, and ends when asked", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = new AbortController();
  const server = superviseServe(
    { port: 0, signal: abort.signal },
    async () => {
      await promise;
      return new Response("done");
    },
  );
  const url = `http://${hostname}:${server.addr.port}/`;
  const asking = fetch(url, { headers: { connection: "close" } });
  await new Promise((done) => setTimeout(done, 50));
  abort.abort();
  resolve();
  assertEquals(await (await asking).text(), "done");
  await server.finished;
  await assertRejects(() => fetch(url));
});

Deno.test("superviseServe() hands on what Deno.serve takes", async () => {
  const heard: string[] = [];
  await using server = superviseServe({
    ...{ port: 0, cert: undefined, tcpBacklog: 8 },
    onListen: ({ port }) => heard.push(typeof port),
    onError: (error) => new Response(String(error), { status: 503 }),
  }, () => {
    throw new Error("in the handler");
  });
  const response = await fetch(`http://${hostname}:${server.addr.port}/`);
  assertEquals([response.status, await response.text()], [
    503,
    "Error: in the handler",
  ]);
  assertEquals(heard, ["number"]);
  assertThrows(() =>
    superviseServe({ port: 0, cert: "none", key: "none" }, () => new Response())
  );
});

Deno.test("pauses are short, and grow to 40 ms", () => {
  assertEquals([1, 2, 3, 4, 5, 500].map(nextPauseMs), [5, 10, 20, 40, 40, 40]);
});

Deno.test("only the listener's own end is taken for it", async () => {
  const listener = Deno.listen({ hostname, port: 0 });
  listener.close();
  const gone = await listener.accept().catch((error) => error);
  assertEquals(isClosedByUs(gone), true);
  assertEquals(isClosedByUs(new Deno.errors.ConnectionAborted("x")), false);
  assertEquals(isClosedByUs("EMFILE"), false);
});
