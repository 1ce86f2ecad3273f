import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  PeerError,
  serve,
  type Server,
  type ServerEvent,
} from "@holdfast/holdfast";
import type { ResumableConn } from "@holdfast/resume";
import { webSocketTransports } from "@holdfast/resume/websocket";
import { CutProxy } from "@holdfast/testkit/proxy";

const encoder = new TextEncoder();
const quiet = { network: false } as const;

function portOf(server: Server): number {
  return (server.addr as Deno.NetAddr).port;
}

async function readText(conn: ResumableConn, length: number): Promise<string> {
  const into = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await conn.read(into.subarray(at));
    if (n === null) throw new Error("The stream ended early");
    at += n;
  }
  return new TextDecoder().decode(into);
}

const echo = (conn: ResumableConn) => conn.readable.pipeTo(conn.writable);

Deno.test("a stream goes on over the connections that a proxy cuts, of Deno.listen too", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = await serve(echo, { listener });
  assertEquals(portOf(server), listener.addr.port);
  await using proxy = await CutProxy.start();
  proxy.forward("127.0.0.1", portOf(server));
  const conn = await connect({ hostname: "127.0.0.1", port: proxy.port }, {
    ...quiet,
    redialMaxMs: 50,
  });
  for (let i = 0; i < 3; i++) {
    const resumed = conn.once("resumed");
    await conn.write(encoder.encode(`ping ${i}`));
    proxy.cut();
    await resumed;
    assertEquals(await readText(conn, 6), `ping ${i}`);
  }
  assertEquals(server.stats().accepted, 1);
  await conn[Symbol.asyncDispose]();
});

Deno.test("WebSocket sessions beside the requests of a Deno.serve", async () => {
  const transports = webSocketTransports();
  await using server = await serve(echo, { listener: transports });
  await using http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) =>
      new URL(request.url).pathname === "/session"
        ? transports.handle(request)
        : new Response("a page"),
  );
  const { port } = http.addr;
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assertEquals(await page.text(), "a page");
  const conn = await connect(`ws://127.0.0.1:${port}/session`, quiet);
  await conn.write(encoder.encode("by HTTP"));
  assertEquals(await readText(conn, 7), "by HTTP");
  await conn[Symbol.asyncDispose]();
  assertEquals(server.stats().accepted, 1);
});

Deno.test("a handler that throws ends its own connection and tells why", async () => {
  const events: ServerEvent[] = [];
  await using server = await serve((conn) => {
    if (conn.keyId.length === 0) throw new Error("no key, no service");
  });
  server.on("*", (event) => events.push(event));
  const failed = server.once("handler-failed");
  const conn = await connect(`127.0.0.1:${portOf(server)}`, quiet);
  assertEquals((await failed).reason, "no key, no service");
  await assertRejects(() => readText(conn, 1));
  await conn.closed;
  assertEquals(server.stats().failed, 1);
  events.forEach((event) => JSON.stringify(event));
});

Deno.test("a drained server tells its clients, and lets handlers finish", async () => {
  const finish = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const server = await serve(async (conn) => {
    await readText(conn, 1);
    started.resolve();
    await finish.promise;
    await conn.write(encoder.encode("done"));
  });
  const conn = await connect(`127.0.0.1:${portOf(server)}`, quiet);
  await conn.write(encoder.encode("x"));
  await started.promise;
  const draining = conn.once("peer-draining");
  const drained = server.drain();
  await draining;
  finish.resolve();
  assertEquals(await readText(conn, 4), "done");
  conn.close();
  await drained;
  await server.finished;
});

Deno.test("what cannot be is told in one sentence", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(
    () => serve(echo, { listener, upgrade: true }),
    TypeError,
    "cannot be passed to another process",
  );
  listener.close();
  for (const target of ["nowhere", "::1:80", "host:0", "host:70000", "a/b:1"]) {
    await assertRejects(() => connect(target, quiet), TypeError, "host:port");
  }
  await using server = await serve(echo);
  const error = await assertRejects(() => server.upgrade(), PeerError);
  assertEquals(error.code, "peer/no-upgrade");
});

const PROGRAM = new URL("./process/_counting_server.ts", import.meta.url)
  .pathname;

/** A program that counts what each of its streams sends. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-prompt", "--allow-net=127.0.0.1"],
        ...["--allow-read", "--allow-write", "--allow-env"],
        ...["--allow-run", PROGRAM, ...args],
      ],
      ...{ stdin: "null", stdout: "piped" },
    }).spawn();
    this.#lines = linesOf(this.#child.stdout);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async says(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The program ended");
    return JSON.parse(value);
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#lines.return?.();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>) {
  let rest = "";
  for await (
    const chunk of stream.pipeThrough(new TextDecoderStream() as never)
  ) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

/** Sends a byte and reads the count of all that were sent so far. */
async function count(conn: ResumableConn): Promise<number> {
  await conn.write(encoder.encode("x"));
  return Number(await readText(conn, 8));
}

Deno.test("a server that is replaced by the next version of itself goes on counting, and refuses nobody", async () => {
  await using program = new Program(["--upgrade"]);
  const { port, pid } = await program.says();
  const conn = await connect(`127.0.0.1:${port}`, {
    ...quiet,
    redialMaxMs: 50,
  });
  for (let i = 1; i <= 3; i++) assertEquals(await count(conn), i);
  let before = pid as number;
  for (let round = 0; round < 2; round++) {
    Deno.kill(before, "SIGHUP");
    const next = await program.says();
    assertEquals([next.port, next.restored], [port, true]);
    assert(next.pid !== before);
    before = next.pid as number;
    for (let i = 1; i <= 3; i++) {
      assertEquals(await count(conn), 3 + 3 * round + i);
    }
  }
  const other = await connect(`127.0.0.1:${port}`, quiet);
  assertEquals(await count(other), 1);
  for (const one of [other, conn]) {
    one.abort();
    await one.closed;
  }
  Deno.kill(before, "SIGKILL");
});

Deno.test("a server that is killed goes on from its store, exactly where it was", async () => {
  const folder = await Deno.makeTempDir();
  const args = [`--store=${folder}/sessions.db`];
  let program = new Program(args);
  const { port } = await program.says();
  const conn = await connect(`127.0.0.1:${port}`, {
    ...quiet,
    redialMaxMs: 50,
  });
  for (let i = 1; i <= 3; i++) assertEquals(await count(conn), i);
  for (let round = 0; round < 2; round++) {
    program.signal("SIGKILL");
    await program[Symbol.asyncDispose]();
    program = new Program([...args, `--port=${port}`]);
    await program.says();
    for (let i = 1; i <= 3; i++) {
      assertEquals(await count(conn), 3 + 3 * round + i);
    }
  }
  conn.abort();
  await conn.closed;
  await program[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});
