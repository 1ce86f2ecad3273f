/** The two host programs in the lab, and what they say. */
import { createIdentity, exportIdentity } from "@holdfast/signal";
import type { Host, PeerLab } from "@holdfast/testkit/peer-lab";
import { type Line, readLines } from "../../demos/main/lines.ts";
import type { HostSetup } from "./_peer_host.ts";

const PROGRAM = new URL("./_peer_host.ts", import.meta.url).pathname;
const RUN = ["run", "--no-check", "--no-prompt", "-A", PROGRAM];
const SOON_MS = 60_000;

/** Something that a host said, and when. */
export interface Said {
  readonly host: Host;
  readonly atMs: number;
  readonly line: Line;
}

/** A host program. */
class HostProgram {
  readonly ended: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  constructor(command: string[], heard: (line: Line) => void) {
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.ended = this.#listen(heard);
  }

  async #listen(heard: (line: Line) => void): Promise<void> {
    for await (const line of readLines(this.#child.stdout)) heard(line);
    await this.#child.status;
  }

  async tell(line: Line): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
    // One that has ended said why.
    await this.#input.write(bytes).catch(() => {});
  }

  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.ended;
  }
}

/** Options of a pair. */
export interface PairOptions {
  /** Whether host b keeps its streams in a file. */
  readonly durable?: boolean;
  /** Whether host a listens, so that it can be called back. */
  readonly callable?: boolean;
  /** Switches off what makes a cut lose nothing. */
  readonly withoutReplay?: boolean;
  /** Whether host b opens its port in its rules. */
  readonly openPort?: boolean;
}

/** Host a connects to host b. */
export class Pair implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #lab: PeerLab;
  readonly #programs = new Map<Host, HostProgram>();
  readonly #setups = new Map<Host, HostSetup>();
  readonly #pids = new Map<Host, number>();
  readonly #waiting = new Set<() => void>();

  private constructor(lab: PeerLab) {
    this.#lab = lab;
  }

  static async start(lab: PeerLab, options: PairOptions): Promise<Pair> {
    const pair = new Pair(lab);
    const [a, b] = [await createIdentity(), await createIdentity()];
    const { brokers } = lab;
    const folder = await Deno.makeTempDir({ prefix: "holdfast-peer-" });
    pair.#setups.set("b", {
      ...{ identity: exportIdentity(b), brokers, listen: true },
      ...(options.durable ? { store: `${folder}/sessions.db` } : {}),
      withoutReplay: options.withoutReplay ?? false,
      ...(options.openPort ? { openPort: `${folder}/ledger` } : {}),
    });
    pair.#setups.set("a", {
      ...{ identity: exportIdentity(a), brokers, connectTo: b.id },
      listen: options.callable ?? true,
      withoutReplay: options.withoutReplay ?? false,
    });
    pair.#folder = folder;
    await pair.#run("b");
    await pair.#run("a");
    await Promise.all([
      pair.heard("a", ({ type }) => type === "connected"),
      pair.heard("b", ({ type }) => type === "connected"),
    ]);
    return pair;
  }

  #folder = "";

  async #run(host: Host): Promise<void> {
    const from = this.said.length;
    const command = this.#lab.inside(host, [Deno.execPath(), ...RUN]);
    const program = new HostProgram(
      command,
      (line) => this.#heard(host, line),
    );
    this.#programs.set(host, program);
    await program.tell(this.#setups.get(host) as unknown as Line);
    await this.heard(host, ({ type }) => type === "ready", from);
  }

  #heard(host: Host, line: Line): void {
    if (line.type === "ready") this.#pids.set(host, line.pid);
    this.said.push({ host, atMs: Date.now(), line });
    for (const look of [...this.#waiting]) look();
  }

  /** What a host says, from the number `from` of all that was said on. */
  heard(
    host: Host,
    is: (line: Line) => boolean,
    from = 0,
  ): Promise<Said> {
    const failed = this.said.find(({ line }) => line.type === "failed");
    if (failed !== undefined) {
      const { host, line } = failed;
      return Promise.reject(new Error(`Host ${host}: ${line.error}`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`Host ${host} did not say what was awaited: ${is}`));
      }, SOON_MS);
      let at = from;
      const look = (): void => {
        for (; at < this.said.length; at++) {
          const one = this.said[at]!;
          if (one.line.type === "failed") {
            clearTimeout(timer);
            this.#waiting.delete(look);
            return reject(new Error(`Host ${one.host}: ${one.line.error}`));
          }
          if (one.host !== host || !is(one.line)) continue;
          clearTimeout(timer);
          this.#waiting.delete(look);
          return resolve(one);
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  signal(host: Host, name: "SIGCONT" | "SIGSTOP" | "SIGKILL"): void {
    Deno.kill(this.#pids.get(host)!, name);
  }

  /** The process of host b is replaced, with its streams. */
  async upgrade(): Promise<void> {
    const from = this.said.length;
    await this.#programs.get("b")!.tell({ type: "upgrade", args: RUN });
    await this.heard("b", ({ type }) => type === "ready", from);
  }

  /** Host b is killed, and started again with its store. */
  async crash(): Promise<void> {
    this.signal("b", "SIGKILL");
    await this.#programs.get("b")!.end();
    await this.#run("b");
  }

  /** Both say what they sent and received, to the last byte. */
  async finish(): Promise<Record<Host, Line>> {
    const done = async (host: Host) => {
      const from = this.said.length;
      await this.#programs.get(host)!.tell({ type: "finish" });
      return (await this.heard(host, ({ type }) => type === "done", from)).line;
    };
    const [a, b] = await Promise.all([done("a"), done("b")]);
    return { a, b };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#pids.values()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    for (const program of this.#programs.values()) await program.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
