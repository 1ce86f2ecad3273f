/** One run of the demo: starts the programs, does them harm, and looks at what is left. */
import { createIdentity, exportIdentity } from "@holdfast/signal";
import { type BrokerProcess, startBroker } from "../../tools/broker/spawn.ts";
import { bytes as bytesText, describe } from "./describe.ts";
import { type Line, Program } from "./lines.ts";
import type { Screen } from "./screen.ts";
import { hashFile, makeFile } from "./seeded_file.ts";
import {
  type Facts,
  type NoteCount,
  type Outcome,
  summarize,
} from "./summary.ts";

/** How to run it. */
export interface RunOptions {
  readonly seed: number;
  readonly mebibytes: number;
  /** How long the transfer should take: all the harm must fit into it. */
  readonly seconds: number;
  /** A folder to make the files in and to leave them; a passing one without. */
  readonly keep: string | undefined;
  /** Without it the streams lose what a cut takes: the run must then fail. */
  readonly replay: boolean;
  readonly signal: AbortSignal;
}

const HERE = import.meta.dirname!;
const MIB = 1024 * 1024;
const NOTES = 100;
const STALL_MS = 10_000;
const FIRST_ADDRESS = "127.0.0.2";
const SECOND_ADDRESS = "127.0.0.3";

const NET = "--allow-net=127.0.0.0/8";
const LISTEN_ENV =
  "--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES,HOLDFAST_CONTROL_FD";

/** Runs it all; the programs and files are gone when it returns. */
export async function run(
  options: RunOptions,
  screen: Screen,
): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const folder = options.keep ??
    await Deno.makeTempDir({ dir: ".", prefix: ".demo-" });
  await Deno.mkdir(folder, { recursive: true });
  if (options.keep === undefined) {
    stack.defer(() => Deno.remove(folder, { recursive: true }));
  }
  const scene = new Scene(options, screen, folder, stack);
  await scene.start();
  try {
    await scene.play();
  } catch (error) {
    options.signal.throwIfAborted();
    screen.line("demo", `FAILED: ${(error as Error).message}`, {
      type: "failed",
      error: (error as Error).message,
    });
  }
  return summarize(await scene.outcome());
}

/** The programs of one run, and what was heard of them. */
class Scene {
  readonly #options: RunOptions;
  readonly #screen: Screen;
  readonly #folder: string;
  readonly #stack: AsyncDisposableStack;
  readonly #brokers: BrokerProcess[] = [];
  readonly #began = performance.now();
  #proxy!: Program;
  #server!: Program;
  #client!: Program;
  #clientReceived = 0;
  #serverReceived = 0;
  #movedAt = performance.now();
  #moved: (() => void)[] = [];
  #clientDone: Promise<Line> | undefined;
  readonly #pauses: number[] = [];
  readonly #notes: NoteCount[] = [];
  readonly #steps: string[] = [];
  readonly #leftOut: string[] = [];
  readonly #notesSent: Promise<Line>[] = [];
  readonly #down = new Set<string>();

  constructor(
    options: RunOptions,
    screen: Screen,
    folder: string,
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#screen = screen;
    this.#folder = folder;
    this.#stack = stack;
  }

