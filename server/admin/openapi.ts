/** The contract as an OpenAPI 3.1 document: its schemas are JSON Schema already. */
import type { Access, Endpoint } from './contract/endpoint.ts'
import { nothing } from './contract/endpoint.ts'
import { Failure } from './contract/errors.ts'

/**
 * Prints endpoints.
 * @param endpoints by operationId
 * @returns a document without references, ready for JSON.stringify
 */
export function openApi(endpoints: Readonly<Record<string, Endpoint>>, version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][endpoint.method.toLowerCase()] = operation(name, endpoint)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lanthorn',
      version,
      description: 'Everything the admin pages do. Scripts send a token as `Authorization: Bearer …`.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-lanthorn-session-9091',
          description: 'Named after the port; set by signing in.',
        },
        token: { type: 'http', scheme: 'bearer' },
      },
      schemas: { Failure },
    },
  }
}

function operation(operationId: string, endpoint: Endpoint): object {
  const { access, summary, body, reply, produces } = endpoint
  const isJson = produces === 'application/json'
  return {
    operationId,
    summary,
    tags: [endpoint.path.split('/')[2]],
    parameters: [...parameters('path', endpoint.params), ...parameters('query', endpoint.query)],
    ...(body !== nothing &&
      endpoint.method !== 'GET' && {
        requestBody: { required: true, content: { 'application/json': { schema: body } } },
      }),
    responses: {
      200: { description: 'Done.', content: { [produces]: { schema: isJson ? reply : { type: 'string' } } } },
      default: {
        description: 'Not done; the sentence says why.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } },
      },
    },
    security: security[access],
  }
}

/** What is sent along to be let in. */
const security: Record<Access, object[]> = {
  open: [],
  setup: [],
  admin: [{ cookie: [] }, { token: [] }],
  pc: [{ token: [] }],
}

function parameters(place: 'path' | 'query', schema: Endpoint['query']): object[] {
  const required = new Set(schema.required as readonly string[] | undefined)
  return Object.entries(schema.properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.has(name),
    schema: property,
  }))
}
