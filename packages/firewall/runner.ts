/** What a tool answered. */
export type Ran =
  | {
    readonly type: "ran";
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }
  /** The tool is not installed. */
  | { readonly type: "absent" }
  /** This program may not run it. */
  | { readonly type: "forbidden"; readonly why: string };

/** One call of a tool: no shell, the name without a path. */
export interface Call {
  /** The name of the tool, such as `nft`. */
  readonly tool: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** What it reads; nothing where it is left out. */
  readonly stdin?: string | undefined;
}

/**
 * Runs a tool. Pass your own to ask another machine, another namespace, or a
 * recording. Only `applyPlan`, `revertAll`, `reconcile` and leases call tools
 * that change something.
 */
export type Runner = (
  call: Call,
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<Ran>;

/** Options that every function which asks the system takes. */
export interface AskOptions {
  /** Ends it, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Runs the tools.
   *
   * @default {Deno.Command, by absolute paths from a fixed list}
   */
  readonly run?: Runner | undefined;
  /**
   * The system to ask, as `Deno.build.os` names it.
   *
   * @default {Deno.build.os}
   */
  readonly system?: string | undefined;
}
