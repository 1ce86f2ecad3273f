/**
 * A client that counts each kind of error: new connections, one request each,
 * and beside them connections that are kept.
 */

/** What came of a run. */
export interface Load {
  ok: number;
  /** Nobody listened. */
  refused: number;
  /** The connection was reset before the answer was whole. */
  reset: number;
  /** It ended before the answer was whole. */
  cut: number;
  other: string[];
  readonly pids: Set<string>;
  /** Milliseconds of each answer. */
  readonly times: number[];
}

/** A run that goes on until it is stopped. */
export interface Running {
  readonly load: Load;
  stop(): Promise<Load>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Starts it. */
export function startLoad(
  port: () => number,
  workers: { readonly fresh: number; readonly kept: number },
): Running {
  const load: Load = {
    ok: 0,
    refused: 0,
    reset: 0,
    cut: 0,
    other: [],
    pids: new Set(),
    times: [],
  };
  let running = true;
  const fresh = async (): Promise<void> => {
    while (running) await attempt(load, () => once(port(), load, "close"));
  };
  const kept = async (): Promise<void> => {
    while (running) {
      await attempt(load, async () => {
        using conn = await Deno.connect({
          hostname: "127.0.0.1",
          port: port(),
        });
        // A server may close a connection that is idle, but never after it
        // has been asked and before it has answered.
        while (running && await ask(conn, load, "keep-alive"));
      });
    }
  };
  const all = [
    ...Array.from({ length: workers.fresh }, fresh),
    ...Array.from({ length: workers.kept }, kept),
  ];
  return {
    load,
    stop: async () => {
      running = false;
      await Promise.all(all);
      return load;
    },
  };
}

async function once(port: number, load: Load, mode: string): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await ask(conn, load, mode);
}

/** Asks and reads one whole answer; whether the connection may be used again. */
async function ask(
  conn: Deno.TcpConn,
  load: Load,
  mode: string,
): Promise<boolean> {
  const began = performance.now();
  await conn.write(
    encoder.encode(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${mode}\r\n\r\n`),
  );
  const buffer = new Uint8Array(4096);
  let text = "";
  while (true) {
    const count = await conn.read(buffer);
    if (count === null) throw new Cut();
    text += decoder.decode(buffer.subarray(0, count));
    const [head, body] = text.split("\r\n\r\n");
    if (body === undefined) continue;
    const chunked = /transfer-encoding: chunked/i.test(head!);
    const length = Number(/content-length: *(\d+)/i.exec(head!)?.[1]);
    const whole = chunked ? body.includes("0\r\n") : body.length >= length;
    if (!whole && !(chunked && text.endsWith("0\r\n\r\n"))) continue;
    if (!head!.startsWith("HTTP/1.1 200")) {
      throw new Error(head!.split("\r\n")[0]);
    }
    load.ok++;
    load.times.push(performance.now() - began);
    load.pids.add(/pid (\d+)/.exec(body)?.[1] ?? body);
    return !/connection: close/i.test(head!);
  }
}

class Cut extends Error {}

async function attempt(load: Load, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Cut) load.cut++;
    else if (error instanceof Deno.errors.ConnectionRefused) load.refused++;
    else if (
      error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.BrokenPipe
    ) load.reset++;
    else load.other.push(String(error));
    // Else a dead server makes this loop spin.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
