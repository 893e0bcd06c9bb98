// MariaDB's connector for Node through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`. Its first argument is where it is installed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const mariadb = createRequire(join(process.argv[2] ?? '.', 'package.json'))('mariadb')
const { CHECK_HOST, CHECK_PORT, CHECK_USER, CHECK_PASSWORD, CHECK_DATABASE, CHECK_CA, CHECK_DENIED, CHECK_EMAIL } = process.env
const base = {
  host: CHECK_HOST,
  port: Number(CHECK_PORT),
  user: CHECK_USER,
  password: CHECK_PASSWORD,
  database: CHECK_DATABASE,
  connectTimeout: 20_000,
  allowPublicKeyRetrieval: true,
}

async function connected(options, body) {
  const connection = await mariadb.createConnection({ ...base, ...options })
  try {
    return await body(connection)
  } finally {
    await connection.end().catch(() => connection.destroy())
  }
}

const checks = {
  connect: () => connected({}, async (c) => assert.equal(Number((await c.query('select 1 as n'))[0].n), 1)),
  tls: () =>
    connected({ ssl: { ca: readFileSync(CHECK_CA), checkServerIdentity: () => undefined } }, async (c) =>
      assert.equal(Number((await c.query('select 1 as n'))[0].n), 1),
    ),
  'query with values': () =>
    connected({}, async (c) => {
      assert.equal((await c.query('select name from items where id = ?', [3]))[0].name, 'item 3')
      assert.equal((await c.query('select * from items')).length, 1000)
    }),
  prepare: () =>
    connected({}, async (c) => {
      const prepared = await c.prepare('select id, name, price, made from items where id < ? order by id')
      assert.equal((await prepared.execute([4])).length, 3)
      assert.equal((await prepared.execute([2]))[0].name, 'item 1')
      prepared.close()
      assert.equal((await c.execute('select ? as a', ['b']))[0].a, 'b')
    }),
  pipelined: () =>
    connected({ pipelining: true }, async (c) => {
      const found = await Promise.all([1, 2, 3].map((id) => c.query('select name from items where id = ?', [id])))
      assert.deepEqual(
        found.map(([row]) => row.name),
        ['item 1', 'item 2', 'item 3'],
      )
    }),
  batch: () =>
    connected({}, async (c) => {
      await c.beginTransaction()
      await c.batch('insert into notes (body) values (?)', [["it's"], ['\\'], ['é']])
      assert.deepEqual(
        (await c.query('select body from notes order by id')).map(({ body }) => body),
        ["it's", '\\', 'é'],
      )
      await c.rollback()
    }),
  'several results': () =>
    connected({ multipleStatements: true }, async (c) => {
      const found = await c.query('select 1 as a; select 2 as b')
      assert.deepEqual([found[0][0].a, found[1][0].b].map(Number), [1, 2])
    }),
  procedure: () =>
    connected({}, async (c) => {
      const found = await c.query('call pair(4, @b)')
      assert.deepEqual([found[0][0].first, found[1][0].second].map(Number), [4, 5])
      assert.equal(Number((await c.query('select @b as b'))[0].b), 8)
    }),
  'over 16 MB': () =>
    connected({ maxAllowedPacket: 64 << 20 }, async (c) => {
      assert.equal(Number((await c.query('select length(?) as n', ['x'.repeat(17_000_000)]))[0].n), 17_000_000)
      assert.equal((await c.query("select repeat('y', 17000000) as y"))[0].y.length, 17_000_000)
    }),
  stream: () =>
    connected({}, async (c) => {
      let rows = 0
      for await (const row of c.queryStream('select id from items')) rows += row.id > 0 ? 1 : 0
      assert.equal(rows, 1000)
    }),
  cancel: () =>
    connected({}, (c) =>
      connected({}, async (other) => {
        const began = Date.now()
        const slept = c.query('select sleep(20) as s').then(
          ([row]) => Number(row.s),
          (error) => error.errno,
        )
        await new Promise((done) => setTimeout(done, 500))
        await other.query(`kill query ${c.threadId}`)
        assert.ok([1, 1317].includes(await slept))
        assert.ok(Date.now() - began < 10_000)
        assert.equal(Number((await c.query('select 1 as n'))[0].n), 1)
      }),
    ),
  'denial, and on': () =>
    connected({}, async (c) => {
      for (const run of [() => c.query('select * from forbidden'), () => c.execute('select * from forbidden')])
        await assert.rejects(run, ({ errno }) => errno === Number(CHECK_DENIED))
      assert.equal(Number((await c.query('select 1 as n'))[0].n), 1)
    }),
  'masked, in text and binary': () =>
    connected({}, async (c) => {
      for (const rows of [
        await c.query('select email from people order by id'),
        await c.execute('select email from people order by id'),
      ])
        assert.deepEqual(
          rows.map(({ email }) => email),
          [CHECK_EMAIL, null],
        )
    }),
  'reset and ping': () =>
    connected({}, async (c) => {
      await c.ping()
      await c.query('set @x = 1')
      await c.reset()
      assert.equal((await c.query('select @x as x'))[0].x, null)
    }),
}

let failed = 0
for (const [name, body] of Object.entries(checks)) {
  try {
    await body()
    console.log(`ok ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL ${name}: ${String(error).replaceAll('\n', ' ').slice(0, 400)}`)
  }
}
process.exitCode = failed > 0 ? 1 : 0
