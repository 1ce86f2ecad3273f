/** What the page of the browser test runs: a resumable stream, both ways. */
import { connectResumable } from "@holdfast/resume";
import { dialWebSocket } from "@holdfast/resume/websocket";

/** What the page found. */
export interface PageReport {
  readonly sentSha256: string;
  readonly receivedSha256: string;
  readonly received: number;
  readonly resumed: number;
  readonly replayed: number;
  readonly reasons: readonly string[];
  readonly state: string;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(
    new Uint8Array(digest),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** Sends random bytes, and reads to the end, at the pace of the test. */
async function stream(
  url: string,
  bytes: number,
  heartbeatMs: number,
): Promise<PageReport> {
  const conn = await connectResumable(dialWebSocket(url), {
    heartbeatMs,
    redialMaxMs: 100,
  });
  const reasons: string[] = [];
  conn.on("detached", ({ reason }) => reasons.push(reason));
  const up = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(up.subarray(at, Math.min(bytes, at + 65_536)));
  }
  const sending = (async () => {
    for (let at = 0; at < bytes;) {
      at += await conn.write(up.subarray(at, at + 16_384));
      // Slow enough for the cuts to fall into the middle of it.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await conn.closeWrite();
  })();
  const parts: Uint8Array[] = [];
  let received = 0;
  for (const into = new Uint8Array(65_536);;) {
    const n = await conn.read(into);
    if (n === null) break;
    parts.push(into.slice(0, n));
    received += n;
  }
  await sending;
  const down = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    down.set(part, at);
    at += part.length;
  }
  conn.close();
  await conn.closed;
  const { resumed, replayed } = conn.stats();
  return {
    sentSha256: await sha256(up),
    receivedSha256: await sha256(down),
    received,
    resumed,
    replayed,
    reasons,
    state: conn.state.name,
  };
}

(globalThis as unknown as { stream: typeof stream }).stream = stream;
