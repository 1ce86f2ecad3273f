import { isIP } from "node:net";
import type { Family, InterfaceAddress, Scope } from "./snapshot.ts";

/** The family of an address text with or without a zone. */
export function familyOf(text: string): Family | undefined {
  const version = isIP(withoutZone(text));
  return version === 4 ? "IPv4" : version === 6 ? "IPv6" : undefined;
}

/** `fe80::1%eth0` without `%eth0`. */
export function withoutZone(text: string): string {
  const percent = text.indexOf("%");
  return percent < 0 ? text : text.slice(0, percent);
}

/**
 * The 4 or 16 bytes of an address, `undefined` for anything else. An IPv4
 * address in IPv6 clothes (`::ffff:10.0.0.1`, as a dual-stack socket tells it)
 * gives the 4 bytes that the interface has.
 */
export function ipBytes(text: string): readonly number[] | undefined {
  const address = withoutZone(text);
  const version = isIP(address);
  if (version === 4) return address.split(".").map(Number);
  if (version !== 6) return undefined;
  // The URL parser gives the canonical text of RFC 5952 without dotted parts.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const words = [
    ...left,
    ...new Array<number>(8 - left.length - right.length).fill(0),
    ...right,
  ];
  const bytes = words.flatMap((word) => [word >> 8, word & 0xff]);
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}

function groups(text: string): number[] {
  return text === ""
    ? []
    : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** Whether both texts name the same address, zones aside. */
export function sameIp(a: string, b: string): boolean {
  const left = ipBytes(a);
  return left !== undefined && left.join() === ipBytes(b)?.join();
}

/** Whether the address lies in the network of an interface's address. */
export function isOnLink(ip: string, network: InterfaceAddress): boolean {
  const bytes = ipBytes(ip);
  const base = ipBytes(network.address);
  if (bytes === undefined || base?.length !== bytes.length) return false;
  return bytes.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, network.prefix - 8 * i));
    const mask = 0xff & (0xff << (8 - bits));
    return (byte & mask) === (base[i]! & mask);
  });
}

/** Whether it is an address of the host itself: 127.0.0.0/8 or ::1. */
export function isLoopback(ip: string): boolean {
  const bytes = ipBytes(ip);
  if (bytes === undefined) return false;
  return bytes.length === 4 ? bytes[0] === 127 : sameIp(ip, "::1");
}

/** Whether it stands for every address: 0.0.0.0 or ::. */
export function isUnspecified(ip: string): boolean {
  return ipBytes(ip)?.every((byte) => byte === 0) ?? false;
}

/** The scope that the address itself tells (RFC 3927, RFC 4291 §2.5). */
export function scopeOf(ip: string): Scope {
  const bytes = ipBytes(ip);
  if (bytes === undefined || isLoopback(ip)) return "host";
  const [first = 0, second = 0] = bytes;
  const linkLocal = bytes.length === 4
    ? first === 169 && second === 254
    : first === 0xfe && (second & 0xc0) === 0x80;
  return linkLocal ? "link" : "global";
}
