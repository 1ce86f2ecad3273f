/** A connection to Redis that fails soon, and says so, instead of waiting. */
import { errorText } from "./_deno.ts";
import { ResumeError } from "./errors.ts";

/** What is sent to Redis. */
export type Argument = string | number | Uint8Array;

/** What of `npm:ioredis` is used. */
interface Client {
  readonly status: string;
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>;
  on(
    type: "end" | "error" | "ready",
    listener: (error: Error) => void,
  ): unknown;
  off(type: "ready", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

/** See the module's comment. */
export class RedisConnection {
  readonly #url: string;
  readonly #timeoutMs: number;
  #client: Promise<Client> | undefined;
  #lastError: Error | undefined;
  #closed = false;

  constructor(url: string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /** Sends a command; gives what Redis answers, texts as bytes. */
  async call(command: string, ...args: Argument[]): Promise<unknown> {
    try {
      if (this.#closed) throw new Error("it was closed");
      const client = await (this.#client ??= this.#connect());
      await this.#ready(client);
      // Bytes that are no Buffer it would send as text, "1,2,3".
      const { Buffer } = await import("node:buffer");
      const sent = args.map((one) =>
        typeof one === "object"
          ? Buffer.from(one.buffer, one.byteOffset, one.byteLength)
          : one
      );
      return await client.callBuffer(command, ...sent);
    } catch (error) {
      throw new ResumeError(
        "resume/store",
        `Cannot use the session store in Redis: ${this.#why(error)}`,
        { cause: error },
      );
    }
  }

  // Loaded when it is used: not everybody who uses this package has Redis.
  async #connect(): Promise<Client> {
    const { Redis } = await import("ioredis");
    const client = new Redis(this.#url, {
      commandTimeout: this.#timeoutMs,
      connectTimeout: this.#timeoutMs,
      // What is under way when a connection breaks is the caller's to repeat:
      // two copies of one commit would be carried out in any order.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: (tries: number) => Math.min(50 * tries, 1_000),
    }) as unknown as Client;
    client.on("error", (error) => this.#lastError = error);
    if (this.#closed) client.disconnect();
    return client;
  }

  async #ready(client: Client): Promise<void> {
    if (client.status === "ready") return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onReady = (): void => resolve();
    const timer = setTimeout(
      () => reject(this.#lastError ?? new Error("it cannot be reached")),
      this.#timeoutMs,
    );
    client.on("ready", onReady);
    await promise.finally(() => {
      clearTimeout(timer);
      client.off("ready", onReady);
    });
  }

  // Without the address: it may have a password.
  #why(error: unknown): string {
    const text = errorText(error);
    if (text === "Command timed out") {
      return `it did not answer within ${this.#timeoutMs} ms`;
    }
    return text === "" ? "it cannot be reached" : text;
  }

  /** Lets go; resolves once the connection has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    if (client === undefined || client.status === "end") return;
    const { promise, resolve } = Promise.withResolvers<void>();
    client.on("end", () => resolve());
    client.disconnect();
    await promise;
  }
}
