/**
 * How long randomised tests run: short in `deno task test`, long in
 * `deno task test:soak`.
 */

/** Whether this is a soak run: the environment has `HOLDFAST_SOAK=1`. */
export function soaking(): boolean {
  return Deno.env.get("HOLDFAST_SOAK") === "1";
}

/**
 * How many runs a property or simulation makes: `quick` ones in everyday use,
 * `soak` ones, a hundred times as many by default, in a soak run.
 */
export function runs(quick: number, soak: number = quick * 100): number {
  return soaking() ? soak : quick;
}
