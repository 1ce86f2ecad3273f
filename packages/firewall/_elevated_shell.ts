import { FirewallError } from "./errors.ts";
import type { Call, Ran } from "./runner.ts";

/** Past this an answer is none of the tools that are asked. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20;
/** A user who is asked for a password may take this long. */
const PROMPT_MS = 120_000;
const CALL_MS = 30_000;

/**
 * A shell with rights that runs one call after the other. Each answer comes
 * between lines with a word that no tool can know.
 */
export class ElevatedShell {
  readonly #child: Deno.ChildProcess;
  readonly #method: string;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #complaints: Promise<string>;
  #text = "";
  #last: Promise<unknown> = Promise.resolve();

  constructor(child: Deno.ChildProcess, method: string) {
    this.#child = child;
    this.#method = method;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#complaints = new Response(child.stderr).text();
  }

  /** Waits until the user has said yes. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    const ran = await this.#ask("printf ready", PROMPT_MS, signal);
    if (ran?.type === "ran" && ran.stdout === "ready") return;
    await this.close();
    const [line = "no answer"] = (await this.#complaints).trim().split("\n");
    throw new FirewallError(
      "firewall/rights-refused",
      `Cannot get the rights of root by ${this.#method}: ${line}`,
    );
  }

  /** Runs one call, after those before it. */
  async run(call: Call, signal: AbortSignal | undefined): Promise<Ran> {
    signal?.throwIfAborted();
    const ran = await this.#ask(commandOf(call), CALL_MS, signal, call.stdin);
    if (ran === undefined) {
      throw new FirewallError(
        "firewall/rights-refused",
        `Cannot run ${call.tool}: the rights by ${this.#method} have ended`,
      );
    }
    return ran.type === "ran" && ran.code === 127 ? { type: "absent" } : ran;
  }

  async close(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
    await this.#child.status;
  }

  #ask(
    command: string,
    ms: number,
    signal: AbortSignal | undefined,
    stdin?: string,
  ): Promise<Ran | undefined> {
    const answer = this.#last.then(() => this.#one(command, ms, signal, stdin));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #one(
    command: string,
    ms: number,
    signal: AbortSignal | undefined,
    stdin: string | undefined,
  ): Promise<Ran | undefined> {
    const word = `HF${crypto.randomUUID().replaceAll("-", "")}`;
    const script = framed(command, word, stdin);
    const timer = setTimeout(() => this.#kill(), ms);
    const abort = () => this.#kill();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#writer.write(new TextEncoder().encode(script));
      return await this.#answer(word);
    } catch {
      signal?.throwIfAborted();
      return undefined; // It has ended: the pipe is broken.
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** The program that asks for the password; with it the shell ends. */
  #kill(): void {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended, or runs with rights that this program has not.
    }
    this.#reader.cancel().catch(() => {});
  }

  async #answer(word: string): Promise<Ran | undefined> {
    const end = `\n${word} end\n`;
    for (;;) {
      const at = this.#text.indexOf(end);
      if (at >= 0) {
        const answer = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + end.length);
        return unframed(answer, word);
      }
      const { value } = await this.#reader.read();
      if (value === undefined) return undefined;
      this.#text += value;
      if (this.#text.length > ANSWER_BYTES_MAX) return undefined;
    }
  }
}

/** `'it'\''s'`: a shell reads nothing in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function commandOf({ tool, args }: Call): string {
  if (!/^[a-z][a-z0-9-]*$/.test(tool)) {
    throw new TypeError(`Cannot run: ${JSON.stringify(tool)} is no tool`);
  }
  return [tool, ...args].map(shellQuote).join(" ");
}

/** A script that runs it, and prints what it said, its code and complaints. */
export function framed(
  command: string,
  word: string,
  stdin: string | undefined,
): string {
  // A line of the input cannot end it: the word is fresh for each call.
  const input = stdin === undefined
    ? "</dev/null"
    : `<<'${word}'\n${stdin}${stdin.endsWith("\n") ? "" : "\n"}${word}`;
  return `{ complaints=$( { ${command} 3>&- ${input}
} 2>&1 1>&3 ); code=$?; } 3>&1
printf '\\n%s %s\\n%s\\n%s end\\n' ${word} "$code" "$complaints" ${word}
`;
}

function unframed(answer: string, word: string): Ran | undefined {
  const at = answer.lastIndexOf(`\n${word} `);
  const [head = "", ...rest] = answer.slice(at + word.length + 2).split("\n");
  if (at < 0 || !/^\d+$/.test(head)) return undefined;
  return {
    type: "ran",
    code: Number(head),
    stdout: answer.slice(0, at),
    stderr: rest.join("\n"),
  };
}
