/**
 * Sockets over the channel between parent and child that Node calls IPC, and
 * that Deno speaks too: no FFI, and any program that knows NODE_CHANNEL_FD can
 * be at the other end. Messages:
 *
 * - down, always with a handle: `{ holdfast: 1, id, kind, unread, meta }`, the
 *   unread bytes in base64;
 * - up: `{ holdfast: 1, taken: id }` or `{ holdfast: 1, refused: id, code,
 *   reason }`.
 *
 * Only handles go down, and none come up: Deno 2.9 gives a descriptor to the
 * first message of those that come together, so a plain one in front of it
 * would take it (ext/process/ipc.rs).
 */
import type { SocketKind } from "./_socket_kind.ts";
import { isSocketKind } from "./_socket_kind.ts";

/** The version of these messages. */
export const IPC_VERSION = 1;

/** What comes with a handle. */
export interface IpcOffer {
  readonly holdfast: typeof IPC_VERSION;
  readonly id: number;
  readonly kind: SocketKind;
  readonly unread: string;
  readonly meta: unknown;
}

/** What is answered. */
export type IpcAnswer =
  | { readonly holdfast: typeof IPC_VERSION; readonly taken: number }
  | {
    readonly holdfast: typeof IPC_VERSION;
    readonly refused: number;
    readonly code: string;
    readonly reason: string;
  };

/** Reads an offer; `undefined` for messages that are not ours. */
export function parseOffer(message: unknown): IpcOffer | undefined {
  const offer = message as Partial<IpcOffer> | null;
  const fits = offer?.holdfast === IPC_VERSION &&
    Number.isSafeInteger(offer.id) && isSocketKind(offer.kind) &&
    typeof offer.unread === "string";
  return fits ? offer as IpcOffer : undefined;
}

/** Reads an answer; `undefined` for messages that are not ours. */
export function parseAnswer(message: unknown): IpcAnswer | undefined {
  const answer = message as
    | {
      holdfast?: unknown;
      taken?: unknown;
      refused?: unknown;
      code?: unknown;
      reason?: unknown;
    }
    | null;
  if (answer?.holdfast !== IPC_VERSION) return undefined;
  const { taken, refused, code, reason } = answer;
  if (Number.isSafeInteger(taken)) {
    return { holdfast: IPC_VERSION, taken: taken as number };
  }
  if (!Number.isSafeInteger(refused)) return undefined;
  return {
    holdfast: IPC_VERSION,
    refused: refused as number,
    code: typeof code === "string" ? code : "handoff/refused",
    reason: typeof reason === "string" ? reason : "it does not say why",
  };
}
