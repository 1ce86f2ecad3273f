/** What this process really needs, without what waits to be collected. */
import v8 from "node:v8";
import vm from "node:vm";

let collect: (() => void) | undefined;

/** Bytes of the heap and of buffers, after a collection. */
export function liveBytes(): number {
  if (collect === undefined) {
    v8.setFlagsFromString("--expose_gc");
    collect = vm.runInNewContext("gc") as () => void;
  }
  collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
