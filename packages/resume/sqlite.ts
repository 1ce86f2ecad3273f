/**
 * A store of sessions in a file, by the SQLite that Deno has built in: sessions
 * outlive their server, even one that is killed.
 *
 * ```ts
 * import { acceptResumable, connectResumable } from "@holdfast/resume";
 * import { sqliteStore } from "@holdfast/resume/sqlite";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".db" });
 * await using store = sqliteStore(file);
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { hostname, port } = listener.addr;
 * await using server = acceptResumable(listener, { store });
 * const client = await connectResumable(() => Deno.connect({ hostname, port }));
 * const accepted = await server.accept();
 * await accepted.write(new Uint8Array([1, 2, 3])); // Recorded, then sent.
 * assertEquals(await client.read(new Uint8Array(8)), 3);
 * client.close();
 * accepted.close();
 * await Promise.all([client.closed, accepted.closed]);
 * ```
 *
 * @module
 */
import { SqliteStore } from "./_sqlite_store.ts";
import type { SessionStore } from "./store.ts";

/** Options for {@linkcode sqliteStore}. */
export interface SqliteStoreOptions {
  /**
   * What a recorded change survives. `"process"`: the process being killed at
   * any moment. `"power"`: the machine losing power too, which takes a
   * `fdatasync` for each commit. Either way the file stays whole
   * (`PRAGMA synchronous` NORMAL and FULL, in WAL mode).
   *
   * @default {"process"}
   */
  readonly survives?: "process" | "power" | undefined;
  /**
   * Milliseconds since 1970.
   *
   * @default {Date.now}
   */
  readonly now?: (() => number) | undefined;
}

/**
 * Opens, or makes, a store of sessions in a file. One process at a time has it.
 * The file holds the secrets of its sessions and is readable by its owner only.
 * Needs `--allow-read` and `--allow-write` for the path.
 *
 * @throws {ResumeError} `resume/store` when the file is something else, is
 * damaged, or cannot be opened.
 */
export function sqliteStore(
  path: string,
  options: SqliteStoreOptions = {},
): SessionStore {
  const { survives = "process", now = Date.now } = options;
  if (survives !== "process" && survives !== "power") {
    throw new TypeError(
      `Cannot use survives: it must be "process" or "power": current value is "${survives}"`,
    );
  }
  return new SqliteStore(path, survives === "power", now);
}
