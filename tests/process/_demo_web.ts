/** `deno task demo:web`, started with the permissions of the task. */
import process from "node:process";

/** A demo that runs. */
export interface DemoWeb extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly child: Deno.ChildProcess;
  /** What it says of where the programs run. */
  readonly place: string;
  /** The token of its page. */
  token(): Promise<string>;
  /** What a page hears first. */
  hello(): Promise<Hello>;
}

/** As much of it as the tests look at. */
export interface Hello {
  readonly view: {
    readonly client: { readonly pid: number };
    readonly server: { readonly pid: number; readonly generation: number };
    readonly brokers: readonly { readonly pid: number }[];
    readonly up: Readonly<Record<string, number>>;
    readonly down: Readonly<Record<string, number>>;
    readonly phase: string;
    readonly resumed: number;
  };
  readonly notes: readonly { readonly who: string; readonly text: string }[];
}

const { tasks } = JSON.parse(await Deno.readTextFile("deno.json")) as {
  tasks: Record<string, { command: string }>;
};

/** The arguments of the task. */
export function demoArgs(args: readonly string[]): string[] {
  const [, run, ...rest] = tasks["demo:web"]!.command.split(" ");
  return [run!, "--no-prompt", ...rest, ...args];
}

/** Starts it, and waits until the two programs stream. */
export async function startDemoWeb(
  args: readonly string[] = [],
): Promise<DemoWeb> {
  const child = new Deno.Command(Deno.execPath(), {
    args: demoArgs(["--json", ...args]),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines: { type: string; url?: string; place?: string }[] = [];
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; lines.length < 2;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The demo ended early, after ${text}`);
    text += value;
    const whole = text.split("\n");
    text = whole.pop()!;
    lines.push(...whole.map((line) => JSON.parse(line)));
  }
  const url = lines[0]!.url!;
  let token: Promise<string> | undefined;
  return {
    url,
    port: Number(new URL(url).port),
    child,
    place: lines[1]!.place!,
    token: () => token ??= readToken(url),
    hello: async () => await firstEvent(`${url}events`) as Hello,
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill("SIGINT");
      } catch {
        // It has ended by itself.
      }
      await reader.cancel();
      await child.status;
    },
  };
}

async function readToken(url: string): Promise<string> {
  const page = await (await fetch(url)).text();
  return /name="demo-token" content="([0-9a-f]{32})"/.exec(page)![1]!;
}

/** The data of the first event of a stream. */
async function firstEvent(url: string): Promise<unknown> {
  const response = await fetch(url);
  let text = "";
  for await (
    const chunk of response.body!.pipeThrough(new TextDecoderStream())
  ) {
    text += chunk;
    const data = /\ndata: (.*)\n\n/.exec(text)?.[1];
    if (data !== undefined) return JSON.parse(data);
  }
  throw new Error(`${url} gave no event`);
}

/** Whether a process of that id is there. */
export function isAlive(pid: number): boolean {
  try {
    // Signal 0 asks, and does nothing.
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
