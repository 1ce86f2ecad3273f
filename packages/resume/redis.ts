/**
 * A store of sessions in Redis, for a fleet of servers: a client may resume at
 * any of them, and whichever took its session over has it alone.
 *
 * ```ts ignore
 * import { acceptResumable } from "@holdfast/resume";
 * import { redisStore } from "@holdfast/resume/redis";
 *
 * await using store = redisStore("redis://10.0.0.5:6379");
 * const listener = Deno.listen({ port: 7000 });
 * await using server = acceptResumable(listener, { store, commits: "manual" });
 * ```
 *
 * @module
 */
import { inRange } from "./_options.ts";
import { RedisConnection } from "./_redis_client.ts";
import { RedisStore } from "./_redis_store.ts";
import type { SessionStore } from "./store.ts";

/** Options for {@linkcode redisStore}. */
export interface RedisStoreOptions {
  /**
   * What the names of all keys begin with; servers with another one share
   * nothing.
   *
   * @default {"holdfast:"}
   */
  readonly prefix?: string | undefined;
  /**
   * How long Redis may take to answer, in milliseconds. Later than that a call
   * fails, and the server makes it again.
   *
   * @default {2_000}
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * A store in one Redis (or Valkey) server, 6 or newer; not in a cluster, where
 * no step can touch several sessions. The connection is made when it is first
 * used, by `npm:ioredis`, and made again when it breaks.
 *
 * What a recorded change survives is for Redis to say: run it with
 * `appendonly yes`, or a restart forgets sessions, and with
 * `maxmemory-policy noeviction`, or it throws some away. `appendfsync always`
 * survives the loss of power. It holds the secrets and data of sessions: let
 * nobody else reach it. Needs `--allow-net` for its address, and `--allow-env`
 * or `--ignore-env`, since its client looks for settings there.
 *
 * @param url `redis://[user:password@]host[:port][/database]`, or `rediss://`
 * for TLS.
 * @throws {TypeError} When the address is none.
 * @throws {RangeError} For an option out of range.
 */
export function redisStore(
  url: string,
  options: RedisStoreOptions = {},
): SessionStore {
  const { prefix = "holdfast:", timeoutMs = 2_000 } = options;
  inRange("timeoutMs", timeoutMs, 1, 2 ** 31 - 1);
  // The address is not told: it may have a password.
  if (!/^rediss?:\/\/[^/\s]+/.test(url) || !URL.canParse(url)) {
    throw new TypeError(
      "Cannot use the address of Redis: it must be redis://host:port or rediss://host:port",
    );
  }
  return new RedisStore(new RedisConnection(url, timeoutMs), prefix);
}
