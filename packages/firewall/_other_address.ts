import { addressNumber, familyOf, prefixSpan, type Span } from "./_address.ts";
import type { Family } from "./outcome.ts";

/** Reads an address, `from-to`, `address/length` or `address/mask`. */
export function parseAddressSpan(
  text: string,
): { readonly family: Family; readonly span: Span } | undefined {
  const [first = "", last, ...more] = text.split("-");
  if (more.length > 0) return undefined;
  if (last !== undefined) {
    const family = familyOf(first);
    const lo = addressNumber(first);
    const hi = addressNumber(last);
    if (family === undefined || family !== familyOf(last)) return undefined;
    if (lo === undefined || hi === undefined || lo > hi) return undefined;
    return { family, span: { lo, hi } };
  }
  const [address = "", size, ...rest] = first.split("/");
  const family = familyOf(address);
  if (family === undefined || rest.length > 0) return undefined;
  const full = family === "ipv4" ? 32 : 128;
  const length = size === undefined ? full : lengthOf(size, family);
  if (length === undefined) return undefined;
  const span = prefixSpan(address, length);
  return span && { family, span };
}

function lengthOf(size: string, family: Family): number | undefined {
  if (/^\d{1,3}$/.test(size)) return Number(size);
  const mask = family === "ipv4" ? addressNumber(size) : undefined;
  if (mask === undefined || !size.includes(".")) return undefined;
  const bits = mask.toString(2).padStart(32, "0");
  return /^1*0*$/.test(bits) ? bits.replaceAll("0", "").length : undefined;
}
