/**
 * The connector of `dial` for names and addresses: which addresses there are to
 * try, and what makes one socket a connection.
 */
import { isIP } from "node:net";
import { closedOnAbort, connectTcp, handshake } from "./_connectors.ts";
import { wireName } from "./_dns_config.ts";
import { serversFor } from "./_dns_query.ts";
import { parseServer } from "./_arguments.ts";
import { type Family, familyOf } from "./_eyeballs.ts";
import { openHost } from "./_open_host.ts";
import { mayReach } from "./_permissions.ts";
import type {
  Connector,
  DialTarget,
  DialTcpOptions,
  DialTlsConfig,
} from "./dial_options.ts";
import { RecoveryError } from "./errors.ts";
import { type FamilyMemory, familyMemory } from "./family_memory.ts";
import { resolve, type ResolveOptions } from "./resolve.ts";

/** What every dial of this program has learned. */
const shared: FamilyMemory = familyMemory();

const FAMILIES: readonly Family[] = ["v6", "v4"];
const HEDGE_MS = 150;

/** Makes the connector for these options. */
export function hostConnector(
  options: DialTcpOptions & { readonly tls?: true | DialTlsConfig },
): Connector<DialTarget, Deno.TcpConn | Deno.TlsConn> {
  const { tls, proof } = options;
  return async (target, { signal }) => {
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    try {
      return await openHost({
        lookUps: lookUpsOf(target, options.resolve ?? {}, ends),
        memory: options.memory ?? shared,
        staggerMs: options.staggerMs ?? 250,
        hedgeMs: options.hedgeMs ?? HEDGE_MS,
        open: async (address, signal, answered) => {
          const { port } = target;
          const tcp = await connectTcp(
            { hostname: address, port },
            ...[signal, answered] as const,
          );
          answered();
          const conn = tls === undefined ? tcp : await handshake(
            ...[tcp, certifiedName(target.hostname)] as const,
            ...[tls === true ? {} : tls, signal] as const,
          );
          if (proof === undefined) return conn;
          return await closedOnAbort(() => conn, { signal }, async () => {
            await proof(conn, { signal });
            return conn;
          });
        },
      }, signal);
    } finally {
      over.abort(new DOMException("The dial is over", "AbortError"));
    }
  };
}

/** As certificates have it: in ASCII, and without a zone. */
function certifiedName(hostname: string): string {
  return isIP(hostname) === 0
    ? wireName(hostname) ?? hostname
    : hostname.replace(/%.*$/, "");
}

type LookUps = Partial<Record<Family, Promise<string[]>>>;

/** An address is itself; a name is looked up, one family at a time. */
function lookUpsOf(
  { hostname, port }: DialTarget,
  options: ResolveOptions | false,
  signal: AbortSignal,
): LookUps {
  if (isIP(hostname) !== 0) {
    return { [familyOf(hostname)]: Promise.resolve([hostname]) };
  }
  // The system looks the name up by itself, whichever family it finds; Deno takes
  // none that is not in ASCII.
  // deno-lint-ignore no-control-regex -- that is what is looked for
  const isAscii = /^[\x00-\x7f]*$/.test(hostname);
  const bySystem = [isAscii ? hostname : certifiedName(hostname)];
  if (options === false) return { v6: Promise.resolve(bySystem) };
  const families = options.families ?? FAMILIES;
  const unknown = new Set<Family>();
  const asking = mayAsk(options);
  const lookUp = async (family: Family) =>
    await asking
      ? await resolve(hostname, { ...options, families: [family], signal })
      : undefined;
  return Object.fromEntries(families.map((family) => [
    family,
    lookUp(family).then(
      (answer) => {
        // With permission for the name alone, only the system may connect.
        const found = answer?.addresses.map(({ address }) => address);
        return found?.every((address) => mayReach(address, port))
          ? found
          : bySystem;
      },
      (error) => {
        // It may stand in another book than DNS (mDNS, NIS): the system knows.
        if (isUnknown(error)) unknown.add(family);
        if (unknown.size < families.length) throw error;
        return bySystem;
      },
    ),
  ]));
}

function isUnknown(error: unknown): boolean {
  return error instanceof RecoveryError &&
    ["recovery/no-such-name", "recovery/no-address"].includes(error.code);
}

/** Whether there is a name server that may be asked: else the system asks. */
async function mayAsk({ servers }: ResolveOptions): Promise<boolean> {
  const { open } = await serversFor({ servers: servers?.map(parseServer) });
  return open.length > 0;
}
