/** The errors of `node:net` told as the errors that `Deno.TcpConn` throws. */

type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

const CLASSES: Readonly<Record<string, readonly [ErrorClass, string]>> = {
  EACCES: [Deno.errors.PermissionDenied, "Permission denied"],
  EADDRINUSE: [Deno.errors.AddrInUse, "Address already in use"],
  EADDRNOTAVAIL: [
    Deno.errors.AddrNotAvailable,
    "Cannot assign requested address",
  ],
  ECONNABORTED: [
    Deno.errors.ConnectionAborted,
    "Software caused connection abort",
  ],
  ECONNREFUSED: [Deno.errors.ConnectionRefused, "Connection refused"],
  ECONNRESET: [Deno.errors.ConnectionReset, "Connection reset by peer"],
  ENETUNREACH: [Deno.errors.NetworkUnreachable, "Network is unreachable"],
  ENOTCONN: [Deno.errors.NotConnected, "Transport endpoint is not connected"],
  EPIPE: [Deno.errors.BrokenPipe, "Broken pipe"],
  ETIMEDOUT: [Deno.errors.TimedOut, "Connection timed out"],
};

function withCode(error: Error, code: string): Error {
  return Object.assign(error, { code });
}

/** The matching `Deno.errors` instance, with `code` and `cause`; others unchanged. */
export function toDenoError(error: unknown): Error {
  const plain = error instanceof Error ? error : new Error(String(error));
  const code = (plain as Error & { code?: unknown }).code;
  const entry = typeof code === "string" ? CLASSES[code] : undefined;
  if (entry === undefined) return plain;
  const [Class, message] = entry;
  return withCode(new Class(message, { cause: error }), code as string);
}

/** What an operation on a closed handle throws. */
export function badResource(message: string = "Bad resource ID"): Error {
  return new Deno.errors.BadResource(message);
}

/** What a pending operation throws when its handle is closed. */
export function interrupted(): Error {
  return withCode(
    new Deno.errors.Interrupted("operation canceled"),
    "EINTR",
  );
}

/** What a write throws when nobody can read it any more. */
export function brokenPipe(): Error {
  return withCode(new Deno.errors.BrokenPipe("Broken pipe"), "EPIPE");
}

/** What `detach` throws for a socket that is closed. */
export function gone(): Error {
  return badResource("Cannot detach a socket: it is closed already");
}
