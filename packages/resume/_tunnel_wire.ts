/**
 * What the two ends of a tunnel say before the bytes of a connection: which
 * target is wanted, and whether it was reached. One exchange a session, at the
 * start of either direction:
 *
 * ```text
 * client   "HFT1"  u16 length  the target as text; empty for the server's own
 * server   "HFT1"  u8 code     u16 length  why not, as text
 * ```
 *
 * The client need not wait for the answer before it sends.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** The server's answers. */
export const TUNNEL_ANSWER = {
  open: 0,
  /** The target is none of those that the server allows. */
  notAllowed: 1,
  /** The target cannot be reached. */
  down: 2,
} as const;

/** Longer texts are cut, or turned away. */
export const TUNNEL_TEXT_MAX = 1024;
/** Bytes of a request before its text. */
export const REQUEST_HEADER_BYTES = 6;
/** Bytes of an answer before its text. */
export const ANSWER_HEADER_BYTES = 7;

const MAGIC = [0x48, 0x46, 0x54, 0x31]; // "HFT1"
const encoder = new TextEncoder();

function withText(header: readonly number[], text: string): Bytes {
  const said = encoder.encode(text).subarray(0, TUNNEL_TEXT_MAX);
  return new Uint8Array([
    ...MAGIC,
    ...header,
    said.length >>> 8,
    said.length & 0xff,
    ...said,
  ]);
}

/** What a client begins with. */
export function encodeRequest(target: string): Bytes {
  return withText([], target);
}

/** What a server answers. */
export function encodeAnswer(code: number, why: string): Bytes {
  return withText([code], why);
}

/** How long the text is that follows; `undefined` when it is no such header. */
export function textLength(header: Uint8Array): number | undefined {
  if (MAGIC.some((byte, i) => header[i] !== byte)) return undefined;
  const at = header.length - 2;
  const length = header[at]! << 8 | header[at + 1]!;
  return length <= TUNNEL_TEXT_MAX ? length : undefined;
}
