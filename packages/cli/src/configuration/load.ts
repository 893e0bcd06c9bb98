// A configuration file to a typed configuration, or every fault in it at once.

import { dirname, resolve } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { z } from 'zod'
import { inOrder } from './fault.js'
import type { Fault } from './fault.js'
import { providerProblems, resolveDefinitions, resolveTls } from './files.js'
import { readYaml } from './located.js'
import type { Environment, Located } from './located.js'
import { noOperators, referenceProblems } from './references.js'
import type { Problem, Surroundings } from './references.js'
import { configurationSchema, definitionsSchema } from './schema.js'
import type { WrittenConfiguration, WrittenDefinitions } from './schema.js'
import { schemaFaults } from './wording.js'
import { readText } from './text.js'

type WrittenProvider = WrittenConfiguration['identityProviders'][number]

export interface Configuration extends Omit<
  WrittenConfiguration,
  'identities' | 'targets' | 'grants' | 'rules' | 'tls' | 'identityProviders'
> {
  /** Those that may know identities which the file does not. */
  readonly identityProviders: readonly Extract<WrittenProvider, { kind: 'oidc' }>[]
  readonly sshAuthorities: readonly Extract<WrittenProvider, { kind: 'ssh-ca' }>[]
  readonly file: string
  readonly directory: string
  /** PEM. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined
  readonly definitions: WrittenDefinitions
}

export type Loaded<T> =
  | { readonly kind: 'loaded'; readonly value: T; readonly warnings: readonly Fault[] }
  | { readonly kind: 'faulty'; readonly file: string; readonly faults: readonly Fault[] }

/** Throws Misconfigured where the file cannot be read at all. */
export function loadConfiguration(file: string, env: Environment): Loaded<Configuration> {
  const read = readText(file)
  if (read.kind === 'faulty') return { kind: 'faulty', file, faults: [read.fault] }
  return parseConfiguration(file, read.text, env)
}

export function parseConfiguration(file: string, text: string, env: Environment): Loaded<Configuration> {
  const located = readYaml(text, env)
  if (located.broken) return { kind: 'faulty', file, faults: inOrder(located.faults) }
  const parsed = configurationSchema.safeParse(located.value ?? {})
  if (!parsed.success) {
    const faults = [
      ...schemaFaults(parsed.error, configurationSchema, located),
      ...atPlaces(salvagedProblems(located.value), located),
    ]
    return { kind: 'faulty', file, faults: together(located.faults, faults) }
  }
  const { identities, targets, grants, rules, tls, identityProviders: providers, ...rest } = parsed.data
  const identityProviders = providers.filter((each) => each.kind === 'oidc')
  const sshAuthorities = providers.filter((each) => each.kind === 'ssh-ca')
  const directory = dirname(resolve(file))
  const definitions = resolveDefinitions({ identities, targets, grants, rules }, directory)
  const certificate = resolveTls(tls, directory)
  const problems = [
    ...definitions.problems,
    ...certificate.problems,
    ...providerProblems(providers, directory),
    ...listenerProblems(parsed.data),
    ...referenceProblems(definitions.value, {
      providers: identityProviders.length > 0,
      operators: rest.operators,
    }),
  ]
  const faults = together(located.faults, atPlaces(problems, located))
  if (faults.length > 0) return { kind: 'faulty', file, faults }
  const warnings = atPlaces(passwordWarnings(parsed.data, located), located)
  return {
    kind: 'loaded',
    value: { ...rest, identityProviders, sshAuthorities, file, directory, tls: certificate.value, definitions: definitions.value },
    warnings,
  }
}

/**
 * The definitions of a file that may give some of the lists alone (rules, say); those it leaves out are those of `base`, which an
 * identity provider may stand behind.
 */
export function loadDefinitionsOver(file: string, env: Environment, base: WrittenDefinitions): Loaded<WrittenDefinitions> {
  const read = readText(file)
  if (read.kind === 'faulty') return { kind: 'faulty', file, faults: [read.fault] }
  const located = readYaml(read.text, env)
  const parsed = configurationSchema.safeParse(located.value ?? {})
  if (located.broken || !parsed.success) {
    const faults = parsed.success ? [] : schemaFaults(parsed.error, configurationSchema, located)
    return { kind: 'faulty', file, faults: together(located.faults, located.broken ? [] : faults) }
  }
  const given = new Set(Object.keys(located.value ?? {}))
  if (!given.has('rules')) {
    const message = 'there are no rules here; write `rules:`, or name a configuration file that has them'
    return { kind: 'faulty', file, faults: [{ line: 1, column: 1, message }] }
  }
  const { identities, targets, grants, rules, identityProviders } = parsed.data
  const own = resolveDefinitions({ identities, targets, grants, rules }, dirname(resolve(file)))
  const value: WrittenDefinitions = {
    identities: given.has('identities') ? own.value.identities : base.identities,
    targets: given.has('targets') ? own.value.targets : base.targets,
    grants: given.has('grants') ? own.value.grants : base.grants,
    rules: own.value.rules,
  }
  const providers = identityProviders.length > 0 || !given.has('identities')
  const problems = [...own.problems, ...referenceProblems(value, { providers, operators: noOperators })]
  const faults = together(located.faults, atPlaces(problems, located))
  return faults.length > 0 ? { kind: 'faulty', file, faults } : { kind: 'loaded', value, warnings: [] }
}

/** One fault a place: a value the environment lacks needs no word about its shape as well. */
function together(first: readonly Fault[], second: readonly Fault[]): readonly Fault[] {
  const taken = new Set(first.map(({ line, column }) => `${line}:${column}`))
  return inOrder([...first, ...second.filter(({ line, column }) => !taken.has(`${line}:${column}`))])
}

/** Wrong names in the grants and rules that are well formed, where other parts of the file are not. */
function salvagedProblems(value: unknown): readonly Problem[] {
  const found = salvageSchema.safeParse(value)
  if (!found.success) return []
  const { identities, targets } = found.data
  const grants = wellFormedEntries(found.data.grants, definitionsSchema.shape.grants)
  const rules = wellFormedEntries(found.data.rules, definitionsSchema.shape.rules)
  const definitions = { identities, targets, grants: grants.map(({ entry }) => entry), rules: rules.map(({ entry }) => entry) }
  const indexes = { grants: grants.map(({ index }) => index), rules: rules.map(({ index }) => index) }
  const providers = found.data.identityProviders.length > 0
  return referenceProblems(definitions, { providers, operators: noOperators }).map(({ path: [list, index, ...rest], message }) => {
    const place = list === 'grants' || list === 'rules' ? indexes[list][Number(index)] : Number(index)
    return { path: [list ?? '', place ?? 0, ...rest], message }
  })
}

const salvageSchema = z.object({
  identities: definitionsSchema.shape.identities,
  targets: definitionsSchema.shape.targets,
  grants: z.array(z.unknown()).catch([]),
  rules: z.array(z.unknown()).catch([]),
  identityProviders: z.array(z.unknown()).catch([]),
})

function wellFormedEntries<T>(entries: readonly unknown[], list: z.ZodType<readonly T[]>): readonly { entry: T; index: number }[] {
  return entries.flatMap((written, index) => {
    const parsed = list.safeParse([written])
    return parsed.success ? parsed.data.map((entry) => ({ entry, index })) : []
  })
}

/** Definitions that come from the store or the API rather than a file: throws Misconfigured with every problem, one a line. */
export function checkedDefinitions(value: unknown, surroundings: Surroundings): WrittenDefinitions {
  const parsed = definitionsSchema.safeParse(value)
  const problems = parsed.success ? referenceProblems(parsed.data, surroundings) : parsed.error.issues
  if (parsed.success && problems.length === 0) return parsed.data
  const lines = problems.slice(0, 100).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`)
  throw new Misconfigured('definitions-faulty', lines.join('\n'))
}

function atPlaces(problems: readonly Problem[], located: Located): readonly Fault[] {
  return inOrder(problems.map(({ path, message }) => ({ ...located.placeOf(path), message })))
}

/** Two listeners cannot have one address; port 0 (any free port) is never the same twice. */
function listenerProblems(configuration: WrittenConfiguration): readonly Problem[] {
  const taken = new Map<string, string>([[configuration.console.address, 'the console']])
  return configuration.listen.flatMap(({ address }, index) => {
    const path = ['listen', index, 'address']
    if (address.endsWith(':0')) return []
    const by = taken.get(address)
    if (by !== undefined) return [{ path, message: `${by} listens on ${address} already; choose another port` }]
    taken.set(address, `listen[${index}]`)
    return []
  })
}

/** It works, but the file is meant to be read, copied and committed. */
function passwordWarnings(configuration: WrittenConfiguration, located: Located): readonly Problem[] {
  const literal = /^[a-z]+:\/\/[^@/]*:[^@/]+@/.test(configuration.database) && !located.fromEnvironment(['database'])
  if (!literal) return []
  return [{ path: ['database'], message: 'a password stands in the file; write it as ${NAME} and set NAME in the environment' }]
}
