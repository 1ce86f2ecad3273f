import { addressNumber, type Span } from "./_address.ts";
import { type Asked, checkRequest } from "./_request.ts";
import type { AccessRequest } from "./request.ts";

/** A request that was checked, with what other systems than Linux ask for. */
export interface OtherAsked extends Asked {
  /** Our address that is connected to; undefined for each. */
  readonly address?: string | undefined;
  /** The program that listens, by its full path. */
  readonly program?: string | undefined;
}

/** Our address as a span of one; undefined for each. */
export function ownSpan({ address }: OtherAsked): Span | undefined {
  const number = address === undefined ? undefined : addressNumber(address);
  return number === undefined ? undefined : { lo: number, hi: number };
}

/**
 * Checks a request to another system; fails with a sentence that names the
 * value.
 */
export function checkOtherRequest(
  request: AccessRequest,
  system: string,
): OtherAsked {
  const program = checkProgram(request.program);
  if (system !== "windows") return { ...checkRequest(request), program };
  const { interface: alias, ...rest } = request;
  return { ...checkRequest(rest), interface: checkAlias(alias), program };
}

/** Names of Windows are freer than others, and go into no command of ours. */
function checkAlias(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (
    typeof name !== "string" || name === "" || name.length > 256 ||
    /\p{Cc}/u.test(name)
  ) {
    throw new TypeError(
      `Cannot check access: interface must be a name of 1 to 256 characters without control characters: current value is ${
        show(name)
      }`,
    );
  }
  return name;
}

function checkProgram(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (
    typeof path !== "string" || path.length > 1024 ||
    /[\p{Cc}\u2028\u2029]/u.test(path) || !/^(\/|[A-Za-z]:[\\/])/.test(path)
  ) {
    throw new TypeError(
      `Cannot check access: program must be a full path of at most 1024 characters without control characters: current value is ${
        show(path)
      }`,
    );
  }
  return path;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
