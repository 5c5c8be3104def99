/**
 * Stands in for typebox in the built UI. Of the contract the pages need types (gone after compiling), methods and paths; checking
 * by schema is the server's work. Leaving the schema builders out takes a quarter off what a browser loads.
 */
const builder = () => ({})

/** Any builder asked for makes an empty schema. */
export const Type: Record<string, () => object> = new Proxy({}, { get: () => builder })
