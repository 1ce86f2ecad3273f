/**
 * Who may do what: the page itself, and no other page that happens to be open in
 * the same browser. Pure.
 */
import { timingSafeEqual } from "node:crypto";

/** What of a request decides. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Pick<Headers, "get">;
}

/** Why not: an HTTP status and a sentence. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** The names by which a browser on this machine reaches the page. */
export function ownHosts(port: number): readonly string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`];
}

/**
 * Checks any request: a page of another site must not reach this server by a
 * name of its own that leads to 127.0.0.1 (DNS rebinding), nor use its streams.
 */
export function refuseAny(asked: Asked, port: number): Refusal | undefined {
  const host = asked.headers.get("host") ?? "";
  if (!ownHosts(port).includes(host)) {
    return {
      status: 421,
      text: `This is http://127.0.0.1:${port} and not ${host || "that"}.`,
    };
  }
  if (asked.path === "/") return undefined;
  return fromElsewhere(asked)
    ? { status: 403, text: "Only this server's own page may use it." }
    : undefined;
}

/** Checks a request that would do something. */
export function refuseAction(
  asked: Asked,
  port: number,
  token: string,
): Refusal | undefined {
  const { headers, method } = asked;
  if (method !== "POST") {
    return { status: 405, text: "An action is a POST." };
  }
  // A browser always names the page that a POST comes from.
  const origin = headers.get("origin");
  if (origin !== `http://${headers.get("host")}` || fromElsewhere(asked)) {
    return { status: 403, text: "Only the page of this server may do that." };
  }
  if (!sameText(headers.get("x-demo-token") ?? "", token)) {
    return {
      status: 403,
      text: "This page is of an earlier run: load it again.",
    };
  }
  return refuseAny(asked, port);
}

function fromElsewhere({ headers }: Asked): boolean {
  const site = headers.get("sec-fetch-site");
  return site !== null && site !== "same-origin" && site !== "none";
}

function sameText(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => new TextEncoder().encode(text));
  return x!.length === y!.length && timingSafeEqual(x!, y!);
}
