import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfiguration, parseConfiguration } from './load.js'

const sound = `listen:
  - { protocol: postgres, address: 127.0.0.1:15432 }
identities:
  - { name: bot, kind: agent, groups: [agents] }
  - { name: dora@example.com, kind: person, groups: [dba] }
targets:
  - name: orders
    protocol: postgres
    address: db.internal:5432
    tls: require
    credential: { username: app, password: { env: ORDERS_PASSWORD } }
    labels: { env: prod }
grants:
  - { groups: [agents], targets: [orders] }
rules:
  - name: no-schema
    who: { kind: agent }
    where: { targets: ["ord*"] }
    what: { access: [schema, admin] }
    then: deny
  - { name: unbounded, what: { verbs: [update, delete], bounded: false }, then: review, reviewers: { groups: [dba] }, within: 15m }
  - { name: personal, what: { columns: ["*.customers.email"] }, then: mask, with: redact }
  - { name: night, what: { access: [write] }, when: 'now.hour < 6', then: deny }
`

let directory = ''
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'sallyport-configuration-'))))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function faultsOf(text: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
  const loaded = parseConfiguration(join(directory, 'sallyport.yaml'), text, env)
  return loaded.kind === 'faulty' ? loaded.faults.map(({ line, column, message }) => `${line}:${column}: ${message}`) : []
}

/** The sound file with one piece of it replaced. */
function spoiled(piece: string, by: string): string {
  expect(sound).toContain(piece)
  return sound.replace(piece, by)
}

describe('a sound file', () => {
  it('has no fault, and its defaults stand', () => {
    const loaded = parseConfiguration('sallyport.yaml', sound, {})
    expect(loaded).toMatchObject({
      kind: 'loaded',
      value: {
        console: { address: '127.0.0.1:7080' },
        database: 'embedded',
        limits: { loginSeconds: 15, idleMinutes: 0 },
        definitions: { targets: [{ durability: 'process', default: 'allow', databases: [], trust: { functions: [] } }] },
      },
    })
  })

  it('may be empty but for what has defaults', () => {
    expect(parseConfiguration('sallyport.yaml', '# nothing\n', {})).toMatchObject({
      kind: 'loaded',
      value: { listen: [{ protocol: 'postgres', address: '127.0.0.1:15432' }] },
    })
  })

  it('reads the environment anywhere, numbers too, and leaves $${ alone', () => {
    const text = `database: postgresql://u:\${PW}@h/d\nlimits: { loginSeconds: "\${SECONDS}" }\nidentities: [{ name: a, kind: agent, groups: ["\${G}", "$\${G}"] }]\n`
    expect(parseConfiguration('f', text, { PW: 'x', SECONDS: '7', G: 'g' })).toMatchObject({
      value: {
        database: 'postgresql://u:x@h/d',
        limits: { loginSeconds: 7 },
        definitions: { identities: [{ groups: ['g', '${G}'] }] },
      },
    })
  })

  it('takes what anchors and aliases say', () => {
    const text = 'identities:\n  - { name: a, kind: agent, groups: &g [x] }\n  - { name: b, kind: agent, groups: *g }\n'
    expect(faultsOf(text)).toEqual([])
  })
})

