/** Programs that talk in lines of JSON, over standard input and output. */

/** What one program tells another; the rest of it depends on `type`. */
export interface Line {
  readonly type: string;
  // deno-lint-ignore no-explicit-any -- programs of one demo, which trust each other
  readonly [name: string]: any;
}

/** Says something to the program that started this one. */
export function say(line: Line): void {
  const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
  try {
    for (let at = 0; at < bytes.length;) {
      at += Deno.stdout.writeSync(bytes.subarray(at));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    // Whoever started this program is gone.
    Deno.exit(1);
  }
}

/** Says why this program fails, and ends it. */
export function fail(error: unknown): never {
  say({ type: "failed", error: (error as Error).message });
  Deno.exit(1);
}

/** What comes in, line by line. */
export async function* readLines(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncIterableIterator<Line> {
  let rest = "";
  for await (const text of source.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "") yield JSON.parse(line);
  }
}

/** A program that this one started. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended and has said everything. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #awaited = new Map<string, ((line: Line) => void)[]>();

  constructor(
    name: string,
    script: string,
    permissions: readonly string[],
    onLine: (line: Line) => void,
    /** A command that runs the rest of its arguments somewhere else. */
    inside: readonly string[] = [],
  ) {
    this.name = name;
    const [command, ...args] = [...inside, Deno.execPath()];
    this.#child = new Deno.Command(command!, {
      args: [
        ...args,
        ...["run", "--no-prompt", "--ignore-env", ...permissions, script],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.pid = this.#child.pid;
    this.#input = this.#child.stdin.getWriter();
    this.ended = this.#listen(onLine);
  }

  async #listen(onLine: (line: Line) => void): Promise<Deno.CommandStatus> {
    for await (const line of readLines(this.#child.stdout)) {
      onLine(line);
      for (const resolve of this.#awaited.get(line.type) ?? []) resolve(line);
      this.#awaited.delete(line.type);
    }
    return await this.#child.status;
  }

  /** Tells it something. */
  async tell(line: Line): Promise<void> {
    await this.#input.write(
      new TextEncoder().encode(JSON.stringify(line) + "\n"),
    );
  }

  /** The next line of that type. Rejects when the program ends first. */
  hear(type: string): Promise<Line> {
    return new Promise((resolve, reject) => {
      this.#awaited.set(type, [...this.#awaited.get(type) ?? [], resolve]);
      void this.ended.then((status) =>
        reject(
          new Error(
            `The ${this.name} ended (code ${status.code}) before it said "${type}"`,
          ),
        )
      );
    });
  }

  /** Forgets who waits for a line of that type: it will not come any more. */
  forget(type: string): void {
    this.#awaited.delete(type);
  }

  /** Kills it, if it runs. Its successors end with their standard input. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
  }
}
