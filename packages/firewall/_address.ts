import { isIP } from "node:net";
import type { Family } from "./outcome.ts";

/** Numbers from `lo` to `hi`, both included: ports, or addresses. */
export interface Span {
  readonly lo: bigint;
  readonly hi: bigint;
}

export const BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };

/** All addresses of a family. */
export function everyAddress(family: Family): Span {
  return { lo: 0n, hi: (1n << BigInt(BITS[family])) - 1n };
}

/** The family of an address; undefined when the text is none. */
export function familyOf(address: string): Family | undefined {
  // A zone (`fe80::1%eth0`) names an interface, not an address.
  if (address.includes("%")) return undefined;
  return ([undefined, "ipv4", "ipv6"] as const)[
    { 0: 0, 4: 1, 6: 2 }[isIP(address)] ?? 0
  ];
}

/** An address as a number; undefined when the text is none. */
export function addressNumber(address: string): bigint | undefined {
  switch (familyOf(address)) {
    case "ipv4":
      return address.split(".").reduce(
        (n, part) => n * 256n + BigInt(part),
        0n,
      );
    case "ipv6":
      return ipv6Number(address);
    default:
      return undefined;
  }
}

function ipv6Number(address: string): bigint {
  // `::ffff:1.2.3.4`: the last four bytes may stand in the old way.
  const dotted = /[^:]+\.[^:]+$/.exec(address)?.[0];
  const low = dotted === undefined ? 0n : addressNumber(dotted)!;
  const hex = dotted === undefined ? address : address.slice(
    0,
    -dotted.length,
  ) + `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = "", tail] = hex.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].reduce(
    (n, group) => (n << 16n) + BigInt(`0x${group}`),
    0n,
  );
}

/** The addresses with the same first `length` bits. */
export function prefixSpan(address: string, length: number): Span | undefined {
  const family = familyOf(address);
  const number = addressNumber(address);
  if (family === undefined || number === undefined) return undefined;
  if (!Number.isInteger(length) || length < 0 || length > BITS[family]) {
    return undefined;
  }
  const host = BigInt(BITS[family] - length);
  const lo = (number >> host) << host;
  return { lo, hi: lo + (1n << host) - 1n };
}

/** An address with the length of its prefix. */
export interface Prefix {
  readonly family: Family;
  readonly address: string;
  readonly length: number;
  readonly span: Span;
}

/** Reads `192.0.2.7` or `192.0.2.0/24`; undefined when it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address = "", lengthText, ...rest] = text.split("/");
  const family = familyOf(address);
  if (family === undefined || rest.length > 0) return undefined;
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) {
    return undefined;
  }
  const length = lengthText === undefined ? BITS[family] : Number(lengthText);
  const span = prefixSpan(address, length);
  // `10.0.0.1/8` is refused: which of the two was meant cannot be told.
  if (span === undefined || span.lo !== addressNumber(address)) {
    return undefined;
  }
  return { family, address, length, span };
}
