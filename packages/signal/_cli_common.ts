import { loadIdentity } from "./_identity_file.ts";
import { SignalError } from "./errors.ts";
import { createIdentity, type Identity } from "./identity.ts";
import { openSignalling } from "./open_signalling.ts";
import type { Signalling } from "./signalling.ts";

/** Wrong use of the command line: exit code 2. */
export class UsageError extends Error {}

/** The flags of all commands. */
export interface Flags {
  readonly identity?: string;
  readonly broker?: string[];
  readonly count?: string;
  readonly timeout?: string;
  readonly for?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Connects as the flags say. */
export async function open(
  flags: Flags,
  options: { readonly redundancy?: number } = {},
): Promise<Signalling> {
  const { broker: brokers = [] } = flags;
  if (brokers.length === 0) {
    throw new UsageError(
      "Cannot connect: no broker: name at least one by --broker URL",
    );
  }
  const identity: Identity = flags.identity === undefined
    ? await createIdentity()
    : await loadIdentity(flags.identity);
  try {
    return await openSignalling({
      ...{ identity, brokers, readyTimeoutMs: 10_000, ...options },
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new SignalError(
        "signal/no-broker",
        `Cannot connect: ${error.message.split("\n")[0]}: see --help`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** A number above zero, or wrong use. */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) {
    throw new UsageError(
      `Cannot use ${name} ${text}: it is no positive number`,
    );
  }
  return value;
}
