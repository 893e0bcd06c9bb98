// pgjdbc through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Check {
  interface Body { void run(Connection c) throws Exception; }

  static int failed = 0;

  static Connection connect(String... more) throws SQLException {
    var p = new Properties();
    p.setProperty("user", System.getenv("CHECK_USER"));
    p.setProperty("password", System.getenv("CHECK_PASSWORD"));
    p.setProperty("sslmode", "disable");
    p.setProperty("loginTimeout", "20");
    for (int n = 0; n < more.length; n += 2) p.setProperty(more[n], more[n + 1]);
    return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("CHECK_HOST") + ":" + System.getenv("CHECK_PORT") + "/"
        + System.getenv("CHECK_DATABASE"), p);
  }

  static void check(String name, Body body, String... more) {
    try (var c = connect(more)) {
      body.run(c);
      System.out.println("ok " + name);
    } catch (Throwable error) {
      failed++;
      System.out.println("FAIL " + name + ": " + String.valueOf(error).replace('\n', ' '));
    }
  }

  static void that(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static void one(Connection c) throws SQLException {
    try (var s = c.createStatement(); var r = s.executeQuery("select 1")) {
      that(r.next() && r.getInt(1) == 1, "select 1");
    }
  }

  static void names(Connection c) throws SQLException {
    try (var s = c.prepareStatement("select id, name, price, made from items where id = ?")) {
      for (int n = 1; n < 20; n++) {
        s.setInt(1, n);
        try (var r = s.executeQuery()) {
          that(r.next() && r.getInt(1) == n && r.getString(2).equals("item " + n) && r.getBigDecimal(3).toString().equals(n + ".50"), "row " + n);
        }
      }
    }
  }

  static void denied(Connection c, String sql, boolean prepared) throws SQLException {
    try (var s = prepared ? c.prepareStatement(sql) : c.createStatement()) {
      if (prepared) ((PreparedStatement) s).executeQuery(); else s.executeQuery(sql);
      throw new AssertionError("was not denied");
    } catch (SQLException error) {
      that("42501".equals(error.getSQLState()), "got " + error.getSQLState() + " " + error.getMessage());
    }
  }

  static void copies(Connection c) throws Exception {
    try (var s = c.createStatement()) { s.execute("create temp table t (a int, b text)"); }
    var lines = new StringBuilder();
    for (int n = 0; n < 5000; n++) lines.append(n).append("\tline ").append(n).append('\n');
    CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
    that(copy.copyIn("copy t from stdin", new ByteArrayInputStream(lines.toString().getBytes(StandardCharsets.UTF_8))) == 5000, "copy in");
    var out = new ByteArrayOutputStream();
    that(copy.copyOut("copy t to stdout", out) == 5000, "copy out");
    that(out.toString(StandardCharsets.UTF_8).equals(lines.toString()), "what came out is not what went in");
  }

  static void cancel(Connection c) throws Exception {
    try (var s = c.createStatement()) {
      new Thread(() -> {
        try { Thread.sleep(500); s.cancel(); } catch (Exception ignored) { /* the check fails by its time */ }
      }).start();
      long began = System.currentTimeMillis();
      try {
        s.execute("select pg_sleep(20)");
        throw new AssertionError("was not cancelled");
      } catch (SQLException error) {
        that("57014".equals(error.getSQLState()) && System.currentTimeMillis() - began < 10_000, "got " + error.getSQLState());
      }
    }
    one(c);
  }

  static void batch(Connection c) throws SQLException {
    try (var s = c.createStatement()) { s.execute("create temp table b (a int)"); }
    try (var s = c.prepareStatement("insert into b values (?)")) {
      for (int n = 0; n < 500; n++) { s.setInt(1, n); s.addBatch(); }
      that(s.executeBatch().length == 500, "batch");
    }
    try (var s = c.createStatement(); var r = s.executeQuery("select count(*) from b")) { that(r.next() && r.getInt(1) == 500, "count"); }
  }

  static void fetches(Connection c) throws SQLException {
    c.setAutoCommit(false);
    try (var s = c.prepareStatement("select id from items order by id")) {
      s.setFetchSize(50);
      int n = 0;
      try (var r = s.executeQuery()) { while (r.next()) that(r.getInt(1) == ++n, "row"); }
      that(n == 1000, "rows " + n);
    }
    c.commit();
  }

  static void goingOn(Connection c) throws SQLException {
    for (boolean prepared : new boolean[] {false, true}) {
      denied(c, "select * from forbidden", prepared);
      one(c);
    }
  }

  static void inTransaction(Connection c) throws SQLException {
    c.setAutoCommit(false);
    try (var s = c.createStatement()) { s.execute("create temp table u (a int)"); s.execute("insert into u values (1)"); }
    var before = c.setSavepoint();
    denied(c, "select * from forbidden", true);
    c.rollback(before);
    try (var s = c.createStatement(); var r = s.executeQuery("select count(*) from u")) { that(r.next() && r.getInt(1) == 1, "count"); }
    c.commit();
  }

  static void autosave(Connection c) throws SQLException {
    c.setAutoCommit(false);
    one(c);
    denied(c, "select * from forbidden", true);
    one(c); // autosave rolled back to before the denied statement
    c.commit();
  }

  public static void main(String[] args) {
    check("scram", Check::one);
    check("tls", Check::one, "sslmode", "verify-ca", "sslrootcert", System.getenv("CHECK_CA"), "channelBinding", "require");
    check("prepared text", Check::names, "binaryTransfer", "false");
    check("prepared binary", Check::names, "prepareThreshold", "-1");
    check("simple protocol", Check::names, "preferQueryMode", "simple");
    check("copy in and out", Check::copies);
    check("cancel", Check::cancel);
    check("batch", Check::batch);
    check("batch, rewritten", Check::batch, "reWriteBatchedInserts", "true");
    check("fetch size", Check::fetches);
    check("denied and going on", Check::goingOn);
    check("denied in a transaction", Check::inTransaction);
    check("denied with autosave", Check::autosave, "autosave", "always");
    System.exit(failed > 0 ? 1 : 0);
  }
}
