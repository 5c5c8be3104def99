// What the installers, which are TypeScript, use of parts.mjs.
export declare function bringHazelcast(): Promise<string | undefined>
