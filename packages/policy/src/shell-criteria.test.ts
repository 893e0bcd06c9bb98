import { describe, expect, it } from 'vitest'
import type { Effect, Identity, Statement, Target } from '@sallyport/core'
import { compilePolicy, ruleSchema } from './index.js'
import { matchesPartly } from './unsure.js'

const identity: Identity = { id: 'a', name: 'a', kind: 'agent', groups: [] }
const target: Target = {
  name: 'web',
  protocol: 'ssh',
  address: 'h:22',
  databases: [],
  tls: 'off',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}

function verdictOf(rule: Record<string, unknown>, effects: readonly Effect[], kind: Statement['kind'] = 'command'): string {
  const rules = [ruleSchema.parse({ name: 'r', ...rule })]
  const statement: Statement = { id: 1, kind, text: '', parameters: [], effects, held: true }
  const verdict = compilePolicy(rules).judgeFor(identity, target).evaluate(statement, { nowMs: 0 })
  return verdict.kind === 'deny' ? verdict.cause : verdict.kind === 'allow' && verdict.rule === null ? 'untouched' : verdict.kind
}

const run = (program: string, args: readonly string[] = [], more: Partial<Effect> = {}): Effect => ({
  access: 'read',
  verb: 'run',
  object: program,
  program,
  args,
  ...more,
})
const file = (path: string, access: Effect['access'] = 'read'): Effect => ({ access, verb: access, object: path, file: path })
const opaque = run('\ufffd', ['\ufffd'], { access: 'unknown', object: '', opaque: true })

describe('programs', () => {
  const deny = { what: { programs: ['rm'] }, then: 'deny' }
  it('matches by name and by path', () => {
    expect(verdictOf(deny, [run('rm')])).toBe('rule')
    expect(verdictOf({ what: { programs: ['/usr/bin/*'] }, then: 'deny' }, [{ ...run('rm'), object: '/usr/bin/rm' }])).toBe('rule')
    expect(verdictOf(deny, [run('ls'), file('/x/rm')])).toBe('untouched')
  })
  it('counts what could be any program against rules that restrict, and for none that allows', () => {
    expect(verdictOf(deny, [opaque])).toBe('not-understood')
    expect(verdictOf(deny, [run('python', [], { access: 'unknown', opaque: true })])).toBe('not-understood')
    expect(verdictOf({ what: { programs: ['*'] }, then: 'allow' }, [opaque])).toBe('untouched')
  })
  it('does not count a program that is only known by name', () => {
    expect(verdictOf(deny, [run('unheardof', [], { access: 'unknown' })])).toBe('untouched')
    expect(verdictOf({ what: { access: ['write'] }, then: 'deny' }, [run('unheardof', [], { access: 'unknown' })])).toBe(
      'not-understood',
    )
  })
})

describe('args', () => {
  const review = { what: { programs: ['rm'], args: ['-r*'] }, then: 'deny' }
  it('looks at short options one by one', () => {
    expect(verdictOf(review, [run('rm', ['-fr', 'x'], { options: ['-f', '-r'] })])).toBe('rule')
    expect(verdictOf(review, [run('rm', ['-f', 'x'])])).toBe('untouched')
    expect(verdictOf(review, [run('rm', ['\ufffd'])])).toBe('not-understood')
  })
  it('asks a rule that allows for every argument', () => {
    const allow = { what: { programs: ['systemctl'], args: ['status', 'nginx'] }, then: 'allow' }
    expect(verdictOf(allow, [run('systemctl', ['status', 'nginx'])])).toBe('allow')
    expect(verdictOf(allow, [run('systemctl', ['status', 'sshd'])])).toBe('untouched')
    expect(verdictOf(allow, [run('systemctl')])).toBe('untouched')
  })
})

describe('files', () => {
  const deny = { what: { files: ['/etc/*'] }, then: 'deny' }
  it.each([
    ['/etc/shadow', 'rule'],
    ['/etc2/x', 'untouched'],
    ['\ufffd/shadow', 'not-understood'],
    ['/var/\ufffd', 'untouched'],
    ['/\ufffd', 'not-understood'],
    ['~/x', 'untouched'],
  ])('%s is %s', (path, verdict) => {
    expect(verdictOf(deny, [file(path)])).toBe(verdict)
    expect(verdictOf(deny, [file(path)], 'file')).toBe(verdict)
  })
  it('does not know where a home is', () => {
    expect(verdictOf({ what: { files: ['/home/*'] }, then: 'deny' }, [file('~/x')])).toBe('not-understood')
    expect(verdictOf({ what: { files: ['~/.ssh/*'] }, then: 'deny' }, [file('/root/.ssh/authorized_keys')])).toBe('not-understood')
    expect(verdictOf({ what: { files: ['~/.ssh/*'] }, then: 'deny' }, [file('~/.ssh/authorized_keys')])).toBe('rule')
    expect(verdictOf({ what: { files: ['~/.ssh/*'] }, then: 'deny' }, [file('/tmp/x')])).toBe('untouched')
  })
})

it('leaves programs and files out of what is about columns and rows', () => {
  expect(verdictOf({ what: { columns: ['*.ssn'] }, then: 'mask' }, [opaque])).toBe('untouched')
  expect(verdictOf({ what: { access: ['read'], rowsOver: 10 }, then: 'deny' }, [file('/x')], 'file')).toBe('untouched')
})

it.each([
  ['a*', '\ufffd', 'could'],
  ['*', '\ufffd', 'yes'],
  ['*x', 'a\ufffdx', 'yes'],
  ['ab', 'a\ufffd', 'could'],
  ['ab', '\ufffdc', 'no'],
  ['a*c', 'x\ufffdc', 'no'],
  ['a*b*c', 'a\ufffdb', 'no'],
  ['a*b*c', 'a\ufffdc', 'could'],
  ['', '\ufffd', 'could'],
])('matching %j with %j is %s', (pattern, text, certainty) => {
  expect(matchesPartly(pattern, text)).toBe(certainty)
})

describe('detectors', () => {
  const mask = { what: { detectors: ['email'] }, then: 'mask' }
  const whatever = [[run('cat')], [run('tee', [], { access: 'write' })], [opaque], [run('unheardof', [], { access: 'unknown' })]]
  it.each(whatever)('cover what any command prints, also one that is not understood', (effect) => {
    expect(verdictOf(mask, [effect])).toBe('mask')
    expect(verdictOf(mask, [effect], 'shell')).toBe('mask')
    expect(verdictOf(mask, [effect], 'tunnel')).toBe('untouched')
  })
  it('cover commands that could be the one that is named', () => {
    const some = { what: { programs: ['cat'], detectors: ['email'] }, then: 'mask' }
    expect(verdictOf(some, [run('cat')])).toBe('mask')
    expect(verdictOf(some, [opaque])).toBe('mask')
    expect(verdictOf(some, [run('ls')])).toBe('untouched')
  })
  it('cover files that are read, not those that are written', () => {
    expect(verdictOf(mask, [file('/x')], 'file')).toBe('mask')
    expect(verdictOf(mask, [file('/x', 'write')], 'file')).toBe('untouched')
  })
  it('beside columns stay with what has columns', () => {
    const both = { what: { columns: ['*.t.c'], detectors: ['email'] }, then: 'mask' }
    expect(verdictOf(both, [run('cat')])).toBe('untouched')
    expect(verdictOf(both, [run('psql'), { access: 'read', verb: 'select', object: 's.t', columns: ['s.t.c'] }])).toBe('mask')
  })
})
