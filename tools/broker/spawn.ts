/**
 * Brokers as processes of their own, to be killed, frozen and started again.
 * Development only, for demos and tests.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** A broker that runs in a process of its own; disposing kills it. */
export interface BrokerProcess extends AsyncDisposable {
  /** Where it listens on 127.0.0.1; the same after a restart. */
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>`, or `mqtts:`, `ws:`, `wss:`. */
  readonly url: string;
  /** The process that runs now. */
  readonly pid: number;
  /** Sends a signal: `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** `kill -9`, and waits until it is gone. A second call does nothing. */
  kill(): Promise<void>;
  /** Starts a new process on the same port, after {@linkcode kill}. */
  restart(): Promise<void>;
}

/** Starts the embedded broker (aedes, MQTT 3.1.1) in a Deno process. */
export async function startBroker(
  { inside = [] }: {
    /** A command that runs the rest of its arguments in another place. */
    readonly inside?: readonly string[];
  } = {},
): Promise<BrokerProcess> {
  const main = fileURLToPath(import.meta.resolve("./main.ts"));
  const [command, ...before] = [...inside, Deno.execPath()];
  const start = async (port: number): Promise<Started> => {
    const child = new Deno.Command(command!, {
      args: [
        ...before,
        "run",
        "--ignore-env",
        "--allow-net=127.0.0.1",
        main,
        `--port=${port}`,
        // It never outlives this process, however this one ends.
        "--until-stdin-ends",
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const { port: bound } = JSON.parse(await firstLine(child.stdout));
    return { child, stdin: child.stdin, port: bound };
  };
  return new Running(start, await start(0));
}

/**
 * Starts mosquitto, over TCP or over websockets. The caller sees to it that
 * the program is installed.
 */
export async function startMosquitto(
  options: {
    readonly websockets?: boolean;
    /** Certificate and key, as PEM: it takes TLS then, and nothing else. */
    readonly tls?: { readonly cert: string; readonly key: string };
  } = {},
): Promise<BrokerProcess> {
  const { websockets = false, tls } = options;
  const start = async (port: number): Promise<Started> => {
    const path = await Deno.makeTempFile({ suffix: ".conf" });
    const lines = ["allow_anonymous true", "user root"];
    // One over TCP in any case: without any mosquitto 2.0 does not start.
    if (websockets) lines.push(`listener ${freePort()} 127.0.0.1`);
    lines.push(`listener ${port} 127.0.0.1`);
    if (websockets) lines.push("protocol websockets");
    const files: string[] = [path];
    for (const [what, text] of tls ? Object.entries(tls) : []) {
      const file = await Deno.makeTempFile({ suffix: ".pem" });
      files.push(file);
      await Deno.writeTextFile(file, text);
      lines.push(`${what}file ${file}`);
    }
    await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
    const child = new Deno.Command("mosquitto", {
      args: ["-c", path],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await listening(port);
    } catch (error) {
      child.kill("SIGKILL");
      await child.status;
      throw error;
    } finally {
      for (const file of files) await Deno.remove(file);
    }
    return { child, port };
  };
  const first = await start(freePort());
  const protocol = websockets ? "ws" as const : "mqtt" as const;
  return new Running(
    start,
    first,
    tls === undefined ? protocol : `${protocol}s`,
  );
}

interface Started {
  readonly child: Deno.ChildProcess;
  readonly stdin?: WritableStream<Uint8Array>;
  readonly port: number;
}

class Running implements BrokerProcess {
  readonly port: number;
  readonly url: string;
  readonly #start: (port: number) => Promise<Started>;
  #child: Deno.ChildProcess;
  #stdin: WritableStream<Uint8Array> | undefined;
  #gone = false;

  constructor(
    start: (port: number) => Promise<Started>,
    first: Started,
    protocol: "mqtt" | "mqtts" | "ws" | "wss" = "mqtt",
  ) {
    this.#start = start;
    this.#child = first.child;
    this.#stdin = first.stdin;
    this.port = first.port;
    this.url = `${protocol}://127.0.0.1:${first.port}`;
  }

  get pid(): number {
    return this.#child.pid;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    this.#child.kill("SIGKILL");
    await this.#child.status;
    // Its standard input, where it has one: a pipe without a reader by now.
    await this.#stdin?.close().catch(() => {});
  }

  async restart(): Promise<void> {
    const { child, stdin } = await this.#start(this.port);
    this.#child = child;
    this.#stdin = stdin;
    this.#gone = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function firstLine(stdout: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const lines = stdout.pipeThrough(new TextDecoderStream());
  // Leaving the loop closes the pipe; nothing more is written to it.
  for await (const chunk of lines) {
    text += chunk;
    if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
  }
  throw new Error("Cannot start broker: it ended at once: see its output");
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`Cannot start mosquitto: nothing listens on port ${port}`);
}
