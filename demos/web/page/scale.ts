/** How high a chart is. Pure. */
import { roundUp } from "./format.ts";

/** Above what is usual there is so much room; what goes beyond is cut off. */
const ROOM = 1.25;
const USUAL = 0.8;

/**
 * The rate at the upper edge. After a pause a stream catches up at many times
 * its rate for a moment: that must not flatten all the rest.
 */
export function scaleFor(rates: readonly number[]): number {
  const flowing = rates.filter((rate) => rate > 0).sort((a, b) => a - b);
  const usual = flowing[Math.floor(flowing.length * USUAL)] ?? 0;
  return roundUp(usual * ROOM);
}
