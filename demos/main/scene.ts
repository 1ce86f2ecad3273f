/** What happens to the cast, and what was heard of it. */
import { type Cast, startBrokers, startCast } from "./cast.ts";
import { canUse } from "./loopback.ts";
import { bytes as bytesText, describe } from "./describe.ts";
import type { Line } from "./lines.ts";
import type { RunOptions } from "./run.ts";
import type { Screen } from "./screen.ts";
import { hashFile } from "./seeded_file.ts";
import type { Facts, NoteCount } from "./summary.ts";

const MIB = 1024 * 1024;
const STALL_MS = 10_000;
const FIRST_ADDRESS = "127.0.0.2";
const SECOND_ADDRESS = "127.0.0.3";

/** See the module's comment. */
export class Scene {
  readonly #options: RunOptions;
  readonly #screen: Screen;
  readonly #folder: string;
  readonly #began = performance.now();
  #cast!: Cast;
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
  readonly #samples: { readonly time: number; readonly bytes: number }[] = [];

  constructor(options: RunOptions, screen: Screen, folder: string) {
    this.#options = options;
    this.#screen = screen;
    this.#folder = folder;
  }

  #say(text: string, data: Line): void {
    this.#screen.line("demo", text, data);
  }

  /** Resolves when the two have met. */
  async start(stack: AsyncDisposableStack): Promise<void> {
    const brokers = await startBrokers(stack);
    const urls = brokers.map(({ url }) => url);
    this.#say(`started three brokers: ${urls.join(", ")}`, {
      type: "brokers",
      brokers: urls,
    });
    const canMove = canUse(FIRST_ADDRESS) && canUse(SECOND_ADDRESS);
    if (!canMove) {
      this.#leave("move", "this system has one loopback address only");
    }
    this.#cast = await startCast(brokers, {
      run: this.#options,
      folder: this.#folder,
      localAddress: canMove ? FIRST_ADDRESS : undefined,
      onLine: (who, line) => this.#heard(who, line),
    }, stack);
    const { client, server } = this.#cast;
    this.#clientDone = client.hear("done");
    this.#notesSent.push(client.hear("notes-sent"), server.hear("notes-sent"));
    // They are waited for later; a program that ends early is told then.
    for (const later of [this.#clientDone, ...this.#notesSent]) {
      later.catch(() => {});
    }
    const { ms } = await client.hear("connected");
    this.#say(`the two met by id and connected in ${Math.round(ms)} ms`, {
      type: "met",
      ms,
    });
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
    this.#screen.progress(
      `${(now / total * 100).toFixed(0).padStart(3)} %  ${bytesText(now)} of ${
        bytesText(total)
      }  ${(this.#rate(now) / 1e6).toFixed(1)} MB/s`,
    );
    for (const wake of this.#moved.splice(0)) wake();
  }

  /** Bytes a second, over the last second. */
  #rate(now: number): number {
    const time = performance.now();
    this.#samples.push({ time, bytes: now });
    while (this.#samples[0]!.time < time - 1000) this.#samples.shift();
    const first = this.#samples[0]!;
    return (now - first.bytes) / Math.max(1, time - first.time) * 1000;
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
    const ended = this.#cast.client.ended.then(() => "ended" as const);
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
    await this.#cast.client.tell({ type: "finish" });
    await this.#until(100);
    await this.#clientDone;
  }

  async #cut(): Promise<void> {
    const cut = this.#cast.proxy.hear("cut");
    await this.#cast.proxy.tell({ type: "cut" });
    const { connections } = await cut;
    this.#steps.push("cut");
    this.#say(`the proxy resets ${connections} connection`, {
      type: "cut",
      connections,
    });
  }

  async #killBroker(): Promise<void> {
    const broker = this.#cast.brokers[0]!;
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
    await this.#cast.client.tell({ type: "move", address: SECOND_ADDRESS });
    while (this.#pauses.length === pauses) await this.#nextProgress();
    this.#steps.push("move");
  }

  async #countNotes(): Promise<void> {
    await Promise.all(this.#notesSent);
    for (const program of [this.#cast.client, this.#cast.server]) {
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
      `the server process ${this.#cast.server.pid} is replaced by a new one`,
      {
        type: "replace-server",
        pid: this.#cast.server.pid,
      },
    );
    const replaced = this.#cast.server.hear("replaced");
    await this.#cast.server.tell({ type: "upgrade" });
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
        hashFile(`${this.#folder}/${name}`)
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
