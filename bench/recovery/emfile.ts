/** Listeners without a descriptor left: whether they live on. */
import { type Part, round } from "./numbers.ts";

const CHILD = new URL("./emfile_child.ts", import.meta.url).pathname;

async function measure(kind: "ours" | "plain", events: number) {
  const process = new Deno.Command("sh", {
    args: [
      "-c",
      `ulimit -n 96; exec "$0" run --no-check -A "$1" ${kind} ${events}`,
      ...[Deno.execPath(), CHILD],
    ],
    ...{ stdin: "null", stdout: "piped", stderr: "null" },
  }).spawn();
  const conns: Deno.Conn[] = [];
  let text = "";
  for await (
    const chunk of process.stdout.pipeThrough(new TextDecoderStream())
  ) {
    text += chunk;
    if (conns.length > 0 || !text.includes("\n")) continue;
    // One that waits at each: every accept fails until there is room.
    for (const port of JSON.parse(text.split("\n")[0]!)) {
      conns.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }
  }
  await process.status;
  for (const conn of conns) conn.close();
  return JSON.parse(text.trim().split("\n").at(-1)!);
}

/** Deaths over so many failures, and how soon it goes on. */
export async function emfile(events: number): Promise<Part> {
  const ours = await measure("ours", events);
  const plain = await measure("plain", 8);
  return {
    figures: {
      emfile_events: ours.errors,
      emfile_listener_deaths: ours.deaths + 8 - ours.served,
      emfile_resume_ms: round(ours.resumeMs),
    },
    peers: { plain_emfile_listener_deaths_of_8: plain.deaths },
  };
}