describe('each fault has its place and says what to do', () => {
  it.each([
    ['unknown key', 'listen:', 'listn:', '1:1: unknown key "listn"; did you mean "listen"?'],
    [
      'unknown key, nothing near',
      'labels: { env',
      'zzzzzz: { env',
      /^12:5: unknown key "zzzzzz"; known here: name, tls, .*protocol, address/,
    ],
    [
      'unknown key in a rule',
      'who: { kind: agent }',
      'who: { kinds: [agent] }',
      '17:12: unknown key "kinds"; did you mean "kind"?',
    ],
    ['wrong type', 'groups: [dba] }\n', 'groups: dba }\n', '5:53: text stands here; write a list'],
    ['wrong choice', 'tls: require', 'tls: requir', '10:10: "requir" is none of off, require, verify; did you mean "require"?'],
    ['missing key', '    address: db.internal:5432\n', '', '7:5: missing key "address"; add it'],
    ['bad address', 'db.internal:5432', 'db.internal', /^9:14: "db\.internal" is not an address; write host:port/],
    ['bad port', '127.0.0.1:15432', '127.0.0.1:65536', /^2:36: "127\.0\.0\.1:65536" is not an address/],
    ['port 0 of a target', 'db.internal:5432', 'db.internal:0', /^9:14: .* with a port from 1 to 65535/],
    [
      'literal password',
      '{ env: ORDERS_PASSWORD }',
      'hunter2',
      /^11:44: a secret must not stand in the file; write \{ env: NAME \}/,
    ],
    ['two sources', '{ env: ORDERS_PASSWORD }', '{ env: A, file: b }', /^11:44: a secret has one source/],
    ['bad name', 'name: orders', 'name: or.ders', /^7:11: "or\.ders" is not a name of a target/],
    [
      'wrong protocol',
      '    protocol: postgres',
      '    protocol: oracle',
      '8:15: "oracle" is not a protocol that a target may speak; write postgres, mysql, ssh or http',
    ],
    [
      'unknown target in a grant',
      'targets: [orders] }',
      'targets: [order] }',
      '14:35: there is no target order; did you mean "orders"?',
    ],
    [
      'unknown group in a grant',
      'groups: [agents], targets',
      'groups: [agent], targets',
      '14:16: there is no group agent; did you mean "agents"?',
    ],
    [
      'unknown group of reviewers',
      'reviewers: { groups: [dba]',
      'reviewers: { groups: [sre]',
      /^21:111: there is no group sre; give an identity this group/,
    ],
    ['unknown identity', 'who: { kind: agent }', 'who: { names: [bob] }', '17:20: there is no identity bob; did you mean "bot"?'],
    ['a grant for nobody', '{ groups: [agents], targets', '{ targets', /^14:5: a grant must say to whom/],
    ['bad CEL', "'now.hour < 6'", "'now.hour <'", /^23:53: Unexpected token/],
    ['bad regular expression', 'access: [schema, admin]', "text: '('", /^19:19: /],
    [
      'a rule that can never match',
      'access: [schema, admin]',
      'access: [read], verbs: [delete]',
      '19:21: delete is never access read',
    ],
    ['columns without a table', '"*.customers.email"', '"email"', /^22:41: email never matches/],
    ['a review by nobody', ', reviewers: { groups: [dba] }', '', /^21:81: a review needs reviewers/],
    ['bad duration', 'within: 15m', 'within: 15', /^21:127: write a span of time/],
    ['a tab', '    protocol: postgres', '\tprotocol: postgres', /^8:1: a tab indents this line; use spaces/],
    ['a key twice', '    tls: require', '    tls: require\n    tls: off', /^11:5: this key is already there/],
    ['a second document', 'identities:', '---\nidentities:', /^3:1: a second document begins here/],
    ['an unknown tag', 'name: orders', 'name: !secret orders', /^7:11: not valid YAML: unresolved tag/],
    ['an alias of nothing', 'groups: [dba] }\n', 'groups: *dba }\n', /^5:53: "\*dba" names no anchor/],
    ['a list for a key', '  - name: no-schema', '  - ? [a]\n    : 1\n    name: no-schema', /^16:7: a key must be plain text/],
  ])('%s', (_name, piece, by, expected) => {
    const faults = faultsOf(spoiled(piece, by))
    expect(faults.length).toBeGreaterThan(0)
    expect(faults[0]).toMatch(
      typeof expected === 'string' ? new RegExp(`^${expected.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`) : expected,
    )
  })

  it('tells two of one name, and which came first', () => {
    const text = `${sound}identities_: 1\n`
      .replace('identities_: 1\n', '')
      .replace('  - { name: dora@example.com', '  - { name: bot')
    expect(faultsOf(text)).toContain('5:13: identities[0] has the name "bot" already; choose another')
  })

  it('wants to know an ssh target’s host, and a way to it that ends', () => {
    const credential = 'credential: { username: a, password: { env: P } }'
    const target = (name: string, more: string): string =>
      `  - { name: ${name}, protocol: ssh, address: "h:22", ${more}${credential} }\n`
    const key = 'hostKey: "ssh-ed25519 AAAA", '
    const targets = (...written: readonly string[]): readonly string[] => faultsOf(`targets:\n${written.join('')}`)
    expect(targets(target('a', ''))).toEqual([expect.stringContaining('write hostKey')])
    expect(targets(target('a', 'hostAuthority: "ssh-ed25519 AAAA", '))).toEqual([])
    expect(targets(target('a', key), target('b', `${key}via: a, `), target('c', `${key}via: b, `))).toEqual([])
    expect(targets(target('a', `${key}via: a, `))).toEqual([expect.stringContaining('the way goes round: a, a')])
    expect(targets(target('a', `${key}via: b, `), target('b', `${key}via: a, `))).toHaveLength(2)
    expect(targets(target('web', key), target('b', `${key}via: wep, `))).toEqual([expect.stringContaining('did you mean "web"?')])
    const long = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index, names) =>
      target(name, index === 0 ? key : `${key}via: ${names[index - 1]}, `),
    )
    expect(targets(...long)).toEqual([expect.stringContaining('more than 4 targets')])
    expect(
      faultsOf(
        'targets:\n  - { name: p, protocol: postgres, address: "h:1", via: a, credential: { username: a, password: { env: P } } }\n',
      ),
    ).toEqual([expect.stringContaining('unknown key "via"')])
  })

  it('takes providers for what they are', () => {
    const provider = (more: string): readonly string[] => faultsOf(`identityProviders:\n  - { name: corp, ${more} }\n`)
    expect(provider('kind: oidc, issuer: "https://x.example", audience: a, clientId: c, clientSecret: { env: S }')).toEqual([])
    expect(provider('kind: oidc, issuer: "https://x.example", audience: a, clientSecret: { env: S }')).toEqual([
      expect.stringContaining('add clientId'),
    ])
    expect(provider('kind: oidc, issuer: "https://x.example", audience: a, clientId: c, clientSecret: { file: ./none }')).toEqual([
      expect.stringContaining('no such file'),
    ])
    expect(provider('kind: saml, metadata: ./idp.xml')).toEqual([expect.stringContaining('SAML is not spoken here')])
    expect(provider('kind: ldap')).toEqual([expect.stringContaining('not a kind of identity provider')])
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO3k2pbU4xv1JD7dCqVJ4CzF5aHfOtjkGhtvd0cn1Jc7'
    expect(provider(`kind: ssh-ca, publicKey: "${key}", principals: [a]`)).toEqual([])
    expect(provider(`kind: ssh-ca, publicKey: "${key.slice(0, -8)}", principals: [a]`)).toEqual([
      expect.stringContaining('not a key'),
    ])
    expect(provider(`kind: ssh-ca, publicKey: "${key}"`)).toEqual([expect.stringContaining('principals')])
  })

  it('tells two listeners of one address', () => {
    const text =
      'listen:\n  - { protocol: postgres, address: 127.0.0.1:7080 }\n  - { protocol: auto, address: 127.0.0.1:1 }\n  - { protocol: auto, address: 127.0.0.1:1 }\n'
    expect(faultsOf(text)).toEqual([
      '2:36: the console listens on 127.0.0.1:7080 already; choose another port',
      '4:32: listen[1] listens on 127.0.0.1:1 already; choose another port',
    ])
  })

  it('reports everything at once: shape, names and environment', () => {
    const text = spoiled('listen:', 'listn:')
      .replace('targets: [orders] }', 'targets: [nowhere] }')
      .replace('hour < 6', 'hour <')
      .replace('env: prod', 'env: "${TIER}"')
    const faults = faultsOf(text)
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['1', '12', '14', '23'])
    expect(faults[1]).toBe('12:20: the environment has no TIER; set it, or write the value here')
  })
})

