/** A part of the program that comes from elsewhere: what the manifest and the SBOM say about it. */
export interface Part {
  readonly name: string
  readonly version: string
  /** SPDX expression. */
  readonly licence: string
  /** Of the file it was taken from; of the main file of what was made here or came unpacked. */
  readonly sha256: string
  /** Package URL: where it comes from. */
  readonly purl: string
  /** Libraries of others inside. */
  readonly contains?: readonly Library[]
}

/** A library inside a part. */
export interface Library {
  readonly name: string
  /** Absent: its file does not tell. */
  readonly version?: string
  /** SPDX expression. */
  readonly licence: string
}
