import type { Argument, RedisConnection } from "./_redis_client.ts";
import { CLAIM, COMMIT, CREATE, RELIEVE } from "./_redis_scripts.ts";
import { ResumeError } from "./errors.ts";
import type {
  NewSessionRecord,
  SessionChange,
  SessionClaim,
  SessionStore,
  StoredHead,
  StoredSession,
  WrittenFrames,
} from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const HEAD = ["epoch", "secret", "next", "key", "ended"];
const NOTHING: Bytes = new Uint8Array(0);
const FLAGS = ["finQueued", "finRead", "peerClosed"] as const;
const decoder = new TextDecoder();

/** See `redisStore`. */
export class RedisStore implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  #sequence = 0;

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  // In braces: a proxy or a cluster that looks at them keeps the three together.
  #keys(sid: string): string[] {
    const base = `${this.#prefix}{${sid}}`;
    return [base, `${base}:output`, `${base}:order`];
  }

  #eval(
    script: string,
    keys: readonly string[],
    args: readonly Argument[],
  ): Promise<unknown> {
    return this.#redis.call("EVAL", script, keys.length, ...keys, ...args);
  }

  async create(session: NewSessionRecord): Promise<void> {
    const { sid, secret, keyId, expiresAt } = session;
    await this.#eval(CREATE, this.#keys(sid).slice(0, 1), [
      ...[fromNow(expiresAt), "epoch", 1, "secret", secret, "next", NOTHING],
      ...["key", keyId, "written", 0, "consumed", 0, "flags", 0],
    ]);
  }

  async find(sid: string): Promise<StoredHead | undefined> {
    const found = await this.#redis.call(
      "HMGET",
      this.#keys(sid)[0]!,
      ...HEAD,
    ) as (Uint8Array | null)[];
    return headOf(
      new Map(HEAD.map((name, i) => [name, found[i] ?? undefined])),
    );
  }

  async claim(claim: SessionClaim): Promise<StoredSession | undefined> {
    const { sid, from, to, secret, nextSecret, expiresAt } = claim;
    const found = await this.#eval(
      CLAIM,
      this.#keys(sid),
      [from, to, fromNow(expiresAt), secret, nextSecret],
    ) as [Uint8Array[], Uint8Array[], Uint8Array[]] | null;
    if (found === null) return undefined;
    const [pairs, names, frames] = found;
    const fields = new Map<string, Uint8Array>();
    for (let i = 0; i < pairs.length; i += 2) {
      fields.set(decoder.decode(pairs[i]), pairs[i + 1]!);
    }
    const [finQueued, finRead, peerClosed] = FLAGS.map((_, bit) =>
      (numberOf(fields.get("flags")) & 1 << bit) !== 0
    );
    return {
      ...headOf(fields)!,
      cut: {
        written: numberOf(fields.get("written")),
        consumed: numberOf(fields.get("consumed")),
        ...{
          finQueued: finQueued!,
          finRead: finRead!,
          peerClosed: peerClosed!,
        },
      },
      output: names.map((name, i): WrittenFrames => {
        const [start, stop] = decoder.decode(name).split(":").map(Number);
        return { from: start!, to: stop!, frames: bytesOf(frames[i]) };
      }),
      appState: fields.has("state") ? bytesOf(fields.get("state")) : undefined,
    };
  }

  async commit(changes: readonly SessionChange[]): Promise<readonly string[]> {
    if (changes.length === 0) return [];
    const keys = changes.flatMap(({ sid }) => this.#keys(sid));
    const args = changes.flatMap((change) => this.#change(change));
    try {
      const away = await this.#eval(COMMIT, keys, args) as number[];
      return away.map((number) => changes[number - 1]!.sid);
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.#eval(
        RELIEVE,
        keys,
        changes.flatMap(({ epoch, acked }) => [epoch, acked]),
      );
      throw new ResumeError(
        "resume/store",
        "Cannot use the session store in Redis: it has no memory left: raise its maxmemory",
        { cause: error },
      );
    }
  }

  #change(change: SessionChange): Argument[] {
    const { epoch, expiresAt, cut, frames = [], acked, appState, ended } =
      change;
    const fields: Argument[] = [];
    if (cut !== undefined) {
      const flags = FLAGS.reduce(
        (all, name, bit) => cut[name] ? all | 1 << bit : all,
        0,
      );
      fields.push("written", cut.written, "consumed", cut.consumed);
      fields.push("flags", flags);
    }
    if (appState !== undefined) fields.push("state", appState);
    return [
      ...[epoch, ++this.#sequence, fromNow(expiresAt), acked, ended ?? ""],
      ...[fields.length / 2, frames.length, ...fields],
      ...frames.flatMap(({ from, to, frames: bytes }) => [from, to, bytes]),
    ];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#redis.close();
  }
}

// In milliseconds; what is over is so soon.
function fromNow(expiresAt: number): number {
  return Math.max(1, Math.round(expiresAt - Date.now()));
}

function isFull(error: unknown): boolean {
  return error instanceof ResumeError && error.cause instanceof Error &&
    /\bOOM\b/.test(error.cause.message);
}

function numberOf(text: Uint8Array | undefined): number {
  return Number(decoder.decode(text));
}

// Of its own memory: what the client gives may be a part of a larger piece.
function bytesOf(bytes: Uint8Array | undefined): Bytes {
  return new Uint8Array(bytes ?? NOTHING);
}

function headOf(
  fields: ReadonlyMap<string, Uint8Array | undefined>,
): StoredHead | undefined {
  const epoch = fields.get("epoch");
  if (epoch === undefined) return undefined;
  const ended = fields.get("ended");
  return {
    epoch: numberOf(epoch),
    secret: bytesOf(fields.get("secret")),
    nextSecret: bytesOf(fields.get("next")),
    keyId: bytesOf(fields.get("key")),
    ended: ended === undefined ? undefined : numberOf(ended),
  };
}
