/** The version in deno.json, which a published file cannot read; a test compares. */
export const VERSION = "0.1.0";
