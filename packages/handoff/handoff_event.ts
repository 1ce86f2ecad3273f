import type { HolderEvent } from "./holder.ts";
import type { TransferEvent } from "./transfer_event.ts";
import type { UpgradeEvent } from "./upgrade_event.ts";

/** Everything that the objects of this package tell, e.g. for one log. */
export type HandoffEvent = TransferEvent | UpgradeEvent | HolderEvent;
