/** The processes of the benchmark of durable sessions. */
import { connectResumable } from "@holdfast/resume";

const END = new URL("./end.ts", import.meta.url).pathname;

/** Starts one; see `end.ts` for what it can be told. */
export function start(...args: (string | number)[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-all", END, ...args.map(String)],
    stdout: "piped",
  }).spawn();
}

/** The first line that it says: a number. */
export async function said(child: Deno.ChildProcess): Promise<number> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return Number(new TextDecoder().decode(value));
}

/** Ends it. */
export async function stop(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.stdout.cancel();
  await child.status;
}

/** Dials a port on loopback. */
export function dial(port: number): () => Promise<Deno.TcpConn> {
  return () => Deno.connect({ hostname: "127.0.0.1", port });
}

/** Megabytes a second that a durable server sends; its store is a file or a Redis. */
export async function ours(place: string, bytes: number): Promise<number> {
  const child = start("serve", 0, place, bytes);
  const conn = await connectResumable(dial(await said(child)));
  await conn.write(new Uint8Array(1));
  const from = performance.now();
  const into = new Uint8Array(256 * 1024);
  for (let got = 0; got < bytes;) got += (await conn.read(into))!;
  const ms = performance.now() - from;
  conn.abort();
  await stop(child);
  return bytes / 1000 / ms;
}
