"""PyMySQL through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`."""
import os, ssl, sys, threading, time
import pymysql
from pymysql.constants import CLIENT

BASE = dict(host=os.environ["CHECK_HOST"], port=int(os.environ["CHECK_PORT"]), user=os.environ["CHECK_USER"],
            password=os.environ["CHECK_PASSWORD"], database=os.environ["CHECK_DATABASE"], connect_timeout=20,
            max_allowed_packet=64 << 20)
DENIED = int(os.environ["CHECK_DENIED"])
checks = []


def connect(**more):
    return pymysql.connect(**{**BASE, **more})


def check(name):
    def add(body):
        checks.append((name, body))
    return add


def rows(c, sql, args=None):
    with c.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


@check("connect")
def _():
    with connect() as c:
        assert rows(c, "select 1") == ((1,),)


@check("tls")
def _():
    context = ssl.create_default_context(cafile=os.environ["CHECK_CA"])
    context.check_hostname = False
    with connect(ssl=context) as c:
        assert rows(c, "select 1") == ((1,),)


@check("query with values")
def _():
    with connect() as c:
        assert rows(c, "select name from items where id = %s and name like %s", (3, "item%")) == (("item 3",),)
        assert len(rows(c, "select * from items")) == 1000


@check("executemany")
def _():
    with connect() as c:
        with c.cursor() as cursor:
            cursor.executemany("insert into notes (body) values (%s)", [("it's",), ("\\", ), ("é",)])
        assert rows(c, "select body from notes order by id") == (("it's",), ("\\",), ("é",))
        c.rollback()


@check("several results")
def _():
    with connect(client_flag=CLIENT.MULTI_STATEMENTS) as c, c.cursor() as cursor:
        cursor.execute("select 1; select 2")
        assert cursor.fetchall() == ((1,),)
        assert cursor.nextset() and cursor.fetchall() == ((2,),) and not cursor.nextset()


@check("procedure")
def _():
    with connect() as c, c.cursor() as cursor:
        cursor.callproc("pair", (4, 0))
        assert cursor.fetchall() == ((4,),)
        assert cursor.nextset() and cursor.fetchall() == ((5,),)
        while cursor.nextset():
            pass
        cursor.execute("select @_pair_1")
        assert cursor.fetchall() == ((8,),)


@check("over 16 MB")
def _():
    with connect() as c:
        assert rows(c, "select length(%s)", ("x" * 17_000_000,)) == ((17_000_000,),)
        assert len(rows(c, "select repeat('y', 17000000)")[0][0]) == 17_000_000


@check("unbuffered")
def _():
    with connect(cursorclass=pymysql.cursors.SSCursor) as c, c.cursor() as cursor:
        cursor.execute("select id from items order by id")
        assert [cursor.fetchone() for _ in range(3)] == [(1,), (2,), (3,)]
        cursor.close()
        assert rows(c, "select 1") is not None


@check("cancel")
def _():
    with connect() as c, connect() as other:
        timer = threading.Timer(1, lambda: rows(other, f"kill query {c.thread_id()}"))
        timer.start()
        began = time.monotonic()
        try:
            assert rows(c, "select sleep(20)") == ((1,),)
        except pymysql.err.OperationalError as error:
            assert error.args[0] == 1317, error
        assert time.monotonic() - began < 10
        timer.join()
        assert rows(c, "select 1") == ((1,),)


@check("denial, and on")
def _():
    with connect() as c:
        c.begin()
        try:
            rows(c, "select * from forbidden")
            raise AssertionError("it was let through")
        except pymysql.err.MySQLError as error:
            assert error.args[0] == DENIED, error
        assert rows(c, "select 1") == ((1,),)
        c.rollback()


@check("masked")
def _():
    with connect() as c:
        assert rows(c, "select email from people order by id") == ((os.environ["CHECK_EMAIL"],), (None,))


@check("ping and database")
def _():
    with connect() as c:
        c.ping(reconnect=False)
        c.select_db(os.environ["CHECK_DATABASE"])
        assert c.stat() if hasattr(c, "stat") else True


failed = 0
for name, body in checks:
    try:
        body()
        print("ok", name, flush=True)
    except BaseException as error:
        failed += 1
        print(f"FAIL {name}: {type(error).__name__} {str(error)[:300]!r}", flush=True)
sys.exit(1 if failed else 0)
