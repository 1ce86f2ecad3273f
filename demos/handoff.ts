// deno-lint-ignore-file no-console -- a demo writes lines.
/**
 * A server is replaced twice while clients keep connecting: nobody is refused,
 * and the count of served clients goes from process to process.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-run --allow-env demos/handoff.ts
 * ```
 *
 * @module
 */
import { openUpgrader, type SocketConn } from "@holdfast/handoff";

const HOSTNAME = "127.0.0.1";
const REPLACEMENTS = 2;
const CLIENTS = 4;
const RUN_MS = 300;
const FLAGS = ["--allow-net=127.0.0.1", "--allow-run", "--allow-env"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The server: one request a connection; `next` replaces this process. */
async function serve(): Promise<void> {
  await using upgrader = await openUpgrader();
  const web = await upgrader.listen("web", { hostname: HOSTNAME, port: 0 });
  const state = await upgrader.predecessorState();
  let served: number = state ? JSON.parse(decoder.decode(state)).served : 0;
  await upgrader.ready();
  console.log(JSON.stringify({ pid: Deno.pid, port: web.addr.port, served }));

  const busy = new Set<Promise<void>>();
  const answer = async (conn: SocketConn): Promise<void> => {
    const request = await readText(conn);
    if (request === "hello") {
      served++;
      await conn.write(encoder.encode(String(Deno.pid)));
    } else if (request === "next") {
      const successor = await upgrader.upgrade({
        command: Deno.execPath(),
        args: ["run", ...FLAGS, import.meta.url, "server"],
        // The listener is paused by now: who is still being served is counted
        // here, and everybody else by the successor.
        state: async () => {
          while (busy.size > 1) await Promise.race(busy);
          return encoder.encode(JSON.stringify({ served }));
        },
      });
      await conn.write(encoder.encode(String(successor.pid)));
      web.close();
    } else {
      await conn.write(encoder.encode(String(served)));
      web.close();
    }
  };
  for await (const conn of web) {
    const work = answer(conn)
      .catch((error) => console.error("server:", error.message))
      .finally(() => {
        conn.close();
        busy.delete(work);
      });
    busy.add(work);
  }
  await Promise.all(busy);
}

async function readText(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(1024);
  const count = await conn.read(buffer);
  return decoder.decode(buffer.subarray(0, count ?? 0));
}

/** One request on a connection of its own. */
async function ask(port: number, request: string): Promise<string> {
  using conn = await Deno.connect({ hostname: HOSTNAME, port });
  await conn.write(encoder.encode(request));
  const answer = await readText(conn);
  if (answer === "") throw new Error("closed without an answer");
  return answer;
}

/** The server processes, which all write to the pipe of the first. */
class Servers {
  readonly #first: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor() {
    this.#first = new Deno.Command(Deno.execPath(), {
      args: ["run", ...FLAGS, import.meta.url, "server"],
      stdout: "piped",
    }).spawn();
    this.#lines = this.#first.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** The next process that serves. */
  async next(): Promise<{ pid: number; port: number; served: number }> {
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the server ended too soon");
      this.#text += value;
    }
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return JSON.parse(line);
  }

  /** Resolves when all of them have ended. */
  async ended(): Promise<void> {
    while (!(await this.#lines.read()).done);
    await this.#first.status;
  }
}

async function demo(): Promise<number> {
  const servers = new Servers();
  const first = await servers.next();
  const { port } = first;
  console.log(`process ${first.pid} serves on port ${port}`);

  let running = true, refused = 0;
  const servedBy = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      try {
        const pid = await ask(port, "hello");
        servedBy.set(pid, (servedBy.get(pid) ?? 0) + 1);
      } catch (error) {
        refused++;
        console.log(`a client failed: ${(error as Error).message}`);
      }
    }
  });
  for (let i = 0; i < REPLACEMENTS; i++) {
    await delay(RUN_MS);
    const started = performance.now();
    await ask(port, "next");
    const { pid, served } = await servers.next();
    const ms = (performance.now() - started).toFixed(0);
    console.log(`process ${pid} took over after ${ms} ms, ${served} served`);
  }
  await delay(RUN_MS);
  running = false;
  await Promise.all(clients);
  const counted = Number(await ask(port, "stop"));
  await servers.ended();

  let answered = 0;
  for (const [pid, count] of servedBy) {
    console.log(`  by process ${pid}: ${count}`);
    answered += count;
  }
  console.log(`served ${answered}, counted ${counted}, refused ${refused}`);
  const held = refused === 0 && counted === answered &&
    servedBy.size === REPLACEMENTS + 1;
  console.log(held ? "nobody noticed" : "that did not hold");
  return held ? 0 : 1;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (Deno.args[0] === "server") await serve();
else if (Deno.build.os === "windows") {
  console.log("Windows cannot inherit listeners in this way: nothing to show");
} else Deno.exit(await demo());
