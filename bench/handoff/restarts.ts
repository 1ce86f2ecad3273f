// deno-lint-ignore-file no-console -- a bench tells what went wrong.
/** Restarts under load: by this package, by SO_REUSEPORT, and by stop and start. */
import { type Load, startLoad } from "./from_tests.ts";

/** What came of one way to restart. */
export interface Restarts {
  readonly restarts: number;
  readonly requests: number;
  readonly refused: number;
  readonly reset: number;
  readonly cut: number;
  readonly p99Ms: number;
}

const LOAD = { fresh: 8, kept: 4 };
const here = (path: string): string => new URL(path, import.meta.url).pathname;
const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

function summary(restarts: number, load: Load): Restarts {
  const times = load.times.sort((a, b) => a - b);
  const { ok, refused, reset, cut } = load;
  if (load.other.length > 0) console.error(load.other.slice(0, 3));
  return {
    restarts,
    requests: ok,
    refused,
    reset: reset + load.other.length,
    cut,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
  };
}

/** By this package: SIGHUP, and the server replaces itself. */
export async function holdfastRestarts(
  kind: "deno" | "node",
  count: number,
): Promise<Restarts> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      here("../../packages/handoff/testdata/restart_server.ts"),
      ...[kind, "0"],
    ],
    stdout: "piped",
  }).spawn();
  const pids: number[] = [];
  let port = 0;
  const reading = (async () => {
    let text = "";
    const stream = server.stdout.pipeThrough(new TextDecoderStream());
    for await (const part of stream) {
      const lines = (text + part).split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const event = JSON.parse(line);
        if (event.type !== "up") continue;
        pids.push(event.pid);
        port = event.port;
      }
    }
  })();
  while (port === 0) await wait(10);
  const running = startLoad(() => port, LOAD);
  for (let i = 0; i < count; i++) {
    await wait(300);
    Deno.kill(pids.at(-1)!, "SIGHUP");
    while (pids.length < i + 2) await wait(5);
  }
  await wait(500);
  const load = await running.stop();
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  await server.status;
  await reading;
  return summary(count, load);
}

async function startPlain(
  port: number,
  reuse: boolean,
): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--unstable-net"],
      ...[here("./plain_server.ts"), String(port), reuse ? "reuse" : "no"],
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return child;
}

/** By the others: the next one beside the old one, or after it. */
export async function plainRestarts(
  way: "reuseport" | "stop-start",
  count: number,
): Promise<Restarts> {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const reuse = way === "reuseport";
  let server = await startPlain(port, reuse);
  const running = startLoad(() => port, LOAD);
  const end = async (child: Deno.ChildProcess): Promise<void> => {
    child.kill("SIGTERM");
    // Those that keep connections open are ended for it.
    const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
    await child.status;
    clearTimeout(timer);
    await child.stdout.cancel();
  };
  for (let i = 0; i < count; i++) {
    await wait(300);
    const old = server;
    if (!reuse) await end(old);
    server = await startPlain(port, reuse);
    if (reuse) await end(old);
  }
  await wait(500);
  const load = await running.stop();
  await end(server);
  return summary(count, load);
}
