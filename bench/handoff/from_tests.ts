/**
 * What the bench shares with the tests of the package: the client that counts
 * errors, the receivers, and connections under traffic. By URL, since a
 * package's testdata is no part of what it exports.
 */
import type { Detachable, DetachOptions } from "@holdfast/handoff";

/** See `testdata/load.ts`. */
export interface Load {
  readonly ok: number;
  readonly refused: number;
  readonly reset: number;
  readonly cut: number;
  readonly other: readonly string[];
  readonly times: number[];
}

/** See `testdata/traffic.ts`. */
export interface Exact {
  readonly sent: number;
  readonly back: number;
  readonly same: boolean;
}

type Give = (conn: Detachable, options: DetachOptions) => Promise<void>;

// deno-lint-ignore no-explicit-any
async function load(name: string): Promise<any> {
  const folder = "../../packages/handoff/testdata/";
  return await import(new URL(folder + name, import.meta.url).href);
}

/** Starts the client that counts each kind of error. */
export const startLoad: (
  port: () => number,
  workers: { readonly fresh: number; readonly kept: number },
) => { stop(): Promise<Load> } = (await load("load.ts")).startLoad;

/** Starts a receiver of another language. */
export const startReceiver: (
  language: "c" | "python" | "node" | "deno" | "go",
) => Promise<AsyncDisposable & { readonly path: string }> =
  (await load("receiver_process.ts")).startReceiver;

/** One connection under traffic, of the kind that `index` says. */
export async function traffic(
  index: number,
  bytes: number,
  give: Give,
): Promise<Exact> {
  const { GIVEN, giveUnderTraffic } = await load("traffic.ts");
  return await giveUnderTraffic(GIVEN[index % GIVEN.length], bytes, give);
}
