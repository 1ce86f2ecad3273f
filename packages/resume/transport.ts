/** What a resumable stream runs over: any ordered, reliable byte connection. */
export interface Transport {
  /** As `Deno.Conn.read`: bytes read, or `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** As `Deno.Conn.write`: how many bytes were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes both directions; pending operations settle. */
  close(): void;
  /** Where it starts, if it knows. */
  readonly localAddr?: Deno.Addr | undefined;
  /** Where it leads, if it knows. */
  readonly remoteAddr?: Deno.Addr | undefined;
}
