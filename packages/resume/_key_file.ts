/** Pre-shared keys as a file: one `NAME HEX` a line, `#` begins a remark. */
import type { PresharedKey } from "./_handshake_client.ts";

const KEY_BYTES = 32;
const KEY_BYTES_MIN = 16;
const NAME_BYTES_MAX = 255;

/** A line with a new key. */
export function newKeyLine(name: string): string {
  return `${name} ${crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toHex()}`;
}

/**
 * Reads the keys of a file, in its order.
 *
 * @throws {TypeError} With the number of a line that is no key; what stands
 * there is not told, since it may be one all the same.
 */
export function parseKeys(text: string, file: string): PresharedKey[] {
  const keys: PresharedKey[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const said = line.replace(/#.*/, "").trim();
    if (said === "") continue;
    const [, name, hex] = /^(\S+)\s+((?:[0-9a-fA-F]{2})+)$/.exec(said) ?? [];
    const id = new TextEncoder().encode(name ?? "");
    const key = Uint8Array.fromHex(hex ?? "");
    if (key.length < KEY_BYTES_MIN || id.length > NAME_BYTES_MAX) {
      throw new TypeError(
        `Cannot use line ${
          i + 1
        } of ${file}: it must be a name and at least ${KEY_BYTES_MIN} bytes in hexadecimal: make one by "tunnel key"`,
      );
    }
    keys.push({ id, key });
  }
  if (keys.length === 0) {
    throw new TypeError(
      `Cannot use ${file}: it has no key: make one by "tunnel key"`,
    );
  }
  return keys;
}

/** Finds a key by its name, for a server. */
export function keyFinder(
  keys: readonly PresharedKey[],
): (id: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined {
  const byName = new Map(keys.map(({ id, key }) => [id.toHex(), key]));
  return (id) => byName.get(id.toHex());
}
