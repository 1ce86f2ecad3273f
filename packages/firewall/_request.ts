import {
  everyAddress,
  parsePrefix,
  type Prefix,
  type Span,
} from "./_address.ts";
import type { Family } from "./outcome.ts";
import type { AccessRequest } from "./request.ts";

/** A request that was checked, with everything spelled out. */
export interface Asked {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly families: readonly Family[];
  readonly source: Prefix | undefined;
  readonly interface: string | undefined;
  /** The local address; undefined for each of this machine. */
  readonly address?: string | undefined;
}

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** Checks a request; fails with a sentence that names the value. */
export function checkRequest(request: AccessRequest): Asked {
  const { port, protocol = "tcp", family } = request;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(
      `Cannot check access: port must be an integer from 1 to 65535: current value is ${
        show(port)
      }`,
    );
  }
  if (protocol !== "tcp" && protocol !== "udp") {
    throw new TypeError(
      `Cannot check access: protocol must be "tcp" or "udp": current value is ${
        show(protocol)
      }`,
    );
  }
  if (family !== undefined && !FAMILIES.includes(family)) {
    throw new TypeError(
      `Cannot check access: family must be "ipv4" or "ipv6": current value is ${
        show(family)
      }`,
    );
  }
  const source = checkSource(request.source, family);
  const address = checkAddress(request.address, source?.family ?? family);
  const only = source?.family ?? address?.family ?? family;
  return {
    port,
    protocol,
    families: only === undefined ? FAMILIES : [only],
    source,
    interface: checkInterface(request.interface),
    address: address?.address,
  };
}

/** The sources that are asked about, of one family. */
export function sourceSpan(asked: Asked, family: Family): Span {
  return asked.source?.span ?? everyAddress(family);
}

/** `tcp port 8080 from 10.0.0.0/8`, for sentences. */
export function describeAsked(asked: Asked): string {
  const { port, protocol, source, address } = asked;
  const from = source === undefined
    ? ""
    : ` from ${source.address}/${source.length}`;
  const via = asked.interface === undefined ? "" : ` by ${asked.interface}`;
  const to = address === undefined ? "" : ` of ${address}`;
  return `${protocol} port ${port}${to}${from}${via}`;
}

function checkSource(
  source: string | undefined,
  family: Family | undefined,
): Prefix | undefined {
  if (source === undefined) return undefined;
  const prefix = typeof source === "string" ? parsePrefix(source) : undefined;
  if (prefix === undefined) {
    throw new TypeError(
      `Cannot check access: source must be an address or a range such as 10.0.0.0/8, without bits after its length: current value is ${
        show(source)
      }`,
    );
  }
  if (family !== undefined && prefix.family !== family) {
    throw new TypeError(
      `Cannot check access: source ${source} is not of the family ${family}: leave family out`,
    );
  }
  return prefix;
}

function checkAddress(
  address: string | undefined,
  family: Family | undefined,
): Prefix | undefined {
  if (address === undefined) return undefined;
  const prefix = typeof address === "string" && !address.includes("/")
    ? parsePrefix(address)
    : undefined;
  if (prefix === undefined) {
    throw new TypeError(
      `Cannot check access: address must be one address of this machine, such as 192.0.2.7: current value is ${
        show(address)
      }`,
    );
  }
  if (family !== undefined && prefix.family !== family) {
    throw new TypeError(
      `Cannot check access: address ${address} is not of the family ${family}: leave one of them out`,
    );
  }
  return prefix;
}

function checkInterface(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  // Names of the kernel are freer (15 bytes without slash or space); these go
  // into command lines, and a `*` or `+` at the end would be a pattern there.
  if (
    typeof name !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name)
  ) {
    throw new TypeError(
      `Cannot check access: interface must be a name of 1 to 15 letters, digits, "_", "." or "-": current value is ${
        show(name)
      }`,
    );
  }
  return name;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