describe('secrets', () => {
  it('shows no value that came from the environment', () => {
    const faults = faultsOf(
      'database: "${URL}"\nlisten: [{ protocol: auto, address: "${URL}" }]\nconsole: { address: "x:1", url: "${URL}" }\nlog: { level: "${URL}" }',
      {
        URL: 'hunter2',
      },
    )
    expect(faults).toHaveLength(4)
    expect(faults.join('\n')).not.toContain('hunter2')
  })

  it('warns of a password in the URL of the database, unless the environment brings it', () => {
    const warnings = (text: string, env: Readonly<Record<string, string>>): unknown => {
      const loaded = parseConfiguration('f', text, env)
      return loaded.kind === 'loaded' ? loaded.warnings : loaded.faults
    }
    const message = 'a password stands in the file; write it as ${NAME} and set NAME in the environment'
    expect(warnings('database: postgresql://u:p@h/d', {})).toEqual([{ line: 1, column: 11, message }])
    expect(warnings('database: postgresql://u:${P}@h/d', { P: 'p' })).toEqual([])
  })
})

describe('hostile files', () => {
  it('stops at an alias bomb, soon', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')}]`)
    const began = performance.now()
    expect(faultsOf(lines.join('\n'))[0]).toMatch(/too many or too deeply nested/)
    expect(performance.now() - began).toBeLessThan(15_000)
  })

  it('stops at an alias of itself, and at depth', () => {
    expect(faultsOf('a: &a [*a]')[0]).toMatch(/too many or too deeply nested|names no anchor/)
    expect(faultsOf(`a: ${'['.repeat(200)}${']'.repeat(200)}`)[0]).toMatch(/too many or too deeply nested/)
  })

  it('takes a key named __proto__ for what it is', () => {
    expect(faultsOf('__proto__: { polluted: true }')[0]).toMatch(/^1:1: unknown key "__proto__"/)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  const written = (name: string, bytes: string | Uint8Array): string => {
    const file = join(directory, name)
    writeFileSync(file, bytes)
    return file
  }

  it('names the place of what is not UTF-8', () => {
    const file = written('latin.yaml', Buffer.concat([Buffer.from('listen: []\nlog: "'), Buffer.from([0xe9]), Buffer.from('"\n')]))
    expect(loadConfiguration(file, {})).toMatchObject({
      faults: [{ line: 2, column: 7, message: 'this is not UTF-8; save the file as UTF-8' }],
    })
  })

  it('refuses what is over 1 MiB', () => {
    expect(loadConfiguration(written('large.yaml', `#${'x'.repeat(1024 * 1024)}`), {})).toMatchObject({
      faults: [{ line: 1, column: 1 }],
    })
  })

  it('says what is wrong with a file it cannot read', () => {
    expect(() => loadConfiguration(join(directory, 'none.yaml'), {})).toThrow(/none\.yaml: there is no such file/)
    expect(() => loadConfiguration(directory, {})).toThrow(/is a directory/)
  })

  it('names files that the configuration names and nobody can read, relative to itself', () => {
    const file = written(
      'files.yaml',
      spoiled('{ env: ORDERS_PASSWORD }', '{ file: ./pw.txt }').replace('tls: require', 'tlsAuthorities: ca.pem'),
    )
    const loaded = loadConfiguration(file, {})
    expect(loaded.kind === 'faulty' ? loaded.faults.map((fault) => `${fault.line}:${fault.column} ${fault.message}`) : []).toEqual([
      `10:21 ${join(directory, 'ca.pem')}: there is no such file; check the path`,
      `11:52 ${join(directory, 'pw.txt')}: there is no such file; check the path`,
    ])
  })
})
