/** Addresses as bytes: 4 of IPv4, 16 of IPv6 (RFC 4291 §2.2 for the text). */
import { isIP } from "node:net";

/** The bytes of an address. The text has been checked. */
export function ipBytes(text: string): number[] {
  if (isIP(text) !== 6) return text.split(".").map(Number);
  const [head = "", tail] = text.split("::");
  const before = groupsOf(head);
  if (tail === undefined) return before;
  const after = groupsOf(tail);
  const zeros = new Array(16 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after];
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

/** The text of 4 or 16 bytes, as short as it may be (RFC 5952). */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const groups = Array.from(
    { length: 8 },
    (_, i) => view.getUint16(2 * i).toString(16),
  );
  // The platform knows how to shorten one.
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
