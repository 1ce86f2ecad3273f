/** Addresses of a tunnel as text, both ways. */

/** Where a tunnel listens or leads. */
export type TunnelAddress =
  | {
    /** A TCP port. */
    readonly transport: "tcp";
    /** A name or an address, without brackets. */
    readonly hostname: string;
    /** From 0, which is any free one when listening, to 65 535. */
    readonly port: number;
  }
  | {
    /** A Unix socket. */
    readonly transport: "unix";
    /** Its file. */
    readonly path: string;
  };

/**
 * Reads `host:port`, `[2001:db8::1]:port` or `unix:/path`.
 *
 * @throws {TypeError} When it is none of them.
 */
export function parseTunnelAddress(text: string): TunnelAddress {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { transport: "unix", path: text.slice("unix:".length) };
  }
  const found = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^\s:[\]/]+)):(\d{1,5})$/
    .exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65_535) {
    throw new TypeError(
      `Cannot use the address "${text}": write host:port, [IPv6]:port or unix:/path`,
    );
  }
  return { transport: "tcp", hostname: (found[1] ?? found[2])!, port };
}

/** The text that {@linkcode parseTunnelAddress} reads. */
export function tunnelAddressText(address: TunnelAddress): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}
