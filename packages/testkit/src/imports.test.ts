// Holds the code to the import table in docs/architecture.md, so that page and code cannot drift.

import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))

interface Room {
  readonly folder: string
  readonly imports: readonly string[]
  readonly owns: readonly string[]
}

function table(): Room[] {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const rows = [...page.matchAll(/^\| ((?:packages|protocols)\/[\w-]+) \|[^|]*\|([^|]*)\|([^|]*)\|$/gm)]
  const words = (cell = ''): string[] =>
    cell
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
  return rows.map(([, folder = '', imports, owns]) => ({ folder, imports: words(imports), owns: words(owns) }))
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/\.(test|fixture)\.tsx?$/.test(file))
    .map((file) => join(root, folder, 'src', file))
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|(?:^|\n)import\s+['"]([^'"]+)['"]/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const rooms = table()
const folders = ['packages', 'protocols'].flatMap((top) => readdirSync(join(root, top)).map((name) => `${top}/${name}`))

describe('the import table', () => {
  it('lists every room and no other', () => {
    expect(rooms.map((room) => room.folder).sort()).toEqual(folders.sort())
  })

  it.each(rooms)('holds for $folder', (room) => {
    const faults: string[] = []
    for (const file of sources(room.folder)) {
      for (const specifier of importsOf(file)) {
        if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
        if (builtinModules.includes(specifier)) faults.push(`${file}: ${specifier} without node:`)
        const name = packageOf(specifier)
        const own = name.startsWith('@sallyport/') ? name.slice('@sallyport/'.length) : undefined
        const allowed =
          own === undefined ? room.owns.includes(name) : own === 'core' || room.imports.includes(own) || room.imports.includes('*')
        if (!allowed) faults.push(`${file}: ${specifier}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('takes nothing but types of ours into the page of the browser', () => {
    for (const file of sources('packages/console'))
      expect(readFileSync(file, 'utf8'), file).not.toMatch(/import (?!type )[^;\n]*'@sallyport\//)
  })

  it('keeps sockets, promises, clocks and random numbers out of every Wire', () => {
    const machines = {
      postgres: ['wire', 'requests', 'replies', 'responses', 'names'],
      mysql: ['wire', 'exchange', 'responses', 'statements', 'parameters', 'columns', 'packets'],
    }
    const files = Object.entries(machines).flatMap(([room, names]) =>
      names.map((name) => join(root, 'protocols', room, 'src', `${name}.ts`)),
    )
    for (const file of files) {
      expect(readFileSync(file, 'utf8')).not.toMatch(
        /node:(net|tls|crypto|timers)|Promise|async |Date\.now|performance|Math\.random/,
      )
    }
  })
})
