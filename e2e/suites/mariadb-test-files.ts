// Which of MariaDB's own test files can be run one after the other by one user on one server that is not theirs to configure: chosen by
// what a file and all that it includes say, never by whether it passes.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian's mariadb-test-data puts the suite, older and newer releases. */
const places = ['/usr/share/mysql/mysql-test', '/usr/share/mariadb/mariadb-test', '/usr/share/mariadb-test']

export interface TestFiles {
  /** The suite's directory, where the client must run. */
  readonly root: string
  /** Names below `main/`, less `.test`. */
  readonly chosen: readonly string[]
  /** How many there are of each reason that rules a file out. */
  readonly ruledOut: ReadonlyMap<string, number>
}

/** The first that applies counts. Comments and texts are not told apart from statements: too many are ruled out rather than too few. */
const reasons: readonly (readonly [reason: string, pattern: RegExp])[] = [
  [
    'restarts the server',
    /include\/(?:\w*restart_mysqld|start_mysqld|shutdown_mysqld|kill_mysqld|kill_and_restart)|shutdown_server/i,
  ],
  ['connects again, as root', /^[ \t]*(?:--[ \t]*)?connect[ \t]*\(|^[ \t]*(?:--[ \t]*)?connect[ \t]+\w+[ \t]*,/im],
  ['runs other programs', /^[ \t]*(?:--[ \t]*)?(?:exec|exec_in_background|system|perl)\b/im],
  [
    'changes accounts',
    /\b(?:create|drop|alter|rename)\s+(?:or\s+replace\s+)?(?:user|role)\b|\bset\s+(?:password|default\s+role)\b|^\s*(?:grant|revoke)\b/im,
  ],
  [
    'changes what is global',
    /\bset\s+(?:@@)?global\b|@@global\.\w+\s*:?=|^\s*(?:flush|reset|purge|kill|shutdown|install|uninstall)\b|\b(?:create|drop|alter)\s+(?:or\s+replace\s+)?(?:definer\s*=\s*\S+\s+)?(?:event|server)\b/im,
  ],
  [
    'changes system tables',
    /\b(?:insert\s+(?:ignore\s+)?(?:into\s+)?|replace\s+(?:into\s+)?|update\s+|delete\s+from\s+|alter\s+table\s+|(?:drop|create|truncate)\s+table\s+)`?(?:mysql|performance_schema|sys)`?\s*\.|^\s*use\s+`?(?:mysql|sys)\b/im,
  ],
  [
    'is about replication',
    /\b(?:change\s+master|(?:start|stop)\s+(?:all\s+)?slave|master_pos_wait|show\s+binlog)\b|include\/(?:have_log_bin|master-slave|have_binlog)/i,
  ],
]

const settings = ['.opt', '.cnf', '.combinations', '.sh', '-master.opt', '-master.sh', '-client.opt', '-slave.opt']

export function chooseTestFiles(): TestFiles {
  const root = places.find((place) => existsSync(join(place, 'main')))
  if (root === undefined)
    throw new Error("this suite needs Debian's mariadb-test and mariadb-test-data: apt-get install mariadb-test")
  const chosen: string[] = []
  const ruledOut = new Map<string, number>()
  const files = readdirSync(join(root, 'main'))
    .filter((file) => file.endsWith('.test'))
    .sort()
  for (const file of files) {
    const name = file.slice(0, -'.test'.length)
    const reason = settings.some((suffix) => existsSync(join(root, 'main', name + suffix)))
      ? 'has settings of its own'
      : ruledOutBy(wholeText(root, file))
    if (reason === undefined) chosen.push(name)
    else ruledOut.set(reason, (ruledOut.get(reason) ?? 0) + 1)
  }
  return { root, chosen, ruledOut }
}

function ruledOutBy(text: string): string | undefined {
  return reasons.find(([, pattern]) => pattern.test(text))?.[0]
}

/** A test with all that it includes. A name that is made of variables is not followed: what it does shows when the test is run. */
function wholeText(root: string, file: string): string {
  const seen = new Set<string>()
  const read = (path: string): string => {
    if (seen.has(path) || !existsSync(path)) return ''
    seen.add(path)
    const text = readFileSync(path, 'latin1')
    const included = [...text.matchAll(/^[ \t]*(?:--[ \t]*)?source[ \t]+([^\s;]+)/gim)].map((match) => match[1] ?? '')
    const paths = included.flatMap((name) => [join(root, name), join(root, 'main', name)])
    return [text, ...included, ...paths.map(read)].join('\n')
  }
  return read(join(root, 'main', file))
}
