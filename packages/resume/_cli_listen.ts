/** Listening and dialling as the command line asks for it, with clear errors. */
import { dial } from "@holdfast/recovery";
import { errorText } from "./_deno.ts";
import { canPass } from "./_descriptors.ts";
import { SharedListener } from "./_shared_listener.ts";
import { type TunnelAddress, tunnelAddressText } from "./_tunnel_address.ts";
import type { DialContext } from "./connect_options.ts";

const AGAIN_MS = 5_000;

/** A clear failure: exit code 1. */
export class CommandError extends Error {}

/** The files of a certificate. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

// One sentence, whatever the system says.
function whyNotListen(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "another program has it: choose another one, or end that program";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine has no such address";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "the system does not allow it: ports below 1024 are for root";
  }
  return errorText(error);
}

/** Where connections come from. */
export type Listening = Deno.Listener | SharedListener;

/**
 * Listens there, and nowhere else.
 *
 * @param before What the process before this one left: its socket, or at least
 * its port.
 */
export async function listenAt(
  address: TunnelAddress,
  certificate?: Certificate,
  before?: {
    readonly listener: SharedListener | undefined;
    readonly port: number;
  },
): Promise<Listening> {
  if (before?.listener !== undefined) return before.listener;
  const { port = 0 } = before ?? {};
  const where = "port" in address && port > 0 ? { ...address, port } : address;
  // The system takes a moment to let go of it.
  const until = performance.now() + (before === undefined ? 0 : AGAIN_MS);
  for (;;) {
    try {
      return await listenNow(where, certificate);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      if (performance.now() >= until) {
        throw new CommandError(
          `Cannot listen on ${tunnelAddressText(address)}: ${
            whyNotListen(error)
          }`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function listenNow(
  address: TunnelAddress,
  certificate: Certificate | undefined,
): Promise<Listening> {
  if (address.transport === "unix") return await listenUnix(address.path);
  const { hostname, port } = address;
  if (certificate === undefined) return await listenTcp(hostname, port);
  const [cert, key] = await Promise.all(
    [certificate.cert, certificate.key].map((file) => readText(file)),
  );
  return Deno.listenTls({ hostname, port, cert: cert!, key: key! });
}

// One whose socket a successor can inherit, where that can be.
async function listenTcp(hostname: string, port: number): Promise<Listening> {
  if (!canPass()) return Deno.listen({ hostname, port });
  try {
    return await SharedListener.listen({ hostname, port });
  } catch (error) {
    // It looks at a connection on loopback, which may not be allowed.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return Deno.listen({ hostname, port });
  }
}
async function listenUnix(path: string): Promise<Deno.Listener> {
  const listen = () => Deno.listen({ transport: "unix", path });
  try {
    return restricted(listen(), path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    // The file of a process that was killed stays; one that answers is alive.
    const live = await Deno.connect({ transport: "unix", path }).catch(
      () => undefined,
    );
    live?.close();
    if (live !== undefined) throw error;
    const { isSocket } = await Deno.lstat(path);
    if (!isSocket) throw error;
    await Deno.remove(path);
    return restricted(listen(), path);
  }
}

function restricted(listener: Deno.Listener, path: string): Deno.Listener {
  Deno.chmodSync(path, 0o600);
  return listener;
}

/** The text of a file that was named. */
export async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : errorText(error);
    throw new CommandError(`Cannot read ${file}: ${why}`);
  }
}

/** How the server of a tunnel is reached. */
export interface Route {
  readonly to: TunnelAddress;
  /** TLS, with the authorities to trust beside the known ones. */
  readonly tls: { readonly caCerts: string[] } | undefined;
}

/** A dial function for sessions; each call is one try. */
export function dialer(
  { to, tls }: Route,
): (context: DialContext) => Promise<Deno.Conn> {
  if (to.transport === "unix") {
    return () => Deno.connect({ transport: "unix", path: to.path });
  }
  const { hostname, port } = to;
  const target = { hostname, port };
  return ({ signal }) => {
    const once = { signal, deadlineMs: 5_000, retry: () => false };
    return tls === undefined
      ? dial(target, once)
      : dial(target, { ...once, tls });
  };
}
