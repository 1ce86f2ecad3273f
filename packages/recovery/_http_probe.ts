/**
 * One small HTTP/1.1 request over a connection of one's own: no proxy, no
 * redirect followed, no pool, the answer's head alone (RFC 9112).
 */
import { dial } from "./dial.ts";
import type { DialTcpOptions, DialTlsConfig } from "./dial_options.ts";
import { timedReader } from "./timed_reader.ts";
import { writeAll } from "./write_all.ts";

/** What a server answered. */
export interface HttpHead {
  readonly status: number;
  /** By name in lower case; of several the last. */
  readonly headers: ReadonlyMap<string, string>;
  /** How long the answer took once connected, in milliseconds. */
  readonly ms: number;
}

/** How to ask. */
export interface HttpProbe {
  readonly url: URL;
  readonly timeoutMs: number;
  /** Bytes of padding in the head of the request. */
  readonly padBytes?: number;
  /** The largest piece that is written at once. */
  readonly pieceBytes?: number;
  readonly dial?: DialTcpOptions;
  readonly tls?: DialTlsConfig;
  readonly signal?: AbortSignal | undefined;
}

const HEAD_BYTES_MAX = 16_384;

/** Asks; `undefined` when no head of HTTP came in time after connecting. */
export async function httpHead(
  probe: HttpProbe,
): Promise<HttpHead | undefined> {
  const { url, timeoutMs, padBytes = 0, pieceBytes } = probe;
  const isTls = url.protocol === "https:";
  const port = Number(url.port) || (isTls ? 443 : 80);
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const options = {
    ...{ deadlineMs: timeoutMs, ...probe.dial, signal: probe.signal },
    retry: () => false,
  };
  const conn = isTls
    ? await dial({ hostname, port }, { ...options, tls: probe.tls ?? {} })
    : await dial({ hostname, port }, options);
  const from = performance.now();
  try {
    if ("setNoDelay" in conn) conn.setNoDelay(true);
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\n` +
      `Host: ${url.host}\r\nConnection: close\r\nUser-Agent: holdfast\r\n` +
      `Accept: */*\r\nCache-Control: no-cache\r\n` +
      (padBytes > 0 ? `X-Padding: ${"x".repeat(padBytes)}\r\n` : "") + `\r\n`;
    await writeAll(conn, new TextEncoder().encode(request), {
      ...{ stallMs: timeoutMs, pieceBytes },
    });
    const reader = timedReader(conn);
    let text = "";
    while (!text.includes("\r\n\r\n") && text.length < HEAD_BYTES_MAX) {
      const left = Math.max(0, from + timeoutMs - performance.now());
      const bytes = await reader.read(left).catch(() => null);
      if (bytes === null) break;
      text += new TextDecoder("latin1").decode(bytes);
    }
    return readHead(text, performance.now() - from);
  } finally {
    conn.close();
  }
}

/** Reads the head of an answer; pure. */
export function readHead(text: string, ms: number): HttpHead | undefined {
  const [first = "", ...lines] = text.split("\r\n\r\n")[0]!.split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
  if (!(status >= 100)) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    headers.set(
      line.slice(0, colon).trim().toLowerCase(),
      line.slice(colon + 1).trim(),
    );
  }
  return { status, headers, ms };
}
