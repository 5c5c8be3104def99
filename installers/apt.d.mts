// What the installers, which are TypeScript, use of apt.mjs.
export declare function aptInstall(
  names: readonly string[],
  options?: { services?: readonly string[]; limitMs?: number },
): Promise<boolean>
export declare function onPath(names: readonly string[]): string | undefined
export declare function onPathAll(names: readonly string[], endings?: readonly string[]): string[]
