import type { FrameHeader, FrameKind } from "./_frame.ts";
import { LruMap } from "./_lru.ts";
import { ReplayWindow, type WindowVerdict } from "./_window.ts";

/** How many authenticated senders are remembered. */
export const SENDERS_MAX = 1024;
/** How many epochs of one sender: each is one start of its process. */
export const EPOCHS_MAX = 8;

type Windows = Partial<Record<FrameKind, ReplayWindow>>;

/**
 * What has arrived from whom. Two limits rather than one: a sender with many
 * epochs can push out only its own.
 */
export class Inbox {
  readonly #senders: LruMap<string, LruMap<string, Windows>> = new LruMap(
    SENDERS_MAX,
  );

  /** Whether anything authentic has come from this sender. */
  knows(sender: string): boolean {
    return this.#senders.has(sender);
  }

  /** Says whether the frame is new; costs little, needs no key. */
  check(header: FrameHeader): WindowVerdict {
    const windows = this.#senders.get(header.sender)?.get(header.epoch);
    return windows?.[header.kind]?.check(header.sequence) ?? "new";
  }

  /** Remembers a frame that is authentic. */
  mark(header: FrameHeader): void {
    let epochs = this.#senders.get(header.sender);
    if (epochs === undefined) {
      epochs = new LruMap(EPOCHS_MAX);
      this.#senders.set(header.sender, epochs);
    }
    let windows = epochs.get(header.epoch);
    if (windows === undefined) {
      windows = {};
      epochs.set(header.epoch, windows);
    }
    (windows[header.kind] ??= new ReplayWindow()).mark(header.sequence);
  }
}
