/** Dials that hang, as they do on a path that is gone. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { deadline } from "@std/async";
import { Emitter } from "@holdfast/events/emitter";
import {
  acceptResumable,
  type ConnectOptions,
  connectResumable,
  type DialContext,
} from "./mod.ts";

const STALL_MS = 20_000;

/** A client whose redials hang for as long as is asked for. */
async function open(
  hangs: (attempt: number) => boolean,
  options: ConnectOptions,
) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = acceptResumable(listener);
  const dials: DialContext[] = [];
  const hanging: ((conn: Deno.Conn) => void)[] = [];
  const { port } = listener.addr;
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  let last: Deno.Conn | undefined;
  const client = await connectResumable(async (context) => {
    if (context.attempt > 0 && hangs(context.attempt)) {
      dials.push(context);
      return await new Promise<Deno.Conn>((resolve) => hanging.push(resolve));
    }
    dials.push(context);
    return last = await connect();
  }, { redialMaxMs: 50, ...options });
  const accepted = await server.accept();
  return {
    client,
    accepted,
    dials,
    hanging,
    connect,
    cut: () => last!.close(),
    [Symbol.asyncDispose]: () => {
      client.abort();
      return server.close();
    },
  };
}

Deno.test("news of another path end a dial that hangs on the old one, and what it gives later is closed", async () => {
  using network = new Emitter<{ readonly type: "path-changed" }>();
  await using ends = await open((attempt) => attempt === 1, { network });
  const { client, accepted, dials, hanging } = ends;
  const resumed = client.once("resumed");
  ends.cut();
  while (hanging.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  network.emit({ type: "path-changed" });
  await deadline(resumed, STALL_MS);
  assert(dials[1]!.signal.aborted);
  await client.write(Uint8Array.of(7));
  assertEquals(await accepted.read(new Uint8Array(8)), 1);
  const late = await ends.connect();
  hanging[0]!(late);
  await assertRejects(() => late.read(new Uint8Array(1)));
});

Deno.test("a dial that hangs is given up in time without any news", async () => {
  await using ends = await open((attempt) => attempt < 3, {
    dialTimeoutMs: 50,
  });
  const resumed = ends.client.once("resumed");
  ends.cut();
  await deadline(resumed, STALL_MS);
  assertEquals(ends.dials.map(({ attempt }) => attempt), [0, 1, 2, 3]);
});

Deno.test("a better path that hangs does not keep the stream from another one once its own is gone", async () => {
  using network = new Emitter<{ readonly type: "path-changed" }>();
  let first = true;
  await using ends = await open(() => {
    const hangs = first;
    first = false;
    return hangs;
  }, { network });
  const resumed = ends.client.once("resumed");
  network.emit({ type: "path-changed" });
  assertEquals(ends.client.state.name, "attached");
  ends.cut();
  await deadline(resumed, STALL_MS);
});

Deno.test("an aborted signal ends connecting although the dial does not look at it", async () => {
  const stop = new AbortController();
  const connecting = connectResumable(() => new Promise(() => {}), {
    signal: stop.signal,
  });
  stop.abort(new Error("enough"));
  const error = await assertRejects(() => deadline(connecting, STALL_MS));
  assertStrictEquals(error, stop.signal.reason);
});

Deno.test("news that never stop coming do not keep a stream from going on", async () => {
  using network = new Emitter<{ readonly type: "path-changed" }>();
  await using ends = await open(() => false, { network });
  const { client, accepted } = ends;
  let news = 0;
  const flapping = setInterval(() => {
    news++;
    network.emit({ type: "path-changed" });
  }, 10);
  const into = new Uint8Array(1);
  for (let i = 0; news < 100; i++) {
    await client.write(Uint8Array.of(i & 0xff));
    assertEquals(await deadline(accepted.read(into), STALL_MS), 1);
    assertEquals(into[0], i & 0xff);
    await accepted.write(into);
    assertEquals(await deadline(client.read(into), STALL_MS), 1);
  }
  clearInterval(flapping);
  // One dial at a time, however much news there is.
  assert(ends.dials.length <= news + 1);
});

Deno.test("a program ends although a connection that it does not wait for is without a transport", async () => {
  const program = new URL("testdata/unref_client.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", program.pathname],
    stdin: "null",
  }).spawn();
  try {
    const { code } = await deadline(child.status, 60_000);
    assertEquals(code, 0);
  } catch (error) {
    child.kill();
    await child.status;
    throw error;
  }
});