  #say(text: string, data: Line): void {
    this.#screen.line("demo", text, data);
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  async start(): Promise<void> {
    const { seed, mebibytes } = this.#options;
    const size = mebibytes * MIB;
    await makeFile(this.#path("up"), size, seed);
    await makeFile(this.#path("down"), size, seed + 1);
    this.#say(`made two files of ${mebibytes} MiB from seed ${seed}`, {
      type: "files",
      seed,
      bytes: size,
    });
    for (let i = 0; i < 3; i++) {
      this.#brokers.push(this.#stack.use(await startBroker()));
    }
    const brokers = this.#brokers.map(({ url }) => url);
    this.#say(`started three brokers: ${brokers.join(", ")}`, {
      type: "brokers",
      brokers,
    });
    await this.#startPrograms(brokers);
  }

  async #startPrograms(brokers: string[]): Promise<void> {
    const [server, client] = [await createIdentity(), await createIdentity()];
    this.#proxy = this.#program("proxy", [NET], () => {});
    const { port } = await this.#proxy.hear("listening");
    const permissions = [
      NET,
      `--allow-read=${this.#folder}`,
      `--allow-write=${this.#folder}`,
    ];
    const serverPermissions = [...permissions, "--allow-run", LISTEN_ENV];
    this.#server = this.#program(
      "server",
      serverPermissions,
      (line) => this.#heard("server", line),
    );
    const common = {
      type: "setup",
      brokers,
      rateBytesPerS: this.#options.mebibytes * MIB / this.#options.seconds,
      replay: this.#options.replay,
      notes: NOTES,
    };
    const serving = this.#server.hear("serving");
    await this.#server.tell({
      ...common,
      identity: exportIdentity(server),
      client: client.id,
      advertise: [{ hostname: "127.0.0.1", port }],
      outPath: this.#path("down"),
      inPath: this.#path("up-received"),
      args: runArgs("server", serverPermissions),
    });
    await this.#proxy.tell({ type: "forward", port: (await serving).port });
    await this.#startClient(permissions, {
      ...common,
      identity: exportIdentity(client),
      server: server.id,
      outPath: this.#path("up"),
      inPath: this.#path("down-received"),
    });
  }

  async #startClient(permissions: string[], setup: Line): Promise<void> {
    const local = canUse(FIRST_ADDRESS) && canUse(SECOND_ADDRESS)
      ? FIRST_ADDRESS
      : undefined;
    if (local === undefined) {
      this.#leave("move", "this system has one loopback address only");
    }
    this.#client = this.#program(
      "client",
      permissions,
      (line) => this.#heard("client", line),
    );
    const connected = this.#client.hear("connected");
    this.#clientDone = this.#client.hear("done");
    this.#clientDone.catch(() => {});
    for (const program of [this.#client, this.#server]) {
      const sent = program.hear("notes-sent");
      sent.catch(() => {});
      this.#notesSent.push(sent);
    }
    await this.#client.tell({ ...setup, localAddress: local });
    const { ms } = await connected;
    this.#say(`the two met by id and connected in ${Math.round(ms)} ms`, {
      type: "met",
      ms,
    });
  }

  #program(
    name: string,
    permissions: string[],
    onLine: (line: Line) => void,
  ): Program {
    const args = permissions;
    return this.#stack.use(
      new Program(name, `${HERE}/${name}.ts`, args, onLine),
    );
  }

  #heard(who: "client" | "server", line: Line): void {
    switch (line.type) {
      case "event":
        return this.#event(who, line);
      case "progress":
        return this.#progress(who, line);
      case "failed":
        return this.#screen.line(who, `FAILED: ${line.error}`, line);
      case "notes":
        this.#notes.push({ who, ...line } as unknown as NoteCount);
        return;
      case "serving":
        if (line.restored) {
          this.#screen.line(
            who,
            `process ${line.pid} goes on with the listener, the sessions and its position`,
            line,
          );
        }
    }
  }

  #event(who: string, line: Line): void {
    const { event } = line;
    const inner = event.event;
    if (inner?.type === "resumed" && who === "client") {
      this.#pauses.push(inner.pauseMs);
    }
    if (inner?.type === "broker-up") this.#down.delete(who + inner.broker);
    if (inner?.type === "broker-down") {
      // Once: that it is still dead is no news.
      if (this.#down.has(who + inner.broker)) return;
      this.#down.add(who + inner.broker);
    }
    const text = describe(event);
    if (text !== undefined) this.#screen.line(who, text, line);
  }

  #progress(who: "client" | "server", line: Line): void {
    const before = this.#clientReceived + this.#serverReceived;
    if (who === "client") this.#clientReceived = line.received;
    else this.#serverReceived = line.received;
    const now = this.#clientReceived + this.#serverReceived;
    if (now > before) this.#movedAt = performance.now();
    const total = this.#options.mebibytes * MIB * 2;
    const seconds = (performance.now() - this.#began) / 1000;
    this.#screen.progress(
      `${(now / total * 100).toFixed(0).padStart(3)} %  ${bytesText(now)} of ${
        bytesText(total)
      }  ${(now / seconds / 1e6).toFixed(1)} MB/s`,
    );
    for (const wake of this.#moved.splice(0)) wake();
  }

  /** Waits until so much of both files has arrived. */
  async #until(percent: number): Promise<void> {
    const goal = this.#options.mebibytes * MIB * 2 * percent / 100;
    while (this.#clientReceived + this.#serverReceived < goal) {
      await this.#nextProgress();
    }
  }

  async #nextProgress(): Promise<void> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    const ended = this.#client.ended.then(() => "ended" as const);
    let tick: ReturnType<typeof setTimeout>;
    const outcome = await Promise.race([
      ended,
      new Promise<void>((resolve) => {
        this.#moved.push(resolve);
        tick = setTimeout(resolve, 500);
      }),
    ]).finally(() => clearTimeout(tick));
    signal.throwIfAborted();
    if (outcome === "ended") throw new Error("the client ended early");
    if (performance.now() - this.#movedAt > STALL_MS) {
      throw new Error(`no byte arrived for ${STALL_MS / 1000} s`);
    }
  }

  /** The harm, each at its place in the transfer. */
  async play(): Promise<void> {
    await this.#until(8);
    await this.#cut();
    await this.#until(15);
    await this.#killBroker();
    await this.#until(35);
    await this.#cut();
    await this.#until(50);
    await this.#move();
    await this.#until(65);
    await this.#countNotes();
    await this.#replaceServer();
    await this.#until(85);
    await this.#cut();
    // Only now may the transfer come to its end, however slow all this was.
    await this.#client.tell({ type: "finish" });
    await this.#until(100);
    await this.#clientDone;
  }

  async #cut(): Promise<void> {
    const cut = this.#proxy.hear("cut");
    await this.#proxy.tell({ type: "cut" });
    const { connections } = await cut;
    this.#steps.push("cut");
    this.#say(`the proxy resets ${connections} connection`, {
      type: "cut",
      connections,
    });
  }

  async #killBroker(): Promise<void> {
    const broker = this.#brokers[0]!;
    await broker.kill();
    this.#steps.push("kill-broker");
    this.#say(`kill -9 ${broker.pid}: broker ${broker.url} is dead`, {
      type: "kill-broker",
      broker: broker.url,
    });
  }

  async #move(): Promise<void> {
    if (this.#leftOut.includes("move")) return;
    this.#say(`the client moves from ${FIRST_ADDRESS} to ${SECOND_ADDRESS}`, {
      type: "move",
      from: FIRST_ADDRESS,
      to: SECOND_ADDRESS,
    });
    const pauses = this.#pauses.length;
    await this.#client.tell({ type: "move", address: SECOND_ADDRESS });
    while (this.#pauses.length === pauses) await this.#nextProgress();
    this.#steps.push("move");
  }

  async #countNotes(): Promise<void> {
    await Promise.all(this.#notesSent);
    for (const program of [this.#client, this.#server]) {
      const counted = program.hear("notes");
      await program.tell({ type: "count-notes" });
      await counted;
    }
  }

  async #replaceServer(): Promise<void> {
    if (Deno.build.os === "windows") {
      return this.#leave(
        "replace-server",
        "Windows cannot pass a listening socket on yet",
      );
    }
    this.#say(
      `the server process ${this.#server.pid} is replaced by a new one`,
      {
        type: "replace-server",
        pid: this.#server.pid,
      },
    );
    const replaced = this.#server.hear("replaced");
    await this.#server.tell({ type: "upgrade" });
    await replaced;
    this.#steps.push("replace-server");
  }

  #leave(step: string, why: string): void {
    this.#leftOut.push(step);
    this.#say(`left out: ${step}: ${why}`, { type: "left-out", step, why });
  }

  async outcome(): Promise<Facts> {
    const [up, upReceived, down, downReceived] = await Promise.all(
      ["up", "up-received", "down", "down-received"].map((name) =>
        hashFile(this.#path(name))
      ),
    );
    return {
      up: { sent: up!, received: upReceived! },
      down: { sent: down!, received: downReceived! },
      steps: this.#steps,
      leftOut: this.#leftOut,
      pausesMs: this.#pauses,
      notes: this.#notes,
      seconds: (performance.now() - this.#began) / 1000,
    };
  }
}

function runArgs(name: string, permissions: readonly string[]): string[] {
  return [
    "run",
    "--no-prompt",
    "--ignore-env",
    ...permissions,
    `${HERE}/${name}.ts`,
  ];
}

/** Whether this machine has that loopback address. */
function canUse(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
