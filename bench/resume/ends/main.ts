/**
 * One end of a peer: does what the benchmark tells it, line by line. It holds
 * one peer alone, so that no other decides how V8 compiles what they share.
 */

/** What an end can be told to do. */
export type Handlers = Record<string, (args: never) => unknown>;

const TASKS: Record<
  string,
  () => Promise<{ handlers(side: string): Handlers | Promise<Handlers> }>
> = {
  bytes: () => import("./bytes.ts"),
  messages: () => import("./messages.ts"),
  talk: () => import("./talk.ts"),
  memory: () => import("./memory.ts"),
};

async function answer(handlers: Handlers, line: string): Promise<void> {
  const { id, name, args } = JSON.parse(line);
  let said: object;
  try {
    said = { id, value: await handlers[name]!(args as never) };
  } catch (error) {
    said = { id, error: `${name}: ${(error as Error).stack}` };
  }
  const bytes = new TextEncoder().encode(JSON.stringify(said) + "\n");
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

if (import.meta.main) {
  const [task, side] = Deno.args as [string, string];
  const handlers = await (await TASKS[task]!()).handlers(side);
  let text = "";
  const chunks = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  for await (const chunk of chunks) {
    text += chunk;
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) void answer(handlers, line);
  }
  Deno.exit(0);
}
