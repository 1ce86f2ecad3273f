/** A tunnel of two real processes, with a proxy between them that cuts. */
import { CutProxy } from "@holdfast/testkit/proxy";
import { assert } from "@std/assert";
import { deadline } from "@std/async";

const STALL_MS = 60_000;

/** A program that is killed by its id when the test is over. */
export class Running implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  #said = "";
  readonly #reading: Promise<void>;
  #heard: () => void = () => {};

  constructor(
    command: string,
    args: readonly string[],
    options: Pick<Deno.CommandOptions, "cwd" | "uid" | "gid"> = {},
  ) {
    this.child = new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        this.#said += text;
        this.#heard();
      }
      this.#heard();
    };
    const { stdout, stderr } = this.child;
    this.#reading = Promise.all([read(stdout), read(stderr)]).then(() => {});
  }

  /** All that it has said so far, on both of its streams. */
  get said(): string {
    return this.#said;
  }

  /** Waits until it has said something, so many times. */
  async says(what: RegExp, times = 1): Promise<RegExpExecArray> {
    let over = false;
    this.child.status.then(() => this.#reading).then(() => {
      over = true;
      this.#heard();
    });
    const all = new RegExp(what, "g");
    const found = async () => {
      for (;;) {
        const match = [...this.#said.matchAll(all)].at(times - 1);
        if (match !== undefined) return match;
        assert(!over, `it ended, and said only: ${this.#said}`);
        await new Promise<void>((resolve) => this.#heard = resolve);
      }
    };
    return await deadline(found(), STALL_MS);
  }

  /** The process that it is now, after as many restarts as it told of. */
  get pid(): number {
    const all = [...this.#said.matchAll(/"restarting","successor":(\d+)/g)];
    return Number(all.at(-1)?.[1] ?? this.child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(this.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#reading;
  }
}

/** See the module's comment. */
export interface TunnelWorld extends AsyncDisposable {
  readonly proxy: CutProxy;
  readonly serve: Running;
  readonly connect: Running;
  /** Where programs connect to. */
  readonly port: number;
  /** Cuts every connection so many times, spread over so many bytes. */
  cutDuring(times: number, bytes: number, over: () => boolean): Promise<void>;
  /** Cuts the only connection for the i-th time, from 0, and waits until it goes on. */
  cutAlone(i: number): Promise<void>;
}

const NET = "--allow-net=127.0.0.1";

/** What a restart needs beside what a tunnel needs. */
export const RESTART_PERMISSIONS: readonly string[] = [
  ...["--allow-run", "--allow-env", "--allow-write"],
];

function holdfast(permissions: readonly string[], args: string[]): Running {
  return new Running(Deno.execPath(), [
    ...["run", "--no-prompt", NET, "--allow-read", ...permissions, "cli.ts"],
    ...["tunnel", ...args],
  ]);
}

/** Starts `holdfast tunnel serve` and `connect` before a target. */
export async function startTunnel(
  targetPort: number,
  flags: {
    readonly serve?: string[];
    readonly connect?: string[];
    readonly permissions?: readonly string[];
  } = {},
): Promise<TunnelWorld> {
  const stack = new AsyncDisposableStack();
  const { permissions = [] } = flags;
  const listening = /"listening":"127\.0\.0\.1:(\d+)"/;
  const any = ["--listen", "127.0.0.1:0", "--json"];
  const serve = stack.use(
    holdfast(permissions, [
      ...["serve", ...any, "--to", `127.0.0.1:${targetPort}`],
      ...(flags.serve ?? []),
    ]),
  );
  const proxy = stack.use(await CutProxy.start());
  proxy.forward("127.0.0.1", Number((await serve.says(listening))[1]));
  const connect = stack.use(
    holdfast(permissions, [
      ...["connect", ...any, "--to", `127.0.0.1:${proxy.port}`],
      ...(flags.connect ?? []),
    ]),
  );
  const port = Number((await connect.says(listening))[1]);
  return {
    ...{ proxy, serve, connect, port },
    async cutDuring(times, bytes, over) {
      const from = proxy.bytes;
      for (let i = 1; i <= times && !over(); i++) {
        const next = from + bytes * i / (times + 1);
        while (proxy.bytes < next && !over()) await soon();
        proxy.cut(i % 3 === 0 ? "client" : "both");
      }
    },
    async cutAlone(i) {
      await connect.says(/connection-opened/);
      proxy.cut(i % 2 === 0 ? "both" : "client");
      await connect.says(/connection-resumed/, i + 1);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Lets the proxy work. */
export function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** A port that nobody has now, for programs that cannot say which they took. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until something answers there. */
export async function answers(port: number): Promise<void> {
  const until = Date.now() + STALL_MS;
  for (;;) {
    try {
      using _conn = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A file of random bytes. */
export async function randomFile(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  const chunk = new Uint8Array(65_536);
  for (let at = 0; at < bytes; at += chunk.length) {
    await file.write(crypto.getRandomValues(chunk));
  }
}

/** The SHA-256 of a file, which may be large. */
export async function hashOf(path: string): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const into = new Uint8Array(1024 * 1024);
  for (let n; (n = await file.read(into)) !== null;) {
    hash.update(into.subarray(0, n));
  }
  return hash.digest("hex");
}
