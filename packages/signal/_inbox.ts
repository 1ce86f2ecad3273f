import { LruMap } from "./_lru.ts";
import { ReplayWindow } from "./_window.ts";

/** How many authenticated senders are remembered. */
export const SENDERS_MAX = 1024;
/** How many epochs of one sender: each is one start of its process. */
export const EPOCHS_MAX = 8;

/**
 * What has arrived from whom. Two limits rather than one: a sender with many
 * epochs can push out only its own.
 */
export class Inbox {
  readonly #senders: LruMap<string, LruMap<string, ReplayWindow>> = new LruMap(
    SENDERS_MAX,
  );

  /** The window of a sender's epoch, which has been authenticated. */
  window(sender: string, epoch: string): ReplayWindow {
    let epochs = this.#senders.get(sender);
    if (epochs === undefined) {
      epochs = new LruMap(EPOCHS_MAX);
      this.#senders.set(sender, epochs);
    }
    let window = epochs.get(epoch);
    if (window === undefined) {
      window = new ReplayWindow();
      epochs.set(epoch, window);
    }
    return window;
  }
}
