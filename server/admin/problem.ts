/** Refusals of the admin API: thrown anywhere below a route, turned into `{ error: … }` in one place. */
import type { FastifyError, FastifySchemaValidationError } from 'fastify'
import { type AccountReason, AccountRefused } from '../core/accounts.ts'
import { SettingRefused } from '../core/settings.ts'
import { DatabaseAway } from '../db/pool.ts'
import type { ErrorCode, Failure, Problem } from './contract/errors.ts'

/** Carries a {@link Problem} to the one place that answers it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.sentence)
    this.problem = problem
  }
}

/**
 * Makes a refusal to throw.
 * @param code what programs branch on; it decides the HTTP status
 * @param sentence what happened, why, what to do
 */
export function refusal(code: ErrorCode, sentence: string, more: Partial<Omit<Problem, 'code' | 'sentence'>> = {}) {
  return new Refusal({ code, sentence, ...more })
}

/** The body of every answer that is not 2xx. */
export function failure(problem: Problem): Failure {
  return { error: problem }
}

/**
 * What to answer for something that was thrown.
 * @returns undefined for what is a bug of ours
 */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Refusal) return error.problem
  if (error instanceof AccountRefused) return accountProblem(error)
  if (error instanceof SettingRefused) return { code: 'refused', sentence: error.message, field: error.key }
  if (error instanceof DatabaseAway) return { code: 'database-away', sentence: sentenceOf(error.message) }
  const fault = error as Partial<FastifyError>
  if (fault.validation?.[0]) return invalid(fault.validation[0], fault.validationContext)
  if (fault.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { code: 'not-valid', sentence: 'The request is too large: send less at once.' }
  }
  if (fault.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return { code: 'not-valid', sentence: 'The body must be JSON, with the content type application/json.' }
  }
  if (error instanceof SyntaxError || (fault.statusCode !== undefined && fault.statusCode < 500)) {
    return { code: 'not-valid', sentence: 'The request cannot be read: the body must be well-formed JSON.' }
  }
  return undefined
}

const accountCodes: Record<AccountReason, ErrorCode> = {
  taken: 'exists-already',
  nobody: 'not-found',
  'last-administrator': 'last-administrator',
  'not-allowed': 'refused',
}

function accountProblem({ message: sentence, field, reason }: AccountRefused): Problem {
  const isTyped = reason === 'taken' || reason === 'not-allowed'
  return { code: accountCodes[reason], sentence, ...(isTyped && { field }) }
}

/** The sentence of a part of the request that does not fit its schema. */
function invalid(error: FastifySchemaValidationError, context: string | undefined): Problem {
  const parent = error.instancePath.split('/').slice(1).map(decodePointer)
  const own = String(error.params.missingProperty ?? error.params.additionalProperty ?? '')
  const field = [...parent, ...(own ? [own] : [])].join('.')
  if (!field) return { code: 'not-valid', sentence: `The ${context === 'body' ? 'body' : 'request'} ${error.message}.` }
  return { code: 'not-valid', sentence: `“${field}” ${whatIsWrong(error)}.`, field }
}

function whatIsWrong(error: FastifySchemaValidationError): string {
  const { limit, allowedValues, type, format } = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'required':
      return 'is missing'
    case 'additionalProperties':
      return 'is not known here'
    case 'type':
      return `must be ${nameOfType(type)}`
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`
    case 'maxLength':
      return `must have at most ${limit} characters`
    case 'minimum':
      return `must be at least ${limit}`
    case 'maximum':
      return `must be at most ${limit}`
    case 'maxItems':
      return `must have at most ${limit} entries`
    case 'enum':
      return `must be one of ${(allowedValues as unknown[]).join(', ')}`
    case 'format':
      return `must be a ${format}`
    default:
      return error.message ?? 'is not possible'
  }
}

const typeNames: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
}

function nameOfType(type: unknown): string {
  return [type]
    .flat()
    .map(one => typeNames[String(one)] ?? String(one))
    .join(' or ')
}

const decodePointer = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')

const sentenceOf = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
