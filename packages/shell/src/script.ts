// Walks the tree of a script: whatever stands anywhere in it counts, whether or not it would be reached when it runs.

import { forEachChild, parse } from 'unbash'
import type { Assignment, Command, Redirect, Redirection, SyntaxNode } from 'unbash'
import { isTellingVariable } from './programs.js'
import { isUnknown, textOf } from './words.js'
import type { Findings } from './findings.js'
import type { Place } from './place.js'

/** `sh -c 'sh -c ...'`: nobody means more than a few. */
const maxDepth = 8
const maxDirectories = 4

export function readScript(text: string, found: Findings, place: Place): void {
  if (place.depth > maxDepth) {
    found.unknown()
    return
  }
  const script = parse(text)
  visit(script, found, { ...place, directories: directoriesOf(script, place.directories) })
}

function visit(node: SyntaxNode, found: Findings, place: Place): void {
  if (!found.step()) return
  if (node.type === 'Command') readCommand(node, found, place)
  else if (node.type === 'Redirect') readRedirection(node, found, place)
  else if (node.type === 'Assignment') readAssignment(node, found)
  else if (isDoubtful(node)) found.unknown()
  forEachChild(node, (child) => visit(child, found, place))
}

/**
 * What did not parse, and what other shells read as what bash does not: `((rm x))` is two subshells, `[[ a || rm x ]]` two commands; to dash a `$`
 * before a quote is a `$`, so that `$'\\'` ends there, and so does a document up to `$"a"` at a line that reads `$a`.
 */
function isDoubtful(node: SyntaxNode): boolean {
  if (node.type === 'Script') return (node.errors?.length ?? 0) > 0
  if (node.type === 'AnsiCQuoted') return node.text.includes("\\'")
  if (node.type === 'HereDocDelimiter') return /\$['"]/.test(node.text)
  if (node.type === 'CommandExpansion' || node.type === 'ProcessSubstitution') return node.script === undefined
  if (node.type === 'TestBinary') return node.operator === '<' || node.operator === '>'
  return ['ArithmeticCommand', 'ArithmeticFor', 'TestLogical', 'TestGroup'].includes(node.type)
}

function readCommand(command: Command, found: Findings, place: Place): void {
  if (command.name === undefined) return
  const written = textOf(command.name)
  const args = command.args.map((arg) => (arg.type === 'Word' ? textOf(arg) : assignmentText(arg)))
  place.invoke({ written, args, input: constantInput(command.redirects) }, found, place)
}

function assignmentText(assignment: Assignment): string {
  return assignment.value.type === 'Word' ? `${assignment.name}=${textOf(assignment.value)}` : `${assignment.name}=`
}

/** What the command reads, where the line itself holds it. */
function constantInput(redirections: readonly Redirection[]): string | undefined {
  const inputs = redirections.filter((each) => each.type !== 'Redirect' || each.operator.startsWith('<'))
  const [only, another] = inputs
  if (only === undefined || another !== undefined) return undefined
  if (only.type === 'HereString') return only.target === undefined ? undefined : textOf(only.target)
  return only.type === 'HereDoc' && only.closing !== undefined && (only.body.parts ?? []).every((part) => part.type === 'Literal')
    ? only.body.text
    : undefined
}

function readRedirection({ operator, target }: Redirect, found: Findings, place: Place): void {
  if (target === undefined) return found.unknown()
  const path = textOf(target)
  const duplicates = operator === '>&' || operator === '<&'
  if (duplicates && /^(\d+-?|-)$/.test(path)) return
  if (/^\/dev\/(tcp|udp)\//.test(path)) return found.file('unknown', 'connect', path, place.directories)
  if (operator === '<') return found.file('read', 'read', path, place.directories)
  if (operator === '<>' || operator === '<&') {
    found.file('read', 'read', path, place.directories)
    return found.file('write', 'write', path, place.directories)
  }
  found.file('write', operator.includes('>>') ? 'append' : 'write', path, place.directories)
}

/** A variable that changes what runs; or a value that runs where arithmetic evaluates it, such as `a[$(rm x)]`. */
function readAssignment(assignment: Assignment, found: Findings): void {
  const value = assignment.value.type === 'Word' ? textOf(assignment.value) : ''
  if (isTellingVariable(assignment.name) || /\[.*(\$\(|`|\$\{)/s.test(value)) found.unknown()
}

/**
 * A line that is `cd PLACE && ...` throughout is in that place and nowhere else; with `cd` in it in any other way it could be in
 * each of them, and where one of them is not known, anywhere.
 */
function directoriesOf(script: SyntaxNode & { type: 'Script' }, before: readonly string[]): readonly string[] {
  const changes = changesIn(script)
  if (changes.length === 0) return before
  const places = changes.map((target) =>
    target.startsWith('/') || target.startsWith('~') || isUnknown(target) ? target : '\ufffd',
  )
  const only = script.commands[0]?.command
  const leads =
    script.commands.length === 1 && changes.length === 1 && only?.type === 'AndOr' && only.operators.every((each) => each === '&&')
  const first = only?.type === 'AndOr' ? only.commands[0] : undefined
  const led = leads && first?.type === 'Command' && first.name?.value === 'cd'
  const all = [...new Set(led ? places : [...before, ...places])]
  return all.length > maxDirectories || all.some(isUnknown) ? ['\ufffd'] : all
}

/** `eval`, `source`, and `cd` behind `builtin` or `command`: what they change cannot be told here. */
function changesPlace({ name, args }: Command): boolean {
  const [word = '', ...rest] = [...(name === undefined ? [] : [name]), ...args].map((each) =>
    each.type === 'Word' ? textOf(each) : '',
  )
  if (/^(eval|source|\.)$/.test(word)) return true
  return /^(builtin|command)$/.test(word) && rest.some((each) => /^(cd|chdir|pushd|popd|eval|source|\.)$/.test(each))
}

function changesIn(node: SyntaxNode): readonly string[] {
  const found: string[] = []
  const look = (each: SyntaxNode): void => {
    if (each.type === 'Command' && each.name !== undefined && /^(cd|pushd|popd|chdir)$/.test(textOf(each.name))) {
      const [target, more] = each.args
      found.push(target === undefined ? '~' : target.type === 'Word' && more === undefined ? textOf(target) : '\ufffd')
    } else if (each.type === 'Command' && changesPlace(each)) found.push('\ufffd')
    else forEachChild(each, look)
  }
  look(node)
  return found
}
