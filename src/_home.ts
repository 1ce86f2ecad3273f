/** Where this peer can be reached, and since when. */
import type { NetworkSnapshot, NetworkWatch } from "@holdfast/netwatch";
import {
  CANDIDATES_MAX,
  candidatesOf,
  type InterfaceRow,
  placeText,
  sameCandidates,
} from "./_candidates.ts";
import type { Candidate, Whereabouts } from "./_meeting.ts";

/** What decides it. */
export interface HomeOptions {
  readonly addr: () => Deno.Addr | undefined;
  readonly advertise: readonly Candidate[] | undefined;
  readonly publicAddresses: readonly Candidate[];
  readonly network: NetworkWatch | undefined;
}

/** See the module's comment. */
export class Home {
  readonly #options: HomeOptions;
  #now: Whereabouts;

  constructor(options: HomeOptions) {
    this.#options = options;
    // By the clock, so that the next process of this peer is later.
    this.#now = { at: Date.now(), candidates: this.#gather() };
  }

  /** Where it is, as of the last look. */
  get now(): Whereabouts {
    return this.#now;
  }

  /** Looks again; whether it is elsewhere. */
  look(): boolean {
    const candidates = this.#gather();
    if (sameCandidates(candidates, this.#now.candidates)) return false;
    this.#now = { at: Math.max(this.#now.at + 1, Date.now()), candidates };
    return true;
  }

  /** The own interfaces; empty where they may not be seen. */
  interfaces(): readonly InterfaceRow[] {
    const { network } = this.#options;
    if (network !== undefined) return usableRows(network.state);
    try {
      return Deno.networkInterfaces();
    } catch {
      return []; // Not permitted: what was given must do.
    }
  }

  #gather(): readonly Candidate[] {
    const { addr, advertise, publicAddresses } = this.#options;
    if (advertise !== undefined) return advertise;
    const own = candidatesOf(addr(), () => this.interfaces());
    const all = [...publicAddresses, ...own];
    const once = new Map(all.map((one) => [placeText(one), one]));
    return [...once.values()].slice(0, CANDIDATES_MAX);
  }
}

/** The addresses that others can be told: usable, on a link that is there. */
export function usableRows(
  { interfaces }: Pick<NetworkSnapshot, "interfaces">,
): InterfaceRow[] {
  return interfaces
    .filter(({ up, carrier }) => up !== false && carrier !== false)
    .flatMap(({ addresses }) => addresses)
    .filter(({ tentative, deprecated }) => !tentative && !deprecated)
    .map(({ address, family, prefix }) => ({
      address,
      family,
      cidr: `${address}/${prefix}`,
    }));
}
