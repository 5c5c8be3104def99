/** What the program consists of, as a CycloneDX bill of materials. The same parts give the same file, byte for byte. */
import type { BundledPackage } from './packages.ts'
import type { Part } from './parts/part.ts'

interface Component {
  readonly type: 'application' | 'library'
  readonly name: string
  readonly version?: string
  readonly purl?: string
  readonly hashes?: readonly { alg: 'SHA-256'; content: string }[]
  readonly licenses?: readonly object[]
  readonly components?: readonly Component[]
}

/** The bill of a program made of parts and bundled packages. */
export function billOfMaterials(version: string, parts: readonly Part[], packages: readonly BundledPackage[]): object {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', name: 'lanthorn', version, licenses: licences('MIT') } },
    components: [...parts.map(ofPart), ...packages.map(ofPackage)],
  }
}

function ofPart({ name, version, licence, sha256, purl, contains }: Part): Component {
  return {
    type: 'application',
    name,
    version,
    purl,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: licences(licence),
    ...(contains && {
      components: contains.map(library => ({
        type: 'library' as const,
        name: library.name,
        ...(library.version !== undefined && { version: library.version }),
        licenses: licences(library.licence),
      })),
    }),
  }
}

function ofPackage({ name, version, licence }: BundledPackage): Component {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return { type: 'library', name, version, purl, licenses: licences(licence) }
}

function licences(expression: string): object[] {
  return expression === 'NOASSERTION' ? [] : [{ expression }]
}
