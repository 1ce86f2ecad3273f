/** The errors of `Deno.TcpConn`, and its addresses as text. */

export function addressText(
  address: Deno.Addr | undefined,
): string | undefined {
  if (address === undefined) return undefined;
  if ("hostname" in address) {
    return address.hostname.includes(":")
      ? `[${address.hostname}]:${address.port}`
      : `${address.hostname}:${address.port}`;
  }
  return "path" in address ? address.path : address.transport;
}

export function badResource(): Error {
  return new Deno.errors.BadResource("Bad resource ID");
}

export function brokenPipe(): Error {
  return new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
}

export function interrupted(): Error {
  return new Deno.errors.Interrupted("operation canceled");
}
