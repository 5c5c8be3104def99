// What the installers, which are TypeScript, use of set-up.mjs.
export declare const root: string
export declare const cacheFolder: string
export declare function say(sentence: string): void
export declare function npm(): [program: string, firstArguments: string[]]
export declare function run(
  program: string,
  args: readonly string[],
  options: { timeoutMs: number; env?: NodeJS.ProcessEnv; cwd?: string; shell?: boolean; show?: boolean },
): Promise<{ code: number; output: string }>
