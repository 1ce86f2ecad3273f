import { FirewallError } from "./errors.ts";
import type { PlanStep } from "./plan.ts";
import type { AccessRequest } from "./request.ts";

/** What is written down about one lease, before and after each change. */
export interface LedgerEntry {
  readonly version: 1;
  readonly id: string;
  readonly tag: string;
  readonly state: "intent" | "open" | "reverting";
  readonly request: AccessRequest;
  readonly steps: readonly PlanStep[];
  /** Seconds since 1970 after which it is closed; undefined for never. */
  readonly expires?: number | undefined;
  /** Whether it stays when the program ends. */
  readonly detached?: boolean | undefined;
  /** Who consented, for an auditor. */
  readonly consent?: string | undefined;
  /** When this line was written, in seconds since 1970. */
  readonly at: number;
}

/** An entry, and whether the program that holds it lives. */
export interface LedgerRecord {
  readonly entry: LedgerEntry;
  readonly held: boolean;
}

const NAME = /^[a-z0-9]{8}\.jsonl$/;

/**
 * A folder with a file for each lease. A file is written before the firewall
 * is touched, and its holder keeps it locked: the kernel drops the lock of a
 * program that was killed, so nobody has to guess whether it lives.
 */
export class Ledger {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the file of a new lease; it is locked until it is closed. */
  async open(id: string): Promise<LedgerFile> {
    const path = `${this.folder}/${id}.jsonl`;
    let file: Deno.FsFile;
    let free: boolean;
    try {
      await Deno.mkdir(this.folder, { recursive: true, mode: 0o700 });
      file = await Deno.open(path, {
        ...{ create: true, write: true, append: true },
        mode: 0o600,
      });
      free = await file.tryLock(true);
    } catch (cause) {
      throw noLedger("write", this.folder, cause);
    }
    if (free) return new LedgerFile(file, path);
    file.close();
    throw new FirewallError(
      "firewall/plan-stale",
      "Cannot apply the plan: it is applied already, and held: plan again for another lease",
    );
  }

  /** Does something while no other program of Holdfast changes the firewall. */
  async exclusive<T>(what: () => Promise<T>): Promise<T> {
    let file: Deno.FsFile;
    try {
      await Deno.mkdir(this.folder, { recursive: true, mode: 0o700 });
      const path = `${this.folder}/lock`;
      file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    } catch (cause) {
      throw noLedger("write", this.folder, cause);
    }
    try {
      await file.lock(true);
      return await what();
    } finally {
      file.close();
    }
  }

  /** All leases that are written down. */
  async read(): Promise<readonly LedgerRecord[]> {
    const records: LedgerRecord[] = [];
    let names: string[];
    try {
      names = (await Array.fromAsync(Deno.readDir(this.folder)))
        .map(({ name }) => name).filter((name) => NAME.test(name)).toSorted();
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return [];
      throw noLedger("read", this.folder, cause);
    }
    for (const name of names) {
      const record = await this.#readOne(`${this.folder}/${name}`);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Forgets files without a word in them, whose program was killed so early. */
  async sweep(): Promise<void> {
    const names = await Array.fromAsync(Deno.readDir(this.folder));
    for (const { name } of names) {
      if (!NAME.test(name)) continue;
      const record = await this.#readOne(`${this.folder}/${name}`);
      if (record !== undefined) continue;
      await (await this.adopt(name.slice(0, 8)))?.remove();
    }
  }

  /** Takes over a lease that nobody holds; undefined where somebody does. */
  async adopt(id: string): Promise<LedgerFile | undefined> {
    const path = `${this.folder}/${id}.jsonl`;
    const file = await Deno.open(path, { write: true, append: true })
      .catch(() => undefined);
    if (file === undefined) return undefined;
    if (await file.tryLock(true)) return new LedgerFile(file, path);
    file.close();
    return undefined;
  }

  async #readOne(path: string): Promise<LedgerRecord | undefined> {
    const file = await Deno.open(path).catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      const free = await file.tryLock(false);
      const text = await new Response(file.readable).text();
      const entry = lastEntry(text);
      return entry && { entry, held: !free };
    } finally {
      try {
        file.close();
      } catch {
        // Reading it to its end has closed it.
      }
    }
  }
}

/** The file of one lease. */
export class LedgerFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;

  constructor(file: Deno.FsFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Writes it down, so that it is there even after a loss of power. */
  async write(entry: LedgerEntry): Promise<void> {
    const line = new TextEncoder().encode(`${JSON.stringify(entry)}\n`);
    for (let sent = 0; sent < line.length;) {
      sent += await this.#file.write(line.subarray(sent));
    }
    await this.#file.syncData();
  }

  /** Nobody holds it any more; it stays written down. */
  close(): void {
    this.#file.close();
  }

  /** It is over. */
  async remove(): Promise<void> {
    await Deno.remove(this.#path).catch(() => {});
    this.#file.close();
  }
}

/** The last whole line: one that was cut off by a crash never counted. */
export function lastEntry(text: string): LedgerEntry | undefined {
  for (const line of text.split("\n").toReversed()) {
    if (line === "") continue;
    try {
      const value: unknown = JSON.parse(line);
      if (isEntry(value)) return value;
    } catch {
      // Cut off.
    }
  }
  return undefined;
}

function isEntry(value: unknown): value is LedgerEntry {
  if (typeof value !== "object" || value === null) return false;
  const { version, id, tag, state, steps, request } = value as Record<
    string,
    unknown
  >;
  return version === 1 && typeof id === "string" && /^[a-z0-9]{8}$/.test(id) &&
    typeof tag === "string" && /^[A-Za-z0-9._:][\w.:-]{0,99}$/.test(tag) &&
    ["intent", "open", "reverting"].includes(state as string) &&
    typeof request === "object" && request !== null && Array.isArray(steps);
}

/** Where leases are written down: for root, or for one user. */
export function defaultLedger(): string {
  try {
    const state = Deno.env.get("XDG_STATE_HOME");
    const home = Deno.env.get("HOME");
    if (state?.startsWith("/")) return `${state}/holdfast/firewall`;
    if (home?.startsWith("/")) return `${home}/.local/state/holdfast/firewall`;
  } catch {
    throw new FirewallError(
      "firewall/no-ledger",
      "Cannot tell where to keep the ledger: allow --allow-env=HOME,XDG_STATE_HOME, or pass its folder as `ledger`",
    );
  }
  return "/var/lib/holdfast/firewall";
}

function noLedger(
  verb: "read" | "write",
  folder: string,
  cause: unknown,
): FirewallError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FirewallError(
    "firewall/no-ledger",
    `Cannot ${verb} the ledger in ${folder}: ${why}`,
    { cause },
  );
}
