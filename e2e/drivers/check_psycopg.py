"""psycopg 3 through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`."""
import os, sys, threading, time, traceback
import psycopg

BASE = dict(host=os.environ["CHECK_HOST"], port=os.environ["CHECK_PORT"], user=os.environ["CHECK_USER"],
            password=os.environ["CHECK_PASSWORD"], dbname=os.environ["CHECK_DATABASE"], connect_timeout=20)
failed = 0


def connect(**more):
    return psycopg.connect(**{**BASE, "sslmode": "disable", **more})


def check(name):
    def run(body):
        global failed
        try:
            body()
            print("ok", name)
        except BaseException as error:
            failed += 1
            print(f"FAIL {name}: {error!r}".replace("\n", " "))
            traceback.print_exc()
    return run


@check("scram")
def _():
    with connect() as c:
        assert c.execute("select 1").fetchone() == (1,)


@check("tls")
def _():
    with connect(sslmode="verify-ca", sslrootcert=os.environ["CHECK_CA"], channel_binding="require") as c:
        assert c.execute("select 1").fetchone() == (1,)
        assert c.pgconn.ssl_in_use


@check("query")
def _():
    with connect() as c:
        rows = c.execute("select id, name from items where id <= 3 order by id").fetchall()
        assert rows == [(1, "item 1"), (2, "item 2"), (3, "item 3")], rows


@check("prepared text")
def _():
    with connect() as c:
        for n in range(1, 12):  # prepared by name from the fifth run on
            assert c.execute("select name from items where id = %s", (n,)).fetchone() == (f"item {n}",)


@check("prepared binary")
def _():
    with connect() as c:
        cur = c.cursor(binary=True)
        for n in range(1, 12):
            cur.execute("select id, price, made, name from items where id = %b", (n,), prepare=True)
            row = cur.fetchone()
            assert row[0] == n and str(row[1]) == f"{n}.50" and row[3] == f"item {n}", row


@check("copy in and out")
def _():
    with connect() as c:
        c.execute("create temp table t (a int, b text)")
        with c.cursor().copy("copy t from stdin") as copy:
            for n in range(5000):
                copy.write_row((n, f"line {n}"))
        with c.cursor().copy("copy t from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for n in range(5000):
                copy.write_row((n, f"bin {n}"))
        assert c.execute("select count(*) from t").fetchone() == (10000,)
        with c.cursor().copy("copy (select * from t order by a, b) to stdout") as copy:
            assert len(list(copy.rows())) == 10000


@check("cancel")
def _():
    with connect() as c:
        threading.Timer(0.5, c.cancel).start()
        began = time.time()
        try:
            c.execute("select pg_sleep(20)")
            raise AssertionError("was not cancelled")
        except psycopg.errors.QueryCanceled:
            assert time.time() - began < 10
        c.rollback()
        assert c.execute("select 1").fetchone() == (1,)


@check("pipeline")
def _():
    with connect() as c:
        with c.pipeline():
            curs = [c.execute("select name from items where id = %s", (n,)) for n in range(1, 50)]
        assert [cur.fetchone()[0] for cur in curs] == [f"item {n}" for n in range(1, 50)]


@check("denied and going on")
def _():
    with connect(autocommit=True) as c:
        for params in (None, (1,)):
            try:
                c.execute("select * from forbidden" if params is None else "select * from forbidden where id = %s", params)
                raise AssertionError("was not denied")
            except psycopg.errors.InsufficientPrivilege:
                pass
            assert c.execute("select 1").fetchone() == (1,)


@check("denied in a transaction")
def _():
    with connect() as c:
        c.execute("create temp table u (a int)")
        c.commit()
        c.execute("insert into u values (1)")
        try:
            with c.transaction():  # a savepoint
                c.execute("select * from forbidden")
            raise AssertionError("was not denied")
        except psycopg.errors.InsufficientPrivilege:
            pass
        assert c.execute("select count(*) from u").fetchone() == (1,)
        c.commit()


@check("denied in a pipeline")
def _():
    with connect(autocommit=True) as c:
        try:
            with c.pipeline():
                first = c.execute("select 1")
                c.execute("select * from forbidden where id = %s", (1,))
                c.execute("select 3")
            raise AssertionError("was not denied")
        except psycopg.errors.InsufficientPrivilege:
            pass
        assert first.fetchone() == (1,)
        assert c.execute("select 1").fetchone() == (1,)


@check("server cursor")
def _():
    with connect() as c, c.cursor("big") as cur:
        cur.itersize = 100
        cur.execute("select id from items order by id")
        assert [row[0] for row in cur] == list(range(1, 1001))


@check("notify")
def _():
    with connect(autocommit=True) as a, connect(autocommit=True) as b:
        a.execute("listen news")
        b.execute("notify news, 'hello'")
        got = next(a.notifies(timeout=5, stop_after=1))
        assert got.payload == "hello" and got.pid == b.info.backend_pid


sys.exit(1 if failed else 0)
