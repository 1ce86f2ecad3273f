/** A map that forgets what was used longest ago once it holds `limit`. */
export class LruMap<K, V> {
  // A Map remembers the order of insertion: used again means inserted again.
  readonly #map: Map<K, V> = new Map();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#map.size;
  }

  /** Looks without using. */
  has(key: K): boolean {
    return this.#map.has(key);
  }

  get(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value === undefined) return undefined;
    this.#map.delete(key);
    this.#map.set(key, value);
    return value;
  }

  /** Gives what had to go for it. */
  set(key: K, value: V): V | undefined {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.#limit) return undefined;
    const [oldest] = this.#map;
    this.#map.delete(oldest![0]);
    return oldest![1];
  }

  delete(key: K): void {
    this.#map.delete(key);
  }

  /** Looks without using. */
  peek(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** The keys, the one used last at the end. */
  keys(): K[] {
    return [...this.#map.keys()];
  }
}
