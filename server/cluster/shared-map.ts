/** What Hazelcast's IMap `routes` is for the directory: a second way by which nodes learn of each other's routes. Never waited for. */
export interface SharedMap {
  /** Writes an own entry; gathered, the last value of a key wins. */
  put(key: string, value: string): void
  remove(key: string): void
  /**
   * Everything in the map, at the start and after every reconnect or merge of the cluster, then each change.
   * @returns a function that ends it
   */
  follow(follower: {
    all(entries: ReadonlyMap<string, string>): void
    put(key: string, value: string): void
    remove(key: string): void
  }): () => void
}
