/** The processes of the benchmark: each end of each peer has one of its own. */

interface Call {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

const END = new URL("./ends/main.ts", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url);

/** A process that does what it is told, by lines of JSON over its pipes. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #calls = new Map<number, Call>();
  readonly #reading: Promise<void>;
  #count = 0;

  /** Starts `ends/main.ts` for a task and the name of a peer. */
  constructor(task: string, side: string) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--ignore-env",
        "--allow-net=127.0.0.1",
        "--allow-read",
        "--allow-sys",
        "--v8-flags=--expose-gc",
        `--config=${CONFIG.pathname}`,
        END.pathname,
        task,
        side,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    let text = "";
    const chunks = this.#process.stdout.pipeThrough(new TextDecoderStream());
    for await (const chunk of chunks) {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) this.#answered(JSON.parse(line));
    }
    for (const { reject } of this.#calls.values()) {
      reject(new Error("The process ended"));
    }
    this.#calls.clear();
  }

  #answered(line: { id: number; value?: never; error?: string }): void {
    const call = this.#calls.get(line.id);
    this.#calls.delete(line.id);
    if (line.error === undefined) call?.resolve(line.value as never);
    else call?.reject(new Error(line.error));
  }

  /** Has it do something, and waits for what it answers. */
  async call<T>(name: string, args: object = {}): Promise<T> {
    const id = this.#count++;
    const answer = new Promise<T>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as Call["resolve"], reject });
    });
    const line = JSON.stringify({ id, name, args }) + "\n";
    await this.#stdin.write(new TextEncoder().encode(line));
    return await answer;
  }

  /** Ends it as a crash would: the system closes its connections. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Ends it and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#process.status;
    await this.#reading;
  }
}

/** A server and a client of one peer. */
export class Pair implements AsyncDisposable {
  readonly server: Child;
  readonly client: Child;

  constructor(task: string, side: string) {
    this.server = new Child(task, side);
    this.client = new Child(task, side);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.server[Symbol.asyncDispose](),
      this.client[Symbol.asyncDispose](),
    ]);
  }
}
