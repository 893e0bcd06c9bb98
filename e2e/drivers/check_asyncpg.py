"""asyncpg through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`."""
import asyncio, io, os, ssl, sys, time, traceback
import asyncpg

BASE = dict(host=os.environ["CHECK_HOST"], port=int(os.environ["CHECK_PORT"]), user=os.environ["CHECK_USER"],
            password=os.environ["CHECK_PASSWORD"], database=os.environ["CHECK_DATABASE"], timeout=20)
checks = []


def connect(**more):
    return asyncpg.connect(**{**BASE, "ssl": False, **more})


def check(name):
    def add(body):
        checks.append((name, body))
    return add


@check("scram")
async def _():
    c = await connect()
    assert await c.fetchval("select 1") == 1
    await c.close()


@check("tls")
async def _():
    context = ssl.create_default_context(cafile=os.environ["CHECK_CA"])
    context.check_hostname = False
    c = await connect(ssl=context)
    assert await c.fetchval("select 1") == 1
    await c.close()


@check("query")
async def _():
    c = await connect()
    rows = await c.fetch("select id, name from items where id <= 3 order by id")
    assert [tuple(r) for r in rows] == [(1, "item 1"), (2, "item 2"), (3, "item 3")]
    assert await c.execute("select 1; select 2") == "SELECT 1"
    await c.close()


@check("prepared binary")
async def _():
    c = await connect()
    s = await c.prepare("select id, price, made, name from items where id = $1")
    for n in range(1, 20):
        row = await s.fetchrow(n)
        assert row["id"] == n and str(row["price"]) == f"{n}.50" and row["name"] == f"item {n}"
    assert [a.name for a in s.get_attributes()] == ["id", "price", "made", "name"]
    await c.executemany("select $1::int", [(n,) for n in range(100)])
    await c.close()


@check("suspended portals")
async def _():
    c = await connect()
    async with c.transaction():
        got = [r["id"] async for r in c.cursor("select id from items order by id", prefetch=50)]
    assert got == list(range(1, 1001))
    await c.close()


@check("copy in and out")
async def _():
    c = await connect()
    await c.execute("create temp table t (a int, b text)")
    await c.copy_records_to_table("t", records=[(n, f"line {n}") for n in range(5000)])
    await c.copy_to_table("t", source=io.BytesIO(b"".join(b"%d\ttext %d\n" % (n, n) for n in range(5000))))
    assert await c.fetchval("select count(*) from t") == 10000
    out = io.BytesIO()
    await c.copy_from_query("select * from t", output=out)
    assert out.getvalue().count(b"\n") == 10000
    await c.close()


@check("cancel")
async def _():
    c = await connect()
    began = time.time()
    try:
        await c.execute("select pg_sleep(20)", timeout=0.5)
        raise AssertionError("was not cancelled")
    except asyncio.TimeoutError:
        assert time.time() - began < 10
    assert await c.fetchval("select 1") == 1
    await c.close()


@check("denied and going on")
async def _():
    c = await connect()
    for args in (("select * from forbidden",), ("select * from forbidden where id = $1", 1)):
        for ask in (c.fetch, c.execute):
            try:
                await ask(*args)
                raise AssertionError("was not denied")
            except asyncpg.InsufficientPrivilegeError:
                pass
            assert await c.fetchval("select 1") == 1
    await c.close()


@check("denied in a transaction")
async def _():
    c = await connect()
    await c.execute("create temp table u (a int)")
    async with c.transaction():
        await c.execute("insert into u values (1)")
        try:
            async with c.transaction():
                await c.execute("select * from forbidden")
        except asyncpg.InsufficientPrivilegeError:
            pass
        await c.execute("insert into u values (2)")
    assert await c.fetchval("select count(*) from u") == 2
    await c.close()


@check("pool")
async def _():
    async with asyncpg.create_pool(**{**BASE, "ssl": False}, min_size=4, max_size=8) as pool:
        got = await asyncio.gather(*[pool.fetchval("select $1::int", n) for n in range(100)])
        assert got == list(range(100))


async def main():
    failed = 0
    for name, body in checks:
        try:
            await asyncio.wait_for(body(), 60)
            print("ok", name)
        except BaseException as error:
            failed += 1
            print(f"FAIL {name}: {error!r}".replace("\n", " "))
            traceback.print_exc()
    return failed


sys.exit(1 if asyncio.run(main()) else 0)
